"""kit eeg simulate: joins the simulated device with its output, its truth and the signals that end it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit.cli.eeg.places import Place, output_at
from kit.cli.endings import ended_by_sigterm
from kit.core.errors import KitError, Unavailable
from kit.core.output import Output
from kit.eeg.sending.running import run
from kit.eeg.simulator.simulation import Simulation, simulate
from kit.eeg.simulator.truth import Write
from kit.eeg.simulator.wish import Wish


def serve(wish: Wish, place: Place, truth: str | None, output: Output) -> None:
    """Run the device to its end, or until a signal comes; say at the end what it sent."""
    port = output_at(place, wish.speed is None, output)
    with ended_by_sigterm(), _truth(truth) as write:
        simulation = simulate(wish, write)
        try:
            run(simulation.line.passages(wish.block), wish.speed, port, simulation.ledger)
        finally:
            port.unplug()
            simulation.ledger.close()
            if not isinstance(sys.exception(), KitError):
                output.note(_summary(simulation))


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
