"""The agent's log, through real descriptors."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kit.agent.journal import Journal


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
