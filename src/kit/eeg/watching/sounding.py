"""Where a tone goes: standard output, or a player, which a slow one must not hold up the capture by."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from typing import IO

from kit.core.errors import Unavailable
from kit.eeg.watching.commands import Tell, split

# Of sound that waits, two seconds: behind that it would tell of what is long over.
_WAITING = 50
_PATIENCE_S = 2.0


class Outlet:
    """Bytes to a descriptor, by a thread; a live capture drops what waits too long, a recording waits."""

    def __init__(self, descriptor: int, tell: Tell, *, patient: bool) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._tell = tell
        self._patient = patient
        self._broken = False
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._serve, name="sound", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Raises BrokenPipeError where nobody hears any more."""
        if self._broken:
            raise BrokenPipeError
        try:
            self._waiting.put(data, block=self._patient)
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                self._tell("the tone is not taken as quickly as it comes: parts of it are dropped")

    def close(self) -> None:
        """Write what waits, if somebody takes it."""
        try:
            self._waiting.put(None, timeout=_PATIENCE_S)
        except queue.Full:
            return
        self._thread.join(None if self._patient else _PATIENCE_S)

    def _serve(self) -> None:
        while (data := self._waiting.get()) is not None:
            try:
                left = memoryview(data if not self._broken else b"")
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError:
                self._broken = True


class Player:
    """A program that takes the sound on its standard input."""

    def __init__(self, line: str, tell: Tell, *, patient: bool) -> None:
        words = split("--player", line)
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            raise Unavailable(f"cannot run {words[0]!r}: {(error.strerror or 'failed').lower()}") from None
        self._line, self._tell = line, tell
        self._pipe: IO[bytes] = self._process.stdin  # type: ignore[assignment] # a pipe was asked for
        self._outlet: Outlet | None = Outlet(self._pipe.fileno(), tell, patient=patient)

    def write(self, data: bytes) -> None:
        """Where the player ended, that is told, and there is no tone any more."""
        try:
            if self._outlet:
                self._outlet.write(data)
        except BrokenPipeError:
            self._tell(f"the player {self._line!r} ended")
            self._outlet = None

    def close(self) -> None:
        """Let it play to the end, for a while."""
        if self._outlet:
            self._outlet.close()
        self._pipe.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
