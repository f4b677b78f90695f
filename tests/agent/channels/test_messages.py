"""What the processes say to each other survives the way, and nothing else is taken for it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.channels import messages
from kit.agent.channels.channel import MESSAGE_LIMIT
from kit.agent.config.values import PEERS_LIMIT
from kit.agent.extension import KEYS_LIMIT, Measure, PeerRecord, Reloaded
from kit.agent.peers import Allowed, Peer
from kit.core.errors import ProtocolError

KINDS: tuple[type[Any], ...] = (*messages._KINDS, messages.Reloads, messages.Connected)
SENT = messages._KINDS
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
names = st.lists(st.text("abc-", min_size=1, max_size=9), max_size=4).map(tuple)
numbers32 = st.integers(0, 2**32 - 1)
sets = st.frozensets(numbers32, max_size=8)
rows = {
    Measure: st.builds(Measure, words, words, words),
    Reloaded: st.builds(Reloaded, words, words, words),
    PeerRecord: st.builds(
        PeerRecord, numbers32, numbers32, words, *[numbers32] * 2, *[st.integers(0, 2**64 - 1)] * 3
    ),
}
VALUES: dict[str, Any] = {
    "str": words,
    "bool": st.booleans(),
    "bytes": st.binary(max_size=60),
    "memoryview": st.binary(max_size=60).map(memoryview),
    "tuple[str, ...]": names,
    "frozenset[int]": sets,
    "int": numbers32,
    **{f"tuple[{row.__name__}, ...]": st.lists(made, max_size=3).map(tuple) for row, made in rows.items()},
}


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, *[VALUES[str(field.type)] for field in fields(kind)])


def joined(message: Any) -> bytes:
    return b"".join(bytes(part) for part in messages.encode(message))


@pytest.mark.parametrize("kind", SENT, ids=lambda kind: kind.__name__)
def test_a_message_survives_and_is_refused_when_cut_or_with_a_tail(kind: type[Any]) -> None:
    @given(instances(kind))
    def survives(message: Any) -> None:
        data = joined(message)
        assert messages.parse(data) == message
        for wrong in (data[:-1], data + b"\0"):
            with pytest.raises(ProtocolError):
                messages.parse(wrong)

    survives()


def test_each_kind_has_a_number_of_its_own() -> None:
    assert len(set(SENT)) == len(SENT)
    assert sorted(messages._NUMBERS.values()) == [bytes([n]) for n in range(1, len(SENT) + 1)]


@given(st.binary(max_size=300))
def test_bytes_of_a_hostile_worker_are_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        message = messages.parse(data)
    except ProtocolError:
        return
    assert messages.parse(joined(message)) == message


@given(st.integers(1, len(SENT)), st.binary(max_size=300))
def test_so_are_those_that_begin_well(number: int, data: bytes) -> None:
    test = bytes([number]) + data
    try:
        message = messages.parse(test)
    except ProtocolError:
        return
    assert type(message) is SENT[number - 1]


@pytest.mark.parametrize("number", [0, len(SENT) + 1, 255])
def test_a_kind_that_there_is_not_is_named(number: int) -> None:
    with pytest.raises(ProtocolError, match=f"kind {number} "):
        messages.parse(bytes([number]))


def test_a_secret_is_in_no_repr_and_is_a_view_of_what_came() -> None:
    secret = bytearray(b"secret")
    hold = messages.Hold(
        1, "web", ("ssh",), frozenset({1}), frozenset(), 1, 0, False, False, b"", memoryview(secret)
    )
    for message in (
        hold,
        messages.Forward(1, 2, memoryview(secret)),
        messages.Reply(1, True, memoryview(secret)),
    ):
        assert "secret" not in repr(message).replace("memoryview", "")
        assert any(part is not secret and bytes(part) == b"secret" for part in messages.encode(message))
        data = bytearray(joined(message))
        parsed = messages.parse(data)
        data[-6:] = bytes(6)
        (view,) = [value for value in vars(parsed).values() if isinstance(value, memoryview)]
        assert bytes(view) == bytes(6)


def test_a_client_and_a_key_name_whom_the_numbers_say() -> None:
    client = messages.Client(5, 1000, 100, frozenset({7, 8}), 4321, "postfix", True)
    assert client.peer == Peer(1000, 100, frozenset({7, 8}), 4321, "postfix")
    hold = messages.Hold(
        1, "web", (), frozenset({1}), frozenset({2}), 1, 0, False, False, b"", memoryview(b"")
    )
    assert hold.peers == Allowed(frozenset({1}), frozenset({2}))


def test_the_longest_messages_that_there_can_be_fit_the_channel() -> None:
    name, why = "n" * 255, "w" * 9000
    failed = [Reloaded(name, "failed", why)] * KEYS_LIMIT
    kept = messages.Kept((*failed, *[Reloaded(name, "removed", "")] * KEYS_LIMIT))
    everybody = frozenset(range(2**32 - 1 - PEERS_LIMIT, 2**32 - 1))
    load = messages.Load(
        name, ("ssh",) * 9, everybody, everybody, 1, 1, 1, True, bytes(2000), bytes(8000), why
    )
    peers = [PeerRecord(2**32 - 1, 2**32 - 1, "\N{REPLACEMENT CHARACTER}" * 15, 1, 1, 1, 1, 1)] * 1024
    connected = joined(messages.Reply(1, True, memoryview(joined(messages.Connected(tuple(peers))))))
    for data in (joined(kept), joined(load), connected):
        assert len(data) <= MESSAGE_LIMIT
