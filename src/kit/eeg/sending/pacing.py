"""Each byte at its time: absolute deadlines, so that being late once does not make everything later."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from fractions import Fraction

from kit.core.waiting import AWAKE_S
from kit.eeg.sending.passages import Passage, Unplugged

_TOGETHER = 65536


class Pace:
    """Real time times `speed`; without a speed, whatever is asked for is due."""

    def __init__(self, speed: Fraction | None) -> None:
        self._speed = speed
        self._start_ns: int | None = None

    def remaining_s(self, ready_ns: int) -> float:
        """How long it is until then; 0 or less once it is due. The clock starts with the first question."""
        if self._speed is None:
            return 0.0
        now_ns = time.monotonic_ns()
        if self._start_ns is None:
            self._start_ns = now_ns
        due_ns = self._start_ns + ready_ns * self._speed.denominator // self._speed.numerator
        return (due_ns - now_ns) / 1e9

    def wait(self, ready_ns: int) -> Iterator[bytes]:
        """Sleep until then; nothing now and then, as whoever asks has other things to look at."""
        while (left_s := self.remaining_s(ready_ns)) > 0:
            # Python runs a signal's handler between two calls only: a long sleep is taken in pieces.
            time.sleep(min(left_s, AWAKE_S))
            if left_s > AWAKE_S:
                yield b""


def paced(passages: Iterable[Passage], pace: Pace) -> Iterator[bytes | Unplugged]:
    """The passages at their times; what is due at once in one piece."""
    held: list[bytes] = []
    size = 0
    for passage in passages:
        away = isinstance(passage, Unplugged)
        if held and (away or size >= _TOGETHER or pace.remaining_s(passage.ready_ns) > 0):
            yield b"".join(held)
            held, size = [], 0
        yield from pace.wait(passage.ready_ns)
        if isinstance(passage, Unplugged):
            yield passage
        else:
            held.append(passage.data)
            size += len(passage.data)
    if held:
        yield b"".join(held)
