"""imsg in the versions of smtpd, in any chunks, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.smtpd.imsg import MESSAGE_LIMIT, Decoder, Dialect, Kind, Message
from kit.core.errors import ProtocolError
from tests.agent.smtpd.messages import (
    CONF_END,
    DIALECTS,
    ECDSA_SIGN,
    RSA_PRIVDEC,
    RSA_PRIVENC,
    SETUP_DONE,
    V6_8,
    V7,
    V7_8,
    introduction,
    message,
)

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=["6.8", "7.0 to 7.7", "7.8"])
NUMBERS = {
    SETUP_DONE: Kind.SETUP_DONE,
    RSA_PRIVENC: Kind.RSA_PRIVENC,
    RSA_PRIVDEC: Kind.RSA_PRIVDEC,
    ECDSA_SIGN: Kind.ECDSA_SIGN,
    CONF_END: Kind.OTHER,
}


@each_dialect
def test_the_first_message_tells_the_version(dialect: Dialect) -> None:
    decoder = Decoder()
    assert list(decoder.feed(introduction(dialect))) == [Message(Kind.SETUP_PEER, 5, True, b"")]
    assert decoder.dialect == dialect
    assert dialect.names_keys == (dialect is V6_8)


def test_the_bytes_of_debian_13s_and_7_8s_first_message_are_those_that_were_seen() -> None:
    assert introduction(V7)[4:8].hex(" ") == "10 00 01 00"
    assert introduction(V7_8)[4:8].hex(" ") == "10 00 00 80"


@each_dialect
@pytest.mark.parametrize("number", NUMBERS)
def test_each_type_is_known_by_its_number(dialect: Dialect, number: int) -> None:
    found = list(Decoder(dialect).feed(message(dialect, number, b"body")))
    assert found == [Message(NUMBERS[number], 0, False, b"body")]


@each_dialect
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OTHER])
def test_what_is_written_is_read_back(dialect: Dialect, kind: Kind) -> None:
    assert list(Decoder(dialect).feed(dialect.encode(kind, b"body", 99))) == [
        Message(kind, 0, False, b"body")
    ]


@given(st.sampled_from(DIALECTS), st.lists(st.binary(max_size=60), max_size=6), st.data())
def test_messages_come_out_whole_however_they_are_cut(
    dialect: Dialect, bodies: list[bytes], data: st.DataObject
) -> None:
    whole = introduction(dialect) + b"".join(message(dialect, ECDSA_SIGN, body) for body in bodies)
    decoder, found, rest = Decoder(), [], whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += list(decoder.feed(rest[:size]))
        rest = rest[size:]
    assert found == [
        Message(Kind.SETUP_PEER, 5, True, b""),
        *(Message(Kind.ECDSA_SIGN, 0, False, body) for body in bodies),
    ]


@each_dialect
@pytest.mark.parametrize("length", [0, 15, MESSAGE_LIMIT + 1])
def test_a_length_that_cannot_be_is_an_error(dialect: Dialect, length: int) -> None:
    wrong = bytearray(message(dialect, ECDSA_SIGN))
    wrong[4:6] = length.to_bytes(2, "little")
    with pytest.raises(ProtocolError, match=f"a length of {length}"):
        list(Decoder(dialect).feed(bytes(wrong)))


@each_dialect
def test_the_longest_message_is_read(dialect: Dialect) -> None:
    body = bytes(MESSAGE_LIMIT - 16)
    assert next(Decoder(dialect).feed(message(dialect, ECDSA_SIGN, body))).body == body


@pytest.mark.parametrize(
    "first",
    [
        bytes(16),
        b"\xff" * 16,
        message(V7, SETUP_DONE),
        message(V7, 41, peer=5),
        message(V7, 41, b"more", descriptor=True),
        message(Dialect(False, 1), 41, descriptor=True),
    ],
)
def test_another_beginning_is_no_smtpd(first: bytes) -> None:
    with pytest.raises(ProtocolError, match="does not begin as any version"):
        list(Decoder().feed(first))


@given(st.lists(st.binary(max_size=200), max_size=5), st.sampled_from([None, *DIALECTS]))
def test_any_bytes_are_messages_or_an_error(chunks: list[bytes], dialect: Dialect | None) -> None:
    decoder = Decoder(dialect)
    try:
        for chunk in chunks:
            for found in decoder.feed(chunk):
                assert len(found.body) <= MESSAGE_LIMIT
    except ProtocolError:
        pass
