"""kit eeg simulate: a device without a device."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from kit.cli.eeg.options import duration_option, place_options, rate_option, speed_option
from kit.cli.options import json_option
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.cli.eeg.places import Place


def _faults(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Any, ...]:
    from kit.eeg.simulator.faults import parse

    return tuple(parse(value) for value in values)


def _gain(_context: click.Context, _parameter: click.Parameter, value: str) -> Fraction:
    from kit.eeg.simulator.spelling import read_option

    gain: Fraction = read_option("gain", value, f"--gain {value}")[1]
    return gain


@click.command()
@click.option(
    "--protocol", type=click.Choice(["p2", "p3"]), default="p2", show_default=True, help="What it speaks."
)
@click.option(
    "--channels",
    type=click.Choice(["0", "2", "4", "6"]),
    default="6",
    show_default=True,
    help="Fewer with P3.",
)
@rate_option
@duration_option
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another signal, and other chances.")
@speed_option
@click.option(
    "--mains", type=click.Choice(["50", "60", "0"]), default="50", show_default=True, help="Hum, in hertz."
)
@click.option(
    "--gain", default="1", show_default=True, callback=_gain, metavar="X", help="Times the usual signal."
)
@click.option("--bursts", is_flag=True, help="Have alpha in bursts, whose times are in the truth.")
@place_options
@click.option("--fault", "faults", multiple=True, callback=_faults, metavar="SPEC", help="See kit-eeg(1).")
@click.option(
    "--truth",
    metavar="FILE",
    help="Write down what was lost and damaged, and what is in the signal, as NDJSON.",
)
@json_option
def simulate(output: Output, place: Place, truth: str | None, **wishes: Any) -> None:
    """Be an EEG board, with the faults of a line.

    It is on a pty, or with --tcp on a port, or with --stdout in a pipe.

    SPEC is KIND[:name=value]…: lost, lost-bytes, flip, garbage, stall, restart, unplug; rate=, every= or at=
    say when, burst=, length=, ms=, pause=, back= … what. For example lost:rate=0.01:burst=3, stall:ms=16.
    """
    from kit.cli.eeg.simulating import serve
    from kit.eeg.simulator.wish import Wish

    wishes["channels"], wishes["mains_hz"] = int(wishes["channels"]), int(wishes.pop("mains"))
    if wishes["duration_s"] is not None:
        wishes["duration_s"] = Fraction(wishes["duration_s"])
    serve(Wish(**wishes), place, truth, output)
