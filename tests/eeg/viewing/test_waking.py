"""A thread is woken from another one, and not once nobody waits any more."""

from __future__ import annotations

import select
import threading

from kit.eeg.batch import Batch, Mark
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.stage import Stage
from kit.eeg.viewing.waking import Waking


def _is_awake(waking: Waking, within_ms: float = 0) -> bool:
    poll = select.poll()
    poll.register(waking, select.POLLIN)
    return bool(poll.poll(within_ms))


def test_it_is_awake_until_that_is_taken() -> None:
    with Waking() as waking:
        assert not _is_awake(waking)
        threading.Thread(target=waking.wake).start()
        assert _is_awake(waking, 10_000)
        waking.wake()
        waking.taken()
        assert not _is_awake(waking)
        waking.taken()


def test_it_may_be_woken_more_often_than_it_looks_and_after_its_end() -> None:
    with Waking() as waking:
        for _ in range(100_000):
            waking.wake()
        while _is_awake(waking):
            waking.taken()
        waking.wake()
        assert _is_awake(waking)
    waking.wake()


def test_a_stage_tells_of_what_changes_it() -> None:
    told: list[int] = []
    stage = Stage(Scene())
    stage.take(Batch([], [], [Mark(1, "nobody waits")], 0))
    stage.on_change = lambda: told.append(stage.changes)
    stage.take(Batch([], [], [], 0))
    stage.take(Batch([], [], [Mark(2, "now")], 0))
    stage.close("end")
    assert told == [2, 3]
