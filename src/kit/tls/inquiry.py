"""Half a TLS 1.3 handshake by hand: what a server answers to a ClientHello that OpenSSL cannot make here.

An older OpenSSL has neither ML-DSA nor the hybrid groups. The server's choice needs no mathematics, though: a
ClientHello without key shares gets a HelloRetryRequest that names a group (RFC 8446, section 4.1.4), one with
a share a ServerHello, and one whose offers the server does not serve an alert. There the inquiry ends.

Stands where a `Handshake` does: fed bytes, it gives bytes to send, and in the end the facts.
"""

from __future__ import annotations

from collections.abc import Sequence

from kit.core.frozen import frozen
from kit.tls import facts
from kit.tls.alerts import alert_name
from kit.tls.cells import Ending, Version

RANDOM_SIZE = 96
HYBRID_GROUPS = (4588, 4587, 4589)
ML_DSA_SCHEMES = (0x0905, 0x0904, 0x0906)
_X25519 = 29
_CLASSICAL_GROUPS = (_X25519, 23, 24, 25)
_CLASSICAL_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806)
_ALERT, _HANDSHAKE, _CLIENT_HELLO = 21, 22, 1
_TLS_1_2, _TLS_1_3, _RECORD_VERSION = 0x0303, 0x0304, 0x0301
_CIPHERS = (0x1301, 0x1302, 0x1303)
# Extensions of RFC 8446, section 4.2.
_SERVER_NAME, _GROUPS, _SCHEMES, _VERSIONS, _KEY_SHARE = 0, 10, 13, 43, 51
# A ServerHello has some 160 bytes with a classical share; ours are never answered by more than one record.
_RECEIVE_LIMIT = 1 << 16
# Two warnings (RFC 8446, section 6.1): user_canceled, close_notify.
_PARTING = bytes.fromhex("1503030002015a15030300020100")


@frozen
class Offer:
    """What the ClientHello offers; one with a share is answered with a ServerHello."""

    groups: tuple[int, ...]
    schemes: tuple[int, ...]
    with_share: bool = False


def ml_dsa() -> Offer:
    """Is there anything to sign with ML-DSA?"""
    return Offer(_CLASSICAL_GROUPS, ML_DSA_SCHEMES, with_share=True)


def hybrid(groups: tuple[int, ...]) -> Offer:
    """Which of these groups does the server take first, whatever it signs with?"""
    return Offer(groups, (*ML_DSA_SCHEMES, *_CLASSICAL_SCHEMES))


class Inquiry:
    """One question; `ending` is UNCHECKED where the server went along with the offer."""

    forced, cipher, verify_error = True, "", ""

    def __init__(self, offer: Offer, server_name: str, random: bytes) -> None:
        self._hello = _record(_client_hello(offer, server_name, random))
        self._received = b""
        self._message = b""
        self.alert: int | None = None
        self.ending: Ending | None = None
        self.error = ""

    @property
    def done(self) -> bool:
        return self.ending is not None

    def feed(self, data: bytes) -> bytes:
        """Take what the server sent (nothing at first) and give what is to be sent to it."""
        hello, self._hello = self._hello, b""
        self._received += data
        while not self.done and self._read_record():
            pass
        if not self.done and len(self._received) > _RECEIVE_LIMIT:
            self._end(Ending.GARBAGE, "the peer answers something else instead of TLS")
        return hello

    def end_of_stream(self) -> None:
        """The server closed its side."""
        if not self.done:
            self._end(Ending.CLOSED, "the server closed the connection without an alert")

    def close(self) -> bytes:
        """What tells the server that nothing is wrong."""
        return _PARTING

    @property
    def facts(self) -> facts.Facts:
        return facts.read([self._message] if self._message else [], Version.TLS_1_3)

    def _read_record(self) -> bool:
        """Is there another whole record?"""
        head, size = self._received[:5], int.from_bytes(self._received[3:5], "big")
        if head and (head[0] not in (_ALERT, _HANDSHAKE) or head[1:2] not in (b"", b"\x03")):
            self._end(Ending.GARBAGE, "the peer answers something else instead of TLS")
        if self.done or len(self._received) < 5 + size or len(head) < 5:
            return False
        body, self._received = self._received[5 : 5 + size], self._received[5 + size :]
        if head[0] == _ALERT:
            self._read_alert(body)
        else:
            self._message += body
            if len(self._message) >= 4 + int.from_bytes(self._message[1:4], "big"):
                self._read_server_hello()
        return True

    def _read_alert(self, body: bytes) -> None:
        if len(body) != 2:
            self._end(Ending.GARBAGE, "the peer answers something else instead of TLS")
            return
        self.alert = body[1]
        self._end(Ending.ALERT, f"alert {alert_name(self.alert)}")

    def _read_server_hello(self) -> None:
        told = self.facts
        if self._message[0] != facts.SERVER_HELLO:
            self._end(Ending.GARBAGE, "the peer answers something else instead of a ServerHello")
        elif not told.group:
            # TLS 1.2 has no key_share there, and its ServerHello answers no question of ours.
            self._end(Ending.REFUSED, "the server answers with another version")
        else:
            self._end(Ending.UNCHECKED, "")

    def _end(self, ending: Ending, error: str) -> None:
        self.ending, self.error = ending, error


def _client_hello(offer: Offer, server_name: str, random: bytes) -> bytes:
    session_id, share = random[32:64], random[64:96]
    shares = _number(_X25519) + _vector(2, share) if offer.with_share else b""
    extensions = [
        (_SERVER_NAME, _vector(2, b"\0" + _vector(2, server_name.encode())) if server_name else b""),
        (_GROUPS, _vector(2, _numbers(offer.groups))),
        (_SCHEMES, _vector(2, _numbers(offer.schemes))),
        (_VERSIONS, _vector(1, _number(_TLS_1_3))),
        (_KEY_SHARE, _vector(2, shares)),
    ]
    body = _number(_TLS_1_2) + random[:32] + _vector(1, session_id) + _vector(2, _numbers(_CIPHERS))
    body += _vector(1, b"\0") + _vector(2, b"".join(_number(k) + _vector(2, v) for k, v in extensions if v))
    return bytes([_CLIENT_HELLO]) + _vector(3, body)


def _record(message: bytes) -> bytes:
    return bytes([_HANDSHAKE]) + _number(_RECORD_VERSION) + _vector(2, message)


def _vector(length_size: int, data: bytes) -> bytes:
    return len(data).to_bytes(length_size, "big") + data


def _number(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _numbers(numbers: Sequence[int]) -> bytes:
    return b"".join(map(_number, numbers))
