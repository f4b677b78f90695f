"""STARTTLS over SMTP, at every chunking: who may go on, who is refused, who says too much."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import ProtocolError
from kit.tls.dialogue import DIALOGUES, Dialogue, Refused

_GREETING = b"220-mail.test says\r\n220 ESMTP\r\n"
_OFFERS = b"250-mail.test\r\n250-SIZE 1000\r\n250-starttls\r\n250 HELP\r\n"
_GO = b"220 2.0.0 go\r\n"


def _hold(replies: Iterable[Iterable[bytes]]) -> tuple[bool, list[bytes]]:
    """Play the server: each reply, in its chunks, is the answer to what was said before."""
    dialogue = Dialogue(DIALOGUES["smtp"].script, "[127.0.0.1]")
    said = [dialogue.feed(b"")]
    for reply in replies:
        said.append(b"".join(dialogue.feed(chunk) for chunk in reply))
    return dialogue.done, said


def _chunks(data: bytes, sizes: list[int]) -> list[bytes]:
    out, at = [], 0
    for size in sizes:
        out.append(data[at : at + size])
        at += size
    return [*out, data[at:]]


def test_smtp_says_ehlo_and_starttls_and_goes_on_at_220() -> None:
    done, said = _hold([[_GREETING], [_OFFERS], [_GO]])
    assert done
    assert said == [b"", b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n", b""]


@given(st.lists(st.integers(0, 12), max_size=30))
def test_any_chunking_comes_to_the_same(sizes: list[int]) -> None:
    done, said = _hold(_chunks(reply, sizes) for reply in (_GREETING, _OFFERS, _GO))
    assert done
    assert said == [b"", b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n", b""]


def test_lines_that_end_in_a_bare_lf_are_understood() -> None:
    assert _hold([[b"220 x\n"], [b"250-x\n250 STARTTLS\n"], [b"220\n"]])[0]


@pytest.mark.parametrize(
    "replies",
    [
        [b"554 5.7.1 no\r\n"],
        [b"421 busy\r\n"],
        [_GREETING, b"502 what?\r\n"],
        [_GREETING, b"250-mail.test\r\n250 HELP\r\n"],
        [_GREETING, b"250 STARTTLS\r\n"],  # the first line is the server's name, no offer
        [_GREETING, _OFFERS, b"454 4.7.0 TLS not available\r\n"],
        [_GREETING, _OFFERS, b"502 not implemented\r\n"],
    ],
)
def test_a_server_that_says_no_is_refusing(replies: list[bytes]) -> None:
    with pytest.raises(Refused):
        _hold([[reply] for reply in replies])


@pytest.mark.parametrize(
    "replies",
    [
        [_GREETING + b"250 surplus\r\n"],
        [_GREETING, _OFFERS + _GO],
        [_GREETING, _OFFERS, _GO + b"2"],
        [_GREETING, _OFFERS, _GO + b"\x16\x03\x03"],
    ],
)
def test_a_peer_that_answers_more_than_was_asked_is_caught(replies: list[bytes]) -> None:
    with pytest.raises(ProtocolError, match="more than was asked"):
        _hold([[reply] for reply in replies])


@pytest.mark.parametrize(
    "junk",
    [
        b"SSH-2.0-x\r\n",
        b"\r\n",
        b"22\r\n",
        b"220x\r\n",
        b"220-a\r\n250 b\r\n",
        "\u0662\u0662\u0660 x\r\n".encode(),
        b"920 x\r\n",
    ],
)
def test_what_is_no_reply_is_a_protocol_error(junk: bytes) -> None:
    with pytest.raises(ProtocolError, match="no SMTP reply"):
        _hold([[junk]])


def test_an_endless_line_and_endless_lines_have_a_limit() -> None:
    with pytest.raises(ProtocolError, match="longer"):
        _hold([[b"220-" + b"x" * 5000]])
    with pytest.raises(ProtocolError, match="more than 65536"):
        _hold([[b"220-hello\r\n"] * 10_000])


def test_control_characters_of_the_peer_are_escaped_in_the_error() -> None:
    with pytest.raises(Refused, match=r"\\x1b\[31m"):
        _hold([[b"554 \x1b[31mred\r\n"]])


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_garbage_ends_in_one_of_the_two_errors_or_waits(chunks: list[bytes]) -> None:
    with contextlib.suppress(Refused, ProtocolError):
        _hold([chunks])
