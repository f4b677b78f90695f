"""Streams take whole lines or say why not, and nobody waits for who reads them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kit.agent.audit.render import json_line
from kit.agent.audit.sinks import JournalSink, NoSink, StreamSink, open_sink
from kit.agent.audit.writer import AuditWriter
from tests.agent.audit_samples import SIGNED, file_limit, numbered

SIXTY = len(b"".join(numbered(60)))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def _read_all(descriptor: int) -> bytes:
    found = b""
    with suppress(BlockingIOError):
        while data := os.read(descriptor, 1 << 20):
            found += data
    return found


def test_nowhere_takes_everything() -> None:
    sink = open_sink("")
    assert isinstance(sink, NoSink)
    assert sink.write(numbered(3)) == 3
    sink.reopen()
    sink.close()


def test_each_name_opens_its_sink() -> None:
    assert isinstance(open_sink("stdout"), StreamSink)
    sink = open_sink("journal")
    assert isinstance(sink, JournalSink)
    sink.close()


def test_a_pipe_takes_what_it_holds_in_whole_lines_and_the_rest_later(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    writer = AuditWriter(StreamSink(write_end), strict=True)
    writer.take(numbered(1000))
    first = writer.flush(0.0)
    assert 200 < first < 1000
    assert writer.working
    got = _read_all(read_end)
    assert got == b"".join(numbered(first))
    now_s = 0.0
    while writer.waiting:
        now_s += 0.01
        writer.flush(now_s)
        got += _read_all(read_end)
    assert got == b"".join(numbered(1000))


def test_a_blocking_pipe_never_blocks_however_lines_fill_it(pipe: tuple[int, int]) -> None:
    """A pipe of one page, so that each write meets its end; the alarm ends a write that waits."""
    read_end, write_end = pipe
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    sink, longest = StreamSink(write_end), json_line(SIGNED._replace(key="\x00" * 255, peer="\x00" * 90))
    lines, got = [*numbered(50), longest, longest, *numbered(50, 50)], b""
    at = 0
    while at < len(lines):
        try:
            at += sink.write(lines[at:])
        except BlockingIOError:
            got += _read_all(read_end)
    assert got + _read_all(read_end) == b"".join(lines)


def test_a_pipe_whose_reader_left_is_an_error_at_once(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    writer = AuditWriter(StreamSink(write_end), strict=True)
    writer.take(numbered(1000))
    assert writer.flush(0.0) > 0
    os.close(read_end)
    written = writer.flush(1.0)
    assert (writer.working, writer.trouble) == (False, "broken pipe")
    assert written < 1000
    assert writer.waiting == 1000 - written


def test_a_full_device_is_an_error_and_no_line_counts() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = AuditWriter(StreamSink(descriptor), strict=True)
        writer.take(numbered(5))
        assert writer.flush(0.0) == 0
        assert writer.trouble == "no space left on device"
    finally:
        os.close(descriptor)


def test_a_terminal_gets_lines_that_it_cannot_obey() -> None:
    leader, follower = pty.openpty()
    tty.setraw(follower)
    try:
        line = json_line(SIGNED._replace(key="\x1b[2J\x9b2J", peer="\x07\r\n\x7f"))
        assert StreamSink(follower).write([line]) == 1
        assert os.read(leader, 4096) == line
        assert {*line[:-1]} <= {*range(32, 127)}
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize("room", [*range(0, 400, 37), SIXTY, SIXTY + 5])
def test_standard_output_in_a_file_that_cannot_grow_is_completed(short_tmp: Path, room: int) -> None:
    """Lines enough for several groups; the limit may fall on a line's end as well as into its middle."""
    with (short_tmp / "out").open("wb", buffering=0) as out:
        writer = AuditWriter(StreamSink(out.fileno()), strict=True)
        writer.take(numbered(100))
        with file_limit(room):
            written = writer.flush(0.0)
            assert written == (short_tmp / "out").read_bytes().count(b"\n")
        assert writer.trouble == "file too large"
        assert writer.flush(1.0) == 100
    assert (short_tmp / "out").read_bytes() == b"".join(numbered(100))


def test_a_torn_line_that_was_given_up_is_ended(short_tmp: Path) -> None:
    with (short_tmp / "out").open("wb", buffering=0) as out:
        writer = AuditWriter(StreamSink(out.fileno()), strict=False, limit_lines=2)
        writer.take(numbered(2))
        with file_limit(100):
            assert writer.flush(0.0) == 0
        writer.take(numbered(1, 2))
        writer.flush(1.0)
    torn, lost, *rest = (short_tmp / "out").read_bytes().splitlines(keepends=True)
    assert torn == numbered(1)[0][:100] + b"\n"
    assert json.loads(lost)["lines"] == 1
    assert rest == numbered(2, 1)
