"""kit eeg record: a recording that survives a kill, a full disk and an unplugged device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kit.cli.eeg.options import capture_options
from kit.cli.eeg.record.options import header_options, split_option
from kit.cli.eeg.watch.options import watch_options
from kit.cli.options import json_option
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.cli.eeg.capturing import CaptureWish
    from kit.cli.eeg.watch.watching import WatchWish

_WRITTEN = ("edf", "bdf", "xdf", "csv", "tsv", "ndjson", "eegreader", "raw")


@click.command()
@click.argument("target", metavar="OUT")
@capture_options
@click.option(
    "--to", "target_format", type=click.Choice(_WRITTEN), help="The format of OUT. [default: by its suffix]"
)
@click.option("--raw", is_flag=True, help="Keep the bytes, and when they came, in files beside OUT.")
@split_option
@click.option("--force", is_flag=True, help="Overwrite OUT, and its parts.")
@click.option("--view", is_flag=True, help="Show the signals in the terminal, as 'kit eeg view' does.")
@click.option("--stream", is_flag=True, help="Stream them to LSL on this machine, as 'kit eeg stream' does.")
@watch_options
@header_options
@json_option
def record(
    output: Output,
    capture: CaptureWish,
    watch: WatchWish,
    target: str,
    *,
    view: bool,
    stream: bool,
    **wish: Any,
) -> int:
    """Record SOURCE into the file OUT.

    Nothing that is older than a second gets lost, whatever ends the recording. Suffixes: .edf, .bdf, .xdf,
    .csv, .tsv, .ndjson, .txt, .raw. Lost packets are filled in and marked where the format has no gaps.
    With --when it watches as 'kit eeg watch' does, and marks what it finds.
    Without SOURCE it is what is piped in, or else the serial port that a board is on.
    """
    from kit.cli.eeg.record.recording import record_eeg
    from kit.cli.eeg.record.wish import Beside

    return record_eeg(capture, target, output, beside=Beside(view, stream, watch), **wish)
