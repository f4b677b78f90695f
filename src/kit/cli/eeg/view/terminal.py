"""kit eeg view: joins a capture, a scene and the terminal.

The capture is read in a thread of its own, which draws what it has read at once: two threads that wake up for
a picture cost a third more. This one reads keys, and draws what they ask for. Neither waits for the terminal.
Whoever has a capture already, as a recording has, shows it by `show`.
"""

from __future__ import annotations

import os
import sys
import time

from kit.cli.eeg.capturing import CaptureWish, open_capture, tell
from kit.cli.eeg.endings import StopSignal, stopped_by_signals
from kit.cli.eeg.record.recordings import recordings_of
from kit.cli.eeg.record.settings import recording_settings
from kit.cli.eeg.view.showing import EARLY, Notices, OnRecord, Showing, ended
from kit.cli.eeg.view.wish import ViewWish
from kit.core.errors import UsageError
from kit.core.output import Output
from kit.eeg.feeding import Feeding
from kit.eeg.notes import Watch
from kit.eeg.viewing.page import Page
from kit.eeg.viewing.paint import Paint, depth_of
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.stage import Stage
from kit.eeg.viewing.terminal import Terminal, check, opened

_FPS = 30
_HANGUP_STATUS = 129
_WHOLE_S = 1  # how often all is drawn where others write, too
_TICK_S = 0.1  # how often it is looked whether something is to be said, though nothing comes


def view_eeg(capture: CaptureWish, wish: ViewWish, output: Output) -> int:
    """Show a capture until a person has seen enough; the exit status."""
    if wish.snapshot or wish.window:
        from kit.cli.eeg.view.window import take_snapshot, view_in_window

        if wish.snapshot and wish.window:
            raise UsageError("--window and --snapshot, where one can be")
        if wish.snapshot:
            return take_snapshot(capture, wish, wish.snapshot, output)
        return view_in_window(capture, wish, output)
    check(os.environ, sys.stdout.isatty(), wish.ascii)
    with open_capture(capture, wish.together_s(_FPS), restful=True) as stream, stopped_by_signals() as stop:
        stage = Stage(Scene(stream.dating.rate_hz, capture.scale, wish.settings(os.environ)))
        feeding = Feeding(stream, [stage])
        watch = Watch(stream.name, capture.baud)
        with recordings_of(feeding, lambda: recording_settings(capture, stream), output) as recordings:
            if not show(feeding, stage, wish, stop, watch, output, recordings.begin_or_end):
                return _HANGUP_STATUS
        tell(stream, output)
        return stop.exit_status


def show(
    feeding: Feeding,
    stage: Stage,
    wish: ViewWish,
    stop: StopSignal,
    watch: Watch,
    output: Output,
    on_record: OnRecord,
) -> bool:
    """Start the feeding and draw until a person quits, the time is over or a signal comes; then it has ended.

    `on_record` is called for the key r; it sets `scene.recording`, and gives what there is to be said. Raises
    what ended the feeding. False: the terminal has gone.
    """
    with opened() as terminal:
        showing = _Showing(feeding, stage, terminal, wish, watch, on_record)
        feeding.start()
        try:
            showing.run(stop)
            lines = showing.last()
        finally:
            with stage:  # no picture is being drawn
                terminal.leave()
            feeding.stop()
            error = showing.error or ended(feeding)
        for line in lines if not terminal.gone else ():
            output.line(line)
    if error and not terminal.gone:
        raise error
    return not terminal.gone


class _Showing(Showing):
    """The loop of pictures."""

    def __init__(
        self,
        feeding: Feeding,
        stage: Stage,
        terminal: Terminal,
        wish: ViewWish,
        watch: Watch,
        on_record: OnRecord,
    ) -> None:
        super().__init__(feeding, stage, Notices(feeding.stream, watch, "terminal"), on_record)
        self._terminal = terminal
        self._wish = wish
        self._page = self._new_page()
        self._pace_s = wish.pace_s(_FPS)
        self._due_s = 0.0  # when the next picture is
        self._drawn_for = -1  # after which key the one before was drawn
        # What is piped in comes from a program that may write to this terminal, too.
        self._is_shared = not os.isatty(0)

    def run(self, stop: StopSignal) -> None:
        """Until the end."""
        self.stage.on_change = self._draw
        whole_s = time.monotonic()
        while not (self.quit or stop.number or self._terminal.gone):
            now_s = time.monotonic()
            with self.stage:
                if self._terminal.attend():
                    self._page = self._new_page()
                    self.touched += 1
            for key in self._terminal.typed():
                self._press(key)
            if self._is_shared and now_s > whole_s + _WHOLE_S:
                self._refresh()
                whole_s = now_s
            self._draw()
            self.look_for_the_end()
            self._terminal.wait(now_s + _TICK_S)

    def last(self) -> list[str]:
        """The picture as it was at the end."""
        with self.stage as scene:
            scene.settings, scene.notice, scene.left = scene.settings.without_help(), None, True
            return self._page.lines(scene.frame(traces=False), scene.segments)

    def _new_page(self) -> Page:
        environment = os.environ
        return Page(*self._terminal.size, self._wish.glyphs(environment), Paint(depth_of(environment)))

    def _press(self, key: str) -> None:
        if key == "refresh":
            self._refresh()
        else:
            self.press(key)

    def _refresh(self) -> None:
        with self.stage:
            self._page.fresh()
            self.touched += 1

    def _draw(self) -> None:
        """A picture, if there is something new, and the one before is with the terminal; from both threads.

        What comes too soon behind that one is in the next picture.
        """
        with self.stage as scene:
            now_s = time.monotonic()
            if self.touched == self._drawn_for and now_s < self._due_s - EARLY * self._pace_s:
                return
            if not self.is_new(scene, now_s) or not self._terminal.entered:
                return
            # One that is late makes none that follow late, and one for a key puts off no more than the next.
            self._due_s = min(max(self._due_s + self._pace_s, now_s), now_s + self._pace_s)
            self._drawn_for = self.touched
            if self._terminal.busy:
                self.notices.left_out(now_s)
                return
            text = self._page.draw(self.frame(scene, self._terminal.sent_ns, now_s), scene.segments)
            if text:  # each leads from the one before to the next: no other one may come between
                self._terminal.write(text)
