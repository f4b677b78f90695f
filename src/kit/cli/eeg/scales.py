"""The scale of a device that was calibrated: where the calibrations are kept, and when one is taken."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.files import result_file
from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.eeg.scale import Scale

if TYPE_CHECKING:
    from kit.eeg.calibrating.keeping import Calibrations, Identity, Kept
    from kit.eeg.sources.ports import Port

_FILE = "eeg-calibration.json"


def calibration_file() -> Path:
    """Where they are kept."""
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(configuration, "kit", _FILE)


def scale_of(asked: Scale, source: str | None, ports: Sequence[Port] | None = None) -> Scale:
    """What was asked for; where nothing was, that of the device, if it was calibrated.

    Without a source it is the one port that a board is on.
    """
    if asked.origin != "nominal" or not calibration_file().exists():
        return asked
    kept = load().find(identity_of(source, ports))
    return kept.scale(asked.zero) if kept else asked


def identity_of(source: str | None, ports: Sequence[Port] | None = None) -> Identity | None:
    """What tells a device from all others; None for a source that is none, or has no serial number."""
    from kit.eeg.sources.ports import list_ports, plausible, port_at

    there = list_ports(everything=True) if ports is None else ports
    if source is None:
        likely = plausible(there)
        return likely[0].identity if len(likely) == 1 else None
    port = port_at(source, there) if source.startswith("/") else None
    return port.identity if port else None


def load() -> Calibrations:
    """All that is kept; nothing where there is no file."""
    from kit.eeg.calibrating.keeping import Calibrations, read

    path = calibration_file()
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Calibrations()
    except PermissionError:
        raise NotPermitted(f"no permission to read {str(path)!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot read {str(path)!r}: {(error.strerror or 'failed').lower()}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{str(path)!r} is no file of calibrations: not UTF-8") from None
    return read(text, str(path))


def save(identity: Identity, kept: Kept) -> Path:
    """Keep one more; the file is the old one or the new one at any time."""
    path, all_kept = calibration_file(), load().put(identity, kept)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or "failed").lower()
        raise Unavailable(f"cannot make the directory {str(path.parent)!r}: {why}") from None
    with result_file(str(path)) as file:
        file.write(all_kept.text().encode())
    return path
