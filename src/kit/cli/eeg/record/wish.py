"""What is wished for beside a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.cli.eeg.view import wish as view_wish
from kit.eeg import reading

if TYPE_CHECKING:
    from kit.cli.eeg.watch.watching import WatchWish


@dataclass(frozen=True)
class Beside:
    """What is to be done beside recording."""

    view: bool
    stream: bool
    watch: WatchWish

    @property
    def together_s(self) -> float:
        """How long reads may be handed on together: a picture is to be new."""
        return view_wish.TOGETHER_S if self.view else reading.TOGETHER_S
