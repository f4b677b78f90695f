"""What `kit eeg view` costs, and how long a byte takes to the picture: its board is a pty, its terminal one.

The terminal is read as quickly as it is written, and what is written is only searched for what is awaited.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kit.core.stats import median, percentile
from kit.eeg import p2
from kit.eeg.records import Packet
from tests.bench.goal import Goal
from tests.bench.processes import cpu_us

_KIT = str(Path(sys.executable).parent / "kit")
_COLUMNS, _ROWS = 200, 50
_STARTING_S, _MEASURED_S = 6, 10  # the picture is four seconds wide, and to be full
_HZ = 256
# A button is pressed for so many packets, at ever another time of a picture, and let go for as many.
_HOLD = 61
_IDLE, _PRESSED = 0b1111, 0b1110
_FRAME, _SEEN, _UNSEEN = b"\x1b[?2026h", "●".encode(), "○○○○".encode()


@dataclass
class _Board:
    """Six channels of waves, packet by packet, and a button that is pressed now and then."""

    descriptor: int
    pressed_s: list[float] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        begun_s, number, before = time.monotonic(), 0, _IDLE
        while not stop.wait(max(0.0, begun_s + number / _HZ - time.monotonic())):
            wave = int(512 + 150 * math.sin(number / 4) + number * 7919 % 20)
            switches = _PRESSED if number // _HOLD % 2 else _IDLE
            packet = Packet(0, p2.VERSION, number % p2.PERIOD, (wave,) * 6, switches, 0)
            if switches != before:
                before = switches
                if switches == _PRESSED:
                    self.pressed_s.append(time.monotonic())
            with contextlib.suppress(OSError):
                os.write(self.descriptor, p2.encode(packet))
            number += 1


@dataclass
class _Screen:
    """A terminal that is always read: how many frames came, and when a button was first seen as pressed."""

    descriptor: int
    frames: int = 0
    bytes: int = 0
    seen_s: list[float] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        held, frame = False, b""
        while not stop.is_set():
            try:
                data = os.read(self.descriptor, 1 << 16)
            except OSError:
                return
            self.bytes += len(data)
            *whole, frame = (frame + data).split(_FRAME)
            self.frames += len(whole)
            for text in (*whole, frame):
                if _SEEN not in text and _UNSEEN not in text:
                    continue  # nothing has changed there
                pressed = _SEEN in text
                if pressed and not held:
                    self.seen_s.append(time.monotonic())
                held = pressed


def view() -> Iterator[Goal]:
    """Six channels of 4 s on 200 columns by 50 rows: pictures a second, their cost, and their delay."""
    for mode in ("scroll", "sweep"):
        with _viewing(f"--{mode}") as (process, board, screen):
            time.sleep(_STARTING_S)
            frames, sent, presses = screen.frames, screen.bytes, len(screen.seen_s)
            spent, begun_s = _spent_us(process), time.monotonic()
            time.sleep(_MEASURED_S)
            passed_s = time.monotonic() - begun_s
            share = 100 * (_spent_us(process) - spent) / 1_000_000 / passed_s
            count = screen.frames - frames
            delays = _delays_ms(board.pressed_s, screen.seen_s[presses:])
        kilobytes = (screen.bytes - sent) / count / 1000
        yield Goal(f"eeg view, {mode}", f"{kilobytes:.1f} kB each", count / passed_s, 29.5, unit="pictures/s")
        yield Goal(f"eeg view, {mode}, CPU", f"at {count / passed_s:.0f}/s", share, 5, False, "%")
        figures = f"{len(delays)} times, at worst {percentile(delays, 100):.0f} ms"
        yield Goal(f"eeg view, {mode}, byte to picture", figures, median(delays), 50, False, "ms")


def _delays_ms(pressed_s: list[float], seen_s: list[float]) -> list[float]:
    return [1000 * (seen - max(at for at in pressed_s if at <= seen)) for seen in seen_s]


def _spent_us(process: subprocess.Popen[bytes]) -> float:
    return sum(cpu_us({"view": [process.pid]}).values())


@contextlib.contextmanager
def _viewing(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], _Board, _Screen]]:
    board_end, port = os.openpty()
    screen_end, terminal = os.openpty()
    tty.setraw(port)
    termios.tcsetwinsize(terminal, (_ROWS, _COLUMNS))
    command = [_KIT, "eeg", "view", os.ttyname(port), "--channels", "all", *options]
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    )
    stop = threading.Event()
    board, screen = _Board(board_end), _Screen(screen_end)
    threads = [threading.Thread(target=side.run, args=[stop], daemon=True) for side in (board, screen)]
    for thread in threads:
        thread.start()
    try:
        yield process, board, screen
    finally:
        process.terminate()
        process.wait()
        stop.set()
        for descriptor in (port, terminal):
            os.close(descriptor)
        for thread in threads:
            thread.join()
        for descriptor in (board_end, screen_end):
            os.close(descriptor)


BENCHES: dict[str, Callable[[], Iterator[Goal]]] = {"view": view}
