"""A TLS client's handshake over memory: fed bytes, it gives bytes to send, and in the end the facts.

OpenSSL does the handshake; what the server sent is read from its messages (`_msg_callback` hands them over
decrypted). The callback is private to CPython, but it is there since 3.8 and `ssl`'s own debugging uses it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Any

from kit.core.text import printable
from kit.tls import facts
from kit.tls.alerts import alert_name
from kit.tls.cells import Ending, Version
from kit.tls.offer import Question, client_context

_ALERT, _HANDSHAKE = 21, 22
_FATAL = 2
_CLOSE_NOTIFY, _USER_CANCELED = 0, 90
# OpenSSL takes chains of up to 100 KiB; no honest first flight comes near a mebibyte.
_RECEIVE_LIMIT = 1 << 20


class Handshake:
    """One handshake; when `ending` is set it is over, and `error` says why it failed."""

    def __init__(self, question: Question) -> None:
        context, self.forced = client_context(question)
        self._version = question.version
        self._messages: list[bytes] = []
        self._alerts: list[bytes] = []
        context._msg_callback = _recorder(self._messages, self._alerts)  # type: ignore[attr-defined]
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=question.server_name)
        self._received, self._opening = 0, b""
        self.ending: Ending | None = None
        self.error = self.verify_error = ""

    @property
    def done(self) -> bool:
        return self.ending is not None

    def feed(self, data: bytes) -> bytes:
        """Take what the server sent (nothing at first) and give what is to be sent to it."""
        self._received += len(data)
        self._opening = (self._opening + data)[:60]
        self._incoming.write(data)
        if not self.done:
            self._advance()
        if not self.done and self._received > _RECEIVE_LIMIT:
            self._end(Ending.REJECTED, f"the handshake does not end within {_RECEIVE_LIMIT} bytes")
        return self._outgoing.read()

    def end_of_stream(self) -> None:
        """The server closed its side."""
        if not self.done:
            self._end(Ending.CLOSED, "the server closed the connection without an alert")

    def close(self) -> bytes:
        """The close_notify that ends a completed connection politely."""
        with contextlib.suppress(ssl.SSLError):  # the server's own close_notify is not waited for
            self._tls.unwrap()
        return self._outgoing.read()

    @property
    def facts(self) -> facts.Facts:
        return facts.read(self._messages, self._version)

    @property
    def cipher(self) -> str:
        named = self._tls.cipher()
        return named[0] if named else ""

    @property
    def alert(self) -> int | None:
        """The fatal alert that the server sent. TLS 1.3 ignores the level (RFC 8446, section 6)."""
        for level, code in self._alerts:
            if code not in (_CLOSE_NOTIFY, _USER_CANCELED) and (
                level == _FATAL or self._version is Version.TLS_1_3
            ):
                return code
        return None

    def _advance(self) -> None:
        try:
            self._tls.do_handshake()
            self._end(Ending.COMPLETED, "")
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            self.verify_error = _in_our_style(printable(error.verify_message))
            self._end(Ending.REJECTED, self.verify_error)
        except ssl.SSLZeroReturnError:
            self.end_of_stream()
        except ssl.SSLError as error:
            self._end(*self._blame(error))

    def _end(self, ending: Ending, error: str) -> None:
        self.ending, self.error = ending, error

    def _blame(self, error: ssl.SSLError) -> tuple[Ending, str]:
        if self.alert is not None:
            return Ending.ALERT, f"alert {alert_name(self.alert)}"
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if error.reason == "UNSUPPORTED_PROTOCOL":
            return Ending.REFUSED, "the server answers with another version"
        if self._messages or self._alerts:
            return Ending.REJECTED, reason
        return Ending.GARBAGE, f"the peer answers {_quoted(self._opening)} instead of TLS"


def _quoted(opening: bytes) -> str:
    """The first line if people can read it: most peers that speak no TLS say in it what they speak."""
    line = opening.splitlines()[0] if opening.strip() else b""
    readable = bool(line) and all(0x20 <= byte < 0x7F or byte == 0x1B for byte in line)
    return f"'{printable(line.decode())}'" if readable else "something else"


def _in_our_style(message: str) -> str:
    """OpenSSL's messages are sentences, kit's are not; "IP address" keeps its capitals."""
    head = message[:1].lower() if message[1:2].islower() else message[:1]
    return head + message[1:].rstrip(".")


def _recorder(messages: list[bytes], alerts: list[bytes]) -> Callable[..., None]:
    """A `_msg_callback` that keeps what the server sends."""

    def record(_tls: Any, direction: str, _version: int, content_type: int, _kind: int, data: bytes) -> None:
        if direction != "read":
            return
        if content_type == _HANDSHAKE:
            messages.append(data)
        elif content_type == _ALERT and len(data) == 2:
            alerts.append(data)

    return record
