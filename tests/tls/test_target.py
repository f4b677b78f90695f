"""HOST[:PORT] in all its forms."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import UsageError
from kit.tls.target import Target, dns_name, parse_target


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mail.example", "mail.example", 443),
        ("mail.example:25", "mail.example", 25),
        ("127.0.0.1:8443", "127.0.0.1", 8443),
        ("[::1]:8443", "::1", 8443),
        ("[::1]", "::1", 443),
        ("::1", "::1", 443),
        ("fe80::1%lo", "fe80::1%lo", 443),
        ("bücher.example:1", "xn--bcher-kva.example", 1),
        ("a_b.example.", "a_b.example.", 443),
    ],
)
def test_hosts_and_ports_are_read(text: str, host: str, port: int) -> None:
    assert parse_target(text, 443) == Target(host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":443", "a:", "a:0", "a:65536", "a:-1", "a:\u0663", "a:1:2", "https://a", "a b", "-a", ".a"),
        *("[::1", "[a]:1", "[::1]:", "[::1]x", "a..b", "x" * 64, "a." * 127 + "a", "a\x00b"),
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_target(text, 443)


def test_the_server_name_has_neither_scope_nor_final_dot() -> None:
    assert Target("fe80::1%lo", 1).server_name == "fe80::1"
    assert Target("mail.example.", 1).server_name == "mail.example"


def test_a_target_is_shown_as_it_can_be_typed() -> None:
    assert str(Target("::1", 25)) == "[::1]:25"
    assert str(Target("mail.example", 25)) == "mail.example:25"


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (lambda: parse_target(text, 443), lambda: dns_name(text)):
        with contextlib.suppress(UsageError):
            read()
