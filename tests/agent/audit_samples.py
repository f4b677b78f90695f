"""Acts for the audit log's tests, and the lines that stand for them."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hypothesis import strategies as st

from kit.agent.audit.act import Act
from kit.agent.audit.render import json_line

SIGNED = Act(
    1795489007_853120_999,
    "sign",
    "mail",
    "tls-server",
    "rsa_pss_rsae_sha256",
    33,
    4242,
    "nginx",
    "done",
    412,
)
LINE = (
    b'{"time":"2026-11-24T02:56:47.853120Z","event":"sign","key":"mail","purpose":"tls-server",'
    b'"scheme":"rsa_pss_rsae_sha256","uid":33,"pid":4242,"peer":"nginx","result":"done","us":412}\n'
)
FIELDS = ["time", "event", "key", "purpose", "scheme", "uid", "pid", "peer", "result", "us"]
TEXTS = ("event", "key", "purpose", "scheme", "peer", "result")

_UINT32, _UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
# Any code point, the surrogates of names that were no UTF-8 among them, and all that terminals obey.
_ANY_TEXT = st.text(st.characters(), max_size=300)
_SHORT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def acts(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Act]:
    return st.builds(Act, _UINT64, texts, texts, texts, texts, _UINT32, _UINT32, texts, texts, _UINT64)


ACTS = acts(_SHORT)
"""What every limit leaves whole."""
WILD_ACTS = acts(_ANY_TEXT)
"""What a worker may be made to say."""


def numbered(count: int, begin: int = 0) -> list[bytes]:
    """Lines that tell themselves apart by `us`."""
    return [json_line(SIGNED._replace(microseconds=begin + number)) for number in range(count)]


def numbers(text: bytes) -> list[int]:
    """Which numbered lines these are; every line has to be JSON."""
    return [json.loads(line)["us"] for line in text.splitlines()]


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: a full disk that can end anywhere."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@dataclass
class Shelf:
    """A sink in memory that takes `room` more lines, and then raises what it is given."""

    room: int = 1 << 30
    error: OSError = field(default_factory=lambda: OSError(28, "No space left on device"))
    lines: list[bytes] = field(default_factory=list)
    tries: int = 0

    def write(self, lines: list[bytes]) -> int:
        self.tries += 1
        done = min(self.room, len(lines))
        if not done:
            raise self.error
        self.room -= done
        self.lines += lines[:done]
        return done

    def reopen(self) -> None:
        self.room = 1 << 30

    def close(self) -> None:
        pass
