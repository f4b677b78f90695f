"""What the marker stream tells beside the signal: buttons, losses, and what a person marked. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kit.eeg.signals import Block, Buttons, Gap

Marker = tuple[int, str]  # when, in microseconds of LSL's clock, and what


def of_gap(gap: Gap) -> str:
    """What is missing there, and why."""
    if gap.why == "lost":
        return f"lost {gap.count} packet{'' if gap.count == 1 else 's'}"
    return "device restarted" if gap.why == "restarted" else "device away"


def of_late(block: Block) -> str:
    """Packets that were told of as lost: their place in the stream is taken."""
    count = len(block)
    return f"{count} packet{'' if count == 1 else 's'} came late and {'is' if count == 1 else 'are'} left out"


def of_buttons(buttons: Buttons, block: Block, stamps_us: Sequence[int]) -> list[Marker]:
    """The buttons that changed in a block."""
    return [(stamps_us[change.sequence - block.sequence], change.text) for change in buttons.take(block)]
