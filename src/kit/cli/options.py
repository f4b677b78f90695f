"""Options that mean the same in every group stand here once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from kit.core.output import Output

_F = TypeVar("_F", bound=Callable[..., Any])


def _to_output(_context: click.Context, _parameter: click.Parameter, value: bool) -> Output:
    return Output(as_json=value)


def json_option(function: _F) -> _F:
    """--json, handed to the command as `output`."""
    return click.option(
        "--json", "output", is_flag=True, callback=_to_output, help="Print one JSON object a line."
    )(function)


def socket_option(function: _F) -> _F:
    """-s/--socket, the agent's socket, handed to the command as `socket`."""
    return click.option(
        "-s",
        "--socket",
        metavar="PATH",
        help="The agent's socket. [default: $KIT_AGENT_SOCK, or the usual place]",
    )(function)


class Seconds(click.FloatRange):
    """At most a day, if so made: nothing can wait for "inf", nor for "nan"."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is not a number of seconds", param, ctx)
        return seconds


_SECONDS = Seconds(min=0, max=86400, min_open=True)


def timeout_option(default_s: float) -> Callable[[_F], _F]:
    """-t/--timeout in seconds, handed to the command as `timeout_s`."""
    return click.option(
        "-t",
        "--timeout",
        "timeout_s",
        type=_SECONDS,
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help="How long one step may take.",
    )
