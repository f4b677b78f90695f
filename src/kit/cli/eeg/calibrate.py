"""kit eeg calibrate: microvolts per count, from a signal of known size."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg.options import Number, baud_option, form_option, protocol_option, rate_option
from kit.cli.options import json_option
from kit.core.output import Output


@click.command()
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option(
    "--peak-to-peak",
    "peak_to_peak_uv",
    type=Number(0, 1_000_000, min_open=True),
    required=True,
    metavar="UV",
    help="The size of the signal from its lowest to its highest point, in microvolts.",
)
@click.option(
    "--frequency",
    "frequency_hz",
    type=Number(0.5, 1000),
    metavar="HZ",
    help="Look for it there. [default: the clearest from 2 to 45 Hz]",
)
@click.option(
    "--waveform",
    type=click.Choice(["auto", "sine", "square"]),
    default="auto",
    show_default=True,
    help="Its shape; auto tells by the third harmonic.",
)
@click.option(
    "--duration",
    "duration_s",
    type=Number(1, 3600),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long to listen.",
)
@form_option
@protocol_option
@baud_option
@rate_option
@json_option
def calibrate(output: Output, **wish: Any) -> int:
    """Find out how many microvolts a count of this board is.

    Connect a signal of known size, as the board's own calibrator. The result is kept for the adapter by its
    serial number, and holds from then on wherever --uv-per-count is not given.
    """
    from kit.cli.eeg.calibrating import Wish, calibrate_eeg

    return calibrate_eeg(Wish(**wish), output)
