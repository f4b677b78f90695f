"""Messages between processes: whole, bounded, with their descriptors, and not left behind in memory."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from kit.agent.channels.channel import MESSAGE_LIMIT, Channel, ChannelClosed, adopt, pair
from tests.descriptors import open_descriptors


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, two = pair()
    channels = Channel(one), Channel(two)
    yield channels
    for channel in channels:
        channel.close()


def take_one(channel: Channel) -> tuple[bytes, list[int]] | None:
    """The next message and its descriptors; None where there is none."""
    found: list[tuple[bytes, list[int]]] = []
    got = channel.receive(lambda data, descriptors: found.append((bytes(data), descriptors)))
    assert got == bool(found)
    return found[0] if found else None


def test_messages_come_whole_and_in_order(ends: tuple[Channel, Channel]) -> None:
    one, two = ends
    assert take_one(two) is None
    for number in range(50):
        one.send([bytes([number]), b"-", bytearray(number), memoryview(b"end")])
    got = [take_one(two) for _ in range(50)]
    assert got == [(bytes([n]) + b"-" + bytes(n) + b"end", []) for n in range(50)]
    assert take_one(two) is None


def test_the_longest_message_arrives_and_a_longer_one_ends_the_channel(ends: tuple[Channel, Channel]) -> None:
    one, two = ends
    one.send([b"x" * MESSAGE_LIMIT])
    assert take_one(two) == (b"x" * MESSAGE_LIMIT, [])
    one.send([b"x" * (MESSAGE_LIMIT + 1)])
    with pytest.raises(ChannelClosed):
        take_one(two)


def test_descriptors_arrive_in_their_order_and_close_at_exec(ends: tuple[Channel, Channel]) -> None:
    one, two = ends
    pipes = [os.pipe() for _ in range(4)]
    one.send([b"pipes"], [writing for _, writing in pipes])
    got = take_one(two)
    assert got
    data, descriptors = got
    assert data == b"pipes"
    for number, descriptor in enumerate(descriptors):
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, bytes([number]))
        os.close(descriptor)
    for number, (reading, writing) in enumerate(pipes):
        assert os.read(reading, 9) == bytes([number])
        os.close(reading)
        os.close(writing)


def test_more_descriptors_than_a_message_has_are_closed_and_end_the_channel() -> None:
    one, two = pair()
    with one:
        channel = Channel(two)
        before = open_descriptors()
        socket.send_fds(one, [b"many"], [one.fileno()] * 40)
        with pytest.raises(ChannelClosed):
            take_one(channel)
        assert not open_descriptors() - before
        channel.close()


def test_what_was_read_is_wiped_even_if_its_reader_fails(ends: tuple[Channel, Channel]) -> None:
    one, two = ends
    views: list[memoryview] = []

    def fail(data: memoryview, _descriptors: list[int]) -> None:
        views.append(data)
        assert bytes(data) == b"secret"
        raise ValueError("a bug")

    for take in (lambda data, _: views.append(data), fail):
        one.send([b"secret"])
        with contextlib.suppress(ValueError):
            two.receive(take)
        assert bytes(views.pop()) == bytes(6)


@pytest.mark.parametrize("how", ["closed", "unread data", "ended process"])
def test_an_end_that_is_gone_is_told_to_reader_and_writer(how: str) -> None:
    one, two = pair()
    channel = Channel(one)
    if how == "unread data":
        channel.send([b"never read"])
    elif how == "ended process" and not os.fork():
        os._exit(0)
    two.close()
    if how == "ended process":
        os.wait()
    for _ in range(2):
        with pytest.raises(ChannelClosed):
            take_one(channel)
        with pytest.raises(ChannelClosed):
            channel.send([b"x"])
    channel.close()


def test_what_was_sent_before_the_end_is_read_before_it() -> None:
    one, two = pair()
    channel, other = Channel(one), Channel(two)
    other.send([b"last words"])
    other.close()
    assert take_one(channel) == (b"last words", [])
    with pytest.raises(ChannelClosed):
        take_one(channel)
    channel.close()


def test_a_writer_waits_for_a_slow_reader() -> None:
    one, two = pair()
    child = os.fork()
    if not child:
        one.close()
        reader = Channel(two)
        for number in range(3000):
            os.sched_yield()
            while (got := take_one(reader)) is None:
                os.sched_yield()
            if got[0] != number.to_bytes(2, "big") * 1000:
                os._exit(1)
        os._exit(0)
    two.close()
    writer = Channel(one)
    for number in range(3000):
        writer.send([number.to_bytes(2, "big") * 1000])
    assert os.waitpid(child, 0)[1] == 0
    writer.close()


def test_a_reader_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.agent.channels.channel._SEND_S", 0.05)
    one, two = pair()
    writer = Channel(one)
    with two, pytest.raises(ChannelClosed):
        while True:
            writer.send([bytes(10_000)])
    writer.close()


def test_a_descriptor_becomes_a_channel() -> None:
    one, two = pair()
    channel, other = adopt(os.dup(one.fileno())), Channel(two)
    one.close()
    channel.send([b"hello"])
    assert take_one(other) == (b"hello", [])
    channel.close()
    other.close()
