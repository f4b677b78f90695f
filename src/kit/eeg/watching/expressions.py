"""Expressions of quantities, and what they are worth now. Pure.

Three values: true, false, and none. What has no value (a window with an artefact, a division by zero, a
baseline that is not there yet) makes all that depends on it none, except that `and` with something false is
false, and `or` with something true is true.

`slack` is hysteresis: each comparison counts as true within this share of its threshold beyond it, so that
what is true ends later than it begins. Below a `not` it works the other way.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Protocol

from kit.eeg.watching.quantities import Quantity

ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
CALLS: Mapping[str, Callable[[list[float]], float]] = {
    "abs": lambda values: abs(values[0]),
    "min": min,
    "max": max,
}


class Context(Protocol):
    """Where values come from."""

    def value(self, quantity: Quantity) -> float | None:
        """What it is now."""

    def threshold(self, percentile: Percentile) -> float | None:
        """What the baseline made it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    number: float

    def value(self, _context: Context) -> float | None:
        return self.number


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity."""

    quantity: Quantity

    def value(self, context: Context) -> float | None:
        return context.value(self.quantity)

    def truth(self, context: Context, _slack: float) -> bool | None:
        """That of a flag."""
        value = context.value(self.quantity)
        return None if value is None else value != 0


@dataclass(frozen=True, slots=True)
class Percentile:
    """What `percent` of the values that `of` had during the baseline do not exceed."""

    percent: int
    of: Numeric

    def value(self, context: Context) -> float | None:
        return context.threshold(self)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """One of + - * /."""

    sign: str
    left: Numeric
    right: Numeric

    def value(self, context: Context) -> float | None:
        left, right = self.left.value(context), self.right.value(context)
        if left is None or right is None:
            return None
        try:
            return _finite(ARITHMETIC[self.sign](left, right))
        except (ZeroDivisionError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Call:
    """abs, min or max."""

    function: str
    arguments: tuple[Numeric, ...]

    def value(self, context: Context) -> float | None:
        values = [argument.value(context) for argument in self.arguments]
        known = [value for value in values if value is not None]
        return CALLS[self.function](known) if len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two numbers."""

    sign: str
    left: Numeric
    right: Numeric

    def truth(self, context: Context, slack: float) -> bool | None:
        left, right = self.left.value(context), self.right.value(context)
        if left is None or right is None:
            return None
        if slack and self.sign[0] in "<>":
            right += abs(right) * (slack if self.sign[0] == "<" else -slack)
        return COMPARISONS[self.sign](left, right)


@dataclass(frozen=True, slots=True)
class Not:
    """The other way."""

    inner: Logical

    def truth(self, context: Context, slack: float) -> bool | None:
        inner = self.inner.truth(context, -slack)
        return None if inner is None else not inner


@dataclass(frozen=True, slots=True)
class Several:
    """All of them, or any of them."""

    parts: tuple[Logical, ...]
    every: bool

    def truth(self, context: Context, slack: float) -> bool | None:
        found = [part.truth(context, slack) for part in self.parts]
        decisive = not self.every
        if decisive in found:
            return decisive
        return None if None in found else self.every


Numeric = Constant | Measured | Percentile | Arithmetic | Call
Logical = Measured | Comparison | Not | Several
Expression = Numeric | Logical


def walk(expression: Expression) -> Iterator[Expression]:
    """It, and all that it is made of."""
    yield expression
    for entry in fields(expression):
        held = getattr(expression, entry.name)
        for inner in held if isinstance(held, tuple) else (held,):
            if isinstance(inner, Expression):
                yield from walk(inner)


def quantities(expression: Expression) -> tuple[Quantity, ...]:
    """What it is made of, each once, in the order of the text."""
    found = (node.quantity for node in walk(expression) if isinstance(node, Measured))
    return tuple(dict.fromkeys(found))


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
