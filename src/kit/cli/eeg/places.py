"""Where what looks like a device is plugged in: a pty, a TCP port, or standard output."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from kit.core.errors import Unavailable, UsageError
from kit.core.output import Output
from kit.eeg.sending import outputs
from kit.eeg.sending.server import Server, url
from kit.eeg.sending.terminal import Terminal


@dataclass(frozen=True)
class Place:
    """Standard output, a TCP port, or else a pty, perhaps with a link to it."""

    to_stdout: bool
    tcp: str | None
    link: str | None


def output_at(place: Place, patient: bool, output: Output) -> outputs.Output:
    """The place for bytes, which says where it is once it is there; a patient one waits for its reader."""
    if place.to_stdout and place.tcp:
        raise UsageError("--stdout and --tcp, where one can be")
    if place.link and (place.to_stdout or place.tcp):
        raise UsageError(f"--link {place.link!r} is a name for a pty, and there is none")
    if place.to_stdout:
        return _standard_output(output)
    if place.tcp:
        return Server(place.tcp, patient, lambda host, port: _announce_server(output, host, port))
    return Terminal(place.link, patient, lambda path: _announce_terminal(output, path, place.link))


def _standard_output(output: Output) -> outputs.Output:
    if output.as_json:
        raise UsageError(
            "--json says on standard output where the device is, and --stdout sends its bytes there"
        )
    if sys.stdout is None:
        raise Unavailable("standard output is closed")
    if sys.stdout.isatty():
        raise UsageError("--stdout would send bytes to a terminal", hint="'| kit eeg read -' reads them")
    return outputs.StandardOutput(sys.stdout.fileno())


def _announce_server(output: Output, host: str, port: int) -> None:
    if output.as_json:
        output.record({"kind": "serving", "url": url(host, port), "host": host, "port": port})
    else:
        output.line(url(host, port))


def _announce_terminal(output: Output, path: str, link: str | None) -> None:
    if output.as_json:
        output.record({"kind": "serving", "pty": path, "link": link})
    else:
        output.line(path)
