"""kit eeg watch: say when something happens, and do something about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kit.cli.eeg.options import capture_options
from kit.cli.eeg.watch.options import watch_options
from kit.cli.options import json_option
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.cli.eeg.capturing import CaptureWish
    from kit.cli.eeg.watch.watching import WatchWish


@click.command()
@watch_options
@click.option("--print", "shown", is_flag=True, help="Print what happens, also where something else is done.")
@click.option("--all", "everything", is_flag=True, help="Tell also of blinks, buttons, losses and artefacts.")
@capture_options
@json_option
def watch(output: Output, capture: CaptureWish, watch: WatchWish, shown: bool, everything: bool) -> int:
    """Say when something happens in SOURCE.

    EXPR is a comparison of what is measured, such as 'alpha1 > 12 for 0.5s' or 'theta/alpha > p80'. Without
    --when it tells of blinks, buttons, losses and artefacts.
    """
    from kit.cli.eeg.watch.watching import watch_eeg

    return watch_eeg(capture, watch, output, shown=shown, everything=everything)
