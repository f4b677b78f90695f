"""HTTP/1.1 for one page: any request is answered with what TLS negotiated, then the connection closes.

Bytes in, answers out. A body is read (up to a limit) before the answer, because closing a socket with
unread bytes in it resets the connection, and the client would lose the page.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import asdict

from kit.tls.conversation import Answer, Negotiated, Next

HEAD_LIMIT = 16 * 1024
BODY_LIMIT = 1024 * 1024
_REASONS = {
    200: "OK",
    400: "Bad Request",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}
_HEAD_END = b"\r\n\r\n"


class StatusPage:
    """One request, one page."""

    plain_first = False

    def __init__(self) -> None:
        self._buffer = b""
        self._negotiated: Negotiated | None = None

    def greet(self) -> bytes:
        return b""

    def secured(self, negotiated: Negotiated) -> bytes:
        self._negotiated = negotiated
        return b""

    def receive(self, data: bytes) -> Answer:
        self._buffer += data
        head, end, body = self._buffer.partition(_HEAD_END)
        if len(head) > HEAD_LIMIT:
            return _refusal(431)
        if not end:
            return Answer(b"")
        try:
            method, headers = _parse(head)
            missing = _body_length(headers) - len(body)
        except _BadRequest as error:
            return _refusal(error.status)
        if missing > 0:
            wants_go = headers.get("expect", "").lower() == "100-continue" and not body
            return Answer(b"HTTP/1.1 100 Continue\r\n\r\n" if wants_go else b"")
        return self._page(method, headers.get("accept", ""))

    def _page(self, method: str, accept: str) -> Answer:
        facts = asdict(self._negotiated) if self._negotiated else {}
        kind, text = render(facts, accept)
        return Answer(_response(200, kind, text, with_body=method != "HEAD"), Next.CLOSE)


class _BadRequest(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(_REASONS[status])
        self.status = status


def render(facts: Mapping[str, object], accept: str) -> tuple[str, str]:
    """(media type, page) in the form that the client asks for; plain text for curl and whoever takes all."""
    if "text/html" in accept:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(_text(value))}</td></tr>\n"
            for name, value in facts.items()
        )
        return "text/html", f"<!DOCTYPE html>\n<title>kit tls serve</title>\n<table>\n{rows}</table>\n"
    if "application/json" in accept:
        return "application/json", json.dumps(facts) + "\n"
    return "text/plain", "".join(f"{name}: {_text(value)}\n" for name, value in facts.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    """The method and the header fields (RFC 9112, sections 3 and 5), field names in lower case."""
    request, *lines = head.decode("latin-1").split("\r\n")
    words = request.split(" ")
    if len(words) != 3 or not words[0].isalpha():
        raise _BadRequest(400)
    if words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise _BadRequest(505)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _BadRequest(400)
        headers[name.lower()] = value.strip()
    if words[2] == "HTTP/1.1" and "host" not in headers:
        raise _BadRequest(400)  # RFC 9112, section 3.2
    return words[0], headers


def _body_length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise _BadRequest(501)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise _BadRequest(400)
    if int(length[:20]) > BODY_LIMIT:
        raise _BadRequest(413)
    return int(length)


def _refusal(status: int) -> Answer:
    return Answer(_response(status, "text/plain", f"{status} {_REASONS[status]}\n"), Next.CLOSE)


def _response(status: int, kind: str, text: str, *, with_body: bool = True) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Content-Type: {kind}; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
