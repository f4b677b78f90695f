"""kit eeg read: print what a device sends, packet by packet."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg.options import (
    baud_option,
    duration_option,
    fail_above_option,
    protocol_option,
    rate_option,
    start_option,
    units_options,
)
from kit.cli.options import json_option
from kit.core.output import Output


@click.command()
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option(
    "-f",
    "--format",
    type=click.Choice(["eegreader", "csv", "tsv", "ndjson", "raw", "table"]),
    help="What to print. [default: table on a terminal, else eegreader]",
)
@units_options
@click.option("-n", "--count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@duration_option
@fail_above_option
@click.option("--reconnect", is_flag=True, help="Wait for a device that is not there, or goes away.")
@protocol_option
@baud_option
@rate_option
@start_option
@json_option
def read(output: Output, **wish: Any) -> int:
    """Print each packet that SOURCE sends.

    At the end, standard error is told what was lost. Without SOURCE, it is the serial port that a board is
    on. --json means --format ndjson.
    """
    from kit.cli.eeg.reading import Wish, read_eeg

    return read_eeg(Wish(**wish), output)
