"""The supervisor believes a bridge nothing but what the kernel says of the sockets that it shows."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.agent.bridge.rendezvous import make
from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, pair
from kit.agent.channels.tallies import Tallies
from kit.agent.listener import Place
from kit.agent.processes.bridging import Bridge, Bridged, Bridging
from kit.agent.processes.door import Busy, Stranger
from kit.agent.processes.loop import Loop
from kit.agent.startup import Limits
from kit.core.sandbox.plan import Level, Plan
from tests.agent.joined import Lines


class Doorman:
    """A door that lets in, or does what it is told."""

    def __init__(self) -> None:
        self.closed = False
        self.introduced = 0
        self.raises: Exception | None = None

    def introduce(self, client: socket.socket) -> socket.socket:
        self.introduced += 1
        assert client.getpeername() == ""
        if self.raises:
            raise self.raises
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours


class OneBridge(Bridge):
    """There is no other when it ends."""

    def fork(self) -> Bridged:
        raise OSError(11, "no process left")


class Room:
    """A supervisor's side, and a bridge's that the test plays."""

    def __init__(self, directory: Path) -> None:
        self.loop, self.log, self.door = Loop(), Lines(), Doorman()
        ours, theirs = pair()
        self.ours, self.bridge = Channel(ours), Channel(theirs)
        self.rendezvous = make(Place(str(directory / "pkcs11.sock"), 0o600, None))
        made = OneBridge(self.rendezvous, Plan(Level.OFF, None, 64), Limits(), Bridged(self.ours))
        row = Tallies(1, 1, 1).row(-1)
        self.bridging = Bridging(self.loop, self.door, row, self.log, made)  # type: ignore[arg-type]
        self.bridging.begin()

    def say(self, message: object, *descriptors: int) -> None:
        self.bridge.send(messages.encode(message), descriptors)
        self.loop.once()

    def heard(self) -> list[tuple[object, int]]:
        """What the bridge is told, and with how many descriptors; those are closed."""
        found: list[tuple[object, int]] = []

        def take(data: memoryview, descriptors: list[int]) -> None:
            found.append((messages.parse(data), len(descriptors)))
            for descriptor in descriptors:
                os.close(descriptor)

        while self.bridge.receive(take):
            pass
        return found

    def program(self) -> tuple[socket.socket, socket.socket]:
        """A program, and the bridge's end of its connection."""
        program = socket.socket(socket.AF_UNIX)
        program.connect(self.rendezvous.path)
        accepted, _ = self.rendezvous.programs.socket.accept()
        return program, accepted

    @property
    def lost(self) -> bool:
        return bool(self.log.of("bridge-ended"))


@pytest.fixture
def room(short_tmp: Path) -> Iterator[Room]:
    room = Room(short_tmp)
    yield room
    for channel in (room.ours, room.bridge):
        channel.close()
    room.rendezvous.close()


def test_a_program_is_introduced_to_a_worker(room: Room) -> None:
    program, accepted = room.program()
    with program, accepted:
        room.say(messages.Introduce(7), accepted.fileno())
    assert room.heard() == [(messages.Introduced(7, True), 1)]


def test_an_introduction_leaves_the_program_s_socket_as_it_was(room: Room) -> None:
    """Its flags are the bridge's, too: a socket that waits would hold up every program."""
    program, accepted = room.program()
    accepted.setblocking(False)
    with program, accepted:
        room.say(messages.Introduce(7), accepted.fileno())
        assert not os.get_blocking(accepted.fileno())


def the_listening_socket(room: Room) -> int:
    return os.dup(room.rendezvous.programs.socket.fileno())


def the_agents_socket(room: Room) -> int:
    return os.dup(room.rendezvous.agents.socket.fileno())


def its_channel(room: Room) -> int:
    return os.dup(room.bridge.fileno())


def a_pair_of_its_own(_room: Room) -> int:
    one, other = socket.socketpair()
    other.close()
    return one.detach()


def a_file(_room: Room) -> int:
    return os.open(os.devnull, os.O_RDONLY)


@pytest.mark.parametrize(
    "makes", [the_listening_socket, the_agents_socket, its_channel, a_pair_of_its_own, a_file]
)
def test_what_is_no_program_of_its_own_ends_the_bridge(room: Room, makes: Callable[[Room], int]) -> None:
    """By the kernel's word, what listens and the channel belong to the user who made them: root."""
    descriptor = makes(room)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    room.say(messages.Introduce(7), descriptor)
    os.close(descriptor)
    assert (room.lost, room.door.introduced) == (True, 0)
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_an_introduction_of_nobody_or_of_two_ends_the_bridge(room: Room) -> None:
    room.say(messages.Introduce(7))
    assert room.lost


def test_what_a_bridge_notes_is_a_line_of_the_log_and_no_more(room: Room) -> None:
    room.say(messages.Noted("bug", 1000, 77, "KeyError x:1"))
    room.say(messages.Noted("key='x'\nforged", 1000, 77, "y"))
    room.say(messages.Attending(1234, 3))
    assert room.log.of("bridge-bug") == [{"uid": 1000, "pid": 77, "why": "KeyError x:1"}]
    assert len(room.log.of("bridge-note")) == 1
    assert not room.lost


def test_whom_no_key_names_is_told_from_whom_no_worker_has_room_for(room: Room) -> None:
    program, accepted = room.program()
    with program, accepted:
        room.door.raises = Stranger()
        room.say(messages.Introduce(1), accepted.fileno())
        room.door.raises = OSError(24, "too many open files")
        room.say(messages.Introduce(2), accepted.fileno())
        room.door.raises = Busy()
        room.say(messages.Introduce(3), accepted.fileno())
        assert room.heard() == [(messages.Introduced(1, False), 0), (messages.Introduced(2, True), 0)]
        room.door.raises = None
        room.bridging.retry()
    assert room.heard() == [(messages.Introduced(3, True), 1)]
