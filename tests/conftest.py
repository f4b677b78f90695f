"""Fixtures for every room: short directories, a home of one's own, the kit command, waiting."""

from __future__ import annotations

import compileall
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kit import cli
from tests import forked
from tests.peers import in_ci

# In CI a change is judged by the same examples each time, elsewhere new ones are looked for. How long an
# example takes says something about the machine only.
settings.register_profile(
    "house", deadline=None, derandomize=in_ci(), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


def pytest_configure() -> None:
    """What the programs that the tests start find: kit compiled, and no ignored signals."""
    # Where no compiled modules are to be written (PYTHONDONTWRITEBYTECODE) each program would compile kit for
    # itself, which takes as long as everything else that most of them do.
    compileall.compile_dir(Path(cli.__file__).parent.parent, quiet=2)
    # A run in the background (nohup, &) ignores these.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_unconfigure() -> None:
    """The server of the commands that are forked ends here."""
    forked.end()


_KIT_VARIABLES = ("KIT_AGENT_SOCK", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "NO_COLOR")


@pytest.fixture(autouse=True)
def _no_agent_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may meet the agent of the person who runs it."""
    for name in _KIT_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A private directory whose path leaves room for a unix socket's 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def home(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME and XDG_RUNTIME_DIR of this test alone; the agent's usual place lies in it."""
    run = short_tmp / "run"
    run.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(short_tmp))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    return short_tmp


@pytest.fixture(scope="session")
def kit_program() -> str:
    """The installed `kit` of the Python that runs the tests."""
    path = Path(sys.executable).parent / "kit"
    assert path.exists(), f"kit is not installed beside {sys.executable}"
    return str(path)


@pytest.fixture
def kit() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `kit` with these arguments to its end: text out, text err, at most a minute."""

    def run(
        *arguments: str, timeout: float = 60, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return forked.run(arguments, env=os.environ, stdin=stdin, timeout=timeout)

    return run


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Poll a condition until it holds; fail, saying what was awaited, when the deadline passes."""

    def wait(condition: Callable[[], object], what: str = "the condition", deadline_s: float = 10) -> None:
        end = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"{what} did not come within {deadline_s} s", pytrace=False)
            time.sleep(0.01)

    return wait
