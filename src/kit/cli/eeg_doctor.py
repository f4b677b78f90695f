"""kit eeg doctor: where packets go, and what cures it."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg_options import baud_option, protocol_option, rate_option
from kit.cli.options import json_option
from kit.core.output import Output


@click.command()
@click.argument("port", metavar="[PORT]", required=False)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(0.1, 86400),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long to watch.",
)
@protocol_option
@baud_option
@rate_option
@json_option
def doctor(output: Output, **wish: Any) -> int:
    """Watch a port, and tell where packets went.

    Each finding comes with what cures it. Without PORT, the serial port that a board is on. Any SOURCE is
    watched, as far as it has something to be seen. The status is 1 if something was found that costs
    packets.
    """
    from kit.cli.eeg_doctoring import diagnose

    return diagnose(output, **wish)
