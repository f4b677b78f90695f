"""How often a key may sign: a bucket that fills at a rate and never over its brim. Pure."""

from __future__ import annotations


class Bucket:
    """`burst` signatures at once, then `per_second`; time is given."""

    def __init__(self, per_second: float, burst: int, now_s: float) -> None:
        self.per_second, self.burst = per_second, burst
        self._level, self._at_s = float(burst), now_s

    def take(self, now_s: float) -> bool:
        """One more, if it is there. A clock that goes back fills nothing."""
        gained = max(0.0, now_s - self._at_s) * self.per_second
        self._level = min(float(self.burst), self._level + gained)
        self._at_s = now_s
        if self._level < 1:
            return False
        self._level -= 1
        return True
