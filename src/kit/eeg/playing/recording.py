"""A recording that is read again for each round, and is known to be one before anything goes out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

from kit.core.errors import KitError, ProtocolError, UsageError
from kit.eeg.playing.rounds import Rounds
from kit.eeg.reading import Stream
from kit.eeg.reading import open as open_stream
from kit.eeg.records import Item, Run
from kit.eeg.scale import Scale
from kit.eeg.sending.passages import Sending, packets_together
from kit.eeg.summary import complaint

_STANDARD_INPUT = "-"
# So many bytes without a packet are no recording; the longest noise in a real one was a thousandth of it.
_NOISE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Wish:
    """What is played and how; `form` as for `kit.eeg.open`, `speed` None as quick as it goes."""

    path: str
    form: str | None
    protocol: str
    rate_hz: Fraction
    scale: Scale
    duration_s: float | None
    loop: bool
    speed: Fraction | None


class Recording:
    """Open, with its first packets read; `rounds` counts what is played.

    Raises UsageError for what is no file, ProtocolError and Unavailable where no packet is in it.
    """

    def __init__(self, wish: Wish) -> None:
        self.rounds = Rounds(wish.rate_hz, packets_together(wish.rate_hz, wish.speed), wish.loop)
        self.played = 0
        self.error: KitError | None = None
        self._wish = wish
        if wish.loop and not _can_be_read_again(wish.path):
            raise UsageError(f"--loop begins anew, and {wish.path!r} cannot be read twice")
        self._stream = self._open()
        try:
            self._batches = self._stream.batches()
            self._ahead = self._until_a_packet()
        except BaseException:
            self._stream.close()
            raise

    def passages(self) -> Iterator[Sending]:
        """All rounds; what is wrong further back in the file ends them, and is in `error` then."""
        try:
            yield from self._round(self._ahead)
            while self._wish.loop:
                before = self.rounds.packets
                self._stream = self._open()
                self._batches = self._stream.batches()
                yield from self._round([])
                if self.rounds.packets == before:
                    return
        except KitError as error:
            self.error = error

    def _round(self, ahead: Sequence[Item]) -> Iterator[Sending]:
        with closing(self._stream):
            yield from self.rounds.take(ahead)
            for items in self._batches:
                yield from self.rounds.take(items)
            yield from self.rounds.end()
        self.played += 1

    def _open(self) -> Stream:
        wish = self._wish
        stream = open_stream(
            wish.path,
            protocol=wish.protocol,
            rate_hz=wish.rate_hz,
            duration_s=wish.duration_s,
            form=wish.form,
            scale=wish.scale,
        )
        if stream.live:
            stream.close()
            raise UsageError(
                f"{wish.path!r} is no recording", hint="'kit eeg read' shows what a device sends"
            )
        return stream

    def _until_a_packet(self) -> list[Item]:
        ahead: list[Item] = []
        for items in self._batches:
            ahead += items
            if any(isinstance(item, Run) for item in items):
                return ahead
            if self._stream.received > _NOISE_LIMIT:
                found = f"no packet in the first {self._stream.received:,} bytes"
                raise ProtocolError(f"{self._stream.name!r} is not an OpenEEG stream: {found}")
        error = complaint(self._stream.tally, self._stream.name, self._stream.received)
        if error:
            raise error
        return ahead


def _can_be_read_again(path: str) -> bool:
    if path == _STANDARD_INPUT:
        return False
    try:
        return not stat.S_ISFIFO(os.stat(path).st_mode)  # noqa: PTH116 - to Path an empty name is the current directory
    except (OSError, ValueError):
        return True  # what is wrong with it is said where it is opened
