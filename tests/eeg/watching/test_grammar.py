"""What an expression may say, what it is worth, and that nothing else gets through."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.eeg.watching.conditions import Rules, read
from kit.eeg.watching.expressions import Expression, Percentile, quantities
from kit.eeg.watching.grammar import DEPTH_LIMIT, LENGTH_LIMIT, read_condition, read_value
from kit.eeg.watching.quantities import Quantity, Vocabulary

_WORDS = Vocabulary()


class Given:
    """A context of values that a test states."""

    def __init__(self, thresholds: float | None = None, **values: float | None) -> None:
        self._values = values
        self._threshold = thresholds

    def value(self, quantity: Quantity) -> float | None:
        return self._values.get(quantity.name)

    def threshold(self, _percentile: Percentile) -> float | None:
        return self._threshold


def _truth(
    text: str, slack: float = 0, thresholds: float | None = None, **values: float | None
) -> bool | None:
    return read_condition(text, _WORDS).truth(Given(thresholds, **values), slack)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpha1 > 12", True),
        ("alpha1 > 13", False),
        ("12.5 >= alpha1", False),
        ("10 < alpha1 < 14", True),
        ("10 < alpha1 < 12", False),
        ("theta1/alpha1 <= 0.5 and not button1", True),
        ("button1 or lost", True),
        ("not (button1 or blink1)", True),
        ("abs(ch1) == 3 and ch1 != 3", True),
        ("max(alpha1, theta1, 99) - min(alpha1, theta1) > 92", True),
        ("-ch1 * 2 + 1 == 7", True),
        ("rel_alpha1 > 0.2", None),
        ("alpha1 / button1 > 1", None),
        ("rel_alpha1 > 0.2 or alpha1 > 1", True),
        ("rel_alpha1 > 0.2 or alpha1 > 99", None),
        ("rel_alpha1 > 0.2 and alpha1 > 99", False),
        ("rel_alpha1 > 0.2 and alpha1 > 1", None),
        ("not rel_alpha1 > 0.2", None),
        ("1e300 * 1e300 * alpha1 > 1", None),
        ("max(rel_alpha1, 3) > 1", None),
    ],
)
def test_an_expression_is_worth_what_it_says(text: str, expected: bool | None) -> None:
    values = {"alpha1": 13.0, "theta1": 6.0, "ch1": -3.0, "button1": 0.0, "blink1": 0.0, "lost": 1.0}
    assert _truth(text, **values) is expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("alpha1 > 10", 9.5, True),
        ("alpha1 > 10", 8.5, False),
        ("alpha1 < 10", 10.5, True),
        ("alpha1 < 10", 11.5, False),
        ("alpha1 > -10", -10.5, True),
        ("not alpha1 > 10", 10.5, True),
        ("not alpha1 > 10", 11.5, False),
        ("alpha1 == 10", 9.5, False),
    ],
)
def test_slack_lets_what_is_true_end_later(text: str, value: float, expected: bool) -> None:
    assert _truth(text, slack=0.1, alpha1=value) is expected
    strict = eval(text, {"__builtins__": {}}, {"alpha1": value})  # noqa: S307 - Python means the same by it
    assert _truth(text, alpha1=value) is strict


def test_a_percentile_is_that_of_the_other_side() -> None:
    for text in ("theta1/alpha1 > p80", "p80 < theta1/alpha1"):
        condition = read(text, rules=Rules(baseline_s=60))
        (percentile,) = condition.percentiles
        assert percentile.percent == 80
        assert percentile.of == read_value("theta1/alpha1", _WORDS)
    assert _truth("theta1/alpha1 > p80", thresholds=None, theta1=3, alpha1=1) is None
    assert _truth("theta1/alpha1 > p80", thresholds=2.5, theta1=3, alpha1=1) is True


@pytest.mark.parametrize(
    "text", ["alpha > 1", "alpha1 > 1", "rel_alpha > 0.1", "amp_beta2 < 3", "fast_smr6 > 1"]
)
def test_a_band_without_a_number_is_that_of_the_channel(text: str) -> None:
    (quantity,) = quantities(read_condition(text, Vocabulary(channel=3)))
    digits = [letter for letter in quantity.name if letter.isdigit()]
    assert quantity.number == int(digits[0] if digits else 3)
    assert quantity.band


def test_own_bands_have_names() -> None:
    words = _WORDS.with_band("mu", 8, 12)
    (quantity,) = quantities(read_condition("rel_mu2 > 0.3", words))
    assert (quantity.kind, quantity.number, quantity.band) == ("relative", 2, words.bands["mu"])
    for name in ("ch", "blink", "Mu", "mu1", "p", "for", "", "a" * 17, "über"):
        with pytest.raises(UsageError, match="can be named"):
            _WORDS.with_band(name, 8, 12)
    with pytest.raises(UsageError, match="no band from"):
        _WORDS.with_band("mu", 12, 8)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "alpha1",
        "3",
        "alpha1 > ",
        "ch7 > 1",
        "ch0 > 1",
        "button5",
        "button",
        "zeta1 > 1",
        "alpha10 > 1",
        "alpha1 ** 2 > 1",
        "alpha1 // 2 > 1",
        "alpha1 % 2 > 1",
        "alpha1 @ 2 > 1",
        "alpha1 & 2",
        "~alpha1 > 1",
        "+alpha1 > 1",
        "alpha1 > True",
        "alpha1 > None",
        "alpha1 > 1j",
        "alpha1 > 1e999",
        "alpha1 > " + "9" * 400,
        "alpha1 is 1",
        "alpha1 in (1, 2)",
        "alpha1 > 'a'",
        "alpha1.real > 1",
        "alpha1[0] > 1",
        "(alpha1 := 3) > 1",
        "alpha1 > 1 if blink else 2",
        "lambda: 1",
        "lambda: alpha1 > 1",
        "[alpha1 > 1]",
        "(alpha1, 1) > 2",
        "{1} > 2",
        "f'{alpha1}' > 2",
        "abs(alpha1, 2) > 1",
        "abs() > 1",
        "max(alpha1) > 1",
        "max(*alpha1) > 1",
        "max(alpha1, key=1) > 1",
        "pow(alpha1, 2) > 1",
        "eval('1') > 1",
        "__import__('os').system('true') > 1",
        "abs.__class__(1) > 1",
        "p80 > p20",
        "alpha1 > p0",
        "alpha1 > p100",
        "alpha1 > p80 + 1",
        "alpha1 and alpha2",
        "alpha1 > 1 and 3",
        "not 3",
        "alpha1 > 1; alpha2",
        "alpha1 > 1 # for fun",
        "alpha1 > 1\nand blink",
        "\uff41lpha1 > 1",
        "\u03b11 > 1",
        "alpha1 > 1 for 0.5s for 1s",
        "alpha1 > 1 for",
        "alpha1 > 1 for x",
        "alpha1 > 1 for -1s",
        "for 1s",
        "(" * 240 + "blink" + ")" * 240,
        "not " * (DEPTH_LIMIT + 1) + "blink",
        "-" * 400 + "1 > 2",
        "blink or " * 60 + "blink",
        "1if 2else 3",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read(text, rules=Rules(baseline_s=10))


def test_a_refusal_tells_what_there_is() -> None:
    with pytest.raises(UsageError, match="no 'alhpa1' to watch") as caught:
        read("alhpa1 > 2")
    assert "alpha1" in str(caught.value.hint)
    with pytest.raises(UsageError, match="baseline") as caught:
        read("alpha1 > p80")
    assert "--baseline" in str(caught.value.hint)


def test_as_deep_and_as_long_as_is_allowed() -> None:
    assert read("not " * (DEPTH_LIMIT - 1) + "blink")
    fits = " or ".join(["blink"] * 55)
    assert len(fits) <= LENGTH_LIMIT
    assert read(fits)


@pytest.mark.parametrize(
    ("text", "hold_s"),
    [
        ("blink", 0),
        ("blink for 2", 2),
        ("blink for 500ms", 0.5),
        ("blink for 0.25 s", 0.25),
        ("blink for 2m", 120),
    ],
)
def test_how_long_it_has_to_hold(text: str, hold_s: float) -> None:
    assert read(text).hold_s == hold_s


_TOKENS = st.sampled_from(
    [
        *"+-*/()<>=!,.",
        "and",
        "or",
        "not",
        "abs",
        "min",
        "max",
        "alpha1",
        "ch2",
        "blink",
        "p80",
        "1",
        "0",
        "1e9",
        "if",
    ]
)


@settings(max_examples=120, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(_TOKENS, max_size=25).map(" ".join), st.lists(_TOKENS).map("".join)
    ),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=3, max_size=3),
)
@example("(" * 300, [1, 1, 1])
@example("\0", [1, 1, 1])
def test_any_text_is_an_expression_or_a_usage_error(text: str, values: list[float | None]) -> None:
    try:
        condition = read(text, rules=Rules(baseline_s=10))
    except UsageError:
        return
    given = Given(1.5, alpha1=values[0], ch2=values[1], blink=values[2])
    for slack in (0.0, 0.1):
        assert condition.expression.truth(given, slack) in (True, False, None)


def _numbers() -> st.SearchStrategy[str]:
    leaf = st.one_of(st.sampled_from(["alpha1", "ch2"]), st.integers(0, 50).map(str))
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
            inner.map(lambda text: f"abs(-{text})"),
        ),
        max_leaves=6,
    )


@settings(max_examples=60, deadline=None)
@given(_numbers(), st.integers(-20, 20), st.integers(-20, 20))
def test_numbers_are_those_of_python(text: str, alpha: int, two: int) -> None:
    try:
        tree: Expression = read_value(text, _WORDS)
    except UsageError as error:
        assert "deeper" in str(error) or "characters" in str(error)
        return
    found = tree.value(Given(alpha1=alpha, ch2=two))
    try:
        code = compile(ast.parse(text, mode="eval"), "", "eval")
        expected = eval(code, {"alpha1": float(alpha), "ch2": float(two)})  # noqa: S307 - the reference
    except ZeroDivisionError:
        assert found is None
        return
    assert found is not None and math.isclose(found, expected)
