"""Whole lines into a descriptor that may take a part of one: a full disk, a pipe, a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence


class LineDescriptor:
    """Knows which part of a line is out already, and goes on from there."""

    def __init__(self, descriptor: int, begun: bytes = b"") -> None:
        self.descriptor = descriptor
        # The first bytes of a line, without its end, that stand at the end of what was written.
        self.begun = begun

    def write(self, lines: Sequence[bytes]) -> int:
        """How many of the lines are out; the error that stopped it is raised where that is none."""
        text = b"".join(lines)
        sent = self._resume(text)
        try:
            while sent < len(text):
                sent += os.write(self.descriptor, memoryview(text)[sent:])
        except OSError:
            done = text.count(b"\n", 0, sent)
            self.begun = text[text.rfind(b"\n", 0, sent) + 1 : sent]
            if not done:
                raise
            return done
        self.begun = b""
        return len(lines)

    def _resume(self, text: bytes) -> int:
        """How much of the text is out: what was begun, if the text begins with it."""
        if not text.startswith(self.begun):
            # The line was given up since: what stands of it becomes a line of its own, not part of the next.
            os.write(self.descriptor, b"\n")
            self.begun = b""
        return len(self.begun)
