"""What a run of skipped bytes looks like: the evidence that points to a cause. Pure."""

from __future__ import annotations

from kit.eeg import p2

_SYNC = b"\xa5\x5a"
# Shorter runs of one byte are met in noise as well.
_IDLE = 4


def why(data: bytes) -> str:
    """The kind of a skipped run.

    "idle line" (one byte, 00 or FF, again and again), "no sync" (nothing of P2's beginning), "version N" (a
    beginning with another version), "high byte above 3" (a whole packet with a damaged channel), "cut
    short" (a packet that ends too early) or "noise" (something else with a beginning in it).
    """
    if len(data) >= _IDLE and len(set(data)) == 1 and data[0] in (0x00, 0xFF):
        return "idle line"
    at = data.find(_SYNC)
    if at < 0:
        return "no sync"
    packet = data[at : at + p2.SIZE]
    if len(packet) > 2 and packet[2] != p2.VERSION:
        return f"version {packet[2]}"
    if len(packet) == p2.SIZE:
        return "high byte above 3" if max(packet[4:16:2]) > 3 else "noise"
    return "high byte above 3" if len(packet) > 4 and max(packet[4:16:2]) > 3 else "cut short"
