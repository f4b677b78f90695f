"""Requests that repeat: a server asks for the same signature again and again, but for the digest at its end.

Reading such a request and deciding about it costs half of what the signature costs. So a connection remembers
what it was permitted, and a request with the same bytes, but for those on which no decision depends
(`content.open_end`, or all of a bare digest), is permitted without another look. Every change to the keys
makes that forgotten; the lifetime of a key, its rate and its confirmation are looked at each time.
"""

from __future__ import annotations

from collections.abc import Callable

from kit.agent.uses import Client, Repeat, Use

# One process uses a key or two, each in a version of TLS or two.
_REMEMBERED = 8


def remember(
    message: bytearray, content: bytes, tail: int, use: Use, answer: Callable[[bytes], bytearray]
) -> None:
    """Remember a request that was permitted; its content stands at its end, or before a word of flags, and
    on the content's last `tail` bytes no decision depends.
    """
    if not tail:
        return
    end = message[-_FLAGS:] if message[0] == _SSH_SIGN_REQUEST else b""
    content_at = len(message) - len(end) - len(content)
    start = bytes(message[: content_at + len(content) - tail])
    repeats = use.client.repeats
    del repeats[_REMEMBERED - 1 :]
    repeats.insert(0, Repeat(len(message), start, bytes(end), content_at, use, answer))


def recall(message: bytearray, client: Client, generation: int, now_s: Callable[[], float]) -> Repeat | None:
    """The request that this one repeats, if what was permitted then still is."""
    for repeat in client.repeats:
        if repeat.fits(message):
            entry = repeat.use.entry
            if repeat.use.generation == generation and (not entry.expires_s or entry.alive(now_s())):
                return repeat
            client.repeats.clear()
            return None
    return None


# wire.SIGN_REQUEST, and the size of its last field.
_SSH_SIGN_REQUEST, _FLAGS = 13, 4
