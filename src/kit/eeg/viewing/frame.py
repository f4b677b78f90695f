"""One picture, as plain data. Pure.

x counts samples from the left edge and runs from 0 to `window`. A trace's values are in its unit, and belong
between -`reach` and `reach`; what is beyond is drawn at the edge, or over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kit.core.frozen import record

Tone = Literal["plain", "quiet", "good", "warn", "bad"]


@record
class Segment:
    """Samples without a gap: the first is at `x`, and at `position` in the capture."""

    x: int
    position: int
    values: Sequence[float]


@record
class Trace:
    """A channel's lane. `scale` says what its half height stands for."""

    channel: int
    label: str
    colour: str
    reach: float
    unit: str
    scale: str
    selected: bool
    clipped: bool
    segments: Sequence[Segment] = ()


@record
class Hole:
    """Where nothing came, from `x` to before `end`."""

    x: int
    end: int
    why: Literal["lost", "restarted", "away"]
    text: str


@record
class Line:
    """A vertical line with a text: a mark, or a button that was pressed."""

    x: int
    text: str
    kind: Literal["mark", "button"]


@record
class Tick:
    """A place on the axis of time."""

    x: int
    text: str


@record
class Part:
    """What stands side by side in the picture: from `x` on, the samples from `first` to before `end`."""

    x: int
    first: int
    end: int


@record
class Word:
    """A piece of the status line."""

    text: str
    tone: Tone = "plain"


@record
class Bar:
    """The power of a band: microvolts (rms), and its share of what is between 1 and 45 Hz.

    Both are None where the signal of the last two seconds has a gap or a clipped sample.
    """

    band: str
    range: str
    uv: float | None
    share: float | None


@record
class Bars:
    """The bands of a channel."""

    channel: int
    label: str
    colour: str
    bars: tuple[Bar, ...]


@record
class Spectrum:
    """A channel's power in dB (1 µV²/Hz is 0) by frequency; a column a quarter of a second, the newest last.

    As a spectrum it has one column. A column is None where the signal has a gap.
    """

    kind: Literal["spectrum", "spectrogram"]
    channel: int
    label: str
    colour: str
    frequencies_hz: tuple[float, ...]
    columns: tuple[tuple[float, ...] | None, ...]
    step_s: float


@record
class Frame:
    """All that is to be seen.

    `key` is another one where more has changed than that samples came. `cursor` is where a sweep writes,
    `prompt` what a person is typing, `help` lines that are to be shown over the picture.
    """

    key: object
    window: int
    seconds: float
    sweep: bool
    paused: bool
    parts: tuple[Part, ...]
    cursor: int | None
    traces: tuple[Trace, ...]
    holes: tuple[Hole, ...]
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    buttons: tuple[bool | None, ...]
    status: tuple[Word, ...]
    bars: tuple[Bars, ...]
    spectrum: Spectrum | None
    prompt: str
    help: tuple[tuple[str, str], ...]
