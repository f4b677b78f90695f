"""OpenSMTPD's STARTTLS sessions a second: with the agent's keys against its own key process."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.bench.goal import Goal, in_turn
from tests.system.mail_servers import KINDS, Mail

_ROUNDS, _ROUND_S = 7, 2.0
_CONNECTIONS = (1, 8)
_GOAL = 0.8
_TIMEOUT_S = 10.0


def smtpd() -> Iterator[Goal]:
    """Two servers, their listeners asked in turn."""
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        mail = Mail(Path(directory), _wait_until)
        with mail.agent("--audit", f"{directory}/audit/log"), mail.by_kit() as ours, mail.genuine() as theirs:
            for name, kind in KINDS.items():
                for connections in _CONNECTIONS:
                    agent, genuine, ratio = in_turn(
                        _ROUNDS,
                        partial(_sessions, ours.ports[name], connections),
                        partial(_sessions, theirs.ports[name], connections),
                    )
                    what = f"smtpd {kind}, {connections} at a time"
                    yield Goal(what, f"agent {agent:.0f}/s, genuine ca {genuine:.0f}/s", ratio, _GOAL)


BENCHES = {"smtpd": smtpd}


def _sessions(port: int, connections: int) -> float:
    """STARTTLS sessions a second, by as many processes."""
    reading, writing = os.pipe()
    end_s = time.monotonic() + _ROUND_S
    children = [_forked(partial(_repeat, port, end_s, writing), reading) for _ in range(connections)]
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        counts = [int(line) for line in pipe]
    for child in children:
        os.waitpid(child, 0)
    if len(counts) != connections:
        raise SystemExit("a client could not end its sessions")
    return sum(counts) / _ROUND_S


def _forked(act: Callable[[], None], unused: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.close(unused)
        act()
    finally:
        os._exit(0)


def _repeat(port: int, end_s: float, writing: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    count = 0
    while time.monotonic() < end_s:
        _session(port, context)
        count += 1
    os.write(writing, f"{count}\n".encode())


def _session(port: int, context: ssl.SSLContext) -> None:
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as plain:
        _expect(plain, b"220")
        plain.sendall(b"EHLO bench\r\n")
        _expect(plain, b"250")
        plain.sendall(b"STARTTLS\r\n")
        _expect(plain, b"220")
        with context.wrap_socket(plain) as secured:
            secured.sendall(b"QUIT\r\n")
            secured.recv(1024)


def _expect(plain: socket.socket, status: bytes) -> None:
    """Read an answer to its last line, which has a blank behind the status."""
    answer = b""
    while not (answer.endswith(b"\r\n") and answer.splitlines()[-1][3:4] == b" "):
        got = plain.recv(4096)
        if not got:
            raise SystemExit("smtpd closed the connection")
        answer += got
    if not answer.startswith(status):
        raise SystemExit(f"smtpd answered {answer!r}")


def _wait_until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end_s:
            raise SystemExit("a server did not start")
        time.sleep(0.02)
