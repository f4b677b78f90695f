"""The screen as a person sees it, however it came to be."""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.eeg.batch import Batch, Mark
from kit.eeg.records import Item, Restarted
from kit.eeg.viewing import colours
from kit.eeg.viewing.filtering import FilterWish
from kit.eeg.viewing.glyphs import ASCII, BLOCKS, BRAILLE, Glyphs
from kit.eeg.viewing.page import BEGIN, END
from kit.eeg.viewing.paint import Paint, depth_of
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.settings import Settings
from tests.eeg.viewing.batches import batches, lost, run, simulated, split
from tests.eeg.viewing.screens import Screen

WAVE = [(int(512 + 90 * (at // 8 % 2 * 2 - 1)), 300 + at % 400) for at in range(3000)]
PLAIN = Settings(filters=FilterWish(), units="adc", seconds=1)


def fed(items: list[Item], chosen: Settings = PLAIN) -> Scene:
    scene = Scene(settings=chosen, history_s=30)
    for batch in batches(items):
        scene.take(batch)
    return scene


def wave(first: int, last: int) -> Item:
    return run(first, WAVE[first:last])


def test_it_says_what_is_to_be_seen() -> None:
    scene = fed([wave(0, 100), lost(100, 12), wave(112, 300)])
    scene.take(Batch([], [], [Mark(200 * 1_000_000 // 256, "eyes")], 0))
    screen = Screen(80, 20)
    written = screen.draw(scene)
    assert written.startswith(BEGIN)
    assert written.endswith(END)
    for text in ("+100", "-100", "counts", "▾12 lost", "▾eyes", "0:01", "288 packets", "12 lost", "? help"):
        assert text in screen.text
    assert screen.colour_of("▾12 lost") == colours.GAP.removeprefix("#")
    assert screen.colour_of("▾eyes") == colours.MARK.removeprefix("#")
    assert screen.colour_of("░") == colours.GAP.removeprefix("#")
    assert screen.colour_of("⣿" if "⣿" in screen.text else "⡇") == colours.SKY.removeprefix("#")


@pytest.mark.parametrize(("text", "fits"), [("x", 26), ("目", 13), ("e\u0301", 26)])
def test_what_stands_behind_a_mark_stays_where_it_belongs_however_wide_its_letters(
    text: str, fits: int
) -> None:
    scene = fed([wave(0, 256)])
    marks = [Mark(at * 1_000_000 // 256, said) for at, said in ((10, text * 28), (146, "next"))]
    scene.take(Batch([], [], marks, 0))
    screen = Screen(60, 16)
    screen.draw(scene)
    line = f"{' ' * 10}▾{text * fits} ▾next"
    assert normalize("NFC", screen.text.splitlines()[0]) == normalize("NFC", line)


def test_a_gap_is_a_column_without_a_trace() -> None:
    screen = Screen(60, 16)
    screen.draw(fed([wave(0, 100), lost(100, 60), wave(160, 256)]))
    rows = screen.text.splitlines()[1:13]
    left, right = 9 + 100 * 51 // 256 + 1, 9 + 160 * 51 // 256
    assert {row[left:right] for row in rows} == {"░" * (right - left)}


PIECES = st.lists(st.integers(25, 90), min_size=1, max_size=12)
KEYS = st.sampled_from(
    ["", "", "+", "1", "3", "f", "h", "escape", "b", "s", "w", " ", "left", "up", "A", "?", "a"]
)


@settings(max_examples=8, deadline=None)
@given(
    st.booleans(),
    PIECES,
    st.lists(KEYS, min_size=12, max_size=12),
    st.sampled_from([BRAILLE, BLOCKS, ASCII]),
)
def test_drawing_as_it_comes_and_drawing_at_the_end_look_the_same(
    sweep: bool, sizes: list[int], keys: list[str], glyphs: Glyphs
) -> None:
    scene = Scene(settings=Settings(filters=FilterWish(), seconds=0.5, sweep=sweep), history_s=30)
    screen = Screen(50, 16, glyphs)
    items: list[Item] = [wave(0, 150), lost(150, 9), wave(159, 300), Restarted(300, 0, 0), wave(300, 420)]
    for number, batch in enumerate(batches(list(split(items, sizes)))):
        scene.take(batch)
        if number < len(keys) and keys[number]:
            scene.press(keys[number])
        screen.draw(scene)
    fresh = Screen(50, 16, glyphs)
    fresh.draw(scene)
    assert screen.text == fresh.text
    assert screen.cells == fresh.cells
    assert screen.draw(scene) == ""


@pytest.mark.parametrize("sweep", [False, True])
def test_only_what_is_new_is_sent(sweep: bool) -> None:
    scene = fed([wave(0, 1000)], Settings(seconds=4, sweep=sweep, shown=(True,) * 6))
    screen = Screen(200, 50)
    assert len(screen.draw(scene)) > 9000
    scene.take(next(batches([wave(1000, 1009)])))
    assert len(screen.draw(scene)) < 4000


def test_nothing_is_sent_where_nothing_is_new() -> None:
    scene, screen = fed([wave(0, 1000)]), Screen()
    assert screen.draw(scene)
    assert screen.draw(scene) == ""


def test_a_trace_that_is_too_large_stays_in_its_lane() -> None:
    screen = Screen(60, 16)
    screen.draw(fed([run(0, [(1023, 512)] * 300)]))
    assert "⠉⠉⠉⠉" in screen.text.splitlines()[1]
    assert "clip" in screen.text


@pytest.mark.parametrize("glyphs", [BRAILLE, BLOCKS, ASCII], ids=lambda glyphs: glyphs.name)
def test_every_kind_of_glyphs_shows_everything(glyphs: Glyphs) -> None:
    scene = fed([wave(0, 700)], Settings(bars=True, spectrum="spectrum", seconds=1))
    screen = Screen(100, 40, glyphs)
    screen.draw(scene)
    assert "alpha" in screen.text
    assert "Hz" in screen.text
    scene.press("s")
    screen.draw(scene)
    scene.press("?")
    screen.draw(scene)
    assert "begin or end a recording" in screen.text
    if glyphs.plain:
        assert screen.text.isascii()


def test_the_help_goes_away_and_the_picture_is_back() -> None:
    scene, screen = fed([wave(0, 1000)]), Screen(80, 24)
    screen.draw(scene)
    before = screen.cells
    scene.press("?")
    screen.draw(scene)
    assert "quit" in screen.text
    scene.press("escape")
    screen.draw(scene)
    assert screen.cells == before


def test_a_screen_that_is_too_small_says_so() -> None:
    screen = Screen(30, 6)
    screen.draw(fed([wave(0, 1000)]))
    assert screen.text.strip() == "40 x 8, please"


def test_the_lines_for_the_screen_below_are_the_picture() -> None:
    scene, screen = fed([wave(0, 1000)]), Screen(80, 24, depth="none")
    screen.draw(scene)
    lines = screen.page.lines(scene.frame(traces=False), scene.segments)
    below = Screen(80, 24)
    below._stream.feed("\r\n".join(lines))
    assert below.text == screen.text


def test_without_colours_none_is_sent() -> None:
    scene, screen = fed([wave(0, 1000)], Settings(bars=True, spectrum="spectrogram")), Screen(depth="none")
    assert not re.search(r"\x1b\[[0-9;]*[349][0-9][0-9;]*m", screen.draw(scene))


def test_the_environment_says_how_many_colours_there_are() -> None:
    assert depth_of({"NO_COLOR": "1", "COLORTERM": "truecolor"}) == "none"
    assert depth_of({"COLORTERM": "truecolor", "TERM": "xterm"}) == "full"
    assert depth_of({"TERM": "screen-256color"}) == "256"
    assert depth_of({"TERM": "linux"}) == "16"
    assert Paint("16").on(colours.SKY) == "\x1b[0;96m"
    assert Paint("256").on(colours.SKY) == "\x1b[0;38;5;74m"
    assert Paint("full").on(colours.SKY) == "\x1b[0;38;2;86;180;233m"


def test_what_is_kept_does_not_grow() -> None:
    scene, screen = Scene(settings=PLAIN, history_s=10), Screen()
    for batch in simulated("sim:seed=3,speed=max,count=8000"):
        scene.take(batch)
        screen.draw(scene)
    assert len(screen.page._lanes._made) <= 3 * 51 + 51
