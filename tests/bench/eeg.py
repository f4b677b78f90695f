"""What `kit eeg` does in a second, beside a C program that does the same by the C tool's method."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.core.stats import median
from kit.eeg import p2
from kit.eeg.records import Packet
from tests.bench.goal import Goal, in_turn

_KIT = [str(Path(sys.executable).parent / "kit"), "eeg"]
_WITHOUT_NUMPY = (
    "import sys; sys.modules['numpy'] = None; from kit.cli.main import main; sys.argv[0] = 'kit'; main()"
)
_PLAIN_KIT = [sys.executable, "-c", _WITHOUT_NUMPY, "eeg"]
_SOURCE = Path(__file__).parent / "eegreader.c"
_MILLION = 1_000_000
_BLOCK = 1 << 16
_LARGE = 100 << 20
# A child's peak memory; measured from a small process, as Linux counts that of the one before the exec, too.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True)
class Captures:
    """A million packets, ten million, and a million of which one in ten is damaged."""

    million: Path
    millions: Path
    damaged: Path


def read() -> Iterator[Goal]:
    """Lines a second, start-up included."""
    with _captures() as files:
        program = files.million.parent / "eegreader"
        compiler = shutil.which("cc")
        if not compiler:
            print("eeg-read: no C compiler (cc) to build what it is measured against", file=sys.stderr)
            return
        subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
        yield _against(program, "a million packets", _KIT, files.million, 2)
        yield _against(program, "ten million packets", _KIT, files.millions, 3.5)
        yield _against(program, "a million, one in ten damaged", _KIT, files.damaged, 0.7)
        yield _against(program, "a million without numpy", _PLAIN_KIT, files.million, 0.8)
        yield _against(program, "the damaged million without numpy", _PLAIN_KIT, files.damaged, 0.5)


def _against(program: Path, what: str, kit: list[str], capture: Path, goal: float) -> Goal:
    rounds = 3 if capture.stat().st_size > _LARGE else 9
    c_s, kit_s, ratio = in_turn(
        rounds, _timed(str(program), str(capture)), _timed(*kit, "read", str(capture))
    )
    buffered = _timed(str(program), str(capture), "65536")
    buffered_s = median([buffered() for _ in range(rounds)])
    figures = f"kit {kit_s:.2f} s, C {c_s:.2f} s ({buffered_s:.2f} s if it read 64 KiB at a time)"
    return Goal(f"eeg read, {what}", figures, ratio, goal)


def stats() -> Iterator[Goal]:
    """Raw packets a second that are measured, start-up left out."""
    with _captures() as files:
        one, ten = (_timed(*_KIT, "stats", str(path)) for path in (files.million, files.millions))
        few, many, _ = in_turn(3, one, ten)
    speed = 9 / (many - few)
    yield Goal("eeg stats", f"{few:.2f} s for 1 M, {many:.2f} s for 10 M", speed, 2, unit="M/s")


def memory() -> Iterator[Goal]:
    """The peak of resident memory, and whether it grows with the file."""
    with _captures() as files:
        for command in ("read", "stats"):
            paths = (files.million, files.millions, files.damaged)
            few, many, worse = (_peak_mib(command, path) for path in paths)
            figures = f"{few:.1f} MiB for 1 M, {many:.1f} MiB for 10 M, {worse:.1f} MiB for 1 M damaged"
            yield Goal(f"eeg {command}, memory", figures, max(few, many, worse), 60, False, "MiB")
            yield Goal(f"eeg {command}, memory for ten times as much", figures, many / few, 1.05, False)


def plot() -> Iterator[Goal]:
    """All pictures of an hour, start-up included; and memory, which does not grow with the recording."""
    with _captures() as files:
        picture = str(files.million.parent / "night.svg")
        seconds = _timed(*_KIT, "plot", str(files.million), "-o", picture)()
        yield Goal(
            "eeg plot, 65 minutes", f"{Path(picture).stat().st_size / 1e6:.1f} MB", seconds, 10, False, "s"
        )
        few, many = (
            _peak_mib("plot", path, "--kind", "overview", "-o", picture)
            for path in (files.million, files.millions)
        )
        figures = f"{few:.0f} MiB for 65 minutes, {many:.0f} MiB for 11 hours"
        yield Goal("eeg plot, memory for ten times as much", figures, many / few, 1.1, False)


def _timed(*command: str) -> Callable[[], float]:
    def run() -> float:
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - begin

    return run


def _peak_mib(command: str, capture: Path, *options: str) -> float:
    arguments = [sys.executable, "-c", _PEAK, *_KIT, command, str(capture), *options]
    return int(subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout) / 1024


@contextmanager
def _captures() -> Iterator[Captures]:
    """In a directory that goes away."""
    chance = random.Random(1)
    rows = _rows(chance)
    with tempfile.TemporaryDirectory(prefix="kit-") as name:
        files = Captures(*(Path(name) / field for field in ("million", "millions", "damaged")))
        for path, count in ((files.million, _MILLION), (files.millions, 10 * _MILLION)):
            with path.open("wb") as file:
                for done in range(0, count, _BLOCK):
                    file.write(b"".join(rows[: count - done]))
        files.damaged.write_bytes(b"".join(_damaged(rows[n % _BLOCK], n, chance) for n in range(_MILLION)))
        yield files


def _rows(chance: random.Random) -> list[bytes]:
    """Packets of six channels that wander about their middle."""
    rows, values = [], [512.0] * 6
    for number in range(_BLOCK):
        values = [512 + (value - 512) * 0.95 + chance.gauss(0, 40) for value in values]
        channels = tuple(min(1023, max(0, int(value))) for value in values)
        rows.append(p2.encode(Packet(0, p2.VERSION, number % p2.PERIOD, channels, 15, 0)))
    return rows


def _damaged(row: bytes, number: int, chance: random.Random) -> bytes:
    """One in ten is cut short, is hit in a byte that shows it, or comes behind noise."""
    if number % 10 != 7:
        return row
    kind = chance.randrange(3)
    if kind == 0:
        return row[: chance.randrange(1, p2.SIZE)]
    if kind == 1:
        at = chance.choice((0, 1, 2, 4, 6, 8, 10, 12, 14))
        return row[:at] + bytes([row[at] ^ 0x40]) + row[at + 1 :]
    return chance.randbytes(5) + row


BENCHES: dict[str, Callable[[], Iterator[Goal]]] = {
    "eeg-read": read,
    "eeg-stats": stats,
    "eeg-memory": memory,
    "eeg-plot": plot,
}
