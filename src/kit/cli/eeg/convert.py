"""kit eeg convert: a recording from one format into another."""

from __future__ import annotations

from typing import Any

import click

from kit.cli.eeg.options import protocol_option, rate_option, start_option, units_options
from kit.cli.options import json_option
from kit.core.output import Output

_TEXTS = ("eegreader", "csv", "tsv", "ndjson", "raw", "table")
_RECORDED = ("edf", "bdf", "xdf")


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option(
    "--from",
    "source_format",
    type=click.Choice([*_TEXTS, "eegreader-json", *_RECORDED]),
    help="The format of IN. [default: what its first bytes tell, or else its suffix]",
)
@click.option(
    "--to",
    "target_format",
    type=click.Choice([*_TEXTS, *_RECORDED]),
    help="The format of OUT. [default: by its suffix]",
)
@units_options
@protocol_option
@rate_option
@start_option
@json_option
def convert(output: Output, **wish: Any) -> None:
    """Convert a recording into another format.

    Every gap stays visible. Suffixes: .raw .bin .p2 .p3 (raw), .txt .eeg .log (eegreader), .csv, .tsv,
    .ndjson, .jsonl, .edf, .bdf, .xdf. IN and OUT can be - for standard input and output. OUT is written whole
    or not at all.
    """
    from kit.cli.eeg.converting import Wish, convert_eeg

    convert_eeg(Wish(**wish), as_json=output.as_json)
