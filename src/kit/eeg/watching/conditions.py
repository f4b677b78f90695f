"""A condition over time: when it came true, whether it stayed so, when it ended. Pure.

`EXPRESSION [for TIME]`. Whoever measures asks at each step (or each sample, where it depends on one) and gets
a `Crossing` where something changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kit.core.errors import UsageError
from kit.core.stats import percentile
from kit.eeg.watching.events import BaselineTaken, Crossing
from kit.eeg.watching.expressions import Comparison, Context, Logical, Percentile, quantities, walk
from kit.eeg.watching.grammar import percentiles, read_condition
from kit.eeg.watching.quantities import INSTANT, Quantity, Vocabulary

HYSTERESIS = 0.1
REFRACTORY_S = 2.0
HOLD_LIMIT_S = 3600.0
BASELINE_LIMIT_S = 3600.0
_FOR = re.compile(r"(.*?) for +([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(ms|s|m)? *", re.DOTALL)
_UNITS: Mapping[str, float] = {"ms": 0.001, "s": 1, "m": 60}


@dataclass(frozen=True)
class Rules:
    """What holds beside the expression.

    Once true, a condition ends `hysteresis` (a share of the threshold) beyond it, and within `refractory_s`
    of its begin it does not begin again. Percentiles are of the first `baseline_s` seconds that are clean.
    """

    hysteresis: float = HYSTERESIS
    refractory_s: float = REFRACTORY_S
    baseline_s: float | None = None

    def check(self) -> None:
        """Raises UsageError."""
        if not 0 <= self.hysteresis < 1:
            raise UsageError(f"a hysteresis of {self.hysteresis:g}, where 0 to below 1 can be")
        if not 0 <= self.refractory_s < float("inf"):
            raise UsageError(f"a refractory time of {self.refractory_s:g} s")
        if self.baseline_s is not None and not 0 < self.baseline_s <= BASELINE_LIMIT_S:
            raise UsageError(
                f"a baseline of {self.baseline_s:g} s, where at most {BASELINE_LIMIT_S:g} can be"
            )


@dataclass(frozen=True)
class Condition:
    """What a person stated."""

    text: str
    expression: Logical
    hold_s: float
    rules: Rules

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What has to be measured for it."""
        return quantities(self.expression)

    @property
    def is_instant(self) -> bool:
        """Does it depend on what changes with each sample?"""
        return any(quantity.kind in INSTANT for quantity in self.quantities)

    @property
    def percentiles(self) -> tuple[Percentile, ...]:
        """What its baseline is for."""
        return percentiles(list(walk(self.expression)))


def read(text: str, vocabulary: Vocabulary | None = None, rules: Rules | None = None) -> Condition:
    """The condition that a text states; raises UsageError."""
    rules = rules or Rules()
    rules.check()
    timed = _FOR.fullmatch(text)
    expression, hold_s = text, 0.0
    if timed:
        expression, hold_s = timed[1], float(timed[2]) * _UNITS[timed[3] or "s"]
        if hold_s > HOLD_LIMIT_S:
            raise UsageError(f"{text!r} holds for more than {HOLD_LIMIT_S:g} s")
    found = Condition(text.strip(), read_condition(expression, vocabulary or Vocabulary()), hold_s, rules)
    if found.percentiles and rules.baseline_s is None:
        raise UsageError(
            f"{text!r} has a percentile, and there is no baseline", hint="--baseline 60 takes a minute"
        )
    return found


class Trigger:
    """One condition as time goes by; `number` is its place among those that are watched."""

    def __init__(self, condition: Condition, number: int, step_s: float) -> None:
        self.condition = condition
        self.number = number
        rules = condition.rules
        self._hold_us = round(condition.hold_s * 1_000_000)
        self._refractory_us = round(rules.refractory_s * 1_000_000)
        self._wanted = max(round((rules.baseline_s or 0) / step_s), 1)
        self._collected: dict[Percentile, list[float]] = {one: [] for one in condition.percentiles}
        self._thresholds: dict[Percentile, float] = {}
        self._began_us: int | None = None  # when it came true, while it is
        self._on = False
        self._rested_us: int | None = None  # before this it does not begin again

    @property
    def is_collecting(self) -> bool:
        """Is its baseline not complete?"""
        return bool(self._collected)

    def threshold(self, wanted: Percentile) -> float | None:
        """What the baseline made of a percentile, once it is there."""
        return self._thresholds.get(wanted)

    def collect(self, context: Context, sequence: int, time_us: int) -> list[BaselineTaken]:
        """A step of the baseline, while there is one: values that are none do not count."""
        taken = []
        for wanted, values in list(self._collected.items()):
            value = wanted.of.value(context)
            if value is not None:
                values.append(value)
            if len(values) >= self._wanted:
                del self._collected[wanted]
                threshold = self._thresholds[wanted] = percentile(values, wanted.percent)
                taken.append(
                    BaselineTaken(
                        self.condition.text, self.number, wanted.percent, threshold, sequence, time_us
                    )
                )
        return taken

    def look(self, context: Context, sequence: int, time_us: int) -> Crossing | None:
        """What changed with this step."""
        slack = self.condition.rules.hysteresis if self._on else 0.0
        if self.condition.expression.truth(context, slack) is not True:
            began_us, self._began_us = self._began_us, None
            if not self._on:
                return None
            self._on = False
            return self._crossing(context, sequence, time_us, began_us or time_us)
        if self._began_us is None:
            self._began_us = time_us
        if self._on or time_us - self._began_us < self._hold_us:
            return None
        if self._rested_us is not None and time_us < self._rested_us:
            return None
        self._on, self._rested_us = True, time_us + self._refractory_us
        return self._crossing(context, sequence, time_us, self._began_us)

    def sides(self, context: Context) -> tuple[float | None, float | None]:
        """A value and its threshold: the sides of the first comparison now."""
        nodes = walk(self.condition.expression)
        first = next((node for node in nodes if isinstance(node, Comparison)), None)
        if first is None:
            return None, None
        left, right = first.left.value(context), first.right.value(context)
        return (right, left) if isinstance(first.left, Percentile) else (left, right)

    def _crossing(self, context: Context, sequence: int, time_us: int, began_us: int) -> Crossing:
        condition = self.condition
        value, threshold = self.sides(context)
        return Crossing(
            condition.text,
            self.number,
            self._on,
            sequence,
            time_us,
            began_us,
            value,
            threshold,
            {quantity.name: context.value(quantity) for quantity in condition.quantities},
        )
