"""HTTP/1.1 for one page: requests in any chunking, refusals, and the forms of the page."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.tls.conversation import Answer, Negotiated, Next
from kit.tls.pages import BODY_LIMIT, HEAD_LIMIT, StatusPage

AGREED = Negotiated(
    "TLSv1.3",
    "TLS_AES_256_GCM_SHA384",
    256,
    "x25519",
    "rsa_pss_rsae_sha256",
    "a/rsa-2048",
    "<b>.example",
    False,
)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"


def _page() -> StatusPage:
    page = StatusPage()
    page.secured(AGREED)
    return page


def _split(answer: Answer) -> tuple[str, dict[str, str], bytes]:
    head, _, body = answer.send.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines), body


def test_a_request_is_answered_with_what_was_negotiated() -> None:
    answer = _page().receive(GET)
    status, headers, body = _split(answer)
    assert status == "HTTP/1.1 200 OK"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Connection"] == "close"
    assert b"cipher: TLS_AES_256_GCM_SHA384\n" in body
    assert answer.then is Next.CLOSE


def test_json_is_given_to_who_accepts_it() -> None:
    answer = _page().receive(GET.replace(b"*/*", b"application/json"))
    assert json.loads(_split(answer)[2])["scheme"] == "rsa_pss_rsae_sha256"


def test_html_is_given_to_browsers_with_the_peers_words_escaped() -> None:
    answer = _page().receive(GET.replace(b"*/*", b"text/html,application/xhtml+xml"))
    _, headers, body = _split(answer)
    assert headers["Content-Type"].startswith("text/html")
    assert b"&lt;b&gt;.example" in body
    assert b"<b>" not in body


def test_head_gets_the_head_only() -> None:
    status, headers, body = _split(_page().receive(GET.replace(b"GET", b"HEAD")))
    assert status.endswith("200 OK")
    assert int(headers["Content-Length"]) > 0
    assert body == b""


def test_a_body_is_read_before_the_answer() -> None:
    page = _page()
    post = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"
    assert page.receive(post) == Answer(b"")
    assert _split(page.receive(b"cd"))[0].endswith("200 OK")


def test_a_client_that_waits_for_a_word_before_its_body_gets_it() -> None:
    page = _page()
    post = b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    assert page.receive(post) == Answer(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert _split(page.receive(b"abcd"))[0].endswith("200 OK")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT, 431),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_each_wrong_request_has_its_status(request_: bytes, status: int) -> None:
    answer = _page().receive(request_)
    assert _split(answer)[0].startswith(f"HTTP/1.1 {status} ")
    assert answer.then is Next.CLOSE


@given(st.sets(st.integers(1, len(GET) - 1), max_size=8))
def test_any_chunking_gives_the_same_page(cuts: set[int]) -> None:
    page, bounds = _page(), [0, *sorted(cuts), len(GET)]
    said = b"".join(page.receive(GET[a:b]).send for a, b in pairwise(bounds))
    assert said == _page().receive(GET).send


@given(st.binary(max_size=400))
def test_garbage_gets_a_refusal_or_patience(garbage: bytes) -> None:
    answer = _page().receive(garbage + b"\r\n\r\n")
    assert answer.send == b"" or answer.send.startswith(b"HTTP/1.1 ")
