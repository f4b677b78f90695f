"""One thread, many sources: who is called when."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from kit.agent.processes.loop import Loop

Pipe = tuple[int, int]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def pipes() -> Iterator[Callable[[], Pipe]]:
    made: list[int] = []

    def make() -> Pipe:
        pipe = os.pipe()
        made.extend(pipe)
        return pipe

    yield make
    for descriptor in made:
        os.close(descriptor)


def test_timers_come_in_the_order_of_their_times_and_then_of_their_making(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    begin_s = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: begin_s)  # no time passes while they are set
        loop.after(0.03, lambda: called.append("third"))
        loop.after(0.01, lambda: called.append("first"))
        loop.after(0.01, lambda: called.append("second"))
        loop.after(0.04, loop.stop)
    loop.run()
    assert called == ["first", "second", "third"]
    assert begin_s + 0.04 <= time.monotonic() < begin_s + 5


def test_a_cancelled_timer_never_comes(loop: Loop) -> None:
    called: list[str] = []
    # Set first: on a busy machine it would be the later one.
    loop.after(0, lambda: cancelled.cancel())  # noqa: PLW0108 - it is yet to be set
    cancelled = loop.after(0.01, lambda: called.append("cancelled"))
    loop.after(0.02, loop.stop)
    loop.run()
    assert called == []


def test_a_timer_may_set_the_next_and_one_that_is_due_does_not_starve_the_sources(
    loop: Loop, pipes: Callable[[], Pipe]
) -> None:
    reading, writing = pipes()
    ticks: list[int] = []

    def again() -> None:
        ticks.append(1)
        loop.after(0, again)

    again()
    loop.watch(reading, loop.stop)
    os.write(writing, b"x")
    loop.run()
    assert len(ticks) < 5


def test_what_can_be_read_is_called_for_until_it_is_unwatched(loop: Loop, pipes: Callable[[], Pipe]) -> None:
    reading, writing = pipes()
    seen: list[bytes] = []
    loop.watch(reading, lambda: seen.append(os.read(reading, 1)))
    os.write(writing, b"abc")
    for _ in range(2):
        loop.once()
    loop.unwatch(reading)
    loop.unwatch(reading)
    loop.after(0, loop.stop)
    loop.run()
    assert seen == [b"a", b"b"]


def test_a_callback_may_end_the_watch_of_another_that_is_ready_too(
    loop: Loop, pipes: Callable[[], Pipe]
) -> None:
    both = [pipes(), pipes()]
    called: list[int] = []

    def first(which: int) -> None:
        called.append(which)
        for reading, _ in both:
            loop.unwatch(reading)

    for which, (reading, writing) in enumerate(both):
        loop.watch(reading, lambda which=which: first(which))  # type: ignore[misc]
        os.write(writing, b"x")
    loop.once()
    assert len(called) == 1


def test_a_signal_wakes_the_loop_and_its_work_is_done_in_it(loop: Loop) -> None:
    called: list[str] = []

    def in_loop() -> None:
        called.append("in the loop")
        loop.stop()

    def handle(_number: int, _frame: object) -> None:
        called.append("handler")
        loop.soon(in_loop)

    before, before_fd = signal.signal(signal.SIGALRM, handle), signal.set_wakeup_fd(loop.wake_fd)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        begin_s = time.monotonic()
        loop.run()  # nothing else would end its wait of a minute
        assert time.monotonic() - begin_s < 20
    finally:
        signal.set_wakeup_fd(before_fd)
        signal.signal(signal.SIGALRM, before)
    assert called == ["handler", "in the loop"]


def test_what_is_soon_is_done_before_the_next_wait_though_it_asks_for_more(loop: Loop) -> None:
    called: list[int] = []

    def more() -> None:
        called.append(1)
        if len(called) < 3:
            loop.soon(more)
        else:
            loop.stop()

    loop.soon(more)
    loop.run()
    assert len(called) == 3
