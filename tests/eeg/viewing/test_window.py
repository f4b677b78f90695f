"""The window, on a screen without a monitor: what is seen in it, keys, sizes, its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from kit.core.errors import Unavailable
from kit.eeg.viewing import colours
from kit.eeg.viewing.drawing import GROUND, Drawing, Style
from kit.eeg.viewing.picture import Picture
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.settings import Settings
from kit.eeg.viewing.window import Window
from tests.eeg.viewing.batches import batches, lost, run
from tests.eeg.viewing.displays import RGB, Display, display

WAVE = [(512 + at % 50, 512 - at % 40) for at in range(700)]


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    with display() as found:
        yield found


@pytest.fixture
def window(screen: Display, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    monkeypatch.setenv("DISPLAY", screen.name)
    with Window("kit eeg view: a test") as made:
        yield made


class Show:
    """Draws a scene until a key is `q`, or so many pictures were asked for."""

    def __init__(self, window: Window, scene: Scene, pictures: int = 1000) -> None:
        self.keys: list[str] = []
        self.styles: list[Style] = []
        self._window = window
        self._scene = scene
        self._left = pictures
        self._drawing: Drawing | None = None

    def step(self, keys: list[str], style: Style) -> Picture | None:
        self.keys += keys
        for key in keys:
            self._scene.press(key)
        if "q" in keys or not self._left:
            self._window.close()
            return None
        self._left -= 1
        if not self.styles or style != self.styles[-1]:
            self.styles.append(style)
            self._drawing = None
        self._drawing = self._drawing or Drawing(style)
        return self._drawing.picture(self._scene.frame(traces=False), self._scene.segments)

    def run(self) -> None:
        self._window.run(self.step, _wait_s)
        self._window._root.update()


def _wait_s() -> float:
    return 0.005


def _scene(settings: Settings | None = None) -> Scene:
    scene = Scene(settings=settings or Settings())
    for batch in batches([run(0, WAVE), lost(700, 100), run(800, WAVE[:400])]):
        scene.take(batch)
    return scene


def _rgb(colour: str) -> RGB:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _type(window: Window, *keysyms: str) -> None:
    """As a person types them, once the window is there."""
    root = window._root

    def generate() -> None:
        root.focus_force()
        root.update()
        for keysym in keysyms:
            root.event_generate(f"<{keysym}>")

    root.after(50, generate)


def test_traces_and_gaps_are_to_be_seen(window: Window, screen: Display) -> None:
    Show(window, _scene(), pictures=3).run()
    seen = screen.screen().colours()
    assert {_rgb(colour) for colour in (GROUND, colours.GAP_GROUND, *colours.CHANNELS[:2])} <= seen
    assert _rgb(colours.CHANNELS[2]) not in seen


def test_keys_change_the_picture_and_q_ends_it(window: Window, screen: Display) -> None:
    scene = _scene()
    show = Show(window, scene)
    _type(window, "Key-3", "space", "Left", "Next", "question", "Escape", "plus", "Return", "q")
    show.run()
    assert show.keys == ["3", " ", "left", "pagedown", "?", "escape", "+", "enter", "q"]
    assert scene.settings.shown[2]
    assert scene.looking.paused_at is not None


def test_what_was_added_goes_again(window: Window, screen: Display) -> None:
    """Help and a third channel come and go; nothing of them stays behind."""
    scene = _scene()
    _type(window, "Key-3", "question", "s", "s", "Key-3", "question", "s", "q")
    Show(window, scene).run()
    seen = screen.screen().colours()
    assert _rgb(colours.CHANNELS[2]) not in seen
    assert _rgb(colours.SCALE[3]) not in seen
    assert len(window._canvas.find_withtag("cells")) == 0


def test_another_size_is_another_style(window: Window) -> None:
    show, root = Show(window, _scene()), window._root
    root.after(50, lambda: root.geometry("700x500"))

    def step(keys: list[str], style: Style) -> Picture | None:
        return show.step(["q"] if style.width == 700 else keys, style)

    window.run(step, _wait_s)
    assert (window._canvas.winfo_width(), window._canvas.winfo_height()) == (700, 500)


def test_closing_the_window_ends_it(window: Window) -> None:
    """As a window manager does it; without one, Tk's name for what it would call."""
    root = window._root
    root.after(50, lambda: root.tk.call(root.protocol("WM_DELETE_WINDOW")))
    Show(window, _scene()).run()


def test_items_are_moved_and_not_made_anew(window: Window) -> None:
    scene, counts = _scene(), []
    show = Show(window, scene, pictures=30)

    def step(keys: list[str], style: Style) -> Picture | None:
        for batch in batches([run(1200 + 5 * len(counts), WAVE[:5])]):
            scene.take(batch)
        counts.append(len(window._canvas.find_all()))
        return show.step(keys, style)

    window.run(step, _wait_s)
    assert max(counts[5:]) <= counts[5] + 6  # a tick of the axis, a label


def test_what_the_drawer_raises_is_raised(window: Window) -> None:
    def step(_keys: list[str], _style: Style) -> Picture | None:
        raise ZeroDivisionError("in the drawer")

    with pytest.raises(ZeroDivisionError):
        window.run(step, _wait_s)


def test_without_a_display_the_error_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(Unavailable, match="no window can be opened: no display name") as error:
        Window("none")
    assert "--snapshot" in (error.value.hint or "")


def test_without_tkinter_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(Unavailable) as error:
        Window("none")
    assert "apt install python3-tk" in (error.value.hint or "")
