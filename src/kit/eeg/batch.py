"""What a capture hands on at a time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kit.core.frozen import record
from kit.eeg.records import Item
from kit.eeg.signals import Signal


@record
class Mark:
    """What a person or an event put at a time, in microseconds since 1970."""

    time_us: int
    text: str


@record
class Batch:
    """The items of some reads, the signals in them, and the marks since the batch before; all may be empty.

    `read_ns` is the monotonic clock when it was handed on.
    """

    items: Sequence[Item]
    signals: Sequence[Signal]
    marks: Sequence[Mark]
    read_ns: int
