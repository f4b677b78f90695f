"""kit eeg doctor: where packets go, and what cures it."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg.options import baud_option, protocol_option, rate_option
from kit.cli.options import json_option
from kit.core.output import Output


@click.command()
@click.argument("port", metavar="[PORT|FILE]", required=False)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(0.1, 86400),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long to watch.",
)
@click.option("--repair", is_flag=True, help="Mend FILE: cut off what is no whole record, enter the number.")
@protocol_option
@baud_option
@rate_option
@json_option
def doctor(output: Output, **wish: Any) -> int:
    """Watch a port, and tell where packets went; or check a recording.

    Each finding comes with what cures it. Without PORT, the serial port that a board is on. Any SOURCE is
    watched, as far as it has something to be seen. FILE is what 'kit eeg record' wrote, or a text format: is
    it whole? The status is 1 if something was found that costs packets, or is to be mended.
    """
    from kit.cli.eeg.doctoring import diagnose

    return diagnose(output, **wish)
