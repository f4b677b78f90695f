"""What the arrivals say about a gap that the counters cannot: whole periods lost, a restart, or only a stall.

Lateness is how much later than the schedule a packet comes, if only those were lost that the counter tells.

    clearly negative     it cannot have come so early: the device began anew
    small                the counter is right
    large, and it falls  a stall: what had waited comes at once
    large, and it stays  whole periods were lost, if it is near a multiple of them; else the device began anew
                         (the counter is at its begin), or the way or the clock changed

What a large one does, the next second tells; until then the packets are held. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from math import ceil, floor
from typing import Literal

from kit.eeg.schedule import Schedule

# A counter up to here may be the first one after a restart, whose first packets were damaged.
_BEGIN = 8
# Counters that go back by less are late or repeated packets.
_BACK = 9
# How far the floor of lateness may be off; more must be shown where the counter speaks against a restart.
_NEAR_US = 8_000
_MORE_US = 12_000
_UNKNOWN_PACE_US = 50_000
# How long a lateness is watched: as a rule, before another jump cuts it short, and before giving up.
_WATCHED_US = 750_000
_SHORT_US = 200_000
_BRIEF_US = 50_000
_LONGEST_US = 3_000_000
# A lateness that differs by less in both halves of that stays.
_FLAT_US = 15_000
_FLAT_SHARE = 0.02
# A wall clock alone, which jumps by more while the counter goes on, was set.
_CLOCK_SET_US = 10_000_000
_SLICE = 64

_Lateness = tuple[int, float]  # when, and how late
_Course = Literal["wait", "brief", "stays", "moves"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a gap is. `lost` packets: by the time (between `low` and `high`), or as the counter says.

    `restarted`: the device began anew behind them; `or_lost` are lost if it did not.
    """

    lost: int
    by: Literal["counter", "time"] = "counter"
    low: int = 0
    high: int = 0
    restarted: bool = False
    or_lost: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """`lost` packets from `sequence` on, by the counter; the packet behind them has `counter`."""

    sequence: int
    lost: int
    counter: int

    @property
    def behind(self) -> int:
        """The number of the packet behind them, if the counter is right."""
        return self.sequence + self.lost


@dataclass(frozen=True, slots=True)
class _Watch:
    """The lateness of packets in turn, how the watch ended, and the number of the last one."""

    late: list[_Lateness]
    end: Literal["fallen", "cut", "whole"]
    place: int


class Timekeeper:
    """Watches the lateness of packets against their schedule."""

    def __init__(self, period: int, rate_hz: Fraction) -> None:
        self._period = period
        self.schedule = Schedule(rate_hz)
        self._away = False
        self._last_us: int | None = None
        self._passed = 0  # the lateness of packets before this one was judged

    def interrupted(self) -> None:
        """The device is away."""
        self._away = True

    def begin(self) -> None:
        """The device began anew."""
        self.schedule.begin()

    def on_time(self, sequence: int, arrivals_us: Sequence[int]) -> int:
        """How many of these packets, one behind the other, need no judgement; they are noted."""
        count = len(arrivals_us)
        for first in range(0, count, _SLICE):
            last = min(first + _SLICE, count)
            part = arrivals_us if last - first == count else arrivals_us[first:last]
            late = self._late_from(sequence + first, part)
            if late < last - first:
                self._note(sequence + first, part[:late])
                return first + late
            self._note(sequence + first, part)
        return count

    def judge(
        self, gap: Gap, following: Iterable[tuple[int, int]], steady_clock: bool, final: bool
    ) -> Meaning | None:
        """What the gap is; `following` has the counters and arrivals behind it. None: wait for more of them.

        `steady_clock`: nobody sets the clock that the arrivals are from.
        """
        following = iter(following)
        counter, arrival_us = next(following)
        meaning = self._at_once(gap, arrival_us)
        if meaning is None:
            watch = self._watch(gap, chain([(counter, arrival_us)], following))
            meaning = self._by_watching(gap, watch, steady_clock, final)
        if meaning is not None:
            self._away = False
            self._passed = max(self._passed, gap.sequence + meaning.lost + 1)
        return meaning

    def _late_from(self, sequence: int, arrivals_us: Sequence[int]) -> int:
        """The place of the first packet that is late by whole periods, if the last one is; else how many."""
        count = len(arrivals_us)
        if self._away:
            return 0
        schedule = self.schedule
        if sequence + count <= self._passed or schedule.pace != "steady":
            return count
        limit_us = self._doubtful_us(sequence)
        if arrivals_us[-1] - schedule.expected_us(sequence + count - 1) < limit_us:
            return count
        places = range(max(0, self._passed - sequence), count)
        late = (at for at in places if arrivals_us[at] - schedule.expected_us(sequence + at) >= limit_us)
        return next(late, count)

    def _note(self, sequence: int, arrivals_us: Sequence[int]) -> None:
        if arrivals_us:
            if self._last_us is not None and arrivals_us[0] < self._last_us:
                self.schedule.begin()  # the clock was set back
            self.schedule.add(sequence, arrivals_us)
            self._last_us = arrivals_us[-1]

    def _near_us(self, sequence: int) -> float:
        """How near to its due time a packet must be to be in time."""
        return _NEAR_US + self.schedule.slack_us(sequence)

    def _doubtful_us(self, sequence: int) -> float:
        """From which lateness on a packet may be behind a whole lost period."""
        period_us = self._period * self.schedule.period_us
        return period_us - min(self._near_us(sequence), period_us / 3)

    def _at_once(self, gap: Gap, arrival_us: int) -> Meaning | None:
        """What the first packet's arrival tells; None if it must be watched."""
        schedule = self.schedule
        if self._last_us is not None and arrival_us < self._last_us:
            schedule.begin()  # the clock was set back
        pace = schedule.pace
        if not schedule.started or (pace != "steady" and not (pace == "unknown" and self._away)):
            return self._at_unknown_pace(gap, arrival_us)
        if self._away:
            return None
        late_us = arrival_us - schedule.expected_us(gap.behind)
        near_us = self._near_us(gap.behind)
        if gap.lost and late_us < (-near_us if _may_begin(gap) else -near_us - _MORE_US):
            return Meaning(0, restarted=True)
        if late_us >= (near_us if _may_begin(gap) else self._doubtful_us(gap.behind)):
            return None
        return Meaning(gap.lost)

    def _at_unknown_pace(self, gap: Gap, arrival_us: int) -> Meaning:
        schedule = self.schedule
        if schedule.started and schedule.pace == "unknown" and gap.counter == 0:
            early_us = schedule.expected_us(gap.behind) - arrival_us
            if early_us > _UNKNOWN_PACE_US:
                return Meaning(0, restarted=True, or_lost=gap.lost)
        return by_counter(gap, self._period)

    def _watch(self, gap: Gap, following: Iterable[tuple[int, int]]) -> _Watch:
        """The lateness of the packets behind the gap, up to where it has fallen or jumps."""
        period_us = self._period * self.schedule.period_us
        fallen_us = self._near_us(gap.behind) if _may_begin(gap) else self._doubtful_us(gap.behind)
        place, last, late = gap.behind, gap.counter, list[_Lateness]()
        for (counter, arrival_us), (after, _) in pairwise(chain(following, [(-1, 0)])):
            step = (counter - last) % self._period
            if late and (
                step == 0 or (step > self._period - _BACK and after != (counter + 1) % self._period)
            ):
                continue  # late, or once more
            late_us = arrival_us - self.schedule.expected_us(place + step)
            if late:
                jumps = late_us - late[-1][1] >= period_us * 3 / 4
                drained = step != 1 and not gap.lost and late[0][1] - late_us > _FLAT_US
                if jumps or drained or (counter == 0 and step != 1):
                    return _Watch(late, "cut", place)
            place, last = place + step, counter
            late.append((arrival_us, late_us))
            if late_us < fallen_us and not self._away:
                return _Watch(late, "fallen", place)
            if arrival_us - late[0][0] >= _LONGEST_US:
                break
        return _Watch(late, "whole", place)

    def _by_watching(self, gap: Gap, watch: _Watch, steady_clock: bool, final: bool) -> Meaning | None:
        if watch.end == "fallen":
            self._passed = watch.place + 1
            return Meaning(gap.lost)
        course, late_us = _course(watch.late, final or watch.end == "cut")
        if course == "wait":
            return None
        if course == "stays" or self._away:
            return self._settled(gap, late_us, steady_clock, sure=True)
        if course == "brief" and final and watch.end != "cut" and _lasts(watch.late):
            return self._settled(gap, late_us, steady_clock, sure=False)
        self._passed = watch.place + 1
        return by_counter(gap, self._period)

    def _settled(self, gap: Gap, late_us: float, steady_clock: bool, sure: bool) -> Meaning:
        """What a lateness is that stays."""
        schedule = self.schedule
        period_us = self._period * schedule.period_us
        # The longer the silence, the less the schedule knows of its end.
        near_us = self._near_us(gap.behind + max(0, int(late_us / schedule.period_us)))
        least = max(0, ceil((late_us - near_us) / period_us))
        most = floor((late_us + near_us) / period_us)
        if least > most:
            return self._no_loss(gap, late_us, near_us, steady_clock)
        if not steady_clock and not gap.lost and late_us > _CLOCK_SET_US:
            schedule.begin()
            return Meaning(0)
        if most == 0:
            return Meaning(gap.lost)
        if least < most:
            schedule.begin()
        periods = min(max(round(late_us / period_us), least), most)
        if gap.counter == 0 and gap.lost and least and not self._away:
            # Of so long losses one in a period ends here by chance, of restarts each does.
            return Meaning(0, restarted=True, or_lost=gap.lost + periods * self._period)
        low, high = (gap.lost + count * self._period for count in (least if sure else 0, most))
        return Meaning(gap.lost + periods * self._period, "time", low, high)

    def _no_loss(self, gap: Gap, late_us: float, near_us: float, steady_clock: bool) -> Meaning:
        """What it is where no number of lost packets fits the counter and the time."""
        packet_us = self.schedule.period_us
        self.schedule.begin()
        if self._away:
            count = max(0, round(gap.lost + late_us / packet_us))
            return Meaning(count, "time", 0, count + ceil(near_us / packet_us), restarted=True)
        if _may_begin(gap) or (gap.counter == 0 and steady_clock):
            return Meaning(0, restarted=True)
        return Meaning(gap.lost)


def by_counter(gap: Gap, period: int) -> Meaning:
    """What the gap is where no times help."""
    if gap.counter == 0 and gap.lost >= period // 2:
        return Meaning(0, restarted=True, or_lost=gap.lost)
    return Meaning(gap.lost)


def _may_begin(gap: Gap) -> bool:
    return gap.lost > 0 and gap.counter <= _BEGIN


def _lasts(late: Sequence[_Lateness]) -> bool:
    """Did it stay for more than the packets of one read?"""
    return late[-1][0] - late[0][0] >= _BRIEF_US and late[0][1] - late[-1][1] <= _FLAT_US


def _course(late: Sequence[_Lateness], ended: bool) -> tuple[_Course, float]:
    """Does the lateness stay, and where? A backlog before it does not count."""
    begin_us, end_us = late[0][0], late[-1][0]
    watched_us = end_us - begin_us
    if watched_us < (_SHORT_US if ended else _WATCHED_US):
        return "brief" if ended else "wait", min(late_us for _, late_us in late)
    middle_us = begin_us + watched_us // 2
    early_us = min(late_us for at_us, late_us in late if at_us <= middle_us)
    later_us = min(late_us for at_us, late_us in late if at_us > middle_us)
    if abs(later_us - early_us) <= _FLAT_US + _FLAT_SHARE * watched_us / 2:
        return "stays", later_us
    waits = later_us < early_us and watched_us < _LONGEST_US and not ended
    return "wait" if waits else "moves", later_us
