"""kit eeg stats: what was lost, when and why, and what the channels carried."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg.options import (
    baud_option,
    duration_option,
    fail_above_option,
    form_option,
    protocol_option,
    rate_option,
    scale_options,
)
from kit.cli.options import json_option
from kit.core.output import Output


@click.command()
@click.argument("source", metavar="[SOURCE]", default="-")
@form_option
@scale_options
@duration_option
@fail_above_option
@protocol_option
@baud_option
@rate_option
@json_option
def stats(output: Output, **wish: Any) -> int:
    """Say what was lost, and what it points to.

    And what the channels carried. SOURCE is what 'kit eeg read' takes, in any format that it prints.
    [default: standard input]
    """
    from kit.cli.eeg.measuring import Wish, measure_eeg

    return measure_eeg(Wish(**wish), output)
