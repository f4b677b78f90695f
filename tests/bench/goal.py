"""A figure beside its goal, and rounds in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True)
class Shown:
    """What was measured to be known: no goal is set for it."""

    what: str
    figures: str
    reached: bool = True

    def __str__(self) -> str:
        return f"{self.what}: {self.figures}"


def in_turn(
    rounds: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[float, float, float]:
    """(median of the first, median of the second, median of the rounds' first / second)."""
    found = all_in_turn(rounds, {"first": first, "second": second})
    return median(found["first"]), median(found["second"]), ratio(found, "first", "second")


def all_in_turn(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each side's figures, round by round; what disturbs one side of a round disturbs its neighbours, too."""
    order = list(sides)
    for name in order:
        sides[name]()  # cold caches
    found: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        order.reverse()  # none is always the one that comes first
        for name in order:
            found[name].append(sides[name]())
    return found


def ratio(found: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median of the rounds' ratios."""
    return median([a / b for a, b in zip(found[one], found[other], strict=True)])
