"""The table of calls, and those of them that ask the agent nothing."""

from __future__ import annotations

import pytest

from kit.agent.pkcs11.calls import ANSWERED, REFUSED
from kit.agent.pkcs11.mechanisms import MECHANISMS
from kit.agent.pkcs11.sessions import SESSIONS_LIMIT
from tests.agent.pkcs11.client import (
    HANDSHAKE,
    TEXTS,
    CallFailed,
    Client,
    Reader,
    ay,
    blob,
    failed,
    mechanism,
    pieces,
    read_answer,
    ready,
    template,
    u,
    u32,
    wanted,
)
from tests.agent.pkcs11.holder import Holder

NOBODY = Holder().answer
VERSIONS = [0, 1, 2]
versions = pytest.mark.parametrize("version", VERSIONS)


def numbers(reader: Reader, count: int) -> list[int]:
    found = [reader.u() for _ in range(count)]
    reader.end()
    return found


def test_every_call_is_either_answered_or_refused() -> None:
    answered = {int.from_bytes(head, "big") for head in ANSWERED}
    assert sorted([*answered, *REFUSED]) == list(range(1, 90))


def test_the_texts_are_those_of_p11_kit() -> None:
    for head, call in ANSWERED.items():
        asks, answers = TEXTS[int.from_bytes(head, "big")]
        assert call.request == head + blob(asks.encode())
        assert call.answer == head + blob(answers.encode())


@pytest.mark.parametrize("call", [*REFUSED, 90, 0, 0xFFFFFFFF])
def test_an_unwanted_call_is_refused_unread_and_costs_nothing_else(call: int) -> None:
    client, session = ready(NOBODY)
    for rest in (b"", u32(2**32 - 1), blob(b"uMu") + b"rubbish" * 9):
        answer = client.exchange(pieces(0x77, u32(call) + rest))
        with pytest.raises(CallFailed, match="0x54"):
            read_answer(answer, 0x77, call)
    assert numbers(client.call(13, u(session)), 4) == [1, 0, 4, 0]


@versions
def test_the_client_s_version_is_taken_up_to_2(version: int) -> None:
    assert Client(NOBODY, version).version == version
    assert Client(NOBODY, 3).version == Client(NOBODY, 255).version == 2


@pytest.mark.parametrize("call", [2, 3, 10, 42, 43, 16, 88, 1000])
def test_every_call_before_the_first_is_refused(call: int) -> None:
    client = Client(NOBODY)
    assert failed(lambda: client.call(call, b"", "u" if call not in TEXTS else None)) == 0x190
    client.initialize()
    client.done(2)
    assert failed(lambda: client.call(call, b"", "u" if call not in TEXTS else None)) == 0x190


def test_the_handshake_is_p11_kit_s() -> None:
    client = Client(NOBODY)
    for wrong in (HANDSHAKE + b"\x00", HANDSHAKE[:-1] + b"2", b""):
        assert failed(lambda wrong=wrong: client.call(1, ay(wrong) + b"\x01" + ay(b"\x00"))) == 5  # type: ignore[misc]
    client.initialize()
    assert failed(client.initialize) == 0x191


def test_a_reserved_argument_may_be_absent() -> None:
    client = Client(NOBODY)
    client.done(1, ay(HANDSHAKE) + b"\x00" + ay(None))
    assert client.conversation.initialized


@pytest.mark.parametrize("call", sorted(int.from_bytes(head, "big") for head in ANSWERED))
def test_another_text_is_refused(call: int) -> None:
    client = Client(NOBODY) if call == 1 else ready(NOBODY)[0]
    asks = TEXTS[call][0]
    for text in ("x" + asks, asks + "u", "x" * len(asks) or "x"):
        assert failed(lambda text=text: client.call(call, bytes(64), text)) == 0x7  # type: ignore[misc]


# Arguments as a client sends them, of a session of number 1.
ARGUMENTS: dict[int, bytes] = {
    1: ay(HANDSHAKE) + b"\x01" + ay(b"\x00"),
    **dict.fromkeys((2, 3), b""),
    4: b"\x01" + u32(16),
    **dict.fromkeys((5, 6, 11, 12, 13, 19, 28), u(1)),
    **dict.fromkeys((7, 27, 45, 64), u(1) + u32(16)),
    8: u(1) + u(0x1041),
    10: u(1) + u(4),
    18: u(1) + u(1) + ay(b"1234"),
    23: u(1) + u(1),
    24: u(1) + u(1) + wanted([0x0, 0x3], 0),
    26: u(1) + template({0x0: 3, 0x3: b"mail"}),
    42: u(1) + mechanism(0xD, 0x250, 2, 32) + u(1),
    43: u(1) + ay(bytes(32)) + u32(64),
    **dict.fromkeys((44, 63), u(1) + ay(b"data")),
    65: u(1),
    67: u(1) + u(0x800),
}
every_call = pytest.mark.parametrize("call", sorted(ARGUMENTS))


def test_every_answered_call_is_tried_below() -> None:
    assert {int.from_bytes(head, "big") for head in ANSWERED} == set(ARGUMENTS)


@every_call
def test_trailing_bytes_and_missing_ones_are_refused(call: int) -> None:
    whole = ARGUMENTS[call]
    for wrong in (*(whole[:end] for end in range(len(whole))), whole + b"\x00", whole + bytes(1000)):
        client = Client(NOBODY) if call == 1 else ready(NOBODY)[0]
        assert failed(lambda wrong=wrong, client=client: client.call(call, wrong)) == 0x7  # type: ignore[misc]


def test_a_body_without_a_number_is_refused() -> None:
    client, _ = ready(NOBODY)
    for content in (b"", b"\x00", b"\x00\x00\x00"):
        with pytest.raises(CallFailed, match="0x54"):
            read_answer(client.exchange(pieces(0x99, content)), 0x99, 0)


def test_the_library_describes_itself() -> None:
    client, _ = ready(NOBODY)
    reader = client.call(3)
    assert (reader.take(2), reader.s(32), reader.u()) == (bytes([2, 40]), "kit", 0)
    assert reader.s(32).startswith("kit agent")
    reader.take(2)
    reader.end()


def test_there_is_one_slot_whose_token_is_there_with_no_agent() -> None:
    client, _ = ready(lambda _request: None)
    reader = client.call(4, b"\x01" + u32(16))
    assert reader.array(reader.u) == [1]
    reader.end()
    slot = client.call(5, u(1))
    assert (slot.s(64), slot.s(32), slot.u(), slot.take(4)) == ("kit agent", "kit", 1, bytes([0, 1, 0, 1]))
    slot.end()
    assert client.open() == 2


def test_a_length_query_of_the_slots_is_absent_and_a_count() -> None:
    client, _ = ready(NOBODY)
    for present in (b"\x00", b"\x01"):
        reader = client.call(4, present + u32(0))
        assert reader.array(reader.u) == 1
        reader.end()


def test_the_token_wants_no_login_and_has_no_limit_of_sessions() -> None:
    client, _ = ready(NOBODY)
    client.open(6)
    reader = client.call(6, u(1))
    assert [reader.s(width) for width in (32, 32, 16, 16)] == ["kit agent", "kit", "sign-only", "1"]
    flags, *counts = [reader.u() for _ in range(11)]
    assert (flags & 0x4, flags & 0x2, flags & 0x400) == (0, 2, 0x400)
    assert counts == [0, 2, 0, 1, 255, 0, *[2**64 - 1] * 4]
    assert (reader.take(4), reader.s(16)) == (bytes([0, 1, 0, 1]), "")
    reader.end()


@pytest.mark.parametrize("call", [5, 6, 8, 7, 10, 12])
def test_there_is_no_other_slot(call: int) -> None:
    client, _ = ready(NOBODY)
    rest = {8: u(1), 7: u32(0), 10: u(4)}.get(call, b"")
    assert failed(lambda: client.call(call, u(2) + rest)) == 0x3


@versions
def test_p11_kit_0_24_is_told_only_the_mechanisms_that_it_carries(version: int) -> None:
    client, _ = ready(NOBODY, version)
    reader = client.call(7, u(1) + u32(0))
    length = reader.array(reader.u)
    reader = client.call(7, u(1) + u32(20))
    listed = reader.array(reader.u)
    assert listed == ([0x1, 0xD, 0x40, 0x41, 0x42, 0x1041] if version == 0 else list(MECHANISMS))
    assert length == len(listed) == (12 if version else 6)


def test_bare_mechanisms_are_listed_for_pkcs11_provider() -> None:
    client, _ = ready(NOBODY, 1)
    reader = client.call(7, u(1) + u32(20))
    assert {0x1, 0xD, 0x1041} <= set(reader.array(reader.u))  # type: ignore[arg-type]


def test_each_mechanism_has_its_sizes_and_signs() -> None:
    client, _ = ready(NOBODY)
    for number in MECHANISMS:
        least, most, flags = numbers(client.call(8, u(1) + u(number)), 3)
        assert (least, most) == ((256, 521) if number >= 0x1041 else (2048, 8192))
        assert flags & 0xFFFFF == 0x800
    assert failed(lambda: client.call(8, u(1) + u(0x6))) == 0x70
    assert failed(lambda: client.call(8, u(1) + u(2**64 - 1))) == 0x70


def test_openssh_opens_read_write_sessions() -> None:
    client, session = ready(NOBODY)
    written = client.open(6)
    assert numbers(client.call(13, u(session)), 4) == [1, 0, 4, 0]
    assert numbers(client.call(13, u(written)), 4) == [1, 2, 6, 0]
    client.done(18, u(session) + u(1) + ay(b"1234"))
    assert numbers(client.call(13, u(session)), 4) == [1, 1, 4, 0]
    assert numbers(client.call(13, u(written)), 4) == [1, 3, 6, 0]
    assert failed(lambda: client.open(2)) == 0xB4


def test_sessions_are_bounded_and_close() -> None:
    client, session = ready(NOBODY)
    opened = [session] + [client.open() for _ in range(SESSIONS_LIMIT - 1)]
    assert failed(client.open) == 0xB1
    client.done(11, u(opened[5]))
    assert failed(lambda: client.call(13, u(opened[5]))) == 0xB3
    assert client.open() not in opened
    client.done(12, u(1))
    assert {failed(lambda one=one: client.call(13, u(one))) for one in opened} == {0xB3}  # type: ignore[misc]


def test_finalize_ends_all_sessions() -> None:
    client, session = ready(NOBODY)
    client.done(2)
    client.initialize()
    assert failed(lambda: client.call(13, u(session))) == 0xB3


def test_any_pin_is_right_and_none_is_kept() -> None:
    client, session = ready(NOBODY)
    pin = b"correct horse battery staple"
    client.done(18, u(session) + u(1) + ay(pin))
    assert failed(lambda: client.done(18, u(session) + u(1) + ay(b""))) == 0x100
    client.done(18, u(session) + u(2) + ay(None))  # CKU_CONTEXT_SPECIFIC
    assert failed(lambda: client.done(18, u(session) + u(0) + ay(pin))) == 0x103
    client.done(19, u(session))
    assert failed(lambda: client.done(19, u(session))) == 0x101
    assert client.conversation.begun is False


def test_the_last_session_s_end_logs_out() -> None:
    client, session = ready(NOBODY)
    client.done(18, u(session) + u(1) + ay(b""))
    client.done(11, u(session))
    assert numbers(client.call(13, u(client.open())), 4) == [1, 0, 4, 0]


def test_there_is_no_random_and_it_is_said_at_once() -> None:
    client, session = ready(NOBODY)
    assert failed(lambda: client.call(64, u(session) + u32(0xFFFFFFFF))) == 0x121
    assert failed(lambda: client.call(63, u(session) + ay(b"seed"))) == 0x120


def test_nobody_waits_for_an_event_of_the_slot() -> None:
    client, _ = ready(NOBODY)
    assert failed(lambda: client.call(65, u(1))) == 0x8
    assert failed(lambda: client.call(65, u(0))) == 0x54


@pytest.mark.parametrize("call", [11, 13, 18, 19, 23, 24, 26, 27, 28, 42, 43, 44, 45, 63, 64, 67])
def test_there_is_no_session_that_was_not_opened(call: int) -> None:
    client, _ = ready(NOBODY)
    rest = {
        **{18: u(1) + ay(b""), 23: u(1), 24: u(1) + u32(0), 26: u32(0), 27: u32(1), 42: mechanism(1) + u(1)},
        **{43: ay(b"") + u32(0), 44: ay(b""), 45: u32(0), 63: ay(b""), 64: u32(1), 67: u(0x800)},
    }.get(call, b"")
    assert failed(lambda: client.call(call, u(99) + rest)) == 0xB3
