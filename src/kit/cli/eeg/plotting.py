"""kit eeg plot: joins a recording and the file that its picture goes into."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.eeg.sink import standard_output
from kit.cli.endings import ended_by_sigterm
from kit.cli.files import result_file
from kit.core.errors import NegativeAnswer, UsageError
from kit.core.output import Output
from kit.core.text import printable
from kit.eeg.plotting import KINDS, Form, PlotWish, check, draw, gather
from kit.eeg.reading import Stream
from kit.eeg.reading import open as open_stream
from kit.eeg.scale import Scale
from kit.eeg.summary import complaint

if TYPE_CHECKING:
    from kit.eeg.plotting.gathering import Gathered

_STANDARD = "-"
_FORMS: dict[str, Form] = {".svg": "svg", ".png": "png", ".pdf": "pdf"}


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    source: str
    target: str
    kind: str
    channels: Sequence[int] | None
    begin_s: float
    end_s: float | None
    form: str | None
    scale: Scale
    protocol: str
    rate_hz: Fraction
    start_us: int


def plot_eeg(wish: Wish) -> None:
    """Read, draw, and write the picture whole or not at all."""
    form = _form(wish.target)
    check()
    kinds = KINDS if wish.kind == "all" else tuple(kind for kind in KINDS if kind == wish.kind)
    plotted = PlotWish(kinds, wish.channels, wish.begin_s, wish.end_s, wish.scale)
    with ended_by_sigterm():
        with open_stream(
            wish.source,
            protocol=wish.protocol,
            rate_hz=wish.rate_hz,
            start_us=wish.start_us,
            form=wish.form,
            scale=wish.scale,
        ) as stream:
            found = _gathered(stream, plotted)
        Output().note(f"kit: {_remark(found)}")
        picture = io.BytesIO()
        draw(found, plotted, printable(Path(wish.source).name), form, picture)
        _write(wish.target, picture.getvalue())


def _gathered(stream: Stream, wish: PlotWish) -> Gathered:
    """What is drawn; raises where there is no packet, and says why."""
    try:
        return gather(stream, wish)
    except NegativeAnswer as nothing:
        raise complaint(stream.tally, stream.name, stream.received) or nothing from None


def _remark(found: Gathered) -> str:
    seconds = (found.end_us - found.begin_us) / 1_000_000
    return f"{found.packets:,} packets in {seconds:.1f} s, {found.lost:,} lost"


def _form(target: str) -> Form:
    if target == _STANDARD:
        return "svg"
    form = _FORMS.get(Path(target).suffix.lower())
    if form is None:
        raise UsageError(f"nothing says what picture {target!r} is to be", hint="name it .svg, .png or .pdf")
    return form


def _write(target: str, picture: bytes) -> None:
    if target == _STANDARD:
        standard_output().write(picture)
        return
    with result_file(target) as file:
        file.write(picture)
