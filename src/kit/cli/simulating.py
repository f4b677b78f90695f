"""kit eeg simulate: joins the simulated device with its output, its truth and the signals that end it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.cli.endings import ended_by_sigterm
from kit.core.errors import KitError, Unavailable, UsageError
from kit.core.output import Output
from kit.eeg.simulator import outputs
from kit.eeg.simulator.running import run
from kit.eeg.simulator.server import Server, url
from kit.eeg.simulator.simulation import Simulation, simulate
from kit.eeg.simulator.terminal import Terminal
from kit.eeg.simulator.truth import Write
from kit.eeg.simulator.wish import Wish


@dataclass(frozen=True)
class Place:
    """Where the device is wanted, and the truth about it."""

    stdout: bool
    tcp: str | None
    link: str | None
    truth: str | None


def serve(wish: Wish, place: Place, output: Output) -> None:
    """Run the device to its end, or until a signal comes; say at the end what it sent."""
    port = _port(wish, place, output)
    with ended_by_sigterm(), _truth(place.truth) as write:
        simulation = simulate(wish, write)
        try:
            run(simulation, wish, port)
        finally:
            port.unplug()
            simulation.ledger.close()
            if not isinstance(sys.exception(), KitError):
                output.note(_summary(simulation))


def _port(wish: Wish, place: Place, output: Output) -> outputs.Output:
    """Where the device is plugged in."""
    if place.stdout and place.tcp:
        raise UsageError("--stdout and --tcp, where one can be")
    if place.link and (place.stdout or place.tcp):
        raise UsageError(f"--link {place.link!r} is a name for a pty, and there is none")
    if place.stdout:
        return _standard_output(output)
    patient = wish.speed is None
    if place.tcp:
        return Server(place.tcp, patient, lambda host, port: _announce_server(output, host, port))
    return Terminal(place.link, patient, lambda path: _announce_terminal(output, path, place.link))


def _standard_output(output: Output) -> outputs.Output:
    if output.as_json:
        raise UsageError(
            "--json says on standard output where the device is, and --stdout sends its bytes there"
        )
    if sys.stdout is None:
        raise Unavailable("standard output is closed")
    if sys.stdout.isatty():
        raise UsageError("--stdout would send bytes to a terminal", hint="'| kit eeg read -' reads them")
    return outputs.StandardOutput(sys.stdout.fileno())


def _announce_server(output: Output, host: str, port: int) -> None:
    if output.as_json:
        output.record({"kind": "serving", "url": url(host, port), "host": host, "port": port})
    else:
        output.line(url(host, port))


def _announce_terminal(output: Output, path: str, link: str | None) -> None:
    if output.as_json:
        output.record({"kind": "serving", "pty": path, "link": link})
    else:
        output.line(path)


@contextmanager
def _truth(path: str | None) -> Iterator[Write | None]:
    """The file for the truth, a line a record."""
    if path is None:
        yield None
        return
    try:
        file = Path(path).open("w", buffering=1, encoding="ascii")  # noqa: SIM115 -- the error of opening is told here
    except OSError as error:
        raise Unavailable(
            f"cannot write the truth to {path!r}: {(error.strerror or 'failed').lower()}"
        ) from None

    def write(record: Mapping[str, Any]) -> None:
        file.write(json.dumps(record) + "\n")

    with file:
        yield write


def _summary(simulation: Simulation) -> str:
    totals = simulation.ledger.totals
    counts = {name: totals[name] for name in ("lost", "damaged", "restarts")}
    parts = [f"{totals['packets']} packets made", f"{totals['delivered']} delivered whole"]
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    if totals["bytes_lost"]:
        parts.append(f"{totals['bytes_lost']} bytes that nobody read were lost")
    return f"kit: {', '.join(parts)}"
