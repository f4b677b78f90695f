"""The agent's log, through real descriptors."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kit.agent.journal import Journal
from kit.core.errors import Unavailable


def test_a_line_has_the_time_the_event_and_its_fields(short_tmp: Path) -> None:
    log = short_tmp / "log"
    with log.open("wb") as file:
        Journal(file.fileno()).event("start", pid=1, socket="/a b")
    stamp, program, event, *fields = log.read_text().split(" ", 3)
    assert stamp.endswith("Z")
    assert (program, event, fields) == ("kit-agent:", "start", ["pid=1 socket='/a b'\n"])


def test_a_text_cannot_forge_a_line(short_tmp: Path) -> None:
    log = short_tmp / "log"
    with log.open("wb") as file:
        Journal(file.fileno()).event("add", key="a\nb\x1b[31m" + "x" * 9000)
    assert log.read_bytes().count(b"\n") == 1
    assert b"\x1b" not in log.read_bytes()
    assert log.stat().st_size <= 4096


def test_a_flood_of_one_event_leaves_room_for_others(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = short_tmp / "log"
    with log.open("wb") as file:
        journal, now_s = Journal(file.fileno()), time.time()
        monkeypatch.setattr(time, "time", lambda: now_s)
        for _ in range(1000):
            journal.event("malformed")
        journal.event("bug")
        monkeypatch.setattr(time, "time", lambda: now_s + 1)
        journal.event("stop")
    events = [line.split()[2:] for line in log.read_text().splitlines()]
    assert events.count(["malformed"]) == 50
    assert events[-3:] == [["bug"], ["left-out", "lines=950"], ["stop"]]


def test_a_reader_that_does_not_read_blocks_nothing() -> None:
    read_end, write_end = os.pipe()
    try:
        journal = Journal(write_end)
        for number in range(2000):
            journal.event(f"event-{number}", text="x" * 1000)
        os.set_blocking(read_end, False)
        assert 0 < len(os.read(read_end, 1 << 20)) <= 65536
        os.close(read_end)
        journal.event("alone")
    finally:
        os.close(write_end)


def test_a_line_of_another_process_obeys_no_terminal(short_tmp: Path) -> None:
    log = short_tmp / "log"
    journal = Journal.open(str(log))
    journal.line(b"2026-01-01T00:00:00Z kit-agent: add key='a' \x1b[31m\x07\x7f\xff\ttail")
    journal.line(b"x" * 9000)
    lines = log.read_bytes().splitlines(keepends=True)
    assert lines[0] == b"2026-01-01T00:00:00Z kit-agent: add key='a' ?[31m????tail\n"
    assert len(lines[1]) == 4096


def test_a_process_that_was_taken_over_cannot_flood_the_log(short_tmp: Path) -> None:
    log = short_tmp / "log"
    journal = Journal.open(str(log))
    for _ in range(5000):
        journal.line(b"noise")
    journal.event("kill")
    text = log.read_text()
    assert text.count("noise") <= 1000, "two seconds' worth, should one have begun"
    assert "kill" in text


def test_after_a_rotation_the_log_goes_on_in_a_new_file(short_tmp: Path) -> None:
    log, moved = short_tmp / "log", short_tmp / "log.1"
    journal = Journal.open(str(log))
    journal.event("before")
    log.rename(moved)
    journal.event("between")
    journal.reopen()
    journal.event("after")
    assert [line.split()[2] for line in moved.read_text().splitlines()] == ["before", "between"]
    assert [line.split()[2] for line in log.read_text().splitlines()] == ["after"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_opened_anew_goes_on_in_the_old_file(short_tmp: Path) -> None:
    log, moved = short_tmp / "logs" / "log", short_tmp / "moved"
    log.parent.mkdir()
    journal = Journal.open(str(log))
    log.rename(moved)
    log.mkdir()
    with pytest.raises(IsADirectoryError):
        journal.reopen()
    journal.event("still")
    assert moved.read_text().endswith("still\n")
    with pytest.raises(Unavailable, match="cannot open the log"):
        Journal.open(str(log))


def test_standard_error_is_not_reopened() -> None:
    Journal().reopen()
