"""kit eeg stream: joins a capture and an LSL outlet, and says who can reach it."""

from __future__ import annotations

from collections.abc import Iterator

from kit.cli.eeg.attending import Attendance
from kit.cli.eeg.capturing import CaptureWish, open_capture, tell
from kit.cli.eeg.endings import stopped_by_signals
from kit.cli.eeg.reading import scale_remark
from kit.core.output import Output
from kit.eeg.feeding import Feeding
from kit.eeg.streaming import Opened, OutletWish, make_outlet

# Each batch is a message on the network; more of them cost more than they gain.
_TOGETHER_S = 0.01


def stream_eeg(capture: CaptureWish, wish: OutletWish, output: Output) -> int:
    """Stream to the end, or until a signal comes; the exit status."""
    with open_capture(capture, _TOGETHER_S) as stream, stopped_by_signals() as stop:
        outlet = make_outlet(stream, wish, lambda opened: tell_opened(opened, output))
        if not stream.live:
            output.note(f"kit: {stream.name!r} has no times: its packets are sent as they are read")
        Feeding(stream, [outlet, Attendance(stream, capture.baud, stop, output)]).run()
        tell(stream, output)
        return stop.exit_status


def tell_opened(opened: Opened, output: Output) -> None:
    """That the streams are there, and who can reach them."""
    if output.as_json:
        output.record(_record(opened))
        return
    wish = opened.wish
    unit = "µV" if wish.units == "uv" else "counts"
    what = f"{opened.channels} channels at {opened.rate_hz:g} Hz in {unit}"
    output.note(f"kit: LSL stream {wish.name!r}: {what}; {wish.markers!r}: buttons, losses, marks")
    if wish.units == "uv":
        output.note(f"kit: {scale_remark(wish.scale)}")
    for line in _reach(opened):
        output.note(f"kit: {line}")


def _record(opened: Opened) -> dict[str, object]:
    wish = opened.wish
    return {
        "kind": "streaming",
        "name": wish.name,
        "markers": wish.markers,
        "source_id": opened.source_id,
        "channels": opened.channels,
        "rate_hz": opened.rate_hz,
        "units": wish.units,
        "reach": "machine" if opened.confined else "network",
        "ports": [
            {"port": port.number, "transport": port.transport, "confined": port.confined}
            for port in opened.ports
        ],
    }


def _reach(opened: Opened) -> Iterator[str]:
    """Which ports are open to whom."""
    if opened.confined:
        yield f"open to every program on this machine, and to no other machine: {_ports(opened)}"
        return
    yield f"open to everybody who can reach this machine: {_ports(opened)}"
    yield "LSL has no authentication and no encryption: who reaches these ports can read the EEG"
    if not opened.wish.lan:
        yield "this system does not let them be bound to the loopback device"
    yield "a firewall can close them to those who are not meant"


def _ports(opened: Opened) -> str:
    return ", ".join(f"{port.transport.upper()} {port.number}" for port in opened.ports)
