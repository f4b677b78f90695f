"""What a capture gives, for `for` and for `async for`.

An event loop must not wait for a serial line: under `async for` a thread reads, and hands batches over. At
most `AHEAD` of them wait to be taken, forty seconds of a live source; then the thread waits, too, and what
the system cannot hold meanwhile shows as lost.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")
AHEAD = 1000
_End = BaseException | None


class Passing(Generic[_T]):
    """Iterate it once, in one of the two ways. `stop` ends the batches; `threads` is told who reads."""

    def __init__(
        self, batches: Iterator[Sequence[_T]], stop: Callable[[], None], threads: list[threading.Thread]
    ) -> None:
        self._batches = batches
        self._stop = stop
        self._threads = threads
        self._one_by_one = (one for batch in batches for one in batch)

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        return next(self._one_by_one)

    def __aiter__(self) -> AsyncIterator[_T]:
        return self._awaited()

    async def _awaited(self) -> AsyncIterator[_T]:
        import asyncio

        handed = _Handing(self._batches, asyncio.get_running_loop())
        thread = threading.Thread(target=handed.read, name="reading", daemon=True)
        self._threads.append(thread)
        thread.start()
        try:
            while (batch := await handed.next()) is not None:
                for one in batch:
                    yield one
        finally:
            handed.close()
            self._stop()


class _Handing(Generic[_T]):
    """Batches from a thread to a loop."""

    def __init__(self, batches: Iterator[Sequence[_T]], loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        self._batches = batches
        self._loop = loop
        self._queue: asyncio.Queue[Sequence[_T] | _End] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._closed = False

    def read(self) -> None:
        """To the end, in a thread."""
        end: _End = None
        try:
            for batch in self._batches:
                if batch:
                    self._room.acquire()
                    self._put(batch)
                if self._closed:
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody awaits the batches
            end = error
        self._put(end)

    def _put(self, entry: Sequence[_T] | _End) -> None:
        if not self._closed:
            try:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, entry)
            except RuntimeError:  # the loop ended before the capture
                self._closed = True

    async def next(self) -> Sequence[_T] | None:
        """The next batch, None behind the last; raises what the reading did."""
        entry = await self._queue.get()
        self._room.release()
        if isinstance(entry, BaseException):
            raise entry
        return entry

    def close(self) -> None:
        """Nobody takes any more."""
        self._closed = True
        self._room.release()
