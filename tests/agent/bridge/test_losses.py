"""A bridge whose workers end over a question: it asks another one, and not for ever."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.agent.bridge.customer import Patience
from kit.agent.bridge.patron import Patron
from kit.agent.bridge.rendezvous import make
from kit.agent.bridge.server import Bridge
from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed, pair
from kit.agent.client import AgentClient
from kit.agent.launch import Running, start_agent
from kit.agent.listener import Place
from kit.agent.startup import Limits
from tests.agent.pkcs11.client import failed
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.pkcs11_program import DEVICE_ERROR, Program

CONTENT = TLS_1_3_HEAD + bytes(32)


class Supervisor:
    """Names workers: so many that take the question and end, and then ones that answer."""

    def __init__(self, channel: Channel, agent: str) -> None:
        self._channel, self._agent = channel, agent
        self.bad = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while poll.poll() and self._channel.fileno() >= 0:
            try:
                while self._channel.receive(self._hear):
                    pass
            except ChannelClosed:
                return  # the bridge has ended

    def _hear(self, data: memoryview, descriptors: list[int]) -> None:
        message = messages.parse(data)
        for descriptor in descriptors:
            os.close(descriptor)
        if isinstance(message, messages.Introduce):
            with self._worker() as worker:
                self._channel.send(
                    messages.encode(messages.Introduced(message.number, True)), [worker.fileno()]
                )

    def _worker(self) -> socket.socket:
        if not self.bad:
            worker = socket.socket(socket.AF_UNIX)
            worker.connect(self._agent)
            return worker
        self.bad -= 1
        ours, theirs = socket.socketpair()
        threading.Thread(target=_end_over_a_question, args=(ours,)).start()
        return theirs

    def join(self) -> None:
        self._thread.join(10)


def _end_over_a_question(worker: socket.socket) -> None:
    with worker:
        assert worker.recv(65536)


@contextmanager
def _bridge(directory: Path, agent: str) -> Iterator[tuple[str, Supervisor]]:
    """In a process of its own, with whose end all is closed."""
    meeting = make(Place(str(directory / "pkcs11.sock"), 0o600, None))
    ours, theirs = pair()
    child = os.fork()
    if not child:
        try:
            ours.close()
            patience = Patience.within(Limits())
            Bridge(select.epoll(), meeting.descriptors, Patron(Channel(theirs)), 8, patience).run()
            os._exit(0)
        finally:
            os._exit(1)
    theirs.close()
    supervisor = Supervisor(Channel(ours), agent)
    try:
        yield meeting.path, supervisor
    finally:
        ours.shutdown(socket.SHUT_RDWR)
        status = os.waitpid(child, 0)[1]
        supervisor.join()
        ours.close()
        meeting.close()
    assert status == 0


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull) as running:
        with AgentClient(running.socket_path) as client:
            client.generate("web", "p-256")
        yield running


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_a_question_is_asked_again_when_its_worker_ends(agent: Running, short_tmp: Path, losses: int) -> None:
    with _bridge(short_tmp, agent.socket_path) as (path, supervisor):
        supervisor.bad = losses
        with Program(path) as program:
            assert program.keys() == ["web"]
            assert program.signature(program.key("web"), CONTENT)
        assert supervisor.bad == 0


def test_a_question_that_workers_end_over_is_given_up(agent: Running, short_tmp: Path) -> None:
    with _bridge(short_tmp, agent.socket_path) as (path, supervisor):
        supervisor.bad = 4
        with Program(path) as program:
            assert failed(program.keys) == DEVICE_ERROR
            assert supervisor.bad == 1
            assert program.keys() == ["web"]
