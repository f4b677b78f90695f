"""A made /sys and /dev, laid out as Linux 6 lays them out (looked up on machines that have such ports)."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Adapter:
    """What a USB device says of itself, by the names of its files."""

    idVendor: str
    idProduct: str
    product: str | None = None
    manufacturer: str | None = None
    serial: str | None = None


class Tree:
    """Add ports, then give `root` to whoever looks for them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._usb = 0
        for directory in ("sys/class/tty", "sys/devices", "sys/bus", "dev"):
            (root / directory).mkdir(parents=True)

    def add_usb_serial(self, name: str, adapter: Adapter, driver: str) -> None:
        """An adapter with a driver of its kind: device, interface, port, tty."""
        interface = self._add_usb(adapter, driver)
        port = interface / name
        port.mkdir()
        self._link(port / "driver", f"bus/usb-serial/drivers/{driver}")
        self._link(port / "subsystem", "bus/usb-serial")
        self._add_tty(name, port)

    def add_acm(self, name: str, adapter: Adapter) -> None:
        """A device of the class that modems have: device, interface, tty."""
        self._add_tty(name, self._add_usb(adapter, "cdc_acm"))

    def add_built_in(self, name: str, *, kind: int, console: bool = False) -> None:
        """A port of the machine, below the kernel's serial-base; `kind` 0 is one without hardware."""
        bus = "pnp" if kind else "platform"
        owner = self.root / f"sys/devices/{bus}0/{name}-chip"
        port = owner / "00:00:0" / "00:00:0.0"
        port.mkdir(parents=True)
        self._link(owner / "driver", f"bus/{bus}/drivers/serial")
        self._link(owner / "subsystem", f"bus/{bus}")
        for place, layer in ((port.parent, "ctrl"), (port, "port")):
            self._link(place / "driver", f"bus/serial-base/drivers/{layer}")
            self._link(place / "subsystem", "bus/serial-base")
        tty = self._add_tty(name, port)
        (tty / "type").write_text(f"{kind}\n")
        (tty / "console").write_text("Y\n" if console else "N\n")

    def remove(self, name: str) -> None:
        """Unplug what has this name."""
        (self.root / "sys/class/tty" / name).unlink()
        (self.root / "dev" / name).unlink()

    def add_virtual(self, name: str) -> None:
        """A tty without a device: a console, or a serial line over Bluetooth."""
        tty = self.root / "sys/devices/virtual/tty" / name
        tty.mkdir(parents=True)
        self._publish(name, tty)

    def _add_usb(self, adapter: Adapter, driver: str) -> Path:
        self._usb += 1
        device = self.root / f"sys/devices/pci0000:00/0000:00:14.0/usb1/1-{self._usb}"
        interface = device / f"1-{self._usb}:1.0"
        interface.mkdir(parents=True)
        for name, value in asdict(adapter).items():
            if value is not None:
                (device / name).write_text(value + "\n")
        (interface / "bInterfaceNumber").write_text("00\n")
        self._link(device / "driver", "bus/usb/drivers/usb")
        self._link(interface / "driver", f"bus/usb/drivers/{driver}")
        for place in (device, interface):
            self._link(place / "subsystem", "bus/usb")
        return interface

    def _add_tty(self, name: str, device: Path) -> Path:
        tty = device / "tty" / name
        tty.mkdir(parents=True)
        self._relative(tty / "device", device)
        self._publish(name, tty)
        return tty

    def _publish(self, name: str, tty: Path) -> None:
        self._relative(self.root / "sys/class/tty" / name, tty)
        (self.root / "dev" / name).touch()

    def _link(self, link: Path, target: str) -> None:
        (self.root / "sys" / target).mkdir(parents=True, exist_ok=True)
        self._relative(link, self.root / "sys" / target)

    def _relative(self, link: Path, target: Path) -> None:
        link.symlink_to(os.path.relpath(target, link.parent))
