"""The window of `kit eeg view`: pictures a second, what they cost, how even they come, on Xvfb."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from kit.cli.eeg.endings import StopSignal
from kit.cli.eeg.view.window import FPS, show_in_window
from kit.cli.eeg.view.wish import ViewWish
from kit.core.stats import percentile
from kit.eeg.feeding import Feeding
from kit.eeg.notes import Watch
from kit.eeg.reading import Stream
from kit.eeg.reading import open as open_stream
from kit.eeg.viewing.picture import Picture
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.stage import Stage
from kit.eeg.viewing.window import Step, Window
from tests.bench.agents import KIT
from tests.bench.goal import Goal, Shown
from tests.bench.processes import cpu_us
from tests.eeg.viewing.displays import display

# The picture fills for four seconds first.
_BEFORE_S, _MEASURED_S = 5, 10


class _Counted(Window):
    """Notes when its pictures were shown, and what they had cost by then."""

    def __init__(self, title: str, server: int) -> None:
        super().__init__(title)
        self.shown: list[tuple[float, float, float]] = []
        self._server = server

    def run(self, step: Step, wait_s: Callable[[], float]) -> None:
        def counted(keys: list[str], style: object) -> Picture | None:
            picture = step(keys, style)  # type: ignore[arg-type]
            if picture:
                server_us = cpu_us({"server": [self._server]})["server"] if self._is_edge else 0.0
                self.shown.append((time.perf_counter(), time.process_time(), server_us))
            return picture

        super().run(counted, wait_s)

    @property
    def _is_edge(self) -> bool:
        """Looking at the server's time with each picture would cost as much as some of it."""
        return not len(self.shown) % 30


@contextmanager
def _stream() -> Iterator[Stream]:
    """A simulated board on a pty, in a process of its own."""
    command = [KIT, "eeg", "simulate", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as board:
        assert board.stdout
        path, duration_s = board.stdout.readline().strip(), _BEFORE_S + _MEASURED_S + 1
        try:
            with open_stream(path, duration_s=duration_s, together_s=1 / FPS) as stream:
                stream.restful = True
                yield stream
        finally:
            board.terminate()


def window() -> Iterator[Goal | Shown]:
    """Six channels at 256 Hz, four seconds wide."""
    with display(1600, 1000) as screen:
        os.environ["DISPLAY"] = screen.name
        with _Counted("bench", screen.pid) as shown, _stream() as stream:
            wish, watch = ViewWish(channels=None), Watch("bench", 57_600)
            stage = Stage(Scene(settings=wish.settings({})))
            feeding = Feeding(stream, [stage])
            show_in_window(feeding, stage, shown, wish, StopSignal(), watch, lambda _scene: "")
        with stage as scene:
            delay_ms = scene._pulse.delay_ms
        yield from _goals(shown.shown, delay_ms)


def _goals(shown: list[tuple[float, float, float]], delay_ms: float | None) -> Iterator[Goal | Shown]:
    end_s = shown[-1][0]
    kept = [one for one in shown if end_s - 1 - _MEASURED_S < one[0] < end_s - 0.5]
    took_s = kept[-1][0] - kept[0][0]
    fps, cpu = (len(kept) - 1) / took_s, (kept[-1][1] - kept[0][1]) / took_s * 100
    edges = [one for one in kept if one[2]]
    server = (edges[-1][2] - edges[0][2]) / (edges[-1][0] - edges[0][0]) / 10_000
    gaps_ms = [(later[0] - earlier[0]) * 1000 for earlier, later in pairwise(kept)]
    yield Goal("eeg view --window", f"{len(kept)} pictures in {took_s:.1f} s", fps, 59.5, unit="fps")
    yield Goal("its process", f"six channels, beside {server:.1f} % for the X server", cpu, 25, False, "%")
    yield Shown(
        "from one picture to the next",
        f"p50 {percentile(gaps_ms, 50):.1f} ms, p99 {percentile(gaps_ms, 99):.1f} ms",
    )
    if delay_ms is not None:
        yield Goal("from byte to picture", "the median", delay_ms, 50, False, "ms")


BENCHES: dict[str, Callable[[], Iterator[Goal | Shown]]] = {"window": window}
