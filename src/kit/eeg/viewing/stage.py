"""A scene that one thread feeds while another one draws it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from kit.eeg.batch import Batch
from kit.eeg.viewing.scene import Scene


class Stage:
    """A sink of `feeding.Feeding`; `with stage as scene:` holds the feeding thread off, so briefly.

    `changes` counts what came, so that whoever draws knows whether there is anything new, and `changed_s` is
    the monotonic clock at the last of them; `on_change` is called by the feeding thread then.
    """

    def __init__(self, scene: Scene) -> None:
        self.changes = 0
        self.changed_s = 0.0
        self.on_change: Callable[[], None] = _nobody
        self._scene = scene
        self._lock = threading.Lock()

    def take(self, batch: Batch) -> None:
        """Show a batch."""
        with self._lock:
            self._scene.take(batch)
        if batch.signals or batch.marks:
            self._changed()

    def close(self, reason: str) -> None:
        """Say that nothing more comes."""
        with self._lock:
            self._scene.close(reason)
        self._changed()

    def __enter__(self) -> Scene:
        self._lock.acquire()
        return self._scene

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _changed(self) -> None:
        self.changes += 1
        self.changed_s = time.monotonic()
        self.on_change()


def _nobody() -> None:
    """Nobody waits for it."""
