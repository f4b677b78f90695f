"""What a simulated device sends, and the truth about it, without any clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.eeg.sending.passages import Sending
from kit.eeg.simulator.faults import parse
from kit.eeg.simulator.simulation import simulate
from kit.eeg.simulator.wish import Wish

IN_THE_SIGNAL = ("blink", "press", "burst")


@dataclass(frozen=True)
class Sent:
    """The bytes, the records of the faults, the last record, and those of what is in the signal."""

    data: bytes
    faults: tuple[Mapping[str, Any], ...]
    end: Mapping[str, Any]
    happened: tuple[Mapping[str, Any], ...]

    def of(self, event: str) -> list[Mapping[str, Any]]:
        """The records of one kind of fault."""
        return [record for record in self.faults if record["event"] == event]


def send(*specs: str, wish: Wish | None = None, count: int | None = 1000, block: int = 256) -> Sent:
    """All that a device with these faults sends."""
    truth: list[Mapping[str, Any]] = []
    wish = replace(wish or Wish(), count=count, faults=tuple(map(parse, specs)))
    simulation = simulate(wish, truth.append)
    out = []
    for passage in simulation.line.passages(block):
        if isinstance(passage, Sending):
            simulation.ledger.sent(passage.data)
            out.append(passage.data)
    simulation.ledger.close()
    *records, end = truth
    faults = tuple(record for record in records if record["event"] not in IN_THE_SIGNAL)
    happened = tuple(record for record in records if record["event"] in IN_THE_SIGNAL)
    return Sent(b"".join(out), faults, end, happened)
