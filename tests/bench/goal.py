"""A figure beside its goal, and rounds in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kit.core.stats import median


@dataclass(frozen=True)
class Goal:
    """What was measured, and whether it is enough. `at_least` says in which direction the goal lies."""

    what: str
    figures: str
    value: float
    goal: float
    at_least: bool = True
    unit: str = "x"

    @property
    def reached(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "ok" if self.reached else "MISSED"
        goal = f"(goal {sign} {self.goal:g})"
        return f"{self.what}: {self.figures}: {self.value:.2f} {self.unit} {goal}: {verdict}"


def in_turn(
    rounds: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[float, float, float]:
    """(median of the first, median of the second, median of the rounds' first / second)."""
    first(), second()  # cold caches
    pairs = []
    for number in range(rounds):
        if number % 2:
            pairs.append((first(), second()))
        else:  # neither is always the one that comes first
            late = second()
            pairs.append((first(), late))
    return median([a for a, _ in pairs]), median([b for _, b in pairs]), median([a / b for a, b in pairs])
