"""kit eeg play: joins a recording with its output and the signals that end it."""

from __future__ import annotations

import sys

from kit.cli.eeg.places import Place, output_at
from kit.cli.endings import ended_by_sigterm
from kit.core.errors import KitError
from kit.core.output import Output
from kit.eeg.playing.recording import Recording, Wish
from kit.eeg.sending.running import run


class _Unread:
    """How many bytes nobody read."""

    def __init__(self) -> None:
        self.count = 0

    def sent(self, data: bytes) -> None: ...

    def dropped(self, count: int) -> None:
        self.count += count


def play_eeg(wish: Wish, place: Place, output: Output) -> None:
    """Play to the end, or until a signal comes; say at the end what it was."""
    port, unread = output_at(place, wish.speed is None, output), _Unread()
    with ended_by_sigterm():
        recording = Recording(wish)
        try:
            run(recording.passages(), wish.speed, port, unread)
        finally:
            port.unplug()
            if not isinstance(sys.exception(), KitError):
                _tell(recording, unread.count, output)
    if recording.error:
        raise recording.error


def _tell(recording: Recording, unread: int, output: Output) -> None:
    rounds = recording.rounds
    parts = [f"{rounds.packets:,} packets"]
    if recording.played > 1:
        parts.append(f"{recording.played:,} rounds")
    if unread:
        parts.append(f"{unread:,} bytes that nobody read were lost")
    if rounds.left_out:
        parts.append(f"{rounds.left_out:,} skipped bytes are left out, as their number alone is recorded")
    output.note(f"kit: played {', '.join(parts)}")
