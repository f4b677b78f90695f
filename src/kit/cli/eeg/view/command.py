"""kit eeg view: the signals, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kit.cli.eeg.options import Number, capture_options, channels_option
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.cli.eeg.capturing import CaptureWish

_HERTZ = Number(0, 1000)


@click.command()
@capture_options
@channels_option("1-2")
@click.option(
    "--seconds",
    type=Number(0.25, 300),
    default=4,
    show_default=True,
    metavar="N",
    help="How much time is in the picture.",
)
@click.option(
    "--gain",
    type=Number(1, 5000),
    default=100,
    show_default=True,
    metavar="N",
    help="How many microvolts, or counts, a channel's lane is high to each side of its middle.",
)
@click.option(
    "--units",
    type=click.Choice(["adc", "uv"]),
    default="uv",
    show_default=True,
    help="Counts of the converter, or microvolts.",
)
@click.option(
    "--high-pass",
    "high_pass_hz",
    type=_HERTZ,
    default=0.5,
    show_default=True,
    metavar="HZ",
    help="A filter against what is slower; 0 is none.",
)
@click.option(
    "--notch",
    "notch_hz",
    type=_HERTZ,
    default=0,
    show_default=True,
    metavar="HZ",
    help="Take the mains' hum out: 50 or 60; 0 is none.",
)
@click.option(
    "--low-pass",
    "low_pass_hz",
    type=_HERTZ,
    default=0,
    show_default=True,
    metavar="HZ",
    help="A filter against what is quicker; 0 is none.",
)
@click.option(
    "--sweep/--scroll",
    default=None,
    help="Write over the old picture, or move it to the left. [default: scroll, but sweep over ssh]",
)
@click.option(
    "--fps", type=Number(1, 120), metavar="N", help="Pictures a second. [default: 30, in a window 60]"
)
@click.option("--window", is_flag=True, help="Show them in a window, not in the terminal.")
@click.option(
    "--snapshot", metavar="FILE", help="Show nothing: draw the end of the capture into FILE.svg or FILE.png."
)
@click.option("--ascii", is_flag=True, help="Draw with the characters that every terminal has.")
@click.option("--blocks", is_flag=True, help="Draw with blocks, where the font has no braille.")
def view(capture: CaptureWish, high_pass_hz: float, notch_hz: float, low_pass_hz: float, **wish: Any) -> int:
    """Show the signals in the terminal or in a window, as they come.

    SOURCE is what 'kit eeg read' takes, in any format that it prints; without one, it is what is piped in,
    or the serial port that a board is on. The key ? tells what the others do.
    """
    from kit.cli.eeg.view.terminal import view_eeg
    from kit.cli.eeg.view.wish import ViewWish
    from kit.eeg.viewing.filtering import FilterWish

    filters = FilterWish(high_pass_hz or None, notch_hz or None, low_pass_hz or None)
    return view_eeg(capture, ViewWish(filters=filters, **wish), Output())
