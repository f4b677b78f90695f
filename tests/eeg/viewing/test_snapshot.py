"""A picture of a capture as SVG and PNG: gaps are seen in it, and its text can be read."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from kit.core.errors import UsageError
from kit.eeg.viewing import colours
from kit.eeg.viewing.drawing import GROUND, SHADE
from kit.eeg.viewing.keys import HELP
from kit.eeg.viewing.picture import Box, Path, Text
from kit.eeg.viewing.raster import Raster
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.settings import Settings
from kit.eeg.viewing.snapshot import Form, form_of, snapshot
from kit.eeg.viewing.strokes import _GLYPHS, glyph
from tests.eeg.viewing.batches import batches, lost, ramp, run

_SVG = "{http://www.w3.org/2000/svg}"
RGB = tuple[int, int, int]


def _scene(settings: Settings | None = None) -> Scene:
    """Four seconds at rest, of which the third is lost."""
    scene = Scene(settings=settings or Settings())
    rest = [(512, 512)] * 512
    for batch in batches([run(0, rest), lost(512, 256), run(768, rest[:256])]):
        scene.take(batch)
    return scene


def _taken(scene: Scene, form: Form) -> bytes:
    return snapshot(scene.frame(traces=False), scene.segments, form, "a capture")


class _Image:
    """A PNG, decoded by the letter of the standard: chunks, CRCs, deflated rows of RGB without a filter."""

    def __init__(self, data: bytes) -> None:
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        chunks, at = {}, 8
        while at < len(data):
            (length,) = struct.unpack_from(">I", data, at)
            kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
            assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + body),)
            chunks[kind], at = body, at + 12 + length
        assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
        self.width, self.height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        assert rest == [8, 2, 0, 0, 0]
        rows = zlib.decompress(chunks[b"IDAT"])
        size = 3 * self.width + 1
        assert len(rows) == size * self.height
        self._rows = [rows[begin : begin + size] for begin in range(0, len(rows), size)]
        assert {row[0] for row in self._rows} == {0}

    def pixel(self, x: int, y: int) -> RGB:
        red, green, blue = self._rows[y][1 + 3 * x : 4 + 3 * x]
        return red, green, blue

    def colours(self) -> set[RGB]:
        return {self.pixel(x, y) for y in range(self.height) for x in range(self.width)}


def _parsed(document: bytes | str) -> ElementTree.Element:
    return ElementTree.fromstring(document)  # noqa: S314 - it is our own


def _rgb(colour: str) -> RGB:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def test_a_png_has_the_gap_in_red_and_no_trace_in_it() -> None:
    image = _Image(_taken(_scene(), "png"))
    assert (image.width, image.height) == (1200, 400)
    middle = range(40, 330)
    inside = {image.pixel(x, y) for x in range(660, 900, 7) for y in middle}
    assert inside == {_rgb(colours.GAP_GROUND)}
    beside = {image.pixel(x, y) for x in range(120, 630, 7) for y in middle}
    assert _rgb(colours.GAP_GROUND) not in beside
    assert {_rgb(SHADE), _rgb(colours.of_channel(1)), _rgb(colours.of_channel(2))} <= beside
    assert image.pixel(2, 2) == _rgb(GROUND)


def test_an_svg_is_well_formed_and_says_what_was_lost() -> None:
    root = _parsed(_taken(_scene(), "svg"))
    texts = [text.text for text in root.iter(f"{_SVG}text")]
    assert {"256 lost", "channel 1", "channel 2", "100 µV", "0:01"} <= set(texts)
    gaps = [rect for rect in root.iter(f"{_SVG}rect") if rect.get("fill") == colours.GAP_GROUND]
    left, wide = float(gaps[0].get("x", 0)), float(gaps[0].get("width", 0))
    assert len(gaps) == 1
    assert 250 < wide < 280
    lines = [line.get("points", "").split() for line in root.iter(f"{_SVG}polyline")]
    ends = [(float(points[0].split(",")[0]), float(points[-1].split(",")[0])) for points in lines]
    assert all(end <= left or begin >= left + wide for begin, end in ends)
    assert root.find(f"{_SVG}title") is not None


@pytest.mark.parametrize(
    "settings",
    [
        Settings(shown=(True,) * 6, bars=True, selected=2),
        Settings(spectrum="spectrum", help=True),
        Settings(spectrum="spectrogram", bars=True, seconds=8),
        Settings(sweep=True, units="adc"),
        Settings(seconds=0.25),
    ],
    ids=["all", "spectrum", "spectrogram", "sweep", "short"],
)
def test_every_view_becomes_a_document(settings: Settings) -> None:
    scene = Scene(settings=settings)
    for batch in batches([run(0, ramp(3000))]):
        scene.take(batch)
    text = _taken(scene, "svg").decode()
    assert _parsed(text).tag == f"{_SVG}svg"
    assert "nan" not in text
    assert ("spectrogram" in str(settings)) == (text.count("<rect") > 500)


def test_a_capture_without_a_packet_is_an_empty_picture() -> None:
    assert _parsed(_taken(Scene(), "svg")).tag == f"{_SVG}svg"


def test_what_a_text_says_is_no_markup() -> None:
    scene = _scene()
    frame = replace(scene.frame(traces=False), prompt="<b> & 'x'")
    assert b"&lt;b&gt; &amp; 'x'" in snapshot(frame, scene.segments, "svg", "<a>")


def test_a_box_has_whole_pixels_and_a_line_soft_edges() -> None:
    raster = Raster(10, 4, "#000000")
    raster.box(Box(1, 1, 0.2, 2, "#ff0000"))
    raster.path(Path((5, 2, 9, 2), "#ffffff", 1))
    row = [tuple(raster.pixels[30 + 3 * x : 33 + 3 * x]) for x in range(10)]
    assert row[1] == (255, 0, 0)
    assert row[0] == row[2] == (0, 0, 0)
    assert row[6] == row[7] == (127, 127, 127)  # the line is between two rows


def test_what_is_beyond_the_picture_is_cut_off() -> None:
    raster = Raster(5, 5, "#000000")
    raster.box(Box(-10, -10, 100, 12, "#00ff00"))
    raster.path(Path((-50, 3, 50, 3.5), "#ffffff", 2))
    raster.text(Text(-3, 4, "Wide text", "#ffffff", 12))
    assert len(raster.pixels) == 75


def test_there_is_a_glyph_for_all_that_the_view_says() -> None:
    said = {character for pair in HELP for text in pair for character in text}
    said |= set("±µ²·●○▾▸▏…") | {chr(code) for code in range(32, 127)}
    assert said - set(_GLYPHS) == set()
    assert glyph("\u4e00") == glyph("\u4e01") != ()


@pytest.mark.parametrize(("path", "form"), [("a.svg", "svg"), ("b/A.PNG", "png")])
def test_the_suffix_says_which_picture(path: str, form: str) -> None:
    assert form_of(path) == form


def test_another_suffix_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing says which picture"):
        form_of("x.gif")
