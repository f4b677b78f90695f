"""Pictures of a recording, to look through and to print: overview, spectrogram, spectrum, bands over time.

`gathering` reads a stream once into columns of time (`envelope`, `spectra`), whose number stays the same
however long the recording is: when they are full, each two become one. `pages` draws them with matplotlib,
which is the extra `kit[plot]`; `overview`, `spectral` and `style` have the parts of a page.

What is missing is never drawn over. A window of a spectrum that is clipped, or lost more than a hundredth of
its packets, has no value. The spectrum is Welch's: windows of two seconds that overlap by half, Hann, mean
removed, one-sided, as scipy.signal.welch computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Literal

from kit.core.errors import Unavailable
from kit.eeg.scale import Scale

if TYPE_CHECKING:
    from kit.eeg.plotting.gathering import Gathered
    from kit.eeg.reading import Stream

Kind = Literal["overview", "spectrogram", "spectrum", "bands"]
Form = Literal["svg", "png", "pdf"]
KINDS: tuple[Kind, ...] = ("overview", "spectrogram", "spectrum", "bands")


@dataclass(frozen=True)
class PlotWish:
    """What is to be drawn: of which channels (from 1 on; None is all), and of which seconds."""

    kinds: Sequence[Kind] = KINDS
    channels: Sequence[int] | None = None
    begin_s: float = 0.0
    end_s: float | None = None
    scale: Scale = field(default_factory=Scale)


def check() -> None:
    """Raises Unavailable where what draws is not installed."""
    try:
        import matplotlib  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        missing = f"plotting takes {error.name or 'matplotlib'}, which is not installed"
        raise Unavailable(missing, hint="pip install 'kit[plot]'") from None


def gather(stream: Stream, wish: PlotWish) -> Gathered:
    """Read a stream to its end, or to that of the wish."""
    from kit.eeg.plotting.gathering import gathered

    return gathered(stream, wish)


def draw(found: Gathered, wish: PlotWish, title: str, form: Form, file: BinaryIO) -> None:
    """The same recording gives the same bytes, as far as matplotlib is the same."""
    from kit.eeg.plotting.pages import write

    write(found, wish, title, form, file)
