"""kit eeg play: a recording as a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kit.cli.eeg.options import (
    duration_option,
    form_option,
    place_options,
    protocol_option,
    rate_option,
    scale_options,
    speed_option,
)
from kit.cli.options import json_option
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.cli.eeg.places import Place


@click.command()
@click.argument("path", metavar="FILE")
@form_option
@speed_option
@click.option("--loop", is_flag=True, help="Begin anew at the end; the counter goes on.")
@place_options
@duration_option
@scale_options
@protocol_option
@rate_option
@json_option
def play(output: Output, place: Place, **wish: Any) -> None:
    """Be the board that FILE was recorded from.

    The bytes go out as they came, with their counters and gaps, at the times that FILE tells, or at the
    nominal rate: on a pty, or with --tcp on a port, or with --stdout into a pipe.
    """
    from kit.cli.eeg.playing import play_eeg
    from kit.eeg.playing.recording import Wish

    play_eeg(Wish(**wish), place, output)
