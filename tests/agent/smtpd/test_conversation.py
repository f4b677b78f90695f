"""What is told to a key process, and what it answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.smtpd.conversation import Introduced, Told, Unwanted, WithParent, WithPeer
from kit.agent.smtpd.imsg import Decoder, Dialect, Kind, Message
from kit.core.errors import ProtocolError
from tests.agent.smtpd.messages import (
    CONF_END,
    CONF_START,
    CONTROL,
    DIALECTS,
    DISPATCHER,
    ECDSA_SIGN,
    RSA_PRIVENC,
    SETUP_DONE,
    introduction,
    message,
    request,
)

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=["6.8", "7.0 to 7.7", "7.8"])
PID = 1234


@each_dialect
def test_a_start_is_introductions_and_an_answer(dialect: Dialect) -> None:
    parent = WithParent(PID)
    said = (
        introduction(dialect, CONTROL)
        + introduction(dialect, DISPATCHER)
        + message(dialect, SETUP_DONE)
        + message(dialect, CONF_START)
        + message(dialect, CONF_END, b"whatever")
    )
    first, second, told = parent.feed(said)
    assert (first, second) == (Introduced(CONTROL), Introduced(DISPATCHER))
    assert isinstance(told, Told)
    assert list(Decoder(dialect).feed(told.answer)) == [Message(Kind.SETUP_DONE, 0, False, b"")]
    assert parent.dialect == dialect


@each_dialect
def test_requests_of_the_dispatcher_are_answered_in_its_dialect(dialect: Dialect) -> None:
    peer = WithPeer(DISPATCHER, dialect, PID)
    (asked,) = peer.feed(message(dialect, ECDSA_SIGN, request(bytes(32))))
    assert not isinstance(asked, Unwanted)
    (answer,) = Decoder(dialect).feed(peer.answer(asked, b"signature"))
    assert (answer.kind, answer.body) == (Kind.ECDSA_SIGN, asked.answer(b"signature"))


@pytest.mark.parametrize("process", [0, 1, 2, CONTROL, 4, 6, 99])
def test_nobody_but_the_dispatcher_may_ask(process: int) -> None:
    dialect = DIALECTS[1]
    peer = WithPeer(process, dialect, PID)
    assert list(peer.feed(message(dialect, CONF_START))) == []
    with pytest.raises(ProtocolError, match="not its dispatcher"):
        list(peer.feed(message(dialect, RSA_PRIVENC, request(bytes(256), padding=3))))


def test_descriptors_that_nothing_needs_are_told() -> None:
    dialect = DIALECTS[1]
    parent = WithParent(PID)
    said = introduction(dialect) + message(dialect, CONF_START, descriptor=True)
    assert list(parent.feed(said)) == [Introduced(DISPATCHER), Unwanted()]
    peer = WithPeer(DISPATCHER, dialect, PID)
    assert list(peer.feed(message(dialect, ECDSA_SIGN, request(bytes(32)), descriptor=True))) == [Unwanted()]


def test_an_introduction_without_a_channel_is_an_error() -> None:
    dialect = DIALECTS[0]
    parent = WithParent(PID)
    list(parent.feed(introduction(dialect)))
    with pytest.raises(ProtocolError, match="without a channel"):
        list(parent.feed(message(dialect, 41)))


@given(st.sampled_from(DIALECTS), st.binary(max_size=300))
def test_any_bytes_are_events_or_an_error(dialect: Dialect, data: bytes) -> None:
    for conversation in (WithParent(PID), WithPeer(DISPATCHER, dialect, PID)):
        try:
            list(conversation.feed(introduction(dialect) + data))
        except ProtocolError:
            continue
