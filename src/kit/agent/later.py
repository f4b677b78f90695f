"""What an answer may have to wait for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

Get = Callable[[], Any]


class Wait(Enum):
    """For what?"""

    TURN = "turn"  # work that takes long, of which the loop does one piece at a time
    ZYGOTE = "zygote"
    SUPERVISOR = "supervisor"


class Later(NamedTuple):
    """`work` is done in its turn, or, given a number, makes a question to another process; then `finish` is
    told how to get the result, and gives the answer, or another `Later`.
    """

    wait: Wait
    work: Callable[..., Any]
    finish: Callable[[Get], Any]


def then(outcome: Any, step: Callable[[Any], Any]) -> Any:
    """Do `step` with the outcome, now or when it is there."""
    if isinstance(outcome, Later):
        finish = outcome.finish
        return Later(outcome.wait, outcome.work, lambda get: then(finish(get), step))
    return step(outcome)
