"""A picture of a frame as a file's bytes, without any display. Pure."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from kit.core.errors import UsageError
from kit.eeg.viewing.drawing import Drawing, Style
from kit.eeg.viewing.frame import Frame
from kit.eeg.viewing.images import png, svg
from kit.eeg.viewing.lines import Segments
from kit.eeg.viewing.raster import drawn

Form = Literal["svg", "png"]
_WIDTH, _LANE, _LEAST, _MOST = 1200, 130, 320, 700
_REST = 80
_BARS, _SPECTRUM = 22, 180


def form_of(path: str) -> Form:
    """What a file's suffix asks for; raises UsageError."""
    suffix = PurePath(path).suffix.lower()
    if suffix == ".svg":
        return "svg"
    if suffix == ".png":
        return "png"
    raise UsageError(f"nothing says which picture {path!r} is to be", hint="give it the suffix .svg or .png")


def snapshot(frame: Frame, segments: Segments, form: Form, title: str) -> bytes:
    """The frame, and the traces that `segments` has (`Scene.segments`)."""
    lanes = min(max(len(frame.traces) * _LANE, _LEAST), _MOST)
    panels = (len(frame.bars) + 2) * _BARS * bool(frame.bars) + _SPECTRUM * bool(frame.spectrum)
    style = Style(_WIDTH, _REST + lanes + panels, exact=True, hint=False)
    picture = Drawing(style).picture(frame, segments)
    return svg(picture, title).encode() if form == "svg" else png(drawn(picture))
