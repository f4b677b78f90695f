"""kit eeg view --window and --snapshot: joins a capture and a scene with a window, or with a file."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from kit.cli.eeg.capturing import CaptureWish, feed, open_capture, tell
from kit.cli.eeg.endings import StopSignal, stopped_by_signals
from kit.cli.eeg.record.recordings import recordings_of
from kit.cli.eeg.record.settings import recording_settings
from kit.cli.eeg.view.showing import EARLY, Notices, OnRecord, Showing, ended
from kit.cli.eeg.view.wish import ViewWish
from kit.cli.files import result_file
from kit.core.output import Output
from kit.eeg.batch import Batch
from kit.eeg.feeding import Feeding
from kit.eeg.notes import Watch
from kit.eeg.viewing.drawing import Drawing, Style
from kit.eeg.viewing.picture import Picture
from kit.eeg.viewing.scene import Scene
from kit.eeg.viewing.snapshot import form_of, snapshot
from kit.eeg.viewing.stage import Stage
from kit.eeg.viewing.window import Step, Window

FPS = 60
_LOOK_S = 0.05
_TAKING_S = 0.001  # what comes has to be taken in
_SOON_S = 0.002  # what should be there by now is looked for so often
_TICK_S = 0.05  # keys are looked for at least so often


def view_in_window(capture: CaptureWish, wish: ViewWish, output: Output) -> int:
    """Show a capture in a window until a person has seen enough; the exit status."""
    with open_capture(capture, wish.together_s(FPS), restful=True) as stream, stopped_by_signals() as stop:
        stage = Stage(Scene(stream.dating.rate_hz, capture.scale, wish.settings({})))
        with Window(f"{stream.name} - kit eeg view") as window:
            feeding = Feeding(stream, [stage])
            watch = Watch(stream.name, capture.baud)
            with recordings_of(feeding, lambda: recording_settings(capture, stream), output) as recordings:
                show_in_window(feeding, stage, window, wish, stop, watch, recordings.begin_or_end)
        tell(stream, output)
        return stop.exit_status


def show_in_window(
    feeding: Feeding,
    stage: Stage,
    window: Window,
    wish: ViewWish,
    stop: StopSignal,
    watch: Watch,
    on_record: OnRecord,
) -> None:
    """Start the feeding and draw until a person closes the window or a signal comes; then it has ended.

    `on_record` is called for the key r. Raises what ended the feeding.
    """
    notices = Notices(feeding.stream, watch, "window")
    showing = _InWindow(feeding, stage, notices, wish, on_record)
    try:
        feeding.start()
        window.run(showing.stepping(window, stop), showing.wait_s)
    finally:
        feeding.stop()
        error = showing.error or ended(feeding)
    if error:
        raise error


class _InWindow(Showing):
    """A capture that is shown in a window."""

    def __init__(
        self, feeding: Feeding, stage: Stage, notices: Notices, wish: ViewWish, on_record: OnRecord
    ) -> None:
        super().__init__(feeding, stage, notices, on_record)
        self._pace_s = wish.pace_s(FPS)
        self._drawn_s = 0.0
        self._drawing: Drawing | None = None
        self._style: Style | None = None

    def stepping(self, window: Window, stop: StopSignal) -> Step:
        """What the window asks for pictures."""

        def step(keys: list[str], style: Style) -> Picture | None:
            for key in keys:
                self.press(key)
            self.look_for_the_end()
            if self.quit or stop.number:
                window.close()
                return None
            return self._picture(style, window.shown_ns)

        return step

    def wait_s(self) -> float:
        """Until there should be something new for the next picture, by when the last of that came."""
        pace_s = self._pace_s
        due_s = max(self._drawn_s + (1 - EARLY) * pace_s, self.stage.changed_s + pace_s + _TAKING_S)
        late_s = monotonic() - due_s
        if late_s < 0:
            return min(-late_s, _TICK_S)
        return _SOON_S if late_s < pace_s else _TICK_S

    def _picture(self, style: Style, shown_ns: int) -> Picture | None:
        """A new one, if there is something new."""
        if style != self._style or not self._drawing:
            self._style, self._drawing = style, Drawing(style)
            self.touched += 1
        now_s = monotonic()
        with self.stage as scene:
            if not self.is_new(scene, now_s):
                return None
            self._drawn_s = now_s
            return self._drawing.picture(self.frame(scene, shown_ns, now_s), scene.segments)


class _Film:
    """A sink that shows a scene all batches, and does not tell it of the end."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def take(self, batch: Batch) -> None:
        self._scene.take(batch)

    def close(self, reason: str) -> None: ...


def take_snapshot(capture: CaptureWish, wish: ViewWish, path: str, output: Output) -> int:
    """The end of a capture as a picture in a file; of a live one, its first so many seconds."""
    form = form_of(path)
    settings = replace(wish.settings({}), sweep=False)
    with open_capture(capture) as stream, stopped_by_signals() as stop:
        scene = Scene(stream.dating.rate_hz, capture.scale, settings)
        feeding = Feeding(stream, [_Film(scene)])
        _run(feeding, scene, stop, settings.seconds if stream.live and capture.duration_s is None else None)
        tell(stream, output)
        scene.rescale(stream.scale)
        picture = snapshot(scene.frame(traces=False), scene.segments, form, f"{stream.name}, by kit eeg view")
    with result_file(path) as file:
        file.write(picture)
    return stop.exit_status


def _run(feeding: Feeding, scene: Scene, stop: StopSignal, seconds: float | None) -> None:
    """To the end, or for so many seconds from the first packet on."""
    begun_s = None

    def look() -> None:
        nonlocal begun_s
        begun_s = begun_s or (monotonic() if scene.channels else None)
        if seconds and begun_s and monotonic() > begun_s + seconds:
            feeding.stop("duration")

    feed(feeding, stop, _LOOK_S, look)
