"""kit tls bench: a server whose keys are in a private agent against one that has its keys itself."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.endings import ended_by_sigterm
from kit.cli.tls.demonstration import HOST, KINDS, NAME, make_keys, serve_arguments
from kit.cli.tls.server_process import server_process
from kit.core.errors import EXIT_DONE, EXIT_NO
from kit.core.frozen import frozen
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.tls.load import Client


@frozen
class Wish:
    """What the command line asks for."""

    version: str
    connections: int
    rounds: int
    round_s: float


def bench(wish: Wish, output: Output) -> int:
    """Measure and tell; 1 if a handshake failed."""
    from kit.tls import bench as measure

    counts = dict.fromkeys((1, wish.connections))
    cases = [measure.Case(kind, count) for kind in KINDS.values() for count in counts]
    with ended_by_sigterm(), ExitStack() as stack:
        sides = _sides(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kit-"))), wish, stack)
        with output.progress(len(cases) * wish.rounds) as tell:
            found = measure.compare(cases, sides, measure.Plan(wish.rounds, wish.round_s), tell)
    if output.as_json:
        for comparison in found:
            output.record(measure.record(comparison, wish.version))
    else:
        output.line(
            f"full handshakes over TLS {wish.version}, {wish.rounds} rounds of {wish.round_s:g} s in turn"
        )
        output.table(measure.HEAD, [row for comparison in found for row in measure.rows(comparison)])
    return EXIT_NO if any(comparison.failed for comparison in found) else EXIT_DONE


def _sides(directory: Path, wish: Wish, stack: ExitStack) -> dict[str, dict[str, Client]]:
    """Two servers, the same program; one signs through an agent of its own."""
    from kit.agent.client import AgentClient
    from kit.agent.launch import start_agent
    from kit.tls import bench as measure

    running = stack.enter_context(start_agent(str(directory / "agent.sock"), log_path=os.devnull))
    with AgentClient(running.socket_path) as client:
        pairs = make_keys(client, running.socket_path, directory, KINDS)
    agent = stack.enter_context(server_process(*serve_arguments(pairs)))
    local = stack.enter_context(server_process("--self-signed"))
    return {
        measure.LOCAL: _clients(local.port, wish.version),
        measure.AGENT: _clients(agent.port, wish.version),
    }


def _clients(port: int, version: str) -> dict[str, Client]:
    """Both sides' clients verify the signature and no chain: it is the server that is measured."""
    from kit.tls.cells import Authentication, Version
    from kit.tls.load import Client
    from kit.tls.offer import Question, client_context

    kinds = {KINDS["rsa"]: Authentication.RSA, KINDS["ecdsa"]: Authentication.ECDSA}
    return {
        kind: Client(
            HOST,
            port,
            client_context(Question(Version(version), authentication, NAME, verify=False))[0],
            NAME,
        )
        for kind, authentication in kinds.items()
    }
