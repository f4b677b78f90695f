"""Children that make a key: what they make, how they fail, and what stays of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from kit.agent import keeper
from kit.agent.processes.loop import Loop
from kit.agent.processes.offspring import Make, Offspring
from kit.core.errors import Unavailable


class Nursery:
    """Children of a loop, and what they brought."""

    def __init__(self, at_once: int = 2) -> None:
        self.loop = Loop()
        self.offspring = Offspring(self.loop, at_once)
        self.got: list[bytes | None] = []
        self.views: list[memoryview] = []

    def start(self, make: Make, *, now: bool = False) -> None:
        (self.offspring.start_now if now else self.offspring.start)(make, self.take)

    def take(self, der: memoryview | None) -> None:
        self.got.append(None if der is None else bytes(der))
        if der is not None:
            self.views.append(der)

    def await_count(self, count: int) -> None:
        self.loop.after(30, self.loop.stop)
        while len(self.got) < count:
            self.loop.once()


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_a_child_makes_a_key_that_can_be_held() -> None:
    nursery, before = Nursery(), _children()
    nursery.start(lambda: keeper.generate_der("p-384"))
    nursery.await_count(1)
    (der,) = nursery.got
    assert der
    assert keeper.load(bytearray(der)).public.kind == "p-384"
    assert _children() == before, "it is waited for"


def test_what_it_made_is_wiped_when_it_was_taken() -> None:
    nursery, kept = Nursery(), list[memoryview]()
    nursery.offspring.start(lambda: b"secret", lambda der: kept.append(der[:]) if der else None)
    while not kept:
        nursery.loop.once()
    assert bytes(kept[0]) == bytes(6)


def test_it_is_wiped_though_whoever_takes_it_fails() -> None:
    nursery, kept = Nursery(), list[memoryview]()

    def fail(der: memoryview | None) -> None:
        assert der
        kept.append(der[:])
        raise ValueError("a bug")

    nursery.offspring.start(lambda: b"secret", fail)
    with pytest.raises(ValueError, match="a bug"):
        while True:
            nursery.loop.once()
    assert bytes(kept[0]) == bytes(6)


def test_a_forked_process_can_overwrite_its_copy_of_what_is_on_its_way() -> None:
    nursery = Nursery()
    reading, writing = os.pipe()

    def slow() -> bytes:
        os.read(reading, 1)
        return b"secret"

    nursery.start(slow)
    (child,) = nursery.offspring._children.values()
    child.der[:6], child.have = b"secret", 6  # what came so far
    nursery.offspring.wipe()
    assert bytes(child.der) == bytes(len(child.der))
    os.write(writing, b"x")
    nursery.await_count(1)
    os.close(reading)
    os.close(writing)


def _fails() -> bytes:
    raise ArithmeticError("no key")


def _is_killed() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b"never"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [_fails, _is_killed, lambda: b"", lambda: os._exit(0)])
def test_a_child_that_fails_brings_nothing(make: Make) -> None:
    nursery, before = Nursery(), _children()
    nursery.start(make)
    nursery.await_count(1)
    assert nursery.got == [None]
    assert _children() == before
    nursery.start(lambda: b"the next one")
    nursery.await_count(2)
    assert nursery.got[1] == b"the next one"


def test_a_child_that_brings_too_much_is_cut_and_ended() -> None:
    nursery = Nursery()
    nursery.start(lambda: bytes(1_000_000))
    nursery.await_count(1)
    (got,) = nursery.got
    assert got is not None
    assert len(got) == 8 * 1024, "which is no key"


def test_no_more_work_at_once_than_may_and_all_get_their_turn() -> None:
    nursery, reading, writing = Nursery(at_once=2), *os.pipe()

    def busy() -> bytes:
        begin_s = time.monotonic()
        time.sleep(0.05)
        os.write(writing, f"{begin_s} {time.monotonic()}\n".encode())
        return b"key"

    for _ in range(9):
        nursery.start(busy)
    nursery.await_count(9)
    spans = [tuple(map(float, line.split())) for line in os.read(reading, 4096).splitlines()]
    os.close(reading)
    os.close(writing)
    assert nursery.got == [b"key"] * 9
    for begin_s, _ in spans:
        assert sum(first <= begin_s < last for first, last in spans) <= 2


def test_what_is_quick_does_not_wait_for_what_is_long() -> None:
    nursery = Nursery(at_once=1)
    leave, told = os.pipe()
    nursery.start(lambda: os.read(leave, 1))
    nursery.start(lambda: b"waits")
    nursery.start(lambda: b"quick", now=True)
    nursery.await_count(1)
    assert nursery.got == [b"quick"]
    os.write(told, b"x")
    nursery.await_count(3)
    assert nursery.got == [b"quick", b"x", b"waits"]
    os.close(leave)
    os.close(told)


def test_who_asks_for_too_many_is_told() -> None:
    nursery = Nursery(at_once=1)
    leave, told = os.pipe()
    nursery.start(lambda: os.read(leave, 1))
    for _ in range(64):
        nursery.start(lambda: b"x")
    with pytest.raises(Unavailable, match="too many keys"):
        nursery.start(lambda: b"x")
    os.write(told, b"x")
    nursery.await_count(65)
    os.close(leave)
    os.close(told)
