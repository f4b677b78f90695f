"""What is to be seen of a capture: fed batches and keys, asked for frames. Pure.

    scene = Scene(rate_hz=256, scale=Scale(), settings=Settings(seconds=4))
    scene.take(batch)            # as they come
    action = scene.press("f")    # a key; what it returns is to be done outside
    frame = scene.frame()        # as often as somebody draws
    scene.shown(time.monotonic_ns())   # when it is drawn, for the delay in the status line

One thread at a time. Whoever draws piece by piece asks for a frame without traces, and for `segments` of the
positions that are new: they change only with the frame's `key`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from kit.eeg.batch import Batch
from kit.eeg.scale import Scale, preferred
from kit.eeg.tally import Tally
from kit.eeg.viewing import colours, looking
from kit.eeg.viewing.filtering import Shown
from kit.eeg.viewing.frame import Bars, Frame, Hole, Line, Part, Segment, Spectrum, Trace, Word
from kit.eeg.viewing.history import History
from kit.eeg.viewing.keys import HELP, Action, Keyboard
from kit.eeg.viewing.looking import Looking
from kit.eeg.viewing.settings import Settings, covering
from kit.eeg.viewing.spectra import STEP_S, Spectra
from kit.eeg.viewing.status import Pulse, filter_words

HISTORY_S = 600
_SPECTRUM_HZ = 60  # nothing above is real: the board's own low-pass is at 59 Hz
_QUIET_POWER = 1e-4
_ALL = "all channels"


class Scene:
    """The state of the view.

    `recording` and `notice` are for the status line, set from outside: where a recording goes to, and
    whatever else a person should know. `left`: the picture stays where it is, and keys do nothing any more.
    """

    def __init__(
        self,
        rate_hz: Fraction | float = 256,
        scale: Scale | None = None,
        settings: Settings | None = None,
        history_s: float = HISTORY_S,
    ) -> None:
        self.settings = settings or Settings()
        self.recording: str | None = None
        self.notice: str | None = None
        self.left = False
        self._scale = scale or Scale()
        self._history = History(float(rate_hz), history_s)
        self.looking = Looking(self._history)
        self._keyboard = Keyboard(self)
        self._pulse = Pulse(Tally(Fraction(rate_hz)))
        self._spectra = Spectra(self._history, self._scale)
        self._bare: tuple[object, tuple[Trace, ...]] = (None, ())
        self._shown_as: object = None
        self._shown = Shown(self._history, self._scale, self.settings.filters_now)

    def take(self, batch: Batch) -> None:
        """One more batch."""
        self._pulse.take(batch)
        self._history.take(batch.signals, batch.marks)

    def close(self, reason: str) -> None:
        """Nothing more will come; the picture stays."""
        self._pulse.close(reason)

    def rescale(self, told: Scale | None) -> None:
        """A recording has told its own scale: it holds if no other one was asked for."""
        scale = preferred(self._scale, told)
        if scale != self._scale:
            self._scale = scale
            self._spectra = Spectra(self._history, scale)

    def press(self, key: str) -> Action | None:
        """A key (its character, or its name as in `keys`) changes the picture, or is an action."""
        return self._keyboard.press(key)

    def shown(self, now_ns: int) -> None:
        """The last frame is before a person's eyes since this moment of the monotonic clock."""
        self._pulse.shown(now_ns)

    @property
    def ended(self) -> bool:
        """Has the capture come to its end?"""
        return self._pulse.ended is not None

    @property
    def ended_as_wished(self) -> bool:
        """Has it come to an end that was asked for?"""
        return self._pulse.ended in ("count", "duration", "interrupt")

    @property
    def window(self) -> int:
        """How many samples the picture is wide."""
        most = self._history.capacity - looking.blank(self._history.capacity) - 1
        return max(2, min(round(self.settings.seconds * self._history.rate_hz), most))

    @property
    def channels(self) -> int:
        """How many there are; 0 as long as nobody knows."""
        return self._history.channels

    @property
    def newest_us(self) -> int | None:
        """When the newest sample in the picture was taken."""
        return self._history.time_us(self.looking.end - 1)

    @property
    def uv_per_count(self) -> float:
        return self._scale.uv_per_count

    def fit(self) -> None:
        """Scales that show what is in the picture."""
        reaches = list(self.settings.reaches)
        for channel in self._visible():
            if self.settings.selected not in (None, channel):
                continue
            values = [v for part in self._parts() for s in self._segments(channel, part) for v in s.values]
            if values:
                reaches[channel - 1] = covering(max(*values, -min(values)))
        self.settings = replace(self.settings, reaches=tuple(reaches))

    def frame(self, *, traces: bool = True, status: tuple[Word, ...] | None = None) -> Frame:
        """The picture, now; without traces it has their lanes only. `status` may be another one's."""
        settings, parts = self.settings, self._parts()
        swept = self._sweeps
        end, window = self.looking.end, self.window
        self._pulse.framed(self.looking.paused_at is None)
        return Frame(
            key=self._key(),
            window=window,
            seconds=settings.seconds,
            sweep=swept,
            paused=self.looking.paused_at is not None,
            parts=parts,
            cursor=end % window if swept else None,
            traces=self._traces(parts) if traces else self._bare_traces(),
            holes=tuple(self._holes(parts)),
            lines=tuple(self._lines(parts)),
            ticks=looking.ticks(end, window, self._history.rate_hz, swept),
            buttons=self._history.pressed,
            status=tuple(self._status()) if status is None else status,
            bars=self._bars() if settings.bars else (),
            spectrum=self._spectrum(),
            prompt=self._keyboard.prompt,
            help=HELP if settings.help else (),
        )

    def segments(self, channel: int, first: int, end: int) -> list[tuple[int, list[float]]]:
        """A channel's samples at these positions: where each stretch without a gap begins, and its values."""
        shown = self._shown_now()
        return [
            (at, list(shown.values(channel, at, until)))
            for at, until in self._history.stretches(max(first, self._history.start), end)
        ]

    @property
    def _sweeps(self) -> bool:
        """Who looks back looks at time as it was, from left to right."""
        return self.settings.sweep and not self.looking.back

    def _key(self) -> object:
        settings, history = self.settings, self._history
        choice = (
            settings.reaches,
            settings.units,
            self._scale,
            settings.filters_now,
            self.window,
            self._sweeps,
        )
        return (*choice, history.revision)

    def _visible(self) -> list[int]:
        there = self._history.channels or len(self.settings.shown)
        return [number for number, on in enumerate(self.settings.shown, 1) if on and number <= there]

    def _parts(self) -> tuple[Part, ...]:
        return looking.parts(self.looking.end, self.window, self._history.start, self._sweeps)

    def _shown_now(self) -> Shown:
        settings = self.settings
        wanted = (settings.units, self._scale, settings.filters_now, self._history.revision)
        if self._shown_as != wanted:
            self._shown_as = wanted
            factor = self._scale.uv_per_count if settings.units == "uv" else 1.0
            scale = Scale(factor, self._scale.zero)
            self._shown = Shown(self._history, scale, settings.filters_now)
        return self._shown

    def _segments(self, channel: int, part: Part) -> Iterator[Segment]:
        for at, values in self.segments(channel, part.first, part.end):
            yield Segment(part.x + at - part.first, at, values)

    def _traces(self, parts: Iterable[Part]) -> tuple[Trace, ...]:
        return tuple(self._trace(channel, parts) for channel in self._visible())

    def _bare_traces(self) -> tuple[Trace, ...]:
        """The same ones until something changes, so that whoever draws sees that nothing did."""
        state = (self.settings, tuple(map(self._is_clipped, self._visible())), self._history.channels)
        if state != self._bare[0]:
            self._bare = (state, self._traces(()))
        return self._bare[1]

    def _is_clipped(self, channel: int) -> bool:
        """Was the converter at one of its ends within the last second?"""
        if not self._history.channels:
            return False
        at = self._history.clipped_at[channel - 1]
        return at >= 0 and self._history.end - at < self._history.rate_hz

    def _trace(self, channel: int, parts: Iterable[Part]) -> Trace:
        settings = self.settings
        reach, unit = settings.reaches[channel - 1], "µV" if settings.units == "uv" else "counts"
        return Trace(
            channel=channel,
            label=f"channel {channel}",
            colour=colours.of_channel(channel),
            reach=reach,
            unit=unit,
            scale=f"±{reach:g} {unit}",
            selected=settings.selected == channel,
            clipped=self._is_clipped(channel),
            segments=tuple(segment for part in parts for segment in self._segments(channel, part)),
        )

    def _holes(self, parts: Iterable[Part]) -> Iterator[Hole]:
        for part in parts:
            for gap in self._history.gaps(part.first, part.end):
                first, end = max(gap.first, part.first), min(gap.end, part.end)
                text = f"{gap.lost:,} lost" if gap.lost else gap.why
                yield Hole(part.x + first - part.first, part.x + end - part.first, gap.why, text)

    def _lines(self, parts: Iterable[Part]) -> Iterator[Line]:
        for part in parts:
            for flag in self._history.flags(part.first, part.end):
                yield Line(part.x + flag.position - part.first, flag.text, flag.kind)

    def _status(self) -> Iterator[Word]:
        settings = self.settings
        if self._pulse.end:
            yield Word(self._pulse.end if self.left else f"{self._pulse.end}: q quits", "warn")
        if self.looking.paused_at is not None:
            ago_s = (self._history.end - self.looking.end) / self._history.rate_hz
            yield Word(f"paused, {ago_s:.1f} s ago" if ago_s > 0 else "paused", "warn")
        if self.notice:
            yield Word(self.notice, "warn")
        if self.recording is not None:
            yield Word(f"● recording {self.recording}", "bad")
        yield from self._pulse.words()
        yield Word(filter_words(settings.filters_now), "quiet")
        yield Word(f"{settings.seconds:g} s", "quiet")
        if settings.units == "uv":
            yield Word(f"{self._scale.uv_per_count:g} µV per count, {self._scale.origin}", "quiet")
        selected = settings.selected
        yield Word(f"+ -: {_ALL if selected is None else f'channel {selected}'}", "quiet")

    def _bars(self) -> tuple[Bars, ...]:
        end = self.looking.end
        return tuple(
            Bars(channel, f"channel {channel}", colours.of_channel(channel), self._spectra.bars(channel, end))
            for channel in self._visible()
        )

    def _spectrum(self) -> Spectrum | None:
        """Of the channel that is selected, else of the first one in the picture."""
        kind, visible = self.settings.spectrum, self._visible()
        if kind is None or not visible:
            return None
        channel = self.settings.selected if self.settings.selected in visible else visible[0]
        newest = self._spectra.number_at(self.looking.end)
        count = 1 if kind == "spectrum" else max(1, round(self.settings.seconds / STEP_S))
        frequencies = tuple(hz for hz in self._spectra.frequencies_hz if hz <= _SPECTRUM_HZ)
        columns = []
        for number in range(newest - count + 1, newest + 1):
            powers = self._spectra.powers(channel, number)
            kept = powers[: len(frequencies)] if powers else None
            columns.append(tuple(10 * math.log10(max(p, _QUIET_POWER)) for p in kept) if kept else None)
        label = f"channel {channel}"
        colour = colours.of_channel(channel)
        return Spectrum(kind, channel, label, colour, frequencies, tuple(columns), STEP_S)
