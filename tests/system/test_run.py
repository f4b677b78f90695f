"""`kit tls run`: unmodified programs take a handle for a key file, and are run as Python runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.agent.launch import Running
from tests.peers import find
from tests.system.provider_fixtures import agent_with
from tests.system.provider_scene import Identity, client_context, make_identity

Kit = Callable[..., subprocess.CompletedProcess[str]]
_APPLICATIONS = """
async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-length", b"6"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"signed"})

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"signed"]
"""
_SCRIPT = """
import http.server, ssl, sys

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"signed")

certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("serving on https://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
"""
SERVERS = {
    "uvicorn": ("-m", "uvicorn", "applications:asgi", "--port=0", "--ssl-certfile=CRT", "--ssl-keyfile=KEY"),
    "uvicorn, its plain loop": (
        "-m", "uvicorn", "applications:asgi", "--loop=asyncio", "--http=h11", "--port=0",
        "--ssl-certfile=CRT", "--ssl-keyfile=KEY",
    ),
    "gunicorn": (
        "-m", "gunicorn", "applications:wsgi", "--bind=127.0.0.1:0", "--workers=2",
        "--certfile=CRT", "--keyfile=KEY",
    ),
    # 27.0.1 deadlocks where the signal comes while it starts a thread of its pool (2 of 150, without kit),
    # and kills that worker after this time.
    "gunicorn with threads": (
        "-m", "gunicorn", "applications:wsgi", "--bind=127.0.0.1:0", "--worker-class=gthread",
        "--threads=4", "--graceful-timeout=2", "--certfile=CRT", "--keyfile=KEY",
    ),
    "http.server": ("script.py", "CRT", "KEY"),
}  # fmt: skip
_PLACE = re.compile(r"https://127\.0\.0\.1:(\d+)")


@pytest.fixture(params=["rsa-2048", "p-256"])
def identity(request: pytest.FixtureRequest, short_tmp: Path) -> Identity:
    (short_tmp / "applications.py").write_text(_APPLICATIONS)
    (short_tmp / "script.py").write_text(_SCRIPT)
    return make_identity(short_tmp, "web", request.param, str(short_tmp / "agent.sock"))


@pytest.fixture
def agent(identity: Identity) -> Iterator[Running]:
    with agent_with(identity.directory, identity, purposes=("tls-server",)) as running:
        yield running


@contextmanager
def serving(kit_program: str, server: str, identity: Identity) -> Iterator[tuple[int, Path]]:
    """The server's port and log; ended by Ctrl-C, and well."""
    words = [
        word.replace("CRT", str(identity.certificate)).replace("KEY", str(identity.handle))
        for word in SERVERS[server]
    ]
    log = identity.directory / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [kit_program, "tls", "run", "--timeout", "2", "--", *words],
            cwd=identity.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        yield _port(process, log), log
        process.send_signal(signal.SIGINT)
        # uvicorn ends by the signal that it got, as programs should.
        assert process.wait(30) in (0, 130, -signal.SIGINT), log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        if found := _PLACE.search(log.read_text()):
            return int(found[1])
        time.sleep(0.01)
    raise AssertionError(log.read_text())


def page(port: int, identity: Identity) -> str:
    context = client_context(identity)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while part := secure.recv(4096):
            answer += part
    return answer.rpartition(b"\r\n")[2].decode()


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_serves_with_a_handle_for_a_key(
    kit_program: str, identity: Identity, agent: Running, server: str
) -> None:
    with serving(kit_program, server, identity) as (port, _):
        for _ in range(6):
            assert page(port, identity) == "signed"
        trust = ("--cacert", str(identity.certificate), "--resolve", f"localhost:{port}:127.0.0.1")
        for version in ("1.2", "1.3"):
            command = [find("curl"), "-sS", f"--tlsv{version}", "--tls-max", version, *trust]
            told = subprocess.run(
                [*command, f"https://localhost:{port}/"],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert (told.stdout, told.stderr) == ("signed", "")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "http.server"])
def test_a_server_says_that_its_agent_is_gone_and_goes_on_when_it_is_back(
    kit_program: str, identity: Identity, server: str, wait_until: Callable[..., None]
) -> None:
    with serving(kit_program, server, identity) as (port, log):
        with pytest.raises((ssl.SSLError, OSError)):
            page(port, identity)
        said = "kit agent: key 'web': no agent answers on"
        wait_until(lambda: said in log.read_text(), "the word of the log")
        with agent_with(identity.directory, identity):
            assert page(port, identity) == "signed"


_SEEN = """
import json, os, pickle, sys, __main__
class Thing: pass
print(json.dumps([
    __name__, os.path.realpath(__file__), sys.argv, os.path.realpath(sys.path[0]), __package__,
    __spec__ and __spec__.name, __main__.__dict__ is globals(), type(__loader__).__name__,
    pickle.loads(pickle.dumps(Thing)) is Thing, sorted(n for n in globals() if n.startswith("__")),
]))
"""


@pytest.mark.parametrize(
    "words", [["seen.py", "-a", "b c"], ["-m", "seen", "-a"], ["-m", "package"], ["package"]]
)
def test_a_program_sees_what_it_sees_under_python(kit: Kit, short_tmp: Path, words: list[str]) -> None:
    (short_tmp / "seen.py").write_text(_SEEN)
    (short_tmp / "package").mkdir()
    (short_tmp / "package" / "__main__.py").write_text(_SEEN)
    expected = subprocess.run(
        [sys.executable, *words], cwd=short_tmp, capture_output=True, text=True, check=True, timeout=60
    )
    done = _run(short_tmp, *words)
    assert json.loads(done.stdout) == json.loads(expected.stdout)
    assert done.stderr == ""


def _run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "kit"), "tls", "run", "--", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('no')", 1, "no\n"),
        ("import sys; sys.exit()", 0, ""),
        ("1/0", 1, "ZeroDivisionError: division by zero\n"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt\n"),
        ("raise EOFError", 1, "EOFError\n"),
        ("import atexit; atexit.register(print, 'end')", 0, ""),
    ],
)
def test_the_end_of_a_program_is_its_own(short_tmp: Path, code: str, status: int, said: str) -> None:
    (short_tmp / "program.py").write_text(code)
    done = _run(short_tmp, "program.py")
    assert done.returncode == status
    assert done.stderr.endswith(said)
    assert "kit/" not in done.stderr
    if "atexit" in code:
        assert done.stdout == "end\n"


def test_a_program_that_is_not_there_is_a_clear_error(kit: Kit) -> None:
    done = kit("tls", "run", "--", "/nowhere/program.py")
    assert (done.returncode, done.stderr) == (69, "kit: error: there is no script '/nowhere/program.py'\n")
    assert kit("tls", "run", "--", "-m").returncode == 2
    assert kit("tls", "run", "--", "-c", "pass").returncode == 2
    assert "No module named nowhere" in kit("tls", "run", "--", "-m", "nowhere").stderr


def test_a_socket_that_is_named_is_for_handles_that_name_none(kit: Kit, short_tmp: Path) -> None:
    (short_tmp / "program.py").write_text("import os; print(os.environ['KIT_AGENT_SOCK'])")
    done = kit("tls", "run", "-s", "/tmp/other.sock", "--", str(short_tmp / "program.py"))
    assert done.stdout == "/tmp/other.sock\n"
