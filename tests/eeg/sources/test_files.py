"""Bytes without times: files, FIFOs, what is piped in."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.core.errors import KitError, Unavailable, UsageError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources import open_source

PIECE = 64 * 1024


def _bytes(chunks: Iterator[Chunk | Gone]) -> bytes:
    return b"".join(chunk.data for chunk in chunks if isinstance(chunk, Chunk))


def _next_bytes(chunks: Iterator[Chunk | Gone]) -> bytes:
    return next(chunk.data for chunk in chunks if isinstance(chunk, Chunk) and chunk.data)


def test_a_file_is_read_in_big_pieces_without_times(tmp_path: Path) -> None:
    content = os.urandom(3 * PIECE + 5)
    (tmp_path / "capture").write_bytes(content)
    with contextlib.closing(open_source(str(tmp_path / "capture"))) as source:
        assert not source.live
        assert source.name == str(tmp_path / "capture")
        chunks = list(source.chunks())
    assert [len(chunk.data) for chunk in chunks if isinstance(chunk, Chunk)] == [PIECE, PIECE, PIECE, 5]
    assert _bytes(iter(chunks)) == content
    assert {(c.monotonic_ns, c.wall_ns) for c in chunks if isinstance(c, Chunk)} == {(None, None)}


def test_a_file_that_grows_is_read_to_the_end_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b"first")
    with contextlib.closing(open_source(str(path))) as source:
        chunks = source.chunks()
        assert next(chunks) == Chunk(b"first")
        with path.open("ab") as file:
            file.write(b"second")
        assert list(chunks) == [Chunk(b"second")]


def test_a_file_of_unknown_size_is_read(tmp_path: Path) -> None:
    with contextlib.closing(open_source("/proc/self/status")) as source:
        assert _bytes(source.chunks()).startswith(b"Name:")


def test_closing_twice_closes_once(tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(b"x")
    source = open_source(str(tmp_path / "capture"))
    source.close()
    other = os.open(tmp_path / "capture", os.O_RDONLY)
    source.close()
    os.fstat(other)
    os.close(other)


def test_what_a_fifo_holds_is_passed_on_at_once_and_its_end_is_the_end(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with contextlib.closing(open_source(str(path))) as source:
        chunks = source.chunks()
        assert next(chunks) == Chunk(b""), "a writer that has not come is no end"
        with path.open("wb", buffering=0) as writer:
            writer.write(b"one")
            assert _next_bytes(chunks) == b"one"
            assert next(chunks) == Chunk(b""), "a silent writer leaves time to look at the clock"
            writer.write(b"two")
        assert list(chunks) == [Chunk(b"two")]


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("/nowhere/at/all", Unavailable, "no file or device '/nowhere/at/all'"),
        ("/etc/passwd/x", Unavailable, "no file or device '/etc/passwd/x'"),
        ("", Unavailable, "no file or device ''"),
        ("/tmp", UsageError, "cannot read '/tmp': it is a directory"),
        ("/dev/null", UsageError, "cannot read '/dev/null': it is not a serial port"),
        ("/dev/zero", UsageError, "cannot read '/dev/zero': it is not a serial port"),
        ("a\0b", UsageError, "cannot read 'a\\x00b': embedded null byte"),
    ],
)
def test_what_cannot_be_read_is_said_with_a_hint(spec: str, error: type[KitError], says: str) -> None:
    with pytest.raises(error) as caught:
        open_source(spec)
    assert type(caught.value).exit_status == error.exit_status
    assert str(caught.value) == says
    assert caught.value.hint


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Unavailable, match=r"^'.*/empty' is empty$"):
        open_source(str(tmp_path / "empty"))


def test_a_socket_in_the_file_system_is_no_source(short_tmp: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_tmp / "socket"))
        with pytest.raises(UsageError, match="it is a unix socket"):
            open_source(str(short_tmp / "socket"))


_READ_INPUT = """
import sys
from kit.core.errors import KitError
from kit.eeg.sources import open_source
try:
    source = open_source("-")
    print("opened", source.name, source.live, flush=True)
    for chunk in source.chunks():
        if chunk.data:
            print(chunk.data.hex(), flush=True)
    source.close()
    print("ended", flush=True)
except KitError as error:
    print(error.exit_status, error, flush=True)
"""


def _start(stdin: int | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _READ_INPUT], stdin=stdin, stdout=subprocess.PIPE, text=True, close_fds=True
    )


def test_a_live_pipe_on_standard_input_is_passed_on_at_once() -> None:
    out, into = os.pipe()
    with _start(out) as reading:
        os.close(out)
        assert reading.stdout
        assert reading.stdout.readline() == "opened standard input False\n"
        for piece in (b"\xa5", b"\x5a\x02"):
            os.write(into, piece)
            assert reading.stdout.readline() == f"{piece.hex()}\n"
        os.close(into)
        assert reading.stdout.read() == "ended\n"


def test_a_terminal_on_standard_input_is_refused() -> None:
    main, terminal = os.openpty()
    with _start(terminal) as reading:
        assert reading.communicate(timeout=30)[0] == "2 standard input is a terminal\n"
    os.close(main)
    os.close(terminal)


def test_a_closed_standard_input_is_refused() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, _READ_INPUT],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "2 standard input is closed\n"


def test_a_wait_for_standard_input_takes_no_time_of_the_processor(
    wait_until: Callable[..., None],
) -> None:
    out, into = os.pipe()
    with _start(out) as reading:
        assert reading.stdout
        reading.stdout.readline()
        status = Path(f"/proc/{reading.pid}/status")
        slept = lambda: _voluntary(status.read_text())  # noqa: E731
        before, ticks = slept(), _processor_ticks(reading.pid)
        wait_until(lambda: slept() >= before + 4, "four waits")
        assert _processor_ticks(reading.pid) - ticks <= 1
        os.close(into)
        assert reading.stdout.read() == "ended\n"
    os.close(out)


def _voluntary(status: str) -> int:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt"))


def _processor_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
