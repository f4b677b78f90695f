"""What a recording is told on the command line: who was recorded, by whom, where, and when a part ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, TypeVar

import click

from kit.core.duration import parse_duration

_F = TypeVar("_F", bound=Callable[..., Any])
_LEAST_SPLIT_S = 10


def _split(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    seconds = parse_duration(value)
    if seconds is None or seconds < _LEAST_SPLIT_S:
        raise click.BadParameter(f"{value!r} is no time like 30m or 1h, of at least {_LEAST_SPLIT_S} seconds")
    return seconds


def _birthdate(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date like 1970-12-31") from None


def split_option(function: _F) -> _F:
    """--split, handed to the command as `split_s`, None if it is not given."""
    return click.option(
        "--split",
        "split_s",
        callback=_split,
        metavar="TIME",
        help="Begin another part (OUT-002 and so on) after each 30m, 1h or so.",
    )(function)


def header_options(function: _F) -> _F:
    """What a header of EDF has about people and electrodes, handed to the command as `header`, a dict."""

    @wraps(function)
    def command(*values: Any, **options: Any) -> Any:
        header = {name: options.pop(name) for name in ("code", "sex", "birthdate", "name", "technician")}
        labels = options.pop("labels") or ""
        header["labels"] = tuple(filter(None, map(str.strip, labels.split(","))))
        return function(*values, header=header, **options)

    wrapped: Any = command
    for option in reversed(_HEADER):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


_HEADER = (
    click.option("--patient", "code", metavar="CODE", help="Who is recorded: a code. [default: not said]"),
    click.option("--sex", type=click.Choice(["F", "M"]), help="Who is recorded: female or male."),
    click.option(
        "--birthdate", callback=_birthdate, metavar="DATE", help="Who is recorded: born at (ISO 8601)."
    ),
    click.option("--name", metavar="NAME", help="Who is recorded: the name."),
    click.option("--technician", metavar="NAME", help="Who records."),
    click.option(
        "--labels", metavar="NAMES", help="Where the electrodes are, as in Fp1,Fp2. [default: ch1,ch2,…]"
    ),
)
