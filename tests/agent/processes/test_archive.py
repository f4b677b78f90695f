"""From the processes' pipes into the audit log: nothing lost, nothing told too early."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

import pytest

from kit.agent.audit.codec import encode
from kit.agent.audit.render import json_line
from kit.agent.audit.writer import AuditWriter
from kit.agent.channels.recorder import Recorder
from kit.agent.channels.tallies import AUDIT_FAILING, AUDIT_LOST, Tallies
from kit.agent.processes.archive import Archive
from kit.agent.processes.loop import Loop
from tests.agent.audit_samples import SIGNED


class Shelf:
    """A place for lines, which may be closed for a while."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.closed = self.reopened = False

    def write(self, lines: Sequence[bytes]) -> int:
        if self.closed:
            raise OSError(28, "No space left on device")
        self.lines += lines
        return len(lines)

    def reopen(self) -> None:
        self.reopened = True

    def close(self) -> None:
        pass


class Process:
    """A process of the agent: its pipe, and what it is told."""

    def __init__(self, archive: Archive, *, strict: bool, number: int = 0) -> None:
        """`number` is the descriptor that the archive is to read from; none if it does not matter."""
        self.reading, self.writing = os.pipe()
        if number not in (0, self.reading):
            if self.writing == number:  # something with a lower number was closed meanwhile
                self.writing = os.dup(number)
            os.dup2(self.reading, number)
            os.close(self.reading)
            self.reading = number
        self.told: list[tuple[int, bool]] = []
        self.nonsense = 0
        self.recorder = Recorder(self.writing, strict=strict)
        archive.add(self.reading, lambda *word: self.told.append(word), self._say_nonsense)

    def _say_nonsense(self) -> None:
        self.nonsense += 1

    def record(self, count: int, key: str = "web") -> None:
        for number in range(count):
            self.recorder.record(SIGNED._replace(key=key, microseconds=number))
        self.recorder.flush()


class Room:
    """A loop, an archive and its shelf."""

    def __init__(self, *, strict: bool, limit: int = 1000) -> None:
        self.loop, self.shelf, self.tallies = Loop(), Shelf(), Tallies(1, 1, 1)
        self.writer = AuditWriter(self.shelf, strict, limit)
        self.archive = Archive(self.loop, self.writer, strict, self.tallies.row(-1))
        self.strict = strict

    def process(self, number: int = 0) -> Process:
        return Process(self.archive, strict=self.strict, number=number)

    def turn(self, seconds: float = 0.1) -> None:
        """The loop runs for so long."""
        self.loop.after(seconds, self.loop.stop)
        self.loop._stopped = False
        self.loop.run()

    def await_lines(self, count: int) -> None:
        """The loop runs until there are so many lines, and then long enough for those that are too many."""
        end_s = time.monotonic() + 20
        while len(self.shelf.lines) < count and time.monotonic() < end_s:
            self.turn(0.01)
        self.turn()

    @property
    def cells(self) -> tuple[int, int]:
        cells = self.tallies.row(-1).cells
        return cells[AUDIT_FAILING], cells[AUDIT_LOST]


@pytest.fixture(params=[False, True], ids=["relaxed", "strict"])
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    yield Room(strict=request.param)


def test_every_record_is_one_line_in_its_processes_order(room: Room) -> None:
    one, two = room.process(), room.process()
    for _ in range(3):
        one.record(5, "one")
        two.record(7, "two")
        room.turn(0.03)
    room.await_lines(36)
    room.archive.record(SIGNED._replace(event="stop"))
    assert len(room.shelf.lines) == 37
    ones = [line for line in room.shelf.lines if b'"one"' in line]
    assert ones == [json_line(SIGNED._replace(key="one", microseconds=n)) for n in range(5)] * 3
    assert b'"stop"' in room.shelf.lines[-1]


def test_a_record_that_comes_in_pieces_is_one_line(room: Room) -> None:
    process, whole = room.process(), encode(SIGNED)
    for octet in whole + whole:
        os.write(process.writing, bytes([octet]))
        room.turn(0.001)
    room.await_lines(2)
    assert room.shelf.lines == [json_line(SIGNED)] * 2


def test_what_a_process_said_before_its_end_still_counts(room: Room) -> None:
    process = room.process()
    process.record(500)
    os.close(process.writing)
    room.archive.remove(process.reading)
    assert len(room.shelf.lines) == 500
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(process.reading)


def test_a_pipe_that_closes_keeps_the_loop_from_spinning(room: Room) -> None:
    process = room.process()
    process.record(1)
    os.close(process.writing)
    room.turn(0.05)
    assert len(room.shelf.lines) == 1
    room.archive.remove(process.reading)


def test_a_number_that_another_pipe_has_now_is_another_pipe(room: Room) -> None:
    old = room.process()
    old.record(1, "old")
    room.turn(0.001)  # a relaxed one rests now
    os.close(old.writing)
    room.archive.remove(old.reading)
    new = room.process(old.reading)
    new.record(2, "new")
    room.await_lines(3)
    assert [b'"new"' in line for line in room.shelf.lines] == [False, True, True]


def test_nonsense_is_told_once_and_only_what_came_before_it_is_written(room: Room) -> None:
    bad, good = room.process(), room.process()
    bad.record(2)
    os.write(bad.writing, b"\xff" * 64)
    room.turn()
    assert bad.nonsense == 1
    good.record(1, "good")
    os.write(bad.writing, encode(SIGNED))  # not heard any more
    room.await_lines(3)
    room.turn()  # who only rested would have been looked at again
    assert (bad.nonsense, len(room.shelf.lines)) == (1, 3)
    room.archive.remove(bad.reading)
    assert (bad.nonsense, len(room.shelf.lines)) == (1, 3)


def test_in_the_end_all_that_came_is_written(room: Room) -> None:
    processes = [room.process() for _ in range(3)]
    for process in processes:
        process.record(100)
    room.archive.end()
    assert len(room.shelf.lines) == 300


def test_a_rotation_reaches_the_sink(room: Room) -> None:
    room.archive.reopen()
    assert room.shelf.reopened


def test_a_strict_process_is_told_how_many_of_its_records_are_written() -> None:
    room = Room(strict=True)
    one, two = room.process(), room.process()
    one.record(3)
    two.record(5)
    assert one.recorder.unsettled(1)
    room.turn()
    assert (one.told[-1], two.told[-1]) == ((3, True), (5, True))
    one.recorder.settle(*one.told[-1])
    assert not one.recorder.unsettled(3)
    assert one.recorder.unsettled(4)
    one.record(1)
    room.turn()
    assert one.told[-1] == (4, True)


def test_nobody_is_told_of_a_record_that_is_not_written() -> None:
    room = Room(strict=True)
    one, idle = room.process(), room.process()
    room.shelf.closed = True
    one.record(3)
    room.turn(0.2)
    assert [count for count, _ in one.told] == [0] * len(one.told)
    assert one.told[-1] == idle.told[-1] == (0, False)
    assert room.cells == (1, 0)
    one.recorder.settle(*one.told[-1])
    assert not one.recorder.working
    room.shelf.closed = False
    room.turn(0.8)
    assert one.told[-1] == (3, True)
    assert idle.told[-1] == (0, True)
    assert room.cells == (0, 0)
    assert len(room.shelf.lines) == 3


def test_a_process_that_begins_while_the_log_fails_is_told_so() -> None:
    room = Room(strict=True)
    room.shelf.closed = True
    room.process().record(1)
    room.turn()
    late = room.process()
    assert late.told == [(0, False)]
    room.shelf.closed = False
    room.turn(0.8)
    assert late.told[-1] == (0, True)


def test_a_strict_log_that_is_full_reads_no_more_and_loses_nothing() -> None:
    room = Room(strict=True, limit=10)
    one = room.process()
    room.shelf.closed = True
    one.record(12)
    room.turn(0.1)
    one.record(20)
    room.turn(0.1)
    assert room.writer.waiting == 12
    room.shelf.closed = False
    room.await_lines(32)
    assert len(room.shelf.lines) == 32
    assert room.cells == (0, 0)


def test_a_relaxed_process_is_told_nothing_and_lost_lines_are_counted() -> None:
    room = Room(strict=False, limit=10)
    one = room.process()
    room.shelf.closed = True
    one.record(25)
    room.turn(0.1)
    assert room.cells == (1, 15)
    assert one.recorder.working
    room.shelf.closed = False
    room.turn(0.8)
    assert one.told == []
    assert room.cells == (0, 15)
    assert b'"event":"audit-lost","lines":15' in room.shelf.lines[0]
    assert len(room.shelf.lines) == 11
