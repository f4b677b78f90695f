"""kit eeg stream: a capture on the lab streaming layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kit.cli.eeg.options import capture_options
from kit.cli.options import json_option
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.cli.eeg.capturing import CaptureWish


@click.command()
@capture_options
@click.option(
    "--name", default="kit-eeg", show_default=True, metavar="NAME", help="What the stream is called."
)
@click.option(
    "--units",
    type=click.Choice(["uv", "adc"]),
    default="uv",
    show_default=True,
    help="Microvolts, or counts of the converter.",
)
@click.option("--lan", is_flag=True, help="Let the network find and read it; LSL has no authentication.")
@json_option
def stream(output: Output, capture: CaptureWish, **wish: Any) -> int:
    """Stream what SOURCE sends to LSL, as EEG and as Markers.

    Only this machine can reach it, unless --lan opens it. It takes pylsl: pip install 'kit[lsl]'.
    """
    from kit.cli.eeg.streaming import stream_eeg
    from kit.eeg.streaming import OutletWish

    return stream_eeg(capture, OutletWish(scale=capture.scale, **wish), output)
