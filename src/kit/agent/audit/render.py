"""Acts as lines of JSON, whose fields and their order are a promise: kit-agent-audit(5). Pure.

A line is ASCII without control characters, whatever the names in it are, and never longer than LINE_LIMIT.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache

from kit.agent.audit.act import Act
from kit.agent.audit.codec import FRAME_LIMIT, Frames, decode_tail, encode_tail

# What a pipe takes whole or not at all (PIPE_BUF).
LINE_LIMIT = 4096
# A line's time ends here, with its comma.
_TIME_END = len('{"time":"2026-01-01T00:00:00.000000Z",')
# At most 5 KB each: a worker that was taken over can send a new one with each record.
_REMEMBERED = 1024


class LineDecoder(Frames[bytes]):
    """Lines out of a byte stream of frames; the same as `json_line` of what `Decoder` gives, and faster."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        super().__init__(_line, limit)


def json_line(act: Act) -> bytes:
    """The act's line, with its line end; over-long texts are cut as `encode` does."""
    return _line(act.time_ns, act.microseconds, encode_tail(act))


def lost_line(last: bytes, lines: int) -> bytes:
    """The line that stands for so many lost ones, of which `last` was the last."""
    return last[:_TIME_END] + b'"event":"audit-lost","lines":%d}\n' % lines


def _line(time_ns: int, microseconds: int, tail: bytes) -> bytes:
    second, rest_ns = divmod(time_ns, 1_000_000_000)
    return b"%b%06d%b%d}\n" % (_until_second(second), rest_ns // 1000, _middle(tail), microseconds)


@lru_cache(16)
def _until_second(second: int) -> bytes:
    """A line's begin; several are remembered, as workers' records do not come in the order of time."""
    return b'{"time":"%b.' % datetime.fromtimestamp(second, UTC).isoformat()[:19].encode()


@lru_cache(_REMEMBERED)
def _middle(tail: bytes) -> bytes:
    """What stands between the two times, which most acts have in common with others."""
    uid, pid, texts = decode_tail(tail)
    event, key, purpose, scheme, peer, result = map(json.dumps, texts)
    return (
        f'Z","event":{event},"key":{key},"purpose":{purpose},"scheme":{scheme},'
        f'"uid":{uid},"pid":{pid},"peer":{peer},"result":{result},"us":'
    ).encode()
