"""What a recording is to say about itself: about people as far as it is told, and about the device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kit import __version__
from kit.cli.eeg.capturing import CaptureWish
from kit.eeg.reading import Stream
from kit.eeg.recordings.settings import Settings, Subject


def recording_settings(
    capture: CaptureWish, stream: Stream, header: Mapping[str, Any] = MappingProxyType({}), **wish: Any
) -> Settings:
    """How the capture is to be recorded; `wish` has other fields of the settings."""
    subject = Subject(**{name: header.get(name) for name in Subject.__dataclass_fields__})
    return Settings(
        scale=capture.scale,
        rate_hz=capture.rate_hz,
        subject=subject,
        technician=header.get("technician"),
        labels=header.get("labels", ()),
        device=_device(stream),
        software=f"kit-{__version__}",
        **wish,
    )


def _device(stream: Stream) -> str:
    """What the port says of itself, or else its name; nothing for a file or a pipe."""
    if not stream.live:
        return ""
    if stream.name.startswith("/dev/"):
        from kit.eeg.sources.ports import list_ports, port_at

        port = port_at(stream.name, list_ports())
        told = [port.product, port.serial_number] if port else []
        if any(told):
            return " ".join(filter(None, told))
    return Path(stream.name).name
