"""The serial ports of this machine, and which of them an EEG board may be on: read off Linux' sysfs.

pyserial's own list is not used: on kernels since 6.5 it shows built-in ports that have no hardware, it hides
those of small computers that do, and it knows no drivers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kit.core.errors import Unavailable, UsageError
from kit.core.text import printable

Likely = Literal["yes", "maybe", "no"]

NOTHING_THERE = "plug the board in, or try 'sim:', a simulated one"


@dataclass(frozen=True)
class Port:
    """A serial port; `likely` says whether an EEG board may be on it, and `why` why."""

    device: str
    product: str | None
    manufacturer: str | None
    serial_number: str | None
    usb_id: str | None
    interface: str | None
    driver: str | None
    likely: Likely
    why: str

    @property
    def identity(self) -> tuple[str, str, str | None] | None:
        """What tells this adapter from all others wherever it is plugged in; None where nothing does."""
        if self.usb_id is None or not self.serial_number:
            return None
        return (self.usb_id, self.serial_number, self.interface)


# Vendor, product (None for any of them), and what such an adapter means.
_ADAPTERS: tuple[tuple[str, str | None, Likely, str], ...] = (
    ("0403", "6001", "yes", "an FT232, as Olimex's EEG-SMT and most ModularEEG boards with USB have"),
    ("0403", None, "maybe", "an FTDI adapter"),
    ("067b", None, "maybe", "a PL2303 adapter"),
    ("1a86", None, "maybe", "a CH340 adapter"),
    ("10c4", None, "maybe", "a CP210x adapter"),
    ("15ba", None, "maybe", "a board by Olimex"),
    ("2341", None, "maybe", "an Arduino: with Olimex's EKG shield it sends as an EEG board does"),
    ("2a03", None, "maybe", "an Arduino: with Olimex's EKG shield it sends as an EEG board does"),
)


def list_ports(*, everything: bool = False, root: Path = Path("/")) -> list[Port]:
    """The ports by their names; with `everything` those too that have no hardware behind them."""
    try:
        entries = list((root / "sys/class/tty").iterdir())
    except OSError:
        return []
    found = [_port(entry, root) for entry in entries if _is_port(entry, root, everything)]
    return sorted(found, key=lambda port: _natural(port.device))


def port_at(path: str, ports: Sequence[Port]) -> Port | None:
    """The one that a path, or a link, leads to."""
    real = os.path.realpath(path)
    return next((port for port in ports if os.path.realpath(port.device) == real), None)


def plausible(ports: Sequence[Port]) -> list[Port]:
    """Those that an EEG board may be on."""
    return [port for port in ports if port.likely != "no"]


def choose(ports: Sequence[Port]) -> Port:
    """The one that must be meant where the user named none; raises an error that lists them."""
    candidates = plausible(ports)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(map(describe, candidates))
        raise UsageError(f"several ports may have the board: {names}", hint="name the one that you mean")
    message = "no port looks like an EEG board" if ports else "no serial port is there"
    raise Unavailable(message, hint=_listing(ports))


def describe(port: Port) -> str:
    """Its name, and what it is if that is known."""
    return f"{port.device} ({port.product})" if port.product else port.device


def what_is_there() -> str:
    """The ports of this machine, as a hint."""
    return _listing(list_ports())


def _listing(ports: Sequence[Port]) -> str:
    return f"serial ports: {', '.join(map(describe, ports))}" if ports else NOTHING_THERE


def _is_port(entry: Path, root: Path, everything: bool) -> bool:
    """Consoles and ptys have no device; a built-in port of type 0 has a place on the bus and no chip."""
    if not (root / "dev" / entry.name).exists():
        return False
    if entry.name.startswith("rfcomm"):
        return True
    return (entry / "device").exists() and (everything or _line(entry / "type") != "0")


def _port(entry: Path, root: Path) -> Port:
    places = list(_upwards(entry / "device", root))
    usb = next((place for place in places if (place / "idVendor").exists()), None)
    product, manufacturer, serial_number = (
        _line(usb / name) if usb else None for name in ("product", "manufacturer", "serial")
    )
    vendor, model = (_line(usb / name) if usb else None for name in ("idVendor", "idProduct"))
    interface = next((found for place in places if (found := _line(place / "bInterfaceNumber"))), None)
    likely, why = _judge(entry, vendor, model, f"{product} {manufacturer}")
    return Port(
        f"/dev/{entry.name}",
        product,
        manufacturer,
        serial_number,
        f"{vendor}:{model}" if usb else None,
        interface,
        _driver(places),
        likely,
        why,
    )


def _judge(entry: Path, vendor: str | None, model: str | None, says: str) -> tuple[Likely, str]:
    if re.search(r"eeg", says, re.IGNORECASE):
        return "yes", "it calls itself an EEG"
    for known_vendor, known_model, likely, why in _ADAPTERS:
        if vendor == known_vendor and known_model in (None, model):
            return likely, why
    if vendor:
        return "no", "no adapter that EEG boards are known to have"
    if entry.name.startswith("rfcomm"):
        return "maybe", "a serial line over Bluetooth"
    if _line(entry / "console") == "Y":
        return "no", "the console of this machine"
    if _line(entry / "type") == "0":
        return "no", "there is no hardware behind it"
    return "no", "a built-in port: name it if the board is on it"


def _driver(places: Sequence[Path]) -> str | None:
    """The first one above the port; serial-base is a layer of the kernel between the two."""
    for place in places:
        driver = place / "driver"
        if driver.is_symlink() and (place / "subsystem").readlink().name != "serial-base":
            return driver.readlink().name
    return None


def _upwards(device: Path, root: Path) -> Iterator[Path]:
    """The device and what it is part of, up to the root of the devices."""
    top = (root / "sys/devices").resolve()
    place = device.resolve()
    while top in place.parents:
        yield place
        place = place.parent


def _line(path: Path) -> str | None:
    """A file's first line; None where there is none. What a device says of itself is not trusted."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except OSError:
        return None
    return printable(text) or None


def _natural(name: str) -> list[tuple[int, str]]:
    """So that ttyUSB10 comes after ttyUSB9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
