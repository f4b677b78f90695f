"""Who is connected, and who was."""

from __future__ import annotations

import pytest

from kit.agent.channels.tallies import GONE, OPERATIONS, REFUSALS, Tallies
from kit.agent.peers import Peer
from kit.agent.processes.slots import Slots

ALICE, BOB = Peer(1000, 1000, frozenset(), 11, "alice"), Peer(1001, 1001, frozenset(), 12, "bob")


@pytest.fixture
def tallies() -> Tallies:
    return Tallies(2, 1, 3)


def take(slots: Slots, peer: Peer = ALICE, worker: int = 0, *, admin: bool = False) -> int:
    number = slots.take(peer, worker, 1000.9, admin=admin)
    assert number is not None
    return number


def test_a_slot_is_anybodys_until_its_worker_says_that_he_is_gone(tallies: Tallies) -> None:
    slots = Slots(tallies)
    numbers = [take(slots) for _ in range(3)]
    assert sorted(numbers) == [0, 1, 2]
    assert slots.take(BOB, 0, 0, admin=False) is None
    tallies.client(numbers[1])[GONE] = 1
    assert slots.free == 0
    assert take(slots, BOB) == numbers[1]
    found = slots.get(numbers[1])
    assert found
    assert found.peer == BOB
    assert slots.get(99) is None


def test_a_new_client_has_done_nothing_yet(tallies: Tallies) -> None:
    slots = Slots(tallies)
    number = take(slots)
    tallies.client(number)[OPERATIONS] = 7
    tallies.client(number)[GONE] = 1
    slots.sweep()
    for _ in range(3):
        take(slots, BOB)
    assert tallies.client(number).tolist() == [0, 0, 0]


def test_a_worker_that_ends_takes_its_clients_along(tallies: Tallies) -> None:
    slots = Slots(tallies)
    mine, other = take(slots, worker=0), take(slots, BOB, worker=1)
    slots.lose(0)
    assert slots.get(mine) is None
    assert slots.get(other)
    assert slots.free == 2


def test_the_records_tell_of_whoever_is_here(tallies: Tallies) -> None:
    slots = Slots(tallies)
    gone, here = take(slots), take(slots, BOB, worker=1)
    tallies.client(gone)[GONE] = 1
    tallies.client(here)[OPERATIONS], tallies.client(here)[REFUSALS] = 5, 2
    (record,) = slots.records()
    assert (record.uid, record.pid, record.peer_name, record.connection) == (1001, 12, "bob", here)
    assert (record.worker, record.since_s, record.operations, record.refused) == (1, 1000, 5, 2)


def test_an_administrator_who_is_gone_is_dismissed_before_the_next_client(tallies: Tallies) -> None:
    slots, dismissed = Slots(tallies), list[int]()
    slots.dismissed = dismissed.append
    admin, user = take(slots, admin=True), take(slots, BOB)
    tallies.client(user)[GONE] = tallies.client(admin)[GONE] = 1
    take(slots, BOB)
    assert dismissed == [admin]
    again = take(slots, admin=True)
    slots.lose(0)
    assert dismissed == [admin, again]
    slots.sweep()
    assert len(dismissed) == 2
