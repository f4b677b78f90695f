"""What the options of `kit eeg` make of what is typed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any

import click
import pytest

from kit.cli.eeg import options
from kit.core.errors import UsageError
from kit.eeg.scale import Scale


def _given(option: Callable[..., Any], *arguments: str) -> dict[str, Any]:
    """What a command with this option is handed."""

    @click.command()
    @option
    def command(**values: Any) -> dict[str, Any]:
        return values

    found: dict[str, Any] = command.main(list(arguments), standalone_mode=False)
    return found


@pytest.mark.parametrize(
    ("typed", "rate_hz"), [("256", 256), ("255.5", Fraction(511, 2)), ("1000/3", Fraction(1000, 3))]
)
def test_a_rate_is_exact(typed: str, rate_hz: Fraction) -> None:
    assert _given(options.rate_option, "--rate", typed) == {"rate_hz": rate_hz}


@pytest.mark.parametrize("typed", ["0", "-1", "1/0", "1e3", "inf", "nan", "", "2000000", "9" * 50])
def test_what_is_no_rate_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is no rate"):
        _given(options.rate_option, "--rate", typed)


@pytest.mark.parametrize(
    ("typed", "start_us"),
    [
        ("0", 0),
        ("1622034547", 1_622_034_547_000_000),
        ("1622034547.374070", 1_622_034_547_374_070),
        ("2021-05-26T13:09:07.374070Z", 1_622_034_547_374_070),
        ("2021-05-26T15:09:07+02:00", 1_622_034_547_000_000),
    ],
)
def test_a_start_is_exact_to_the_microsecond(typed: str, start_us: int) -> None:
    assert _given(options.start_option, "--start", typed) == {"start_us": start_us}


def test_a_start_without_a_zone_is_local_time() -> None:
    local_s = int(datetime(2021, 5, 26, 13, 9).timestamp())
    assert _given(options.start_option, "--start", "2021-05-26T13:09") == {"start_us": local_s * 1_000_000}


def test_without_a_start_time_begins_in_1970() -> None:
    assert _given(options.start_option) == {"start_us": 0}


@pytest.mark.parametrize(
    "typed", ["yesterday", "2021-13-01", "-5", "1969-12-31T23:59:59Z", "1622034547374070", "9" * 30, "1e9"]
)
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        _given(options.start_option, f"--start={typed}")


def test_the_scale_says_where_its_figure_comes_from() -> None:
    option = options.units_options
    assert _given(option) == {"units": "adc", "scale": Scale()}
    assert _given(option, "--units", "uv")["scale"] == Scale(0.5, 512, "nominal")
    assert _given(option, "--units", "uv", "--zero", "500")["scale"] == Scale(0.5, 500, "nominal")
    given = _given(option, "--units", "uv", "--uv-per-count", "0.25")["scale"]
    assert given == Scale(0.25, 512, "given")


@pytest.mark.parametrize("option", ["--uv-per-count", "--zero"])
def test_a_scale_for_counts_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="is for microvolts"):
        _given(options.units_options, option, "1")


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (options.duration_option, "--duration"),
        (options.fail_above_option, "--fail-above"),
        (options.units_options, "--zero"),
    ],
)
@pytest.mark.parametrize("typed", ["nan", "inf", "-1", "x"])
def test_a_number_is_finite_and_not_negative(option: Callable[..., Any], name: str, typed: str) -> None:
    with pytest.raises(click.BadParameter):
        _given(option, f"{name}={typed}")
