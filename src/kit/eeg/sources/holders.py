"""Who has a device open: what /proc shows of it, which for a plain user are his own processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit.core.text import printable


@dataclass(frozen=True)
class Holder:
    """A process that has the device open."""

    name: str
    pid: int

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holders(path: str) -> list[Holder]:
    """The processes that have the device at `path` open."""
    try:
        device = Path(path).stat().st_rdev
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []
    found = [Holder(_name(entry), int(entry.name)) for entry in processes if _has(entry, device)]
    return sorted(found, key=lambda holder: holder.pid)


def _has(process: Path, device: int) -> bool:
    try:
        return any(_device(link) == device for link in (process / "fd").iterdir())
    except OSError:
        return False  # it ended, or belongs to another user


def _device(link: Path) -> int | None:
    """The device behind an open descriptor; None for what is no device."""
    try:
        # Only then followed: a look at a file on a server that is away would hang.
        return link.stat().st_rdev if str(link.readlink()).startswith("/dev/") else None
    except OSError:
        return None


def _name(process: Path) -> str:
    try:
        return printable((process / "comm").read_text(encoding="utf-8", errors="replace").strip())
    except OSError:
        return "a process that ended"
