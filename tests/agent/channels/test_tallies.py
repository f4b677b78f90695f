"""Counters that several processes write and each may read."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.channels.tallies import (
    ACCEPTED,
    BOUNDS_US,
    DECRYPTED,
    FAILED,
    GONE,
    LAST_REFUSED,
    MICROSECONDS,
    OPERATIONS,
    REFUSED,
    REJECTED,
    SERVED,
    SIGNED,
    Tallies,
    count_operation,
    histogram,
    note_refusal,
)

WORKERS, ROUNDS = 4, 5000


def test_what_each_process_counts_is_summed_without_a_loss() -> None:
    tallies = Tallies(WORKERS, 8, 16)
    children = []
    for index in range(WORKERS):
        child = os.fork()
        if not child:
            row = tallies.row(index)
            for _ in range(ROUNDS):
                row.cells[SERVED] += 1
                row.cells[FAILED] += index
                row.key(3)[SIGNED] += 1
                tallies.client(index)[OPERATIONS] += 1
            os._exit(0)
        children.append(child)
    for _ in range(ROUNDS):
        tallies.row(-1).cells[ACCEPTED] += 1
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert tallies.total(SERVED) == WORKERS * ROUNDS
    assert tallies.total(FAILED) == ROUNDS * sum(range(WORKERS))
    assert tallies.total(ACCEPTED) == ROUNDS
    assert tallies.key(3)[SIGNED] == WORKERS * ROUNDS
    assert [tallies.client(slot)[OPERATIONS] for slot in range(5)] == [ROUNDS] * WORKERS + [0]


def test_no_cell_is_another_one() -> None:
    tallies = Tallies(2, 3, 4)
    places = [
        *(tallies.row(index).cells[: FAILED + 1] for index in (-1, 0, 1)),
        *(tallies.row(index).key(slot) for index in (-1, 0, 1) for slot in range(3)),
        *(tallies.client(slot) for slot in range(4)),
    ]
    count = 0
    for place in places:
        for at in range(len(place)):
            assert place[at] == 0
            count += 1
            place[at] = count
    flat = [value for place in places for value in place]
    assert sorted(flat) == list(range(1, count + 1))


def test_a_slot_that_a_new_key_takes_begins_at_nothing() -> None:
    tallies = Tallies(2, 2, 1)
    for index in range(2):
        for slot in range(2):
            tallies.row(index).key(slot)[REFUSED] = 5
    tallies.clear_key(1)
    assert [tallies.key(slot)[REFUSED] for slot in range(2)] == [10, 0]


@pytest.mark.parametrize("bound", BOUNDS_US)
def test_an_operation_is_counted_up_to_each_bound_that_it_does_not_exceed(bound: int) -> None:
    tallies, at = Tallies(1, 1, 1), BOUNDS_US.index(bound)
    key = tallies.row(0).key(0)
    for microseconds in (bound, bound + 1):
        count_operation(key, SIGNED, microseconds)
    expected = [0] * (len(BOUNDS_US) + 1)
    expected[at] = expected[at + 1] = 1
    assert list(histogram(tallies.key(0))) == expected


@given(st.lists(st.integers(0, 10**7), max_size=50))
def test_the_histogram_has_every_operation_once(lengths: list[int]) -> None:
    tallies = Tallies(1, 1, 1)
    for microseconds in lengths:
        count_operation(tallies.row(0).key(0), SIGNED, microseconds)
    columns = tallies.key(0)
    assert sum(histogram(columns)) == len(lengths)
    assert columns[MICROSECONDS] == sum(lengths)
    assert (columns[SIGNED], columns[DECRYPTED]) == (len(lengths), 0)


def test_of_refusals_by_several_workers_the_last_is_told() -> None:
    tallies = Tallies(3, 1, 1)
    for index, (time_ms, purpose) in enumerate(((5000, 3), (7000, 9), (6000, 1))):
        note_refusal(tallies.row(index).key(0), time_ms, purpose)
    columns = tallies.key(0)
    assert (columns[REFUSED], columns[LAST_REFUSED]) == (3, 7000 << 8 | 9)
    assert not any(histogram(columns))


def test_numbers_of_a_worker_that_was_taken_over_break_no_sum() -> None:
    tallies = Tallies(2, 1, 1)
    for index in range(2):
        tallies.row(index).cells[REJECTED] = tallies.row(index).key(0)[SIGNED] = 2**64 - 1
    assert 0 <= tallies.total(REJECTED) < 2**64
    assert 0 <= tallies.key(0)[SIGNED] < 2**64


def test_the_largest_agent_fits_what_a_process_may_lock() -> None:
    tallies = Tallies(64, 256, 1024)
    tallies.client(1023)[GONE] = 1
    assert len(tallies._cells) * 8 < 4 * 1024 * 1024
