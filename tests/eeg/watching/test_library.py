"""`eeg.open(…)` with callbacks, and iterated in both ways, as a program of somebody else's uses it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit import eeg
from kit.core.errors import Unavailable, UsageError
from kit.eeg.feeding import Feeding
from kit.eeg.recordings.recorder import open_recorder
from kit.eeg.recordings.settings import Settings

_SOURCE = "sim:seed=3,speed=max,duration=20,fault=lost:every=1000"


def _collected(
    subscribe: Callable[[eeg.Stream, Callable[[Any], None]], object], source: str = _SOURCE
) -> list[Any]:
    found: list[Any] = []
    with eeg.open(source, reconnect=True) as capture:
        subscribe(capture, found.append)
        capture.run()
    return found


def test_packets_losses_and_buttons_are_called_for() -> None:
    packets: list[eeg.Sample] = []
    losses: list[eeg.Gap] = []
    presses: list[eeg.ButtonChange] = []
    with eeg.open(_SOURCE) as capture:
        capture.on_packet(packets.append)
        capture.on_loss(losses.append)
        capture.on_button(presses.append)
        ended = capture.run()
    assert len(packets) == ended.packets == 5115
    assert [loss.sequence for loss in losses] == [999, 1999, 2999, 3999, 4999]
    assert len(presses) >= 2
    assert presses[0].pressed


def test_a_condition_is_called_for_when_it_comes_true() -> None:
    begins = _collected(lambda capture, take: capture.on_cross("alpha1 > 12 for 0.5s", take))
    both = _collected(lambda capture, take: capture.on_cross("alpha1 > 12 for 0.5s", take, both=True))
    assert begins
    assert {crossing.on for crossing in begins} == {True}
    assert [crossing for crossing in both if crossing.on] == begins
    assert len(both) > len(begins)


def test_bands_ratios_and_own_bands_have_values() -> None:
    def subscribe(capture: eeg.Stream, take: Callable[[Any], None]) -> None:
        capture.measure_over(1)
        capture.define_band("mu", 8, 12)
        capture.on_band("alpha", take, channel=2)
        capture.on_band("theta/mu", take, dirty=True)

    found = _collected(subscribe)
    alphas = [value for value in found if value.expression == "alpha"]
    ratios = [value for value in found if value.expression == "theta/mu"]
    assert len(alphas) < len(ratios) == 160 - 1
    assert all(value.value > 0 for value in alphas)
    assert [value.value for value in ratios[:7]] == [None] * 7


def test_blinks_and_artefacts_are_of_a_channel() -> None:
    assert {blink.channel for blink in _collected(lambda capture, take: capture.on_blink(take))} == {1}
    loud = "sim:seed=3,speed=max,duration=20,gain=6"
    changes = _collected(lambda capture, take: capture.on_artefact(take, channel=2), loud)
    assert {change.channel for change in changes} == {2}
    assert changes[0].why


def test_a_device_that_goes_and_comes_is_told_of() -> None:
    away: list[eeg.Gap] = []
    back: list[eeg.Returned] = []
    with eeg.open("sim:speed=50,duration=6,fault=unplug:at=2:back=1", reconnect=True) as capture:
        capture.on_away(away.append)
        capture.on_back(back.append)
        capture.run()
    assert [gap.why for gap in away] == ["away"]
    assert [returned.sequence for returned in back] == [512]


def test_functions_can_be_decorated() -> None:
    called = []
    with eeg.open(_SOURCE) as capture:

        @capture.on_loss
        def lost(gap: eeg.Gap) -> None:
            called.append(gap.count)

        @capture.on_cross("ch1 > 60")
        def crossed(crossing: eeg.Crossing) -> None:
            called.append(crossing.condition)

        assert (lost.__name__, crossed.__name__) == ("lost", "crossed")
        capture.run()
    assert {1, "ch1 > 60"} == set(called)


def test_a_callback_that_raises_is_told_of_once_and_the_capture_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(_sample: eeg.Sample) -> None:
        raise RuntimeError("it is broken")

    packets: list[eeg.Sample] = []
    with eeg.open(_SOURCE) as capture, caplog.at_level(logging.ERROR, "kit.eeg"):
        capture.on_packet(fails)
        capture.on_packet(packets.append)
        capture.run()
    assert len(packets) == 5115
    (record,) = caplog.records
    assert "fails failed" in record.getMessage()
    assert record.exc_info


def test_who_handles_errors_gets_each_of_them() -> None:
    told: list[tuple[str, object]] = []

    def fails(_gap: eeg.Gap) -> None:
        raise RuntimeError("it is broken")

    with eeg.open(_SOURCE) as capture:
        capture.on_loss(fails)
        capture.on_error(lambda error, callback: told.append((str(error), callback)))
        capture.run()
    assert told == [("it is broken", fails)] * 5


def test_a_strict_capture_ends_with_what_a_callback_raises() -> None:
    def fails(_gap: eeg.Gap) -> None:
        raise RuntimeError("it is broken")

    with eeg.open(_SOURCE) as capture:
        capture.on_loss(fails)
        with pytest.raises(RuntimeError, match="it is broken"):
            capture.run(strict=True)


def test_a_callback_can_end_the_capture() -> None:
    with eeg.open("sim:seed=3,speed=max") as capture:
        capture.on_loss(lambda _gap: None)
        capture.on_blink(lambda _blink: capture.stop())
        assert capture.run().reason == "interrupt"


def test_events_are_iterated() -> None:
    with eeg.open(_SOURCE) as capture:
        events = list(capture.events("alpha1 > 12 for 0.5s", blinks=[1], refractory_s=2))
    kinds = {type(event) for event in events}
    assert kinds == {eeg.Gap, eeg.ButtonChange, eeg.Blinked, eeg.Crossing}


def test_async_iteration_gives_the_same_as_plain_iteration() -> None:
    async def gathered() -> tuple[list[Any], list[Any], list[Any]]:
        found = []
        for way in (lambda s: s, lambda s: s.packets(), lambda s: s.events("alpha1 > 12", blinks=[1])):
            with eeg.open(_SOURCE) as capture:
                found.append([one async for one in way(capture)])
        return found[0], found[1], found[2]

    items, packets, events = asyncio.run(gathered())
    with eeg.open(_SOURCE) as capture:
        assert items == list(capture)
    with eeg.open(_SOURCE) as capture:
        assert packets == list(capture.packets())
    with eeg.open(_SOURCE) as capture:
        assert events == list(capture.events("alpha1 > 12", blinks=[1]))


def test_a_loop_goes_on_while_a_capture_is_awaited() -> None:
    async def run() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        with eeg.open("sim:duration=0.2") as capture:
            async for _ in capture.packets():
                pass
        ticking.cancel()
        return ticks

    assert asyncio.run(run()) > 10


def test_async_iteration_can_be_left() -> None:
    async def first() -> eeg.Sample:
        with eeg.open("sim:") as capture:
            async for sample in capture.packets():
                return sample
        raise AssertionError

    assert asyncio.run(first()).sequence == 0
    assert [thread.name for thread in threading.enumerate() if thread.name == "reading"] == []


def test_async_iteration_raises_what_reading_does() -> None:
    async def run() -> int:
        count = 0
        with eeg.open("sim:speed=max,fault=unplug:at=1") as capture:
            try:
                async for _ in capture.packets():
                    count += 1
            except Unavailable:
                return count
        return -1

    assert asyncio.run(run()) == 256


def test_what_cannot_be_watched_is_an_error_at_once() -> None:
    with eeg.open(_SOURCE) as capture:
        for wrong in ("alpha1 >", "alpha1", "nonsense > 1", "alpha1 > p80"):
            with pytest.raises(UsageError):
                capture.on_cross(wrong, print)
        with pytest.raises(UsageError):
            capture.on_band("alpha9", print)
        with pytest.raises(UsageError):
            capture.on_blink(print, channel=7)
        with pytest.raises(UsageError):
            capture.define_band("Alpha", 1, 2)


def test_microvolts_are_those_that_a_recording_tells_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "quiet.edf"
    scale = eeg.Scale(0.25, origin="given")
    with eeg.open("sim:seed=3,speed=max,count=2560") as stream:
        Feeding(stream, [open_recorder(path, Settings(scale=scale))]).run()

    def powers(form: str | None, source: str) -> list[float]:
        found: list[float] = []
        with eeg.open(source, form=form) as capture:
            capture.on_band("alpha", lambda value: found.append(value.value))
            capture.run()
        return found

    usual, quiet = powers("raw", "sim:seed=3,speed=max,count=2560"), powers(None, str(path))
    assert quiet == pytest.approx([power / 4 for power in usual], rel=1e-9)
