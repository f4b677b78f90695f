"""HOST[:PORT] as a user writes it: names, addresses, and what of them goes into a ClientHello."""

from __future__ import annotations

import ipaddress
import re

from kit.core.errors import UsageError
from kit.core.frozen import frozen

_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?", re.DOTALL)


@frozen
class Target:
    """Where to connect. `host` is an address, or a name in the form that DNS takes."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def server_name(self) -> str:
        """The name to verify; `ssl` sends it as SNI unless it is an address (RFC 6066, section 3)."""
        return self.host.partition("%")[0].rstrip(".")


def parse_target(text: str, default_port: int) -> Target:
    """Read `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address."""
    if match := _BRACKETED.fullmatch(text):
        if not _is_address(match[1]):
            raise UsageError(f"'{match[1]}' in '{text}' is not an IPv6 address")
        return Target(match[1], default_port if match[2] is None else _port(match[2], text))
    if text.count(":") > 1:
        if _is_address(text):
            return Target(text, default_port)
        raise UsageError(f"'{text}' is not HOST[:PORT]", hint="an IPv6 address stands in brackets: [::1]:443")
    host, colon, port = text.partition(":")
    return Target(dns_name(host), _port(port, text) if colon else default_port)


def dns_name(text: str) -> str:
    """A host name as DNS and SNI take it (RFC 3490's ASCII form); an address as it is."""
    try:
        name = text.encode("idna").decode()
    except UnicodeError:
        name = ""
    bare = name.removesuffix(".")
    if not bare or len(bare) > 253 or not re.fullmatch(r"(?!-)[A-Za-z0-9._-]+", bare):
        raise UsageError(f"'{text}' is not a host name")
    return name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(text: str, whole: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise UsageError(f"'{text}' in '{whole}' is not a port", hint="a port is a number from 1 to 65535")
    return int(text)
