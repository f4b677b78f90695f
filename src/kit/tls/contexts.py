"""The server's `ssl.SSLContext`s: certificates for the same names share one, the client's SNI chooses one.

A context with an RSA and an ECDSA certificate serves every client; OpenSSL picks the one that the client can
verify. What a handshake does is gathered in a thread-local `Observed`, because a callback of `ssl` knows its
connection only as an object that is not yet there when the connection is made: one thread, one handshake.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.core.errors import Unavailable, UsageError
from kit.tls import facts, libssl
from kit.tls.cells import Version
from kit.tls.certificates import Leaf, Pair, covers, read

_HANDSHAKE = 22


@dataclass
class Observed:
    """What the messages of one handshake say, as they go by."""

    sni: str | None = None
    sent: list[bytes] = field(default_factory=list)


class Contexts:
    """All that the server shows, by name; `ask` is asked for the passphrase of an encrypted key file."""

    def __init__(
        self, pairs: Sequence[Pair], alpn: Sequence[str] = (), ask: Callable[[Path], bytearray] | None = None
    ) -> None:
        self._alpn, self._ask = list(alpn), ask or _refuse
        self._now = threading.local()
        self._by_names: dict[tuple[str, ...], ssl.SSLContext] = {}
        self.leaves: dict[bytes, Leaf] = {}
        for pair in pairs:
            self._load(pair)
        self.default = next(iter(self._by_names.values()))

    def observe(self) -> Observed:
        """A fresh sheet for the handshake that this thread does next."""
        observed = self._now.observed = Observed()
        return observed

    def choose(self, name: str | None) -> ssl.SSLContext:
        """The context for a client that asks for `name`: an exact name before a wildcard, then the first."""
        if name:
            for is_fit in (_is_exact, covers):
                for names, context in self._by_names.items():
                    if any(is_fit(pattern, name) for pattern in names):
                        return context
        return self.default

    def facts(self, observed: Observed, version: str) -> tuple[str | None, str | None, str | None]:
        """(group, signature scheme, label of the certificate) of a handshake; None what is not known."""
        told = facts.read(observed.sent, Version.TLS_1_3 if version == "TLSv1.3" else Version.TLS_1_2)
        leaf = self.leaves.get(hashlib.sha256(told.chain[0]).digest()) if told.chain else None
        return told.group or None, told.scheme or None, leaf.label if leaf else None

    def _load(self, pair: Pair) -> None:
        leaf = read(pair.certificate)
        if leaf.kind.startswith("ml-dsa") and not libssl.has_ml_dsa():
            # What OpenSSL says of it is that the key is too small.
            raise Unavailable(
                f"'{pair.certificate}' cannot be served: this Python's ssl runs on {ssl.OPENSSL_VERSION}, "
                "and ML-DSA takes 3.5 or newer"
            )
        self.leaves[hashlib.sha256(leaf.der).digest()] = leaf
        names = tuple(sorted(name.lower() for name in leaf.names))
        if names not in self._by_names:
            self._by_names[names] = self._new()
        _load_chain(self._by_names[names], pair, self._ask)

    def _new(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self._alpn:
            context.set_alpn_protocols(self._alpn)
        context.sni_callback = self._on_sni
        # Private, but there since 3.8; without it the log lacks group, scheme and certificate.
        context._msg_callback = self._on_message  # type: ignore[attr-defined]
        return context

    def _on_sni(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        observed = getattr(self._now, "observed", None)
        if observed:
            observed.sni = name
        connection.context = self.choose(name)

    def _on_message(
        self, _connection: object, direction: str, _version: int, content_type: int, _kind: int, data: bytes
    ) -> None:
        observed = getattr(self._now, "observed", None)
        if observed and direction == "write" and content_type == _HANDSHAKE:
            observed.sent.append(data)


def _is_exact(pattern: str, name: str) -> bool:
    return pattern.lower() == name.lower()


def _refuse(key: Path) -> bytearray:
    raise UsageError(f"'{key}' is encrypted", hint="add it to an agent with 'kit agent add', and name it")


def _load_chain(context: ssl.SSLContext, pair: Pair, ask: Callable[[Path], bytearray]) -> None:
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=lambda: ask(pair.key))
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        raise UsageError(f"'{pair.certificate}' and '{pair.key}' cannot be served: {reason}") from error
    except OSError as error:
        raise UsageError(f"'{pair.key}' cannot be read: {(error.strerror or '').lower()}") from error
