"""What a view does wherever it is drawn: keys and what they are for, notices, and the end of the capture."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from kit.core.errors import KitError
from kit.eeg.feeding import Feeding
from kit.eeg.notes import Watch
from kit.eeg.reading import Stream
from kit.eeg.viewing.frame import Frame, Word
from kit.eeg.viewing.keys import Action
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.stage import Stage

_SLOW_S = 5  # how long it is said that a picture was left out
_SAID_S = 5
_ENDING_S = 2
_READ_S = 0.1  # nobody reads numbers that change thirty times a second
EARLY = 0.1  # what comes at the pace of pictures may come so much of it early

# The key r: sets `scene.recording`, and gives what there is to be said.
OnRecord = Callable[[Scene], str]


class Showing:
    """A capture that is shown; `error` is what ended it, `quit` is the end.

    `touched` rises with each key, and with whatever else asks for a new picture.
    """

    def __init__(self, feeding: Feeding, stage: Stage, notices: Notices, on_record: OnRecord) -> None:
        self.error: KitError | None = None
        self.quit = False
        self.touched = 0
        self.stage = stage
        self.notices = notices
        self.feeding = feeding
        self._on_record = on_record
        self._notice: str | None = None
        self._shown: object = None  # what the last frame depends on
        self._status: tuple[Word, ...] | None = None
        self._told: object = None  # what the status tells besides numbers
        self._told_s = 0.0
        self._is_old = False  # is the status that of a frame before?

    def is_new(self, scene: Scene, now_s: float) -> bool:
        """Is there something that the last frame did not have?"""
        self._notice = self.notices.text(now_s, bool(scene.channels))
        return self._shown != self._state() or self._is_overdue(now_s)

    def frame(self, scene: Scene, shown_ns: int, now_s: float) -> Frame:
        """The scene, without traces, as `is_new` saw it; the numbers in its status may be a moment old.

        The last one was before a person's eyes at `shown_ns` of the monotonic clock; 0 for never.
        """
        if shown_ns:
            scene.shown(shown_ns)
        scene.rescale(self.feeding.stream.scale)
        scene.notice = self._notice
        self._shown = self._state()
        told = (self.touched, self._notice, scene.ended)
        self._is_old = told == self._told and now_s < self._told_s + _READ_S
        if self._is_old:
            return scene.frame(traces=False, status=self._status)
        frame = scene.frame(traces=False)
        self._status, self._told, self._told_s = frame.status, told, now_s
        return frame

    def _state(self) -> object:
        return self.stage.changes, self.touched, self._notice

    def _is_overdue(self, now_s: float) -> bool:
        """Are there newer numbers than those that the last frame had, and does no other frame bring them?"""
        return self._is_old and now_s >= self._told_s + 2 * _READ_S

    def press(self, key: str) -> None:
        """A key was typed."""
        self.touched += 1
        with self.stage as scene:
            action = scene.press(key)
            if action and action.kind == "record":
                self.notices.say(self._on_record(scene), time.monotonic() + _SAID_S)
        if action:
            self._do(action)

    def _do(self, action: Action) -> None:
        if action.kind == "quit":
            self.quit = True
        elif action.kind == "mark":
            self.feeding.mark(action.text, action.time_us)

    def look_for_the_end(self) -> None:
        """A picture stays until a person has seen it, if there is one, and unless its end was wished for."""
        if self.error or self.feeding.running:
            return
        self.error = ended(self.feeding)
        with self.stage as scene:
            if self.error:
                self.notices.say(str(self.error))
            self.quit = self.quit or not scene.channels or scene.ended_as_wished


class Notices:
    """What else a person should know, in the status line."""

    def __init__(self, stream: Stream, watch: Watch, where: str) -> None:
        self._where = where
        self._stream = stream
        self._watch = watch
        self._said: str | None = None
        self._said_until_s = inf
        self._left_out = 0
        self._slow_until_s = 0.0

    def say(self, text: str, until_s: float = inf) -> None:
        """From now on, or until then."""
        self._said, self._said_until_s = text, until_s

    def left_out(self, now_s: float) -> None:
        """A picture was not drawn."""
        self._left_out += 1
        self._slow_until_s = now_s + _SLOW_S

    def text(self, now_s: float, is_fed: bool) -> str | None:
        """What is to be said now."""
        stream = self._stream
        if stream.live and not is_fed and not stream.waiting_for:
            remark = self._watch.look(int(now_s * 1_000_000), stream.received)
            if remark:
                self.say(remark)
        if stream.waiting_for:
            return f"waiting: {stream.waiting_for}"
        if now_s < self._slow_until_s:
            return f"the {self._where} is slow: {self._left_out} pictures left out"
        return self._said or None if now_s < self._said_until_s else None


def ended(feeding: Feeding) -> KitError | None:
    """Its error, once it has ended."""
    try:
        feeding.join(_ENDING_S)
    except KitError as error:
        return error
    return None
