"""The service manager's protocol, with real sockets and with systemd's own programs at the other end."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.core.service_manager import Notifier, listening_sockets, watchdog_interval_s
from tests.peers import find

_ME = os.getpid()

# In a fresh Python the descriptors from 3 on are free: what is made here gets the numbers of a manager's.
_TAKING = """
import json, os, socket, sys
from kit.core.errors import KitError
from kit.core.service_manager import listening_sockets

def stream(path="\\0"):
    made = socket.socket(socket.AF_UNIX)
    made.bind("")
    return made

def listening():
    made = stream()
    made.listen()
    return made

def of_tcp():
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made

def packets():
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.bind("")
    made.listen()
    return made

def datagrams():
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def connected():
    return socket.socketpair()[0]

def file():
    return open(os.devnull)

made = [globals()[kind]() for kind in sys.argv[2].split()]
environ = {"LISTEN_PID": str(os.getpid()), **json.loads(sys.argv[1])}
for descriptor in range(3, 3 + len(made)):
    os.set_inheritable(descriptor, True)
try:
    taken = listening_sockets(environ, os.getpid())
    found = {"sockets": [(name, given.fileno(), given.get_inheritable()) for name, given in taken]}
except KitError as error:
    found = {"error": type(error).__name__, "text": str(error), "hint": error.hint}
found["open"] = [name for name in range(3, 3 + len(made)) if os.path.exists(f"/proc/self/fd/{name}")]
print(json.dumps(found), flush=True)
os._exit(0)
"""


def _take(kinds: str, **variables: str) -> Any:
    """What a process with these descriptors gets, where `variables` say how many there are."""
    done = subprocess.run(
        [sys.executable, "-c", _TAKING, json.dumps(variables), kinds],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_sockets_come_in_order_with_their_names_and_are_closed_on_exec() -> None:
    found = _take("listening listening", LISTEN_FDS="2", LISTEN_FDNAMES="agent:admin")
    assert found["sockets"] == [["agent", 3, False], ["admin", 4, False]]


@pytest.mark.parametrize("names", [{}, {"LISTEN_FDNAMES": ""}, {"LISTEN_FDNAMES": "agent"}])
def test_a_socket_without_a_name_is_unknown(names: dict[str, str]) -> None:
    found = _take("listening listening", LISTEN_FDS="2", **names)
    first = names.get("LISTEN_FDNAMES") or "unknown"
    assert [name for name, _, _ in found["sockets"]] == [first, "unknown"]


def test_names_beyond_the_sockets_name_nothing() -> None:
    assert _take("listening", LISTEN_FDS="1", LISTEN_FDNAMES="a:b:c")["sockets"] == [["a", 3, False]]


def test_no_socket_is_taken_that_was_not_announced() -> None:
    assert _take("listening listening", LISTEN_FDS="1")["sockets"] == [["unknown", 3, False]]
    assert _take("listening", LISTEN_FDS="0")["sockets"] == []


def test_sockets_of_another_process_are_left_alone() -> None:
    assert _take("listening", LISTEN_FDS="1", LISTEN_PID="1")["sockets"] == []
    assert listening_sockets({"LISTEN_FDS": "1"}, _ME) == []
    assert listening_sockets({}, _ME) == []


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("stream", "not listening"),
        ("connected", "not listening"),
        ("of_tcp", "not a Unix socket"),
        ("packets", "not a stream socket"),
        ("datagrams", "not a stream socket"),
        ("file", "socket operation on non-socket"),
    ],
)
def test_a_descriptor_that_is_no_listening_unix_stream_socket_is_named(kind: str, why: str) -> None:
    found = _take(f"listening {kind}", LISTEN_FDS="2")
    assert found["error"] == "Unavailable"
    assert found["text"] == f"descriptor 4 from the service manager is no listening Unix stream socket: {why}"
    assert "Accept=no" in found["hint"]
    assert found["open"] == [3, 4], "what is refused stays as it was"


@pytest.mark.parametrize("count", ["2", "1000000000", "18446744073709551615"])
def test_a_count_beyond_the_descriptors_ends_at_the_first_that_is_missing(count: str) -> None:
    found = _take("listening", LISTEN_FDS=count)
    assert found["error"] == "Unavailable"
    assert "descriptor 4 " in found["text"]
    assert "bad file descriptor" in found["text"]


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "one", "0x1", "\u0661", "9" * 5000])
@pytest.mark.parametrize("variable", ["LISTEN_PID", "LISTEN_FDS", "WATCHDOG_PID", "WATCHDOG_USEC"])
def test_a_variable_that_is_no_number_is_refused_by_name(variable: str, text: str) -> None:
    sane = {"LISTEN_PID": str(_ME), "LISTEN_FDS": "1", "WATCHDOG_PID": str(_ME), "WATCHDOG_USEC": "1"}
    read = listening_sockets if variable.startswith("LISTEN") else watchdog_interval_s
    with pytest.raises(UsageError, match=f"the environment variable {variable} is ") as raised:
        read({**sane, variable: text}, _ME)
    assert len(str(raised.value)) < 200


def test_a_count_that_is_missing_is_refused() -> None:
    with pytest.raises(UsageError, match="LISTEN_FDS is not set"):
        listening_sockets({"LISTEN_PID": str(_ME)}, _ME)


@given(st.dictionaries(st.sampled_from(["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]), st.text()))
def test_garbage_in_the_environment_yields_no_socket(environ: dict[str, str]) -> None:
    with contextlib.suppress(UsageError):
        assert listening_sockets(environ, 2**70) == []


_SERVER = """
import os
from kit.core.service_manager import listening_sockets
[(name, given)] = listening_sockets(os.environ, os.getpid())
peer, _ = given.accept()
peer.sendall(f"{name} {given.fileno()}".encode())
"""


def test_systemd_hands_over_the_socket_that_a_client_waits_on(
    short_tmp: Path, wait_until: Callable[..., None]
) -> None:
    path = short_tmp / "socket"
    command = [find("systemd-socket-activate"), "-l", path, "--fdname=agent", sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as activator:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                # There is a moment between the path's appearance and that somebody listens.
                wait_until(lambda: client.connect_ex(str(path)) == 0, "the socket")
                client.settimeout(30)
                assert client.recv(100) == b"agent 3"
            activator.communicate(timeout=30)
        finally:
            activator.kill()
    assert activator.returncode == 0


# How long may it be silent?


def test_the_watchdog_is_due_twice_in_its_time() -> None:
    assert watchdog_interval_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(_ME)}, _ME) == 15
    assert watchdog_interval_s({"WATCHDOG_USEC": "30000000"}, _ME) == 15


def test_nobody_watches_another_process_or_without_a_time() -> None:
    assert watchdog_interval_s({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, _ME) is None
    assert watchdog_interval_s({"WATCHDOG_PID": str(_ME)}, _ME) is None
    assert watchdog_interval_s({}, _ME) is None


@pytest.mark.parametrize("text", ["0", str(2**64 - 1), str(2**65)])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="microseconds above 0"):
        watchdog_interval_s({"WATCHDOG_USEC": text}, _ME)


# What is it told?


def _manager(name: str) -> socket.socket:
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    own.bind(name)
    own.settimeout(10)
    return own


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[tuple[socket.socket, Notifier]]:
    """A manager's socket, and who talks to it."""
    name = str(short_tmp / "notify")
    with _manager(name if request.param == "path" else f"\0{name}") as own:
        with contextlib.closing(Notifier(name if request.param == "path" else f"@{name}")) as notifier:
            yield own, notifier


def _heard(manager: socket.socket) -> list[str]:
    return manager.recv(5000).decode().split("\n")


def test_each_message_is_a_datagram_of_lines(manager: tuple[socket.socket, Notifier]) -> None:
    own, notifier = manager
    notifier.ready("3 keys")
    assert _heard(own) == ["READY=1", "STATUS=3 keys"]
    notifier.ready()
    assert _heard(own) == ["READY=1"]
    notifier.status("4 keys")
    assert _heard(own) == ["STATUS=4 keys"]
    notifier.status("")
    assert _heard(own) == ["STATUS="]
    notifier.watchdog()
    assert _heard(own) == ["WATCHDOG=1"]
    notifier.stopping()
    assert _heard(own) == ["STOPPING=1"]


def test_a_reload_is_dated_by_the_monotonic_clock(manager: tuple[socket.socket, Notifier]) -> None:
    own, notifier = manager
    before_us = time.monotonic_ns() // 1000
    notifier.reloading()
    tag, time_line = _heard(own)
    assert tag == "RELOADING=1"
    at_us = int(time_line.removeprefix("MONOTONIC_USEC="))
    assert before_us <= at_us <= time.monotonic_ns() // 1000


def test_systemd_notify_says_the_same(short_tmp: Path) -> None:
    address = str(short_tmp / "notify")
    with _manager(address) as own, contextlib.closing(Notifier(address)) as notifier:
        subprocess.run(
            [find("systemd-notify"), "--no-block", "--ready", "--status=3 keys"],
            env={**os.environ, "NOTIFY_SOCKET": address},
            check=True,
            timeout=30,
        )
        notifier.ready("3 keys")
        assert _heard(own) == _heard(own)


def test_a_status_is_one_line_whatever_is_in_it(manager: tuple[socket.socket, Notifier]) -> None:
    own, notifier = manager
    notifier.status("a\nMAINPID=1\0\x85b\u2028 c\td")
    assert _heard(own) == ["STATUS=a MAINPID=1 b c d"]
    notifier.status("\U0001f511" * 5000 + "\udcff")
    assert _heard(own) == ["STATUS=" + "\U0001f511" * 1000]


@given(st.text())
def test_no_text_makes_a_second_assignment(text: str) -> None:
    with _manager("") as own:  # the kernel chooses an abstract name
        with contextlib.closing(Notifier("@" + own.getsockname()[1:].decode())) as notifier:
            notifier.status(text)
            line = own.recv(5000, socket.MSG_DONTWAIT)
    assert line.startswith(b"STATUS=")
    assert b"\n" not in line


@pytest.mark.parametrize(
    "address", ["", "/no/such/place", "relative", "vsock:2:1234", "@" + "a" * 200, "/\0", "@\ud800", "@"]
)
def test_without_a_manager_nothing_happens(address: str) -> None:
    notifier = Notifier(address)
    notifier.ready("yes")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping()
    notifier.close()
    notifier.status("closed")


def test_a_manager_that_was_restarted_is_told_on_its_new_socket(short_tmp: Path) -> None:
    path = short_tmp / "notify"
    with contextlib.closing(Notifier(str(path))) as notifier:
        for _ in range(2):
            notifier.status("nobody hears")
            with _manager(str(path)) as own:
                notifier.status("here")
                assert _heard(own) == ["STATUS=here"]
            path.unlink()


def _fill(path: Path) -> int:
    """Fill a manager's queue; how many datagrams it took."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as noise:
        noise.setblocking(False)
        for sent in range(100_000):
            try:
                noise.sendto(b"NOISE=1", str(path))
            except BlockingIOError:
                return sent
    raise AssertionError("a queue without an end")


def test_a_busy_manager_is_waited_for_by_nobody_and_told_later(short_tmp: Path) -> None:
    path = short_tmp / "notify"
    with _manager(str(path)) as own, contextlib.closing(Notifier(str(path))) as notifier:
        own.setblocking(False)
        full = _fill(path)
        notifier.ready()
        for _ in range(20):
            notifier.watchdog()
        assert {own.recv(100) for _ in range(full)} == {b"NOISE=1"}
        with pytest.raises(BlockingIOError):
            own.recv(100)
        notifier.watchdog()
        said = [own.recv(100) for _ in range(2)]
        assert said == [b"READY=1", b"WATCHDOG=1"], "no tick is kept, no state is lost"


def test_no_descriptor_is_needed_to_speak(short_tmp: Path) -> None:
    code = """
import os, resource, sys
from kit.core.service_manager import Notifier
notifier = Notifier(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
notifier.watchdog()
"""
    path = short_tmp / "notify"
    with _manager(str(path)) as own:
        subprocess.run([sys.executable, "-c", code, path], check=True, timeout=30)
        assert own.recv(100) == b"WATCHDOG=1"
