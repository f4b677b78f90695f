"""Where the provider cannot be: the error names the interpreter and says what to use instead."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.system.provider_process import environment

# An interpreter with OpenSSL built in, or an older one, as far as kit can tell.
ABSENCES = {
    "built in": ("import _ssl; del _ssl.__file__", "its OpenSSL is built in and hidden"),
    "no symbols": (
        "import _ssl, _cffi_backend; _ssl.__file__ = _cffi_backend.__file__",
        "its OpenSSL shows no symbols",
    ),
    "no file": ("import _ssl; _ssl.__file__ = '/nowhere'", "its OpenSSL shows no symbols"),
    "another one": ("import ssl; ssl.OPENSSL_VERSION_NUMBER += 16", "another OpenSSL stands before"),
    "too old": (
        "import ssl; ssl.OPENSSL_VERSION_INFO = (1, 1, 1, 23, 15); ssl.OPENSSL_VERSION = 'OpenSSL 1.1.1w'",
        "its ssl runs on OpenSSL 1.1.1w, where OpenSSL 3 is needed",
    ),
}


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )


@pytest.mark.parametrize("absence", ABSENCES)
def test_an_unreachable_openssl_is_a_clear_error(absence: str) -> None:
    code, said = ABSENCES[absence]
    done = _run(f"{code}\nfrom kit.cli.main import main\n{_COMMAND}")
    assert done.returncode == 69, done.stderr
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"kit: error: {sys.executable} cannot take keys from an agent: {said}")
    assert "uv venv --python /usr/bin/python3" in hint


_COMMAND = "import sys; sys.argv[1:] = ['tls', 'run', '--', '-m', 'this']; main()"


def test_the_agents_client_does_not_need_it() -> None:
    code, _ = ABSENCES["built in"]
    done = _run(f"{code}\nimport kit.agent; kit.agent.AgentClient('/tmp/none.sock')")
    assert (done.returncode, done.stderr) == (0, "")


# One that shares the lock of the main one: there cffi can be imported.
_SUBINTERPRETER = (
    "import sys\n"
    "try:\n"
    "    from _interpreters import create, destroy, exec as run\n"
    "    one = create('legacy')\n"
    "except ImportError:\n"
    "    from _xxsubinterpreters import create, destroy, run_string as run\n"
    "    one = create(isolated=False)\n"
)


def test_a_subinterpreter_is_refused() -> None:
    inner = (
        "import sys; sys.path[:] = {path!r}\n"
        "from kit.core.errors import Unavailable\n"
        "try:\n"
        "    from kit.agent import install; install()\n"
        "except Unavailable as error:\n"
        "    print(error, flush=True)\n"
    )
    done = _run(f"{_SUBINTERPRETER}run(one, {inner!r}.format(path=sys.path))\ndestroy(one)\n")
    assert done.returncode == 0, done.stderr
    assert "in the main interpreter only" in done.stdout


def test_installing_twice_and_from_many_threads_is_one_installation() -> None:
    done = _run(
        "import ssl, threading, kit.agent\n"
        "threads = [threading.Thread(target=kit.agent.install) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "kit.agent.install(timeout_s=1)\n"
        "assert not hasattr(ssl.SSLObject.do_handshake.__wrapped__, '__wrapped__')\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
