"""kit eeg ports: the serial ports, and which of them may have an EEG board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kit.cli.options import json_option
from kit.core.errors import Unavailable
from kit.core.output import Output

if TYPE_CHECKING:
    from kit.eeg.sources.ports import Port


@click.command()
@click.option("--all", "everything", is_flag=True, help="Show built-in ports without hardware, too.")
@json_option
def ports(everything: bool, output: Output) -> None:
    """List the serial ports, and which may have an EEG board."""
    from kit.eeg.sources.ports import NOTHING_THERE, list_ports

    found = list_ports(everything=everything)
    if not found:
        raise Unavailable("no serial port is there", hint=NOTHING_THERE)
    _render(output, found)


def _render(output: Output, found: Sequence[Port]) -> None:
    if output.as_json:
        for port in found:
            output.record(asdict(port))
        return
    head = ("PORT", "EEG BOARD", "PRODUCT", "SERIAL NUMBER", "USB ID", "DRIVER", "WHY")
    output.table(head, map(_row, found))


def _row(port: Port) -> tuple[str, ...]:
    told = (port.product, port.serial_number, port.usb_id, port.driver)
    return (port.device, port.likely, *(value or "-" for value in told), port.why)
