"""kit eeg plot: pictures of a recording."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg.options import (
    channels_option,
    form_option,
    protocol_option,
    rate_option,
    scale_options,
    start_option,
)
from kit.cli.options import Seconds

_SECONDS = Seconds(min=0)


@click.command()
@click.argument("source", metavar="FILE")
@click.option(
    "-o", "--output", "target", required=True, metavar="OUT", help="An .svg, .png or .pdf; - is an SVG."
)
@click.option(
    "--kind",
    type=click.Choice(["overview", "spectrogram", "spectrum", "bands", "all"]),
    default="all",
    show_default=True,
    help="What to draw.",
)
@channels_option("all")
@click.option(
    "--begin",
    "begin_s",
    type=_SECONDS,
    default=0.0,
    metavar="SECONDS",
    help="Leave out what is before this time.",
)
@click.option("--end", "end_s", type=_SECONDS, metavar="SECONDS", help="Leave out what is after this time.")
@form_option
@scale_options
@protocol_option
@rate_option
@start_option
def plot(**wish: Any) -> None:
    """Draw FILE: an overview, the spectrogram and spectrum, and the bands.

    Losses, clipping and buttons are shown. A PDF has a page for each. It takes matplotlib: pip install
    'kit[plot]'.
    """
    from kit.cli.eeg.plotting import Wish, plot_eeg

    plot_eeg(Wish(**wish))
