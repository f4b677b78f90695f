"""Times as people write them: 90, 90s, 30m, 8h, 2d, 1w, or several after each other, 1h30m."""

from __future__ import annotations

import re

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LIMIT_S = 2**32 - 1  # the agent's protocol counts them in a uint32, which has at most ten digits
_PART = re.compile(r"([0-9]{1,10})(?![0-9])([smhdw]?)")


def parse_duration(text: str) -> int | None:
    """The seconds, at least one; None for what is no such time."""
    seconds = at = 0
    while part := _PART.match(text, at):
        seconds, at = seconds + int(part[1]) * _UNITS[part[2]], part.end()
    return seconds if at == len(text) and 0 < seconds <= LIMIT_S else None
