"""kit tls probe without a host: the whole of kit shown on itself, and put to the proof.

A private agent makes two keys; a server process that never holds them serves them; the probe asks all four
cells; and the memory scan, which finds the keys of an ordinary server (the control), does not find these.
"""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.endings import ended_by_sigterm
from kit.cli.tls.server_process import ServerProcess, server_process
from kit.core.frozen import frozen
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.agent.client import AgentClient
    from kit.tls.cells import Authentication, Cell, Version
    from kit.tls.load import Client
    from kit.tls.proof import KeyUse, Proof, Scan

HOST, NAME = "127.0.0.1", "localhost"
KINDS = {"rsa": "rsa-2048", "ecdsa": "p-256"}
# Where this Python's OpenSSL has it.
ML_DSA = {"ml-dsa": "ml-dsa-65"}
# Enough that each of the four or five kinds of client is served several times before and after the snapshot.
_HANDSHAKES, _LIMIT_S, _CONNECTIONS = 24, 10, 2
_DAYS = 1


@frozen
class Stage:
    """What stands when the demonstration begins."""

    agent: AgentClient
    agent_pid: int
    authorities: Path
    server: ServerProcess
    control: ServerProcess


def demonstrate(output: Output) -> int:
    """Show it, and end with 0 only if everything is as promised. Whatever was started is gone then."""
    from kit.tls import proof

    with ended_by_sigterm(), ExitStack() as stack:
        stage = _set_up(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kit-"))), stack)
        cells = _probe(stage, output)
        uses = _uses(stage.agent)
        _tell_keys(uses, output)
        with output.progress(2) as tell:
            tell("looking into the memory of the server")
            ours = _scan("server", "clean", stage.server, _clients(stage.server, str(stage.authorities)))
            tell("looking into the memory of the control")
            control = _scan("control", "found", stage.control, _clients(stage.control, None))
        whole = proof.Proof(tuple(cells), uses, (ours, control))
    _tell_scans(whole, output)
    return whole.exit_status


def _set_up(directory: Path, stack: ExitStack) -> Stage:
    from kit.agent.client import AgentClient
    from kit.agent.launch import start_agent
    from kit.tls.certificates import can_make_ml_dsa

    running = stack.enter_context(start_agent(str(directory / "agent.sock"), log_path=os.devnull))
    client = stack.enter_context(AgentClient(running.socket_path))
    kinds = {**KINDS, **ML_DSA} if can_make_ml_dsa() else KINDS
    pairs = make_keys(client, running.socket_path, directory, kinds)
    authorities = directory / "authorities.pem"
    authorities.write_text("".join(Path(pair[0]).read_text() for pair in pairs))
    server = stack.enter_context(server_process(*serve_arguments(pairs)))
    control = stack.enter_context(server_process("--self-signed"))
    return Stage(client, running.pid, authorities, server, control)


def make_keys(
    client: AgentClient, socket: str, directory: Path, kinds: dict[str, str]
) -> list[tuple[str, str]]:
    """Generate keys in the agent; (certificate file, handle file) of each."""
    from kit.agent.handle import Handle, encode
    from kit.agent.keys import private_key
    from kit.agent.policy import GENERATED_DEFAULT
    from kit.agent.request import parse_names, self_signed

    pairs, now = [], datetime.datetime.now(datetime.UTC)
    for name, kind in kinds.items():
        record = client.generate(name, kind, GENERATED_DEFAULT)
        certificate, handle = directory / f"{name}.crt", directory / f"{name}.handle"
        names = parse_names(None, dns=[NAME], ip=[HOST])
        certificate.write_text(self_signed(private_key(client, record), names, _DAYS, now))
        handle.write_text(encode(Handle(record.spki, record.key_name, socket)))
        pairs.append((str(certificate), str(handle)))
    return pairs


def serve_arguments(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """As `kit tls serve` takes them."""
    return [word for certificate, key in pairs for word in ("--cert", certificate, "--key", key)]


def _probe(stage: Stage, output: Output) -> list[Cell]:
    from kit.tls import report, verdict
    from kit.tls.probe import Options, probe
    from kit.tls.target import Target

    target = Target(HOST, stage.server.port)
    if not output.as_json:
        output.line(
            f"a server, process {stage.server.pid}, with its keys in an agent, process {stage.agent_pid}"
        )
    asked = probe(target, Options(ca_file=str(stage.authorities), server_name=NAME))
    cells = [cell for cell in asked if (cell.version, cell.authentication) in _shown()]
    report.render(output, target, cells, verdict.findings(cells))
    return cells


def _shown() -> list[tuple[Version, Authentication]]:
    """The cells that the servers here have certificates for."""
    from kit.tls.cells import CELLS, Authentication
    from kit.tls.certificates import can_make_ml_dsa

    return [cell for cell in CELLS if cell[1] is not Authentication.ML_DSA or can_make_ml_dsa()]


def _uses(agent: AgentClient) -> tuple[KeyUse, ...]:
    from kit.agent.public import describe, load_spki
    from kit.tls.proof import KeyUse

    return tuple(
        KeyUse(key.key_name, key.kind, describe(load_spki(key.spki)).fingerprint, key.signed, key.refused)
        for key in agent.list_keys()
    )


def _clients(server: ServerProcess, ca_file: str | None) -> list[Client]:
    """A client for each cell."""
    from kit.tls.load import Client
    from kit.tls.offer import Question, client_context

    return [
        Client(HOST, server.port, client_context(question)[0], NAME)
        for version, authentication in _shown()
        for question in [Question(version, authentication, NAME, ca_file, verify=ca_file is not None)]
    ]


def _scan(process: str, expected: str, server: ServerProcess, clients: Sequence[Client]) -> Scan:
    """Look into the server while the clients keep it busy, and make sure that it is busy still."""
    from kit.tls.load import Load
    from kit.tls.memscan import judge, snapshot
    from kit.tls.proof import Scan
    from kit.tls.traces import sought_in_certificates

    keys = sought_in_certificates([client.certificate() for client in clients])
    with Load(clients, _CONNECTIONS) as load:
        load.wait(_HANDSHAKES, _LIMIT_S)
        copy = snapshot(server.pid)
        load.wait(_HANDSHAKES, _LIMIT_S)
    return Scan(
        process,
        server.pid,
        expected,
        len(load.seconds),
        len(load.errors),
        copy.read,
        copy.wanted,
        tuple(judge(copy, keys)),
    )


def _tell_keys(uses: Sequence[KeyUse], output: Output) -> None:
    from kit.tls import proof

    if not output.as_json:
        output.line()
        output.line("what the agent signed meanwhile")
        output.table(proof.KEY_HEAD, proof.key_rows(uses))


def _tell_scans(whole: Proof, output: Output) -> None:
    from kit.tls import proof

    if output.as_json:
        for fields in proof.records(whole):
            output.record(fields)
        return
    output.line()
    output.line("the memory of the server, and of a control that has its keys itself")
    output.table(proof.SCAN_HEAD, proof.scan_rows(whole.scans))
    output.line()
    output.line(proof.sentence(whole))
