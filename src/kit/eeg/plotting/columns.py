"""Columns of time, a fixed number of them: when time runs out of it, each two become one. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Columns:
    """How wide the columns are now; `fold` is called each time when they become twice as wide."""

    def __init__(self, width_us: int, limit: int, fold: Callable[[], None]) -> None:
        self.width_us = max(1, width_us)
        self.limit = limit
        self.used = 0
        self._fold = fold

    def places(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """The columns of some times."""
        last_us = int(at_us.max())
        while last_us // self.width_us >= self.limit:
            self.width_us *= 2
            self.used = (self.used + 1) // 2
            self._fold()
        self.used = max(self.used, last_us // self.width_us + 1)
        found: NDArray[np.int64] = at_us // self.width_us
        return found


def folded(array: Array, join: np.ufunc, empty: float) -> Array:
    """Neighbours along the last axis joined, and room behind them."""
    result: Array = np.full_like(array, empty)
    half = array.shape[-1] // 2
    result[..., :half] = join(array[..., 0::2], array[..., 1::2])
    return result
