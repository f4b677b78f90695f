"""ML-DSA beside RSA and ECDSA: handshakes a second and bytes, local keys and an agent's, in one run."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from kit.agent.client import AgentClient
from kit.agent.launch import start_agent
from kit.cli.tls.demonstration import HOST, KINDS, ML_DSA, NAME, make_keys, serve_arguments
from kit.cli.tls.server_process import server_process
from kit.core.stats import median
from kit.tls import bench
from kit.tls.cells import Authentication, Ending, Version
from kit.tls.certificates import can_make_ml_dsa
from kit.tls.handshake import Handshake
from kit.tls.load import Client
from kit.tls.offer import Question, client_context
from tests.bench.goal import Goal, Shown

_PLAN = bench.Plan(rounds=9, round_s=1.0)
_CONNECTIONS = (1, 8)
_TYPES = {**ML_DSA, **KINDS}
_QUESTIONS = {
    _TYPES[name]: Question(Version.TLS_1_3, authentication, NAME, verify=False)
    for name, authentication in (
        ("ml-dsa", Authentication.ML_DSA),
        ("rsa", Authentication.RSA),
        ("ecdsa", Authentication.ECDSA),
    )
}


def pq() -> Iterator[Goal | Shown]:
    """Full TLS 1.3 handshakes over X25519MLKEM768, the client verifying the signature and no chain."""
    if not can_make_ml_dsa():
        raise SystemExit("this Python's OpenSSL has no ML-DSA: it takes 3.5 or newer")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kit-")))
        running = stack.enter_context(start_agent(str(directory / "agent.sock"), log_path=os.devnull))
        with AgentClient(running.socket_path) as client:
            pairs = make_keys(client, running.socket_path, directory, _TYPES)
        ports = {
            bench.AGENT: stack.enter_context(server_process(*serve_arguments(pairs))).port,
            bench.LOCAL: stack.enter_context(server_process("--self-signed")).port,
        }
        sides = {side: _clients(port) for side, port in ports.items()}
        cases = [bench.Case(kind, count) for count in _CONNECTIONS for kind in _QUESTIONS]
        for comparison in bench.compare(cases, sides, _PLAN, _ignore):
            yield _shown(comparison, bytes_read(ports[bench.AGENT], _QUESTIONS[comparison.case.key]))


def _ignore(_progress: str) -> None: ...


def _clients(port: int) -> dict[str, Client]:
    return {
        kind: Client(HOST, port, client_context(question)[0], NAME) for kind, question in _QUESTIONS.items()
    }


def _shown(comparison: bench.Comparison, size: int) -> Shown:
    if comparison.failed:
        raise SystemExit(f"{comparison.failed} handshakes with {comparison.case.key} failed")
    local, agent = (
        median([each.per_second for each in rounds]) for rounds in (comparison.local, comparison.agent)
    )
    name = f"{comparison.case.key} handshakes, connections: {comparison.case.connections}"
    rates = f"agent {agent:.0f}/s, local {local:.0f}/s: {comparison.ratio:.2f} x"
    return Shown(name, f"{rates}; the client reads {size} bytes")


def bytes_read(port: int, question: Question) -> int:
    """What a client reads of a handshake, records' heads included, up to the server's Finished."""
    handshake, size = Handshake(question), 0
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(handshake.feed(b""))
        while not handshake.done:
            data = connection.recv(65536)
            size += len(data)
            connection.sendall(handshake.feed(data))
        connection.sendall(handshake.close())
    assert handshake.ending is Ending.COMPLETED, handshake.error
    return size


BENCHES: dict[str, Callable[[], Iterator[Goal | Shown]]] = {"pq": pq}
