"""Lines reach a sink that fails and recovers in order and once, and what is lost is told."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kit.agent.audit.writer import AuditWriter
from tests.agent.audit_samples import Shelf, numbered, numbers

LATER_S = 0.6


def test_totals_run_on_over_batches() -> None:
    shelf = Shelf()
    writer = AuditWriter(shelf, strict=True)
    assert (writer.take(numbered(3)), writer.flush(0.0)) == (3, 3)
    assert (writer.take(numbered(2, 3)), writer.waiting) == (5, 2)
    assert (writer.flush(0.0), writer.waiting, writer.until_next_try_s(0.0)) == (5, 0, None)
    assert shelf.lines == numbered(5)


def test_a_total_tells_which_lines_are_written() -> None:
    shelf = Shelf(room=4)
    writer = AuditWriter(shelf, strict=True)
    first, second = writer.take(numbered(3)), writer.take(numbered(3, 3))
    assert first <= writer.flush(0.0) == 4 < second
    shelf.room = 10
    assert writer.flush(LATER_S) == second


def test_a_sink_that_failed_is_left_alone_for_half_a_second() -> None:
    shelf = Shelf(room=0)
    writer = AuditWriter(shelf, strict=True)
    writer.take(numbered(1))
    for now_s in (10.0, 10.1, 10.49):
        assert writer.flush(now_s) == 0
        assert (writer.working, writer.trouble, shelf.tries) == (False, "no space left on device", 1)
    assert 0.09 < (writer.until_next_try_s(10.4) or 0) < 0.11
    shelf.room = 1
    assert writer.flush(10.5) == 1
    assert (writer.working, writer.trouble) == (True, "")


def test_a_sink_that_is_full_for_a_moment_is_working_and_soon_tried_again() -> None:
    shelf = Shelf(room=0, error=BlockingIOError(11, "Resource temporarily unavailable"))
    writer = AuditWriter(shelf, strict=True)
    writer.take(numbered(2))
    writer.flush(10.0)
    assert writer.working
    assert (writer.until_next_try_s(10.0) or 1) < 0.01
    shelf.room = 1
    assert writer.flush(10.4) == 1
    assert writer.flush(10.8) == 1
    assert writer.working
    assert writer.flush(11.0) == 1
    assert not writer.working
    assert (writer.until_next_try_s(11.0) or 1) < 0.01


def test_a_new_file_is_tried_at_once() -> None:
    shelf = Shelf(room=0)
    writer = AuditWriter(shelf, strict=True)
    writer.take(numbered(1))
    writer.flush(0.0)
    writer.reopen()
    assert writer.flush(0.1) == 1


def test_a_strict_writer_loses_nothing_and_says_when_it_is_full() -> None:
    shelf = Shelf(room=0)
    writer = AuditWriter(shelf, strict=True, limit_lines=10)
    writer.take(numbered(9))
    assert not writer.full
    writer.take(numbered(11, 9))
    writer.flush(0.0)
    assert (writer.full, writer.waiting, writer.lost) == (True, 20, 0)
    shelf.room = 20
    assert writer.flush(LATER_S) == 20
    assert (shelf.lines, writer.full) == (numbered(20), False)


def test_another_writer_drops_the_oldest_and_says_so_where_they_are_missing() -> None:
    shelf = Shelf(room=0)
    writer = AuditWriter(shelf, strict=False, limit_lines=10)
    assert writer.take(numbered(25)) == 25
    assert (writer.waiting, writer.lost, writer.flush(0.0)) == (10, 15, 0)
    shelf.room = 100
    assert writer.flush(LATER_S) == 10
    lost, *rest = shelf.lines
    assert rest == numbered(25)[15:]
    fields = json.loads(lost)
    assert fields == {"time": json.loads(rest[0])["time"], "event": "audit-lost", "lines": 15}
    writer.take(numbered(1, 25))
    writer.flush(LATER_S)
    assert len(shelf.lines) == 12


def test_the_lost_line_is_not_lost_with_a_sink_that_fails_again() -> None:
    shelf = Shelf(room=0)
    writer = AuditWriter(shelf, strict=False, limit_lines=1)
    writer.take(numbered(3))
    writer.flush(0.0)
    writer.take(numbered(1, 3))
    writer.flush(1.0)
    shelf.room = 2
    writer.flush(2.0)
    assert json.loads(shelf.lines[0])["lines"] == 3
    assert shelf.lines[1:] == numbered(1, 3)


def test_long_lines_are_bounded_by_their_bytes() -> None:
    line = b'{"us":1}' + b" " * 4000 + b"\n"
    strict, writer = (AuditWriter(Shelf(room=0), strict=strict) for strict in (True, False))
    for _ in range(40):
        strict.take([line] * 1000)
        writer.take([line] * 1000)
    assert strict.full
    assert strict.lost == 0
    assert writer.waiting * len(line) <= 64 * 1024 * 1024 < (writer.waiting + 1) * len(line)
    assert writer.waiting + writer.lost == 40_000


def test_what_is_written_makes_room_for_as_much() -> None:
    writer, line = AuditWriter(Shelf(), strict=True), b'{"us":1}' + b" " * 4000 + b"\n"
    for count in range(1000, 40_000, 1000):
        writer.take([line] * 1000)
        assert writer.flush(0.0) == count
        assert not writer.full


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 30)),
        st.tuples(st.just("room"), st.integers(0, 40)),
        st.tuples(st.just("flush"), st.sampled_from([0.0, 0.1, 0.5, 3.0])),
    ),
    max_size=40,
)


@given(STEPS, st.booleans(), st.integers(1, 20))
def test_whatever_happens_each_line_is_written_once_in_order_or_counted_as_lost(
    steps: list[tuple[str, float]], strict: bool, limit: int
) -> None:
    shelf, taken, now_s = Shelf(room=0), 0, 0.0
    writer = AuditWriter(shelf, strict, limit_lines=limit)
    for step, value in [*steps, ("room", 1 << 30), ("flush", 1.0)]:
        if step == "take":
            assert writer.take(numbered(int(value), taken)) == taken + value
            taken += int(value)
        elif step == "room":
            shelf.room = int(value)
        else:
            now_s += value
            written = writer.flush(now_s)
            assert written + writer.waiting + writer.lost == taken
            assert written == sum(b'"us"' in line for line in shelf.lines)
    _check(shelf.lines, taken, writer.lost)
    assert writer.waiting == 0
    assert not strict or not writer.lost


def _check(lines: list[bytes], taken: int, lost: int) -> None:
    """The numbers from 0 run on, and over a gap where a line says how large it is."""
    expected = told = 0
    for line in lines:
        fields = json.loads(line)
        if fields["event"] == "audit-lost":
            expected += fields["lines"]
            told += fields["lines"]
        else:
            assert numbers(line) == [expected]
            expected += 1
    assert (expected, told) == (taken, lost)
