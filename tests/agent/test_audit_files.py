"""The audit log's file stays whole lines: on a full disk, rotated, after a crash, beside others."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.audit.files import FileSink
from kit.agent.audit.sinks import open_sink
from kit.agent.audit.writer import AuditWriter
from kit.core.errors import Unavailable
from tests import disks
from tests.agent.audit_samples import file_limit, numbered, numbers
from tests.descriptors import open_descriptors
from tests.peers import forbidden

LINE = numbered(1)[0]


@pytest.fixture
def small_disk(short_tmp: Path) -> Iterator[Path]:
    with disks.small_disk(short_tmp, 64) as disk:
        yield disk


def test_lines_are_appended_to_a_file_of_mode_0600(short_tmp: Path) -> None:
    path, mask = short_tmp / "log", os.umask(0)
    try:
        for begin in (0, 2):
            sink = FileSink(str(path))
            assert sink.write(numbered(2, begin)) == 2
            sink.close()
    finally:
        os.umask(mask)
    assert path.read_bytes() == b"".join(numbered(4))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_leaves_whole_lines_and_all_arrive_when_there_is_room(small_disk: Path) -> None:
    ballast, log = small_disk / "ballast", small_disk / "log"
    ballast.write_bytes(bytes(40_000))
    writer = AuditWriter(FileSink(str(log)), strict=True)
    assert writer.take(numbered(200)) == 200
    first = writer.flush(0.0)
    assert (0 < first < 200, writer.working, writer.trouble) == (True, False, "no space left on device")
    assert log.read_bytes() == b"".join(numbered(first))
    assert writer.flush(1.0) == first
    ballast.unlink()
    assert writer.flush(2.0) == 200
    assert writer.working
    assert log.read_bytes() == b"".join(numbered(200))


def test_a_disk_that_is_full_from_the_start_takes_no_byte(small_disk: Path) -> None:
    ballast, log = small_disk / "ballast", small_disk / "log"
    sink = FileSink(str(log))
    with pytest.raises(OSError, match="space"):
        ballast.write_bytes(bytes(80_000))
    with pytest.raises(OSError, match="space"):
        sink.write([LINE])
    assert log.read_bytes() == b""
    ballast.unlink()
    assert sink.write([LINE]) == 1
    assert log.read_bytes() == LINE


@given(st.integers(1, 5), st.integers(0, 1000), st.integers(0, 1000))
def test_a_file_that_may_not_grow_takes_whole_lines_only(count: int, before: int, room: int) -> None:
    with tempfile.NamedTemporaryFile() as file, closing(FileSink(file.name)) as sink:
        file.write(b"\n" * before)
        file.flush()
        path = Path(file.name)
        with file_limit(before + room):
            done = _written(sink, numbered(count))
            assert path.read_bytes()[before:] == b"".join(numbered(done))
        assert done == min(count, room // len(numbered(1)[0]))
        assert _written(sink, numbered(count - done, done)) == count - done
        assert path.read_bytes()[before:] == b"".join(numbered(count))


def _written(sink: FileSink, lines: list[bytes]) -> int:
    try:
        return sink.write(lines)
    except OSError:
        return 0


@pytest.fixture
def growing(short_tmp: Path) -> Iterator[Path]:
    """A file that cannot be cut."""
    path = short_tmp / "log"
    path.touch(0o600)
    if subprocess.run(["chattr", "+a", path], capture_output=True, check=False).returncode:
        forbidden("append-only files")
    yield path
    subprocess.run(["chattr", "-a", path], check=True)


def test_a_file_that_can_only_grow_gets_its_torn_line_completed(growing: Path) -> None:
    with closing(FileSink(str(growing))) as sink:
        with file_limit(len(LINE) + 20):
            assert sink.write(numbered(3)) == 1
            assert growing.read_bytes() == b"".join(numbered(3))[: len(LINE) + 20]
        assert sink.write(numbered(2, 1)) == 2
        assert growing.read_bytes() == b"".join(numbered(3))


def test_a_torn_line_behind_which_another_wrote_is_not_completed(growing: Path) -> None:
    with closing(FileSink(str(growing))) as sink, growing.open("ab", buffering=0) as other:
        with file_limit(20):
            assert _written(sink, [LINE]) == 0
        other.write(b" another's\n")
        with file_limit(20):
            assert _written(sink, [LINE]) == 0
        assert sink.write([LINE]) == 1
    assert growing.read_bytes() == LINE[:20] + b" another's\n" + b"\n" + LINE


def test_a_line_that_a_crash_tore_is_ended_before_the_next(short_tmp: Path) -> None:
    path = short_tmp / "log"
    path.write_bytes(LINE + LINE[:30])
    sink = FileSink(str(path))
    assert path.read_bytes() == LINE + LINE[:30]
    assert sink.write(numbered(2, 5)) == 2
    assert path.read_bytes().split(b"\n")[1] == LINE[:30]
    assert numbers(path.read_bytes().replace(LINE[:30] + b"\n", b"")) == [0, 5, 6]


def test_a_file_that_was_renamed_is_left_when_the_sink_is_reopened(short_tmp: Path) -> None:
    path, old = short_tmp / "log", short_tmp / "log.1"
    writer = AuditWriter(FileSink(str(path)), strict=True)
    writer.take(numbered(1))
    writer.flush(0.0)
    path.rename(old)
    writer.take(numbered(1, 1))
    writer.flush(0.0)
    assert not path.exists()
    writer.reopen()
    writer.take(numbered(1, 2))
    assert writer.flush(0.0) == 3
    assert (numbers(old.read_bytes()), numbers(path.read_bytes())) == ([0, 1], [2])


def test_a_reopening_that_fails_goes_on_in_the_old_file(short_tmp: Path) -> None:
    path, old = short_tmp / "log", short_tmp / "log.1"
    sink = FileSink(str(path))
    path.rename(old)
    path.symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        sink.reopen()
    assert sink.write([LINE]) == 1
    assert old.read_bytes() == LINE


def test_a_file_of_root_that_was_not_renamed_is_gone_on_with(short_tmp: Path) -> None:
    """The agent may have become another user since it opened it."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    path = short_tmp / "log"
    sink = FileSink(str(path))
    short_tmp.chmod(0o755)
    os.seteuid(65534)
    try:
        sink.reopen()
        assert sink.write([LINE]) == 1
        with pytest.raises(PermissionError):
            FileSink(str(path))
    finally:
        os.seteuid(0)
    assert path.read_bytes() == LINE


def test_reopening_leaks_no_descriptor(short_tmp: Path) -> None:
    sink = FileSink(str(short_tmp / "log"))
    before = open_descriptors()
    for number in range(5):
        (short_tmp / "log").rename(short_tmp / f"log.{number}")
        sink.reopen()
    (short_tmp / "log").rename(short_tmp / "log.5")
    (short_tmp / "log").touch()
    (short_tmp / "log").chmod(0o666)
    with pytest.raises(OSError, match="others may write"):
        sink.reopen()
    assert not open_descriptors() - before


def test_a_file_that_was_removed_is_made_anew(short_tmp: Path) -> None:
    path = short_tmp / "log"
    sink = FileSink(str(path))
    sink.write(numbered(1))
    path.unlink()
    assert sink.write(numbered(1, 1)) == 1
    assert numbers(path.read_bytes()) == [1]
    path.unlink()
    short_tmp.rename(short_tmp.with_name(short_tmp.name + "-away"))
    try:
        with pytest.raises(FileNotFoundError):
            sink.write(numbered(1, 2))
    finally:
        short_tmp.with_name(short_tmp.name + "-away").rename(short_tmp)
    assert sink.write(numbered(1, 2)) == 1


def test_two_agents_do_not_break_each_others_lines(short_tmp: Path) -> None:
    path = short_tmp / "log"
    children = [_writing_child(path, begin) for begin in (0, 1000)]
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    found = numbers(path.read_bytes())
    assert sorted(found) == [*range(500), *range(1000, 1500)]
    assert [number for number in found if number < 1000] == list(range(500))


def _writing_child(path: Path, begin: int) -> int:
    child = os.fork()
    if not child:
        sink = FileSink(str(path))
        for number in range(0, 500, 5):
            sink.write(numbered(5, begin + number))
        os._exit(0)
    return child


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.symlink_to("/tmp/elsewhere"), "symbolic links"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: os.mkfifo(path, 0o600), "not a regular file"),
        (lambda path: path.touch(0o620) or path.chmod(0o620), "others may write to it"),
        (lambda path: path.touch(0o602) or path.chmod(0o602), "others may write to it"),
        (lambda path: path.parent.rmdir(), "no such file"),
    ],
    ids=["symbolic link", "directory", "fifo", "writable by its group", "by all", "nowhere"],
)
def test_a_file_that_others_could_change_is_refused_with_the_reason(
    short_tmp: Path, make: object, why: str
) -> None:
    path = short_tmp / "place" / "log"
    path.parent.mkdir()
    make(path)  # type: ignore[operator]
    with pytest.raises(Unavailable, match=f"(?i){path.name}.*{why}") as raised:
        open_sink(str(path))
    assert raised.value.hint


def test_another_users_file_is_refused(short_tmp: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    path = short_tmp / "log"
    path.touch(0o600)
    os.chown(path, 4242, 4242)
    with pytest.raises(Unavailable, match="belongs to uid 4242"):
        open_sink(str(path))


def test_a_device_is_no_file_for_a_log() -> None:
    with pytest.raises(Unavailable, match="not a regular file"):
        open_sink("/dev/full")


def test_a_line_that_another_agent_is_writing_is_left_to_it(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written so far is seen when the file is opened, and the rest a moment later."""
    path = short_tmp / "log"
    (line,) = numbered(1)
    path.write_bytes(line[:4])
    path.chmod(0o600)
    rest = iter([line[4:7], line[7:]])

    def goes_on(_seconds: float) -> None:
        with path.open("ab") as other:
            other.write(next(rest))

    monkeypatch.setattr("kit.agent.audit.files.time.sleep", goes_on)
    FileSink(str(path)).write(numbered(1, 1))
    assert numbers(path.read_bytes()) == [0, 1]
