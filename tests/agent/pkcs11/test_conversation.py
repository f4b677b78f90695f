"""A whole conversation: in order, at any chunking, and unharmed by anything that a client may send."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.agent.extension import GetCertificates, List, Sign, Signature, SignDigest
from kit.agent.pkcs11.conversation import Ask, Conversation
from kit.agent.pkcs11.framing import BODY_LIMIT, OPTIONS_LIMIT
from kit.agent.pkcs11.sessions import KEPT_LIMIT, SESSIONS_LIMIT
from kit.core.errors import ProtocolError
from tests.agent.pkcs11.client import (
    HANDSHAKE,
    Agent,
    Client,
    ay,
    body,
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

HOLDER = Holder("rsa-2048", "p-256", certified=("p-256",))
# Handles: the first key's number is 1, and a private key's class 3.
RSA_KEY, EC_KEY = 1 << 2 | 3, 2 << 2 | 3
VERSIONS = pytest.mark.parametrize("version", [0, 1, 2])


def requests(version: int) -> list[bytes]:
    """What a program says that looks at everything and signs, as p11-kit of this version packs it."""
    said = [
        body(1, ay(HANDSHAKE) + b"\x01" + ay(b"\x00")),
        body(3),
        body(4, b"\x01" + u32(0)),
        body(4, b"\x01" + u32(1)),
        body(5, u(1)),
        body(6, u(1)),
        body(7, u(1) + u32(0)),
        body(7, u(1) + u32(12)),
        body(8, u(1) + u(0x1041)),
        body(10, u(1) + u(6)),
        body(13, u(1)),
        body(18, u(1) + u(1) + ay(b"1234")),
        body(26, u(1) + template({0x0: 3, 0x1: 1})),
        body(27, u(1) + u32(10)),
        body(28, u(1)),
        body(24, u(1) + u(EC_KEY) + wanted([0x0, 0x3, 0x102, 0x181, 0x11, 0x40000600], 0)),
        body(24, u(1) + u(RSA_KEY) + wanted([0x120, 0x122, 0x123, 0x121], 512)),
        body(42, u(1) + mechanism(0x1041) + u(EC_KEY)),
        body(43, u(1) + ay(bytes(32)) + u32(0)),
        body(43, u(1) + ay(bytes(32)) + u32(64)),
        body(42, u(1) + mechanism(0xD, 0x250, 2, 32) + u(RSA_KEY)),
        body(43, u(1) + ay(bytes(32)) + u32(256)),
        body(42, u(1) + mechanism(0x40) + u(RSA_KEY)),
        body(44, u(1) + ay(b"content")),
        body(16, u(1) + u32(0)),
        body(45, u(1) + u32(256)),
        body(64, u(1) + u32(16)),
        body(65, u(1)),
        body(88, u(1) + ay(b"so") + u32(0)) if version >= 1 else body(9, u(1) + ay(b"so") + u32(0)),
        body(89 if version >= 2 else 62, u(1) + mechanism(0x1041) + u(1) + u32(0)),
    ]
    said += [body(67, u(1) + u(0x800)), body(42, u(1) + u32(0xFFFFFFFF) + u(0))] if version else []
    return [*said, body(19, u(1)), body(11, u(1)), body(2)]


def stream(version: int) -> bytes:
    framed = (b"".join(pieces(0x10 + n, one)) for n, one in enumerate(requests(version)))
    return bytes([version]) + b"".join(framed)


def fixed(request: object) -> object:
    """An agent whose signatures do not differ, so that conversations can be compared."""
    if isinstance(request, Sign | SignDigest):
        return Signature(bytes.fromhex("3006020101020102") if request.scheme & 0xFF == 3 else bytes(256))
    return HOLDER.answer(request)  # type: ignore[arg-type]


FIXED: Agent = fixed  # type: ignore[assignment]


def drain(conversation: Conversation, agent: Agent = FIXED) -> list[bytes]:
    """All answers that there are now."""
    found = []
    while (outcome := conversation.next()) is not None:
        while isinstance(outcome, Ask):
            outcome = outcome.finish(agent(outcome.request))
        found.append(outcome)
    return found


def whole(data: bytes) -> list[bytes]:
    conversation = Conversation()
    conversation.feed(data)
    return drain(conversation)


@VERSIONS
def test_a_program_is_served_from_its_first_byte_to_its_last(version: int) -> None:
    greeting, *answers = whole(stream(version))
    assert greeting == bytes([version])
    said = requests(version)
    assert len(answers) == len(said)
    refused = {}
    for n, (one, answer) in enumerate(zip(said, answers, strict=True)):
        call = int.from_bytes(one[:4], "big")
        try:
            read_answer(answer, 0x10 + n, call)
        except Exception as error:  # noqa: BLE001
            refused[call] = getattr(error, "code", error)
    unwanted = {88 if version else 9: 0x54, 89 if version == 2 else 62: 0x54}
    assert refused == {16: 0x54, 64: 0x121, 65: 0x8, **unwanted}


@VERSIONS
def test_a_conversation_comes_byte_by_byte(version: int) -> None:
    conversation, found, data = Conversation(), [], stream(version)
    for at in range(len(data)):
        conversation.feed(data[at : at + 1])
        found += drain(conversation)
    assert found == whole(data)
    assert not conversation.begun


@given(st.integers(0, 2), st.lists(st.integers(0, 4000), max_size=30))
def test_a_conversation_comes_at_any_chunking(version: int, cuts: list[int]) -> None:
    data = stream(version)
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    conversation, found = Conversation(), []
    for start, end in pairwise(places):
        conversation.feed(memoryview(data)[start:end])
        found += drain(conversation)
    assert found == whole(data)


def test_a_tail_waits_for_its_rest() -> None:
    conversation = Conversation()
    conversation.feed(stream(0) + b"\x00\x00")
    drain(conversation)
    assert conversation.begun
    assert conversation.next() is None


def test_threads_share_a_connection_and_are_answered_in_order() -> None:
    client, session = ready(FIXED)
    client.find(session, {})
    other = client.open()
    ahead = [
        body(42, u(session) + mechanism(0x1041) + u(EC_KEY)),
        body(42, u(other) + mechanism(0x1041) + u(EC_KEY)),
        body(43, u(session) + ay(bytes(32)) + u32(64)),
        body(43, u(other) + ay(bytes(48)) + u32(64)),
        body(13, u(other)),
    ]
    for n, one in enumerate(ahead):
        client.conversation.feed(b"".join(pieces(0x70 + n, one)))
    answers = drain(client.conversation)
    for n, (one, answer) in enumerate(zip(ahead, answers, strict=True)):
        read_answer(answer, 0x70 + n, one[3])


def test_nothing_is_answered_while_a_question_is_open() -> None:
    client, session = ready(FIXED)
    conversation = client.conversation
    conversation.feed(b"".join(pieces(0x70, body(26, u(session) + template({})))))
    first = conversation.next()
    assert isinstance(first, Ask)
    assert isinstance(first.request, List)
    conversation.feed(b"".join(pieces(0x71, body(13, u(session)))))
    assert (conversation.next(), conversation.asking) == (None, True)
    second = first.finish(FIXED(first.request))
    assert isinstance(second, Ask)
    assert isinstance(second.request, GetCertificates)
    assert (conversation.next(), conversation.asking) == (None, True)
    answer = second.finish(FIXED(second.request))
    assert isinstance(answer, bytes)
    read_answer(answer, 0x70, 26).end()
    assert not conversation.asking
    (later,) = drain(conversation)
    read_answer(later, 0x71, 13)


def test_a_connection_tells_when_its_time_is_limited() -> None:
    conversation = Conversation()
    assert (conversation.initialized, conversation.begun) == (False, False)
    conversation.feed(b"\x00")
    drain(conversation)
    conversation.feed(b"\x00\x00")
    assert (conversation.initialized, conversation.begun) == (False, True)
    client, _ = ready(FIXED)
    assert (client.conversation.initialized, client.conversation.begun) == (True, False)


def test_a_frame_that_no_client_sends_ends_the_connection() -> None:
    client, _ = ready(FIXED)
    client.conversation.feed(bytes(12))
    with pytest.raises(ProtocolError):
        client.conversation.next()


def test_more_than_there_is_room_for_ends_the_connection() -> None:
    conversation = Conversation()
    assert conversation.room == 12 + OPTIONS_LIMIT + BODY_LIMIT
    with pytest.raises(ProtocolError):
        conversation.feed(bytes(conversation.room + 1))


@given(st.binary(max_size=500))
def test_garbage_from_the_start_is_a_protocol_error_or_nothing(data: bytes) -> None:
    conversation = Conversation()
    conversation.feed(data)
    try:
        drain(conversation)
    except ProtocolError as error:
        assert str(error)


@given(st.integers(0, 95), st.binary(max_size=300), st.booleans())
def test_garbage_in_a_frame_costs_its_call_only(call: int, rest: bytes, headed: bool) -> None:
    client, session = ready(FIXED, 2)
    content = u32(call) + rest
    if headed and call in {1, 2, 4, 24, 26, 42, 43, 44, 45}:
        content = body(call, rest)
    (answer,) = fed(client, b"".join(pieces(0x99, content)))
    assert answer[:4] == u32(0x99)
    if not client.conversation.initialized:
        client.initialize()
    assert client.open() > session


def fed(client: Client, data: bytes) -> list[bytes]:
    client.conversation.feed(data)
    return drain(client.conversation)


def mutated(chance: random.Random, said: list[bytes]) -> bytes:
    """A request with some of its bytes changed, cut out, doubled, or taken from another."""
    one = bytearray(chance.choice(said))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 5))):
        at = chance.randrange(len(one)) if one else 0
        match chance.randrange(5):
            case 0:
                one[at : at + 1] = bytes([chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))])
            case 1:
                del one[at : at + chance.randrange(1, 9)]
            case 2:
                one[at:at] = one[at : at + chance.randrange(1, 40)]
            case 3:
                one[at:] = chance.choice(said)[at:]
            case _:
                one[at : at + 4] = chance.choice((u32(0xFFFFFFFF), u32(0x80000000), u32(65), u32(0)))
    return bytes(one)


@pytest.mark.parametrize("seed", range(8))
def test_mutated_conversations_end_in_answers_and_bounded_memory(seed: int) -> None:
    chance = random.Random(seed)
    said = [one for version in (0, 1, 2) for one in requests(version)]
    said += [body(44, u(1) + ay(bytes(50_000))), body(10, u(1) + u(4)), *requests(0)[9:28] * 3]
    client, _ = ready(FIXED, chance.randrange(3))
    for n in range(1500):
        if not client.conversation.initialized:
            client.initialize()
        (answer,) = fed(client, b"".join(pieces(n + 1, mutated(chance, said))))
        assert answer[:8] == u32(n + 1) + u32(0)
        assert len(answer) <= 2 * BODY_LIMIT
        application = client.conversation._application
        assert len(application.sessions) <= SESSIONS_LIMIT
        assert application.kept() <= KEPT_LIMIT
        assert client.conversation.room == 12 + OPTIONS_LIMIT + BODY_LIMIT


@pytest.mark.parametrize("seed", range(4))
def test_mutated_streams_end_in_answers_or_a_protocol_error(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        data = bytearray(stream(chance.randrange(3)))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        conversation = Conversation()
        conversation.feed(data)
        try:
            drain(conversation)
        except ProtocolError:
            continue


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(requests(1)) - 1), max_size=40))
def test_calls_in_any_order_are_answered(order: list[int]) -> None:
    said = requests(1)
    client = Client(FIXED, 1)
    for n, which in enumerate(order):
        (answer,) = fed(client, b"".join(pieces(n + 1, said[which])))
        assert answer[:4] == u32(n + 1)
