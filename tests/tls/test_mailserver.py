"""The SMTP dialogue around STARTTLS, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.tls.conversation import Answer, Negotiated, Next
from kit.tls.mailserver import LINE_LIMIT, MailServer

AGREED = Negotiated("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, None, None, None, None, False)


def _lines(answer: Answer) -> list[str]:
    return answer.send.decode().split("\r\n")[:-1]


def _said(data: bytes, server: MailServer | None = None) -> Answer:
    return (server or MailServer()).receive(data)


def test_the_server_greets_first() -> None:
    assert MailServer("mx.example").greet() == b"220 mx.example ESMTP kit\r\n"


def test_ehlo_offers_starttls_before_tls_and_not_inside() -> None:
    server = MailServer()
    before = _lines(_said(b"EHLO client\r\n", server))
    assert "250-STARTTLS" in before
    assert all(line.startswith("250-") for line in before[:-1])
    assert before[-1].startswith("250 ")
    _said(b"STARTTLS\r\n", server)
    assert server.secured(AGREED) == b""
    assert "STARTTLS" not in _said(b"EHLO client\r\n", server).send.decode()


def test_starttls_begins_tls_after_its_answer() -> None:
    assert _said(b"STARTTLS\r\n") == Answer(b"220 2.0.0 Ready to start TLS\r\n", Next.START_TLS)


def test_what_is_pipelined_behind_starttls_is_never_answered() -> None:
    server = MailServer()
    answer = _said(b"STARTTLS\r\nRSET\r\nNOO", server)
    assert _lines(answer) == ["220 2.0.0 Ready to start TLS"]
    server.secured(AGREED)
    assert _lines(_said(b"NOOP\r\n", server)) == ["250 2.0.0 Ok"]


def test_starttls_with_a_parameter_is_refused() -> None:
    answer = _said(b"STARTTLS now\r\n")
    assert answer.then is Next.GO_ON
    assert answer.send.startswith(b"501 ")


def test_starttls_inside_tls_is_refused() -> None:
    server = MailServer()
    server.secured(AGREED)
    answer = _said(b"STARTTLS\r\n", server)
    assert answer.then is Next.GO_ON
    assert answer.send.startswith(b"503 ")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NOOP", "250"),
        (b"rset", "250"),
        (b"HELO me", "250"),
        (b"VRFY root", "252"),
        (b"MAIL FROM:<a@b>", "530"),
        (b"DATA", "502"),
        (b"", "502"),
        (b"\xff\xfe", "502"),
    ],
)
def test_each_command_has_its_answer(line: bytes, code: str) -> None:
    answer = _said(line + b"\r\n")
    assert answer.send.decode().startswith(code)
    assert answer.then is Next.GO_ON


def test_mail_is_not_taken_inside_tls_either() -> None:
    server = MailServer()
    server.secured(AGREED)
    assert _said(b"MAIL FROM:<a@b>\r\n", server).send.startswith(b"550 ")


def test_quit_closes_and_pipelined_commands_are_answered_in_order() -> None:
    answer = _said(b"NOOP\r\nEHLO x\r\nQUIT\r\nNOOP\r\n")
    assert answer.then is Next.CLOSE
    assert answer.send.startswith(b"250 2.0.0 Ok\r\n250-")
    assert _lines(answer)[-1].startswith("221 ")


def test_a_line_without_end_is_cut_off() -> None:
    answer = _said(b"N" * (LINE_LIMIT + 1))
    assert answer.then is Next.CLOSE
    assert answer.send.startswith(b"500 ")


def test_a_babbler_is_sent_away() -> None:
    assert _said(b"babble\r\n" * 20).then is Next.CLOSE


@given(st.lists(st.sampled_from([b"NOOP", b"EHLO x", b"what", b"RSET"]), max_size=8), st.data())
def test_any_chunking_gives_the_same_answers(commands: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(command + b"\r\n" for command in [*commands, b"QUIT"])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    server, said = MailServer(), b""
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        said += server.receive(stream[begin:end]).send
    assert said == MailServer().receive(stream).send


@given(st.binary(max_size=2000))
def test_garbage_never_starts_tls_by_itself(garbage: bytes) -> None:
    answer = _said(garbage)
    assert answer.then is not Next.START_TLS or b"starttls" in garbage.lower()
