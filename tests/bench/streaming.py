"""How old a sample is when a program on this machine has it by LSL."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.goal import Goal

_KIT = [str(Path(sys.executable).parent / "kit"), "eeg", "stream", "--json"]
_SECONDS = 10
_BEGIN = 256  # the fit of the stamps begins with the first packets


def stream() -> Iterator[Goal]:
    """From the instant that the packet's first byte was there to its arrival at the inlet."""
    ages_ms = sorted(_ages_s())
    middle, late = (1000 * ages_ms[int(len(ages_ms) * share)] for share in (0.5, 0.99))
    figures = f"{len(ages_ms)} samples"
    yield Goal("eeg stream, age at the inlet", figures, middle, 50, False, "ms")
    yield Goal("eeg stream, age at the inlet (99 %)", figures, late, 100, False, "ms")


def _ages_s() -> list[float]:
    import pylsl

    with subprocess.Popen([*_KIT, "sim:seed=7"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as kit:
        assert kit.stdout
        name = json.loads(kit.stdout.readline())["name"]
        inlet = pylsl.StreamInlet(pylsl.resolve_byprop("name", name, timeout=20)[0])
        ages: list[float] = []
        while len(ages) < _BEGIN + _SECONDS * 256:
            _, stamp = inlet.pull_sample(timeout=20)
            ages.append(pylsl.local_clock() - stamp)
        kit.terminate()
    return ages[_BEGIN:]


BENCHES: dict[str, Callable[[], Iterator[Goal]]] = {"eeg-stream": stream}
