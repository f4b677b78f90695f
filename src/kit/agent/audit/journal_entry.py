"""A line of the audit log as an entry for systemd's journal, by its native protocol. Pure.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL: each field is NAME=value and a line end, or, where the value has
line ends itself, NAME, a line end, its size (uint64, little-endian), the value and a line end.
"""

from __future__ import annotations

import json

_INFO, _NOTICE = 6, 5
_AUTHPRIV = 10  # of syslog's facilities, the one for what not every user is to see


def journal_entry(line: bytes) -> bytes:
    """The datagram for a line: the line itself is MESSAGE, and each of its fields is KIT_ and its name."""
    fields = json.loads(line)
    entry = {
        "MESSAGE": line.decode().rstrip("\n"),
        "PRIORITY": _INFO if fields.get("result") == "done" else _NOTICE,
        "SYSLOG_IDENTIFIER": "kit-agent",
        "SYSLOG_FACILITY": _AUTHPRIV,
        **{f"KIT_{name.upper()}": value for name, value in fields.items()},
    }
    return b"".join(_field(name, str(value).encode()) for name, value in entry.items())


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return name.encode() + b"=" + value + b"\n"
