"""How often a worker may be replaced. Pure.

Forked workers share the layout of their address space, so whoever may crash one again and again may guess it
piece by piece: that ends the agent instead.
"""

from __future__ import annotations

from collections import deque

LIMIT, WITHIN_S = 5, 60.0


class Restarts:
    """Counts; time is given."""

    def __init__(self, limit: int = LIMIT, within_s: float = WITHIN_S) -> None:
        self._limit, self._within_s = limit, within_s
        self._at_s: deque[float] = deque()

    def allow(self, now_s: float) -> bool:
        """One more?"""
        while self._at_s and self._at_s[0] <= now_s - self._within_s:
            self._at_s.popleft()
        if len(self._at_s) >= self._limit:
            return False
        self._at_s.append(now_s)
        return True
