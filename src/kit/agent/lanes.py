"""Threads for work that would keep the event loop from its clients: lanes, each a queue with its threads.

A result goes into a list, and a byte into a pipe wakes the loop. Threads start when a lane is first used, so
an agent that only signs with P-256 has one thread.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Get = Callable[[], Any]


class Lanes:
    """Runs work in the lane that it names; `collect` hands out what is finished."""

    def __init__(self, widths: dict[str, int], wake_fd: int) -> None:
        self._widths = widths
        self._wake_fd = wake_fd
        self._queues: dict[str, SimpleQueue[tuple[Any, Get]]] = {}
        self._asleep = False
        self._finished: deque[tuple[Any, Get]] = deque()

    def submit(self, lane: str, owner: Any, work: Get) -> None:
        """Have `work` done; its owner gets the result from `collect`."""
        if lane not in self._queues:
            self._open(lane)
        self._queues[lane].put((owner, work))

    def collect(self) -> list[tuple[Any, Get]]:
        """(owner, how to get the result): a call that returns or raises what the work did."""
        self._asleep = False
        done = []
        while self._finished:
            done.append(self._finished.popleft())
        return done

    def may_sleep(self) -> bool:
        """To be asked before waiting for the pipe: is there nothing to collect?

        From now on what is finished wakes the loop. Each side first says what it did, then looks at the
        other's word, so none is missed; a busy loop costs no byte in the pipe.
        """
        self._asleep = True
        return not self._finished

    def _open(self, lane: str) -> None:
        self._queues[lane] = SimpleQueue()
        for number in range(self._widths[lane]):
            # A daemon: the end of the process does not wait for a key of 8192 bits.
            threading.Thread(
                target=self._run, args=(self._queues[lane],), name=f"{lane}-{number}", daemon=True
            ).start()

    def _run(self, queue: SimpleQueue[tuple[Any, Get]]) -> None:
        while True:
            owner, work = queue.get()
            self._finished.append((owner, _outcome(work)))
            if self._asleep:
                self._asleep = False
                with contextlib.suppress(BlockingIOError):  # a full pipe wakes the loop, too
                    os.write(self._wake_fd, b"\0")
            del owner, work


def _outcome(work: Get) -> Get:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - raised again in the loop, where its owner is known
        failure = error

        def fail() -> Any:
            raise failure

        return fail
    return lambda: result
