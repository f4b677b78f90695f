"""What `kit eeg watch` takes, and whatever else watches while it does something else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from kit.cli.eeg.options import Number

_F = TypeVar("_F", bound=Callable[..., Any])


def _baseline(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    from kit.core.duration import parse_duration

    if value is None:
        return None
    seconds = parse_duration(value)
    if seconds is None:
        raise click.BadParameter(f"{value!r} is no time like 60, 60s or 2m")
    return float(seconds)


def _bands(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, float, float], ...]:
    return tuple(_band(value) for value in values)


def _band(value: str) -> tuple[str, float, float]:
    name, sign, edges = value.partition("=")
    low, dash, high = edges.partition("-")
    try:
        if sign and dash:
            return name, float(low), float(high)
    except ValueError:
        pass
    raise click.BadParameter(f"{value!r} is no band like mu=8-12")


_OPTIONS = (
    click.option("--when", "conditions", multiple=True, metavar="EXPR", help="A condition; see kit-eeg(1)."),
    click.option("--run", "commands", multiple=True, metavar="CMD", help="Start a command, without a shell."),
    click.option("--bell", is_flag=True, help="Ring the terminal's bell."),
    click.option("--tone", is_flag=True, help="Let a pitch follow the value, as sound on standard output."),
    click.option("--player", metavar="CMD", help="With --tone: a program that is given the sound."),
    click.option(
        "--baseline",
        "baseline_s",
        callback=_baseline,
        metavar="TIME",
        help="Measure so long what p80 and other percentiles are.",
    ),
    click.option(
        "--hysteresis",
        "hysteresis_percent",
        type=Number(0, 99),
        default=10,
        show_default=True,
        metavar="PCT",
        help="How far beyond its threshold a condition ends.",
    ),
    click.option(
        "--refractory",
        "refractory_s",
        type=Number(0, 86400),
        default=2,
        show_default=True,
        metavar="SECONDS",
        help="How long a condition does not begin again.",
    ),
    click.option(
        "--window",
        "window_s",
        type=Number(0.25, 60),
        default=2,
        show_default=True,
        metavar="SECONDS",
        help="What the power of a band is of.",
    ),
    click.option(
        "--band", "bands", multiple=True, callback=_bands, metavar="NAME=LOW-HIGH", help="A band of your own."
    ),
    click.option(
        "--channel",
        type=click.IntRange(1, 6),
        default=1,
        show_default=True,
        metavar="N",
        help="What names without a number are of.",
    ),
)


def watch_options(function: _F) -> _F:
    """What is watched for and what is done then, handed to the command as `watch`, a WatchWish."""

    @wraps(function)
    def command(*values: Any, **options: Any) -> Any:
        from kit.cli.eeg.watch.watching import WatchWish

        names = WatchWish.__dataclass_fields__
        watch = WatchWish(**{name: options.pop(name) for name in names})
        return function(*values, watch=watch, **options)

    wrapped: Any = command
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]
