"""What bytes that belong to no packet look like, in a few words. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from kit.eeg import p2, p3

_SYNC = b"\xa5\x5a"
_START = b"\xa5\x5a\x02"
_BAD_HIGH = re.compile(rb"\xa5\x5a\x02[\x00-\xff](?:[\x00-\x03][\x00-\xff]){0,5}[\x04-\xff]")
_P3_ROW = re.compile(b"|".join(rb"(?:[\x00-\x7f]{%d}[\x80-\xff]){6}" % (n - 1) for n in p3.SIZES[1:]))
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]{12,}")
_SAME = 8


def why(data: bytes) -> str:
    """The word for a run of skipped bytes: that of the first rule that fits."""
    return next((word for word, fits in _RULES if fits(data)), None) or _other(data)


def _other(data: bytes) -> str:
    """Two bytes of sync and no packet of version 2, or nothing to hold on to."""
    at = data.find(_SYNC)
    if 0 <= at < len(data) - 2 and (at == 0 or data.count(_SYNC) > 1):
        return f"version {data[at + 2]}"
    return "no sync" if len(data) <= p2.SIZE else "noise"


def _is_cut_short(data: bytes) -> bool:
    """The begin of a packet, and then the next one came, or the end."""
    return len(data) < p2.SIZE and (data.startswith(_START) or data in (_SYNC, _SYNC[:1]))


_RULES: tuple[tuple[str, Callable[[bytes], object]], ...] = (
    ("nothing", lambda data: not data),
    ("cut short", _is_cut_short),
    ("high byte above 3", _BAD_HIGH.search),
    ("P3 packets", _P3_ROW.search),
    ("one value", lambda data: len(data) >= _SAME and len(set(data)) == 1),
    ("text", _TEXT.fullmatch),
)
