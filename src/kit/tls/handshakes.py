"""A handshake as `kit tls serve` logs it: one line for people, one object for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.core.frozen import frozen
from kit.core.text import printable
from kit.tls.conversation import Negotiated


@frozen
class Signed:
    """The private operation that somebody else did for this handshake; `error` where it did not."""

    key: str
    seconds: float
    error: str | None = None


@frozen
class Handshake:
    """One client's try. Either `negotiated` says what came of it, or `error` why nothing did."""

    peer: str
    seconds: float
    negotiated: Negotiated | None = None
    signed: Signed | None = None
    sni: str | None = None
    error: str | None = None

    def line(self) -> str:
        """In the spirit of smtpd's log: the words after "tls" are the ones that it writes."""
        if self.negotiated is None:
            return _pairs(f"{self.peer} tls failed", {"reason": self.error, "sni": self.sni, **self._agent()})
        agreed = self.negotiated
        head = f"{self.peer} tls ciphers={agreed.version}:{agreed.cipher}:{agreed.bits}"
        return _pairs(
            head,
            {
                "group": agreed.group,
                "scheme": agreed.scheme,
                "cert": agreed.certificate,
                "sni": agreed.sni,
                "resumed": "yes" if agreed.resumed else None,
                "handshake_ms": _ms(self.seconds),
                **self._agent(),
            },
        )

    def record(self) -> dict[str, Any]:
        """Stable fields; null where a thing is not known."""
        agreed = self.negotiated
        return {
            "kind": "handshake",
            "ok": agreed is not None,
            "peer": self.peer,
            "version": agreed and agreed.version,
            "cipher": agreed and agreed.cipher,
            "bits": agreed and agreed.bits,
            "group": agreed and agreed.group,
            "scheme": agreed and agreed.scheme,
            "certificate": agreed and agreed.certificate,
            "sni": self.sni,
            "resumed": agreed and agreed.resumed,
            "handshake_ms": _ms(self.seconds),
            "agent_key": self.signed and self.signed.key,
            "agent_ms": _ms(self.signed.seconds) if self.signed else None,
            "error": self.error,
        }

    def _agent(self) -> dict[str, object]:
        return {"key": self.signed.key, "agent_ms": _ms(self.signed.seconds)} if self.signed else {}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _pairs(head: str, fields: Mapping[str, object]) -> str:
    shown = (f"{name}={_quoted(str(value))}" for name, value in fields.items() if value is not None)
    return " ".join([head, *shown])


def _quoted(value: str) -> str:
    """A peer chooses some of the words; none of them may look like a field or a line of its own."""
    value = printable(value)
    plain = value and all(character.isalnum() or character in "._-:/+*@" for character in value)
    return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
