"""kit eeg: the group; each command stands in a module of its own."""

from __future__ import annotations

import click

from kit.cli.eeg.calibrate import calibrate
from kit.cli.eeg.convert import convert
from kit.cli.eeg.doctor import doctor
from kit.cli.eeg.play import play
from kit.cli.eeg.plot import plot
from kit.cli.eeg.ports import ports
from kit.cli.eeg.read import read
from kit.cli.eeg.record.command import record
from kit.cli.eeg.simulate import simulate
from kit.cli.eeg.stats import stats
from kit.cli.eeg.stream import stream
from kit.cli.eeg.view.command import view
from kit.cli.eeg.watch.command import watch


@click.group()
def eeg() -> None:
    """Capture OpenEEG data, and say what was lost and why.

    SOURCE is a serial port (/dev/ttyUSB0), a URL (socket://HOST:PORT, rfc2217://HOST:PORT), a file of the
    bytes that a device sent, - for standard input, or sim: for a simulated device.
    """


_COMMANDS: tuple[click.Command, ...] = (
    read,
    view,
    watch,
    record,
    play,
    stats,
    convert,
    simulate,
    ports,
    doctor,
    stream,
    plot,
    calibrate,
)
for _command in _COMMANDS:
    eeg.add_command(_command)
