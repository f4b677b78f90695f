"""The client's side of p11-kit's protocol, as p11-kit's module packs calls, for tests.

Written after `rpc-client.c` and `rpc-message.c` (p11-kit 0.24 to 0.26), apart from the code it tests: it
shares no encoder with it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from kit.agent import extension
from kit.agent.extension import Failure
from kit.agent.pkcs11.conversation import Ask, Conversation

HANDSHAKE = b"PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1"
NULL = 0xFFFFFFFF
Reply = extension.Answer | Failure | None
Agent = Callable[[extension.Request], Reply]
# Requests and answers of the calls that the tests make, out of rpc-message.h.
TEXTS: dict[int, tuple[str, str]] = {
    1: ("ayyay", ""),
    2: ("", ""),
    3: ("", "vsusv"),
    4: ("yfu", "au"),
    5: ("u", "ssuvv"),
    6: ("u", "ssssuuuuuuuuuuuvvs"),
    7: ("ufu", "au"),
    8: ("uu", "uuu"),
    9: ("uayz", ""),
    10: ("uu", "u"),
    11: ("u", ""),
    12: ("u", ""),
    13: ("u", "uuuu"),
    16: ("ufy", "ay"),
    18: ("uuay", ""),
    19: ("u", ""),
    21: ("uuaA", "u"),
    23: ("uu", "u"),
    24: ("uufA", "aAu"),
    26: ("uaA", ""),
    27: ("ufu", "au"),
    28: ("u", ""),
    42: ("uMu", ""),
    43: ("uayfy", "ay"),
    44: ("uay", ""),
    45: ("ufy", "ay"),
    48: ("uMu", ""),
    62: ("uMuaA", "u"),
    63: ("uay", ""),
    64: ("ufy", "ay"),
    65: ("u", "u"),
    67: ("uu", ""),
    88: ("uays", ""),
    89: ("uMuaA", "uPu"),
}
FLAGS = {0x1, 0x2, 0x86, *range(0x103, 0x10D), *range(0x162, 0x166), 0x170, 0x171, 0x202, 0x210}
NUMBERS = {0x0, 0x80, 0x87, 0x88, 0x100, 0x121, 0x166}
LISTS = {0x40000600}


class CallFailed(Exception):
    """The server answered with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(hex(code))
        self.code = code


def u32(value: int) -> bytes:
    return struct.pack(">I", value)


def u(value: int) -> bytes:
    return struct.pack(">Q", value)


def blob(value: bytes | None) -> bytes:
    return u32(NULL) if value is None else u32(len(value)) + value


def ay(value: bytes | None, length: int = 0) -> bytes:
    return b"\x00" + u32(length) if value is None else b"\x01" + blob(value)


def mechanism(number: int, *parameters: int) -> bytes:
    """`M`; those of PSS are bare numbers."""
    return u32(number) + (b"".join(map(u, parameters)) if parameters else blob(None))


def attribute(kind: int, value: int | bytes | None) -> bytes:
    if value is None:
        return u32(kind) + b"\x00"
    if kind in FLAGS:
        return u32(kind) + b"\x01" + u32(1) + bytes([int(value)])  # type: ignore[arg-type]
    if kind in NUMBERS:
        return u32(kind) + b"\x01" + u32(8) + u(value)  # type: ignore[arg-type]
    assert isinstance(value, bytes)
    return u32(kind) + b"\x01" + u32(len(value)) + blob(value)


def template(attributes: dict[int, int | bytes | None]) -> bytes:
    return u32(len(attributes)) + b"".join(attribute(*one) for one in attributes.items())


def wanted(kinds: Iterable[int], room: int) -> bytes:
    kinds = list(kinds)
    return u32(len(kinds)) + b"".join(u32(kind) + u32(room) for kind in kinds)


def body(call: int, arguments: bytes = b"", text: str | None = None) -> bytes:
    asks = (TEXTS[call][0] if text is None else text).encode()
    return u32(call) + blob(asks) + arguments


def pieces(code: int, content: bytes, options: bytes = b"client") -> list[bytes]:
    """The three writes that make a request."""
    header = struct.pack(">III", code, len(options), len(content))
    return [piece for piece in (header, options, content) if piece]


class Reader:
    """Reads an answer's results, and insists that every byte is one."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        assert len(self.data) >= size
        part, self.data = self.data[:size], self.data[size:]
        return part

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def blob(self) -> bytes:
        return self.take(self.u32())

    def s(self, width: int) -> str:
        raw = self.blob()
        assert len(raw) == width
        return raw.decode().rstrip(" ")

    def array(self, item: Callable[[], int]) -> list[int] | int:
        """The items; their number alone where the server tells no more."""
        present, length = self.take(1)[0], self.u32()
        return [item() for _ in range(length)] if present else length

    def octets(self) -> bytes | int:
        present = self.take(1)[0]
        return self.blob() if present else self.u32()

    def value(self, kind: int) -> bytes | int | list[int] | None:
        assert self.u32() == kind
        if not self.take(1)[0]:
            return None
        length = self.u32()
        if kind in FLAGS:
            assert length == 1
            return self.take(1)[0]
        if kind in NUMBERS:
            assert length == 8
            return self.u()
        if kind in LISTS:
            items = [self.u() for _ in range(self.u32())]
            assert length == 8 * len(items)
            return items
        found = self.blob()
        assert length == len(found)
        return found

    def end(self) -> None:
        assert self.data == b""


def read_answer(answer: bytes, code: int, call: int) -> Reader:
    """Checks an answer as p11-kit does, whose client ends the program where a text does not fit."""
    reader = Reader(answer)
    assert (reader.u32(), reader.u32(), reader.u32()) == (code, 0, len(answer) - 12)
    number, text = reader.u32(), reader.blob()
    if number == 0:
        assert text == b"u"
        failed = reader.u()
        reader.end()
        assert failed
        raise CallFailed(failed)
    assert (number, text) == (call, TEXTS[call][1].encode())
    return reader


class Client:
    """A program with one connection to `conversation`, whose questions `agent` answers."""

    def __init__(self, agent: Agent, version: int = 0) -> None:
        self.agent = agent
        self.conversation = Conversation()
        self.codes = count(0x10)
        self.conversation.feed(bytes([version]))
        answer = self.conversation.next()
        assert isinstance(answer, bytes)
        (self.version,) = answer

    def exchange(self, sent: Sequence[bytes]) -> bytes:
        """The answer to one request, which comes in these pieces."""
        for piece in sent[:-1]:
            self.conversation.feed(piece)
            assert self.conversation.next() is None
        self.conversation.feed(sent[-1])
        outcome = self.conversation.next()
        while isinstance(outcome, Ask):
            assert self.conversation.next() is None
            outcome = outcome.finish(self.agent(outcome.request))
        assert isinstance(outcome, bytes)
        assert self.conversation.next() is None
        return outcome

    def call(self, number: int, arguments: bytes = b"", text: str | None = None) -> Reader:
        code = next(self.codes)
        return read_answer(self.exchange(pieces(code, body(number, arguments, text))), code, number)

    def done(self, number: int, arguments: bytes = b"") -> None:
        self.call(number, arguments).end()

    def initialize(self) -> None:
        self.done(1, ay(HANDSHAKE) + b"\x01" + ay(b"\x00"))

    def number(self, number: int, arguments: bytes) -> int:
        reader = self.call(number, arguments)
        value = reader.u()
        reader.end()
        return value

    def open(self, flags: int = 4) -> int:
        return self.number(10, u(1) + u(flags))

    def find(self, session: int, attributes: dict[int, int | bytes | None], room: int = 1) -> list[int]:
        self.done(26, u(session) + template(attributes))
        found: list[int] = []
        while True:
            reader = self.call(27, u(session) + u32(room))
            part = reader.array(reader.u)
            reader.end()
            assert isinstance(part, list)
            if not part:
                break
            found += part
        self.done(28, u(session))
        return found

    def values(
        self, session: int, handle: int, kinds: Sequence[int], room: int = 65536
    ) -> tuple[list[bytes | int | list[int] | None], int]:
        reader = self.call(24, u(session) + u(handle) + wanted(kinds, room))
        assert reader.u32() == len(kinds)
        found = [reader.value(kind) for kind in kinds]
        code = reader.u()
        reader.end()
        return found, code

    def value(self, session: int, handle: int, kind: int) -> bytes | int | list[int] | None:
        (found,), code = self.values(session, handle, [kind])
        assert code == 0
        return found

    def sign_init(self, session: int, chosen: bytes, handle: int) -> None:
        self.done(42, u(session) + chosen + u(handle))

    def sign(self, session: int, data: bytes, room: int = 1024) -> bytes | int:
        return self._octets(43, u(session) + ay(data) + u32(room))

    def sign_update(self, session: int, data: bytes) -> None:
        self.done(44, u(session) + ay(data))

    def sign_final(self, session: int, room: int = 1024) -> bytes | int:
        return self._octets(45, u(session) + u32(room))

    def _octets(self, number: int, arguments: bytes) -> bytes | int:
        reader = self.call(number, arguments)
        found = reader.octets()
        reader.end()
        return found


def failed(run: Callable[[], object]) -> int:
    """The code with which the call fails."""
    try:
        run()
    except CallFailed as error:
        return error.code
    raise AssertionError("the call did not fail")


def ready(agent: Agent, version: int = 0) -> tuple[Client, int]:
    """A client that has initialised, and its session."""
    client = Client(agent, version)
    client.initialize()
    return client, client.open()
