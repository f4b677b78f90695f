"""A window in which pictures are shown, by tkinter.

Whoever draws is asked for a picture when it says that one is due, and given the keys that were typed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from kit.core.errors import Unavailable
from kit.eeg.viewing.drawing import GROUND, Style
from kit.eeg.viewing.picture import Picture

if TYPE_CHECKING:
    import tkinter

_KEYS = {
    "Left": "left",
    "Right": "right",
    "Up": "up",
    "Down": "down",
    "Home": "home",
    "End": "end",
    "Prior": "pageup",
    "Next": "pagedown",
    "Return": "enter",
    "KP_Enter": "enter",
    "BackSpace": "backspace",
    "Escape": "escape",
}
_QUIT = ("<Control-q>", "<Control-w>")
_POINTS, _LAYOUT_DPI = 72, 96
_WIDTH, _HEIGHT = 1000, 620
_LEAST = (320, 200)
_LEAST_UNIT, _GREATEST_UNIT = 0.75, 4.0

# Given the keys since the last time, and the style that a picture is to have; no picture if nothing is new.
Step = Callable[[list[str], Style], "Picture | None"]


class Window:
    """Open from the start; `shown_ns` is the monotonic clock when the last picture was given to the screen.

    Raises Unavailable where there is no display, or no tkinter.
    """

    def __init__(self, title: str) -> None:
        tk = _tkinter()
        try:
            self._root = tk.Tk(className="kit")
        except tk.TclError as error:
            raise _no_display(str(error)) from None
        from kit.eeg.viewing.easel import Easel

        self.shown_ns = 0
        self._keys: list[str] = []
        self._error: BaseException | None = None
        self._closed = False
        self._due: str | None = None  # the next picture
        root = self._root
        unit = float(root.tk.call("tk", "scaling")) * _POINTS / _LAYOUT_DPI
        self._unit = min(max(unit, _LEAST_UNIT), _GREATEST_UNIT)
        root.title(title)
        width = self._fitting(_WIDTH, root.winfo_screenwidth())
        root.geometry(f"{width}x{self._fitting(_HEIGHT, root.winfo_screenheight())}")
        root.minsize(*(round(length * self._unit) for length in _LEAST))
        self._canvas = tk.Canvas(root, background=GROUND, highlightthickness=0, borderwidth=0)
        self._canvas.pack(fill="both", expand=True)
        self._easel = Easel(self._canvas)
        self._advance = self._easel.advance(12 * self._unit)
        self._listen()

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._due:
            self._root.after_cancel(self._due)
        self._root.destroy()

    def run(self, step: Step, wait_s: Callable[[], float]) -> None:
        """Ask for pictures until `close`, each so long after the one before; raises what `step` raises."""

        def tick() -> None:
            if self._closed:
                return
            keys, self._keys = self._keys, []
            style = self._style()
            # Before it is on the screen it has no size.
            picture = step(keys, style) if style.width > 1 else None
            if picture:
                self._easel.show(picture)
                self._root.update_idletasks()
                self.shown_ns = time.monotonic_ns()
            self._due = self._root.after(ceil(wait_s() * 1000), tick)

        self._due = self._root.after(0, tick)
        if not self._closed:
            self._root.mainloop()
        if self._error:
            raise self._error

    def close(self) -> None:
        """End `run`."""
        self._closed = True
        self._root.quit()

    def _listen(self) -> None:
        root = self._root
        root.bind("<Key>", self._typed)
        for keys in _QUIT:
            root.bind(keys, lambda _event: self._keys.append("q"))
        root.protocol("WM_DELETE_WINDOW", self.close)
        root.report_callback_exception = self._failed
        self._canvas.focus_set()

    def _typed(self, event: tkinter.Event[tkinter.Misc]) -> None:
        if event.keysym in _KEYS:
            self._keys.append(_KEYS[event.keysym])
        elif event.char and event.char.isprintable():
            self._keys.append(event.char)

    def _failed(self, _type: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self._error = error
        self.close()

    def _style(self) -> Style:
        width, height = self._canvas.winfo_width(), self._canvas.winfo_height()
        return Style(width, height, self._unit, advance=self._advance)

    def _fitting(self, length: int, screen: int) -> int:
        return min(round(length * self._unit), screen * 9 // 10)


def _tkinter() -> ModuleType:
    try:
        import tkinter
    except ImportError:
        raise Unavailable(
            "this Python has no tkinter, which the window is made with",
            hint="'apt install python3-tk' brings it; without --window the view is in the terminal",
        ) from None
    return tkinter


def _no_display(said: str) -> Unavailable:
    return Unavailable(
        f"no window can be opened: {said}",
        hint="without --window the view is in the terminal; --snapshot FILE.png makes a picture",
    )
