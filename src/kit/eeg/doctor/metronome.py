"""How late this process runs: a thread that wants to wake up a hundred times a second, and notes when it did.

What keeps it from running keeps kit from reading: a busy machine, a stopped process, a swapped-out one. When
no byte was read for a while, this tells whether kit was late or the line silent.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

PERIOD_NS = 10_000_000
# A wake-up that is later than that is worth a note; the newest so many are kept.
_NOTABLE_NS = 2_000_000
_KEPT = 10_000


class Metronome:
    """Ticks while it is entered."""

    def __init__(self) -> None:
        self._late: deque[tuple[int, int]] = deque(maxlen=_KEPT)  # when it was due, and when it came
        self._begin_ns = self._worst_ns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="metronome", daemon=True)

    def __enter__(self) -> Self:
        self._begin_ns = time.monotonic_ns()
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def worst_us(self) -> int:
        """The latest wake-up of all."""
        return self._worst_ns // 1000

    def late_us(self, begin_ns: int, end_ns: int) -> int:
        """The longest time between two instants in which it was due and did not run."""
        overlaps = (min(end_ns, woke) - max(begin_ns, due) for due, woke in tuple(self._late))
        return max(0, *overlaps, 0) // 1000

    def _tick(self) -> None:
        due_ns = self._begin_ns
        while not self._stop.is_set():
            due_ns += PERIOD_NS
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            woke_ns = time.monotonic_ns()
            self._worst_ns = max(self._worst_ns, woke_ns - due_ns)
            if woke_ns - due_ns > _NOTABLE_NS:
                self._late.append((due_ns, woke_ns))
            due_ns = max(due_ns, woke_ns)
