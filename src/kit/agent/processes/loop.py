"""A loop of one thread: calls back when something can be read, and when it is time."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from typing import Any

# epoll's clock stands still while the machine sleeps, and its timeout has an end (24 days).
_LONGEST_WAIT_S = 60.0


class Timer:
    """A call that is to come, unless it is cancelled."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Sources and timers; `stop` ends `run`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._stopped = False
        self._soon: deque[Callable[[], None]] = deque()
        # A signal's handler cannot end a system call that begins just then; a byte in a pipe can.
        self._wake_read, self.wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watch(self._wake_read, lambda: os.read(self._wake_read, 4096))

    def watch(self, source: Any, callback: Callable[[], Any]) -> None:
        """Call back when there is something to read."""
        self._selector.register(source, selectors.EVENT_READ, callback)

    def unwatch(self, source: Any) -> None:
        """No more; nothing if it was not watched."""
        try:
            self._selector.unregister(source)
        except (KeyError, ValueError):
            return

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once, that much later."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back in the loop; may be called by a signal's handler."""
        self._soon.append(callback)

    def stop(self) -> None:
        self._stopped = True

    def run(self) -> None:
        """Until `stop`."""
        while not self._stopped:
            self.once()

    def once(self) -> None:
        """Wait for what comes next, and see to it."""
        for key, _ in self._selector.select(self._wait_s()):
            # An earlier one may have ended this one's watch, or closed it.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        while self._soon:
            self._soon.popleft()()
        now_s = time.monotonic()
        while self._timers and self._timers[0][0] <= now_s:
            callback = heapq.heappop(self._timers)[2].callback
            if callback:
                callback()

    def _wait_s(self) -> float:
        if self._soon:
            return 0.0
        if not self._timers:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(0.0, self._timers[0][0] - time.monotonic()))
