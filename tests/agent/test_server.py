"""What the server promises to each connection; a real agent, raw sockets."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from kit.agent import extension, wire
from kit.agent.client import AgentClient
from kit.agent.encoding import string
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.agent.startup import Limits
from kit.core.framing import FrameReader, frame
from tests.agent.samples import TLS_1_3_HEAD

LIST = bytes(frame(bytes([wire.REQUEST_IDENTITIES])))
NO_KEYS = wire.identities_answer([])
QUICK = Limits(message_s=0.3, unread_s=0.3, connections=20)


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    options = Options(limits=QUICK)
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull, options=options) as running:
        yield running


@pytest.fixture
def patient_agent(short_tmp: Path) -> Iterator[Running]:
    """With the usual limits: a test that stops for a while on a busy machine is no slow client."""
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull) as running:
        yield running


def connect(agent: Running) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(agent.socket_path)
    return peer


def answers(peer: socket.socket, count: int) -> list[bytearray]:
    """The next answers; fewer where the agent closes."""
    reader, found = FrameReader(wire.MESSAGE_LIMIT), []
    while len(found) < count:
        try:
            data = peer.recv(65536)
        except ConnectionResetError:
            break
        if not data:
            break
        found += reader.feed(data)
    return found


def sign_request(agent: Running, kind: str, scheme: int) -> bytes:
    with AgentClient(agent.socket_path) as client:
        key = client.generate(kind, kind)
    request = extension.Sign(key_id(key.spki), scheme, "", TLS_1_3_HEAD + bytes(32))
    return bytes(frame(wire.extension_request(request.name), *extension.encode(request)))


def test_an_idle_connection_stays(agent: Running) -> None:
    with connect(agent) as peer:
        for _ in range(2):
            peer.sendall(LIST)
            assert answers(peer, 1) == [NO_KEYS]
            time.sleep(QUICK.message_s + 0.4)  # the claim is about time


def test_half_a_message_has_its_time_and_no_more(agent: Running) -> None:
    with connect(agent) as peer, connect(agent) as other:
        peer.sendall(LIST[:3])
        assert peer.recv(1) == b""
        other.sendall(LIST)
        assert answers(other, 1) == [NO_KEYS]


def test_half_a_message_behind_a_whole_one_has_its_time_too(agent: Running) -> None:
    with connect(agent) as peer:
        peer.sendall(LIST + LIST[:3])
        assert answers(peer, 2) == [NO_KEYS]


def test_half_a_message_behind_a_whole_one_is_answered_when_the_rest_comes(patient_agent: Running) -> None:
    with connect(patient_agent) as peer:
        peer.sendall(LIST + LIST[:3])
        peer.sendall(LIST[3:] + LIST)
        assert answers(peer, 3) == [NO_KEYS] * 3


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 1023, 1024, 1025, 1500])
def test_messages_may_come_in_pieces_of_any_size(patient_agent: Running, size: int) -> None:
    large = bytes(frame(bytes([99]), bytes(60 if size < 10 else 3000)))
    stream = (LIST + large + LIST) * 2
    with connect(patient_agent) as peer:
        for start in range(0, len(stream), size):
            peer.sendall(stream[start : start + size])
            os.sched_yield()  # so that some arrive alone
        assert answers(peer, 6) == [NO_KEYS, wire.failure(), NO_KEYS] * 2


def test_one_byte_now_and_then_does_not_stretch_that_time(agent: Running) -> None:
    with connect(agent) as peer:
        message = frame(bytes([wire.EXTENSION]), string("status@kit"), bytes(200))
        sent = 0
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for sent, byte in enumerate(message):  # noqa: B007 - used after the loop
                peer.sendall(bytes([byte]))
                time.sleep(0.02)
        assert sent < 100


def test_messages_sent_ahead_are_answered_in_order(agent: Running) -> None:
    slow, quick = sign_request(agent, "rsa-2048", 0x0804), sign_request(agent, "p-256", 0x0403)
    with connect(agent) as peer:
        peer.sendall((slow + quick + LIST) * 20)
        got = answers(peer, 60)
    lengths = [len(answer) for answer in got]
    assert all(length > 256 for length in lengths[0::3]), "RSA"
    assert all(80 < length < 110 for length in lengths[1::3]), "P-256"
    assert {answer[0] for answer in got[2::3]} == {wire.IDENTITIES_ANSWER}


def test_what_is_quick_does_not_wait_behind_all_that_is_slow(short_tmp: Path) -> None:
    crowd, each = 15, 40  # three seconds of work, so that a test that stops for a while does not miss it
    options = Options(workers=1)
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull, options=options) as agent:
        slow, quick = sign_request(agent, "rsa-4096", 0x0804), sign_request(agent, "p-256", 0x0403)
        others = [connect(agent) for _ in range(crowd)]
        with connect(agent) as peer, AgentClient(agent.socket_path) as client:
            client.status()
            for other in others:
                other.sendall(slow * each)
            signed = [0]
            for _ in range(20):
                peer.sendall(quick)
                assert len(answers(peer, 1)) == 1
                signed.append(client.find("rsa-4096").signed)
            assert signed[-1] < crowd * each, "all of them went before nearly all that is slow"
            waits = [after - before for before, after in pairwise(signed)]
            assert median(waits) < crowd / 2, "most of them went before nearly all whose turn it was"
        for other in others:
            assert answers(other, 1), "its turn came, too"
            other.close()  # what was not begun is not done


def test_a_client_that_reads_no_answers_is_ended_and_costs_no_one(agent: Running) -> None:
    sign_request(agent, "p-256", 0x0403)
    with connect(agent) as peer, connect(agent) as other:
        peer.setblocking(False)
        deadline = time.monotonic() + 20
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < deadline:
                try:
                    peer.send(LIST * 1000)
                except BlockingIOError:
                    time.sleep(0.01)
        other.sendall(LIST)
        assert len(answers(other, 1)) == 1


@pytest.mark.parametrize("length", [0, wire.MESSAGE_LIMIT + 1, 0xFFFFFFFF])
def test_a_message_of_no_length_or_too_much_ends_the_connection(agent: Running, length: int) -> None:
    with connect(agent) as peer:
        peer.sendall(length.to_bytes(4, "big") + b"x" * 8)
        assert answers(peer, 1) == []
    with AgentClient(agent.socket_path) as client:
        assert client.status().malformed == 1


def test_the_largest_message_is_answered(patient_agent: Running) -> None:
    with connect(patient_agent) as peer:
        peer.sendall(frame(bytes([99]), bytes(wire.MESSAGE_LIMIT - 1)))
        assert answers(peer, 1) == [wire.failure()]


def test_a_newcomer_beyond_the_limit_is_turned_away_and_old_ones_are_served(agent: Running) -> None:
    peers = [connect(agent) for _ in range(QUICK.connections)]
    for peer in peers:
        peer.sendall(LIST)
        assert answers(peer, 1) == [NO_KEYS]
    with connect(agent) as late:
        assert late.recv(1) == b""
    peers[0].sendall(LIST)
    assert answers(peers[0], 1) == [NO_KEYS]
    for peer in peers:
        peer.close()
    deadline = time.monotonic() + 10
    while True:  # the agent sees the ends one by one
        with connect(agent) as peer, suppress(BrokenPipeError):  # it may be turned away before it asks
            peer.sendall(LIST)
            if answers(peer, 1) == [NO_KEYS]:
                break
        assert time.monotonic() < deadline
    with AgentClient(agent.socket_path) as client:
        assert client.status().rejected >= 1


def test_without_descriptors_left_old_clients_are_served_and_later_the_new_one(agent: Running) -> None:
    limit = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
    with AgentClient(agent.socket_path, timeout_s=20) as client:
        client.status()
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (3, limit[1]))  # those it has already
        with connect(agent) as late:
            late.sendall(LIST)
            for _ in range(20):
                assert client.status().accepted == 1
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, limit)
            assert answers(late, 1) == [NO_KEYS]
        assert client.status().accepted == 2


def test_a_key_that_is_made_keeps_nobody_waiting(agent: Running) -> None:
    request = extension.Generate("large", "rsa-4096", (), 0)
    with connect(agent) as maker, connect(agent) as other:
        maker.sendall(frame(wire.extension_request(request.name), *extension.encode(request)))
        for _ in range(50):
            other.sendall(LIST)
            assert len(answers(other, 1)) == 1
        assert len(answers(maker, 1)) == 1


def test_what_a_client_asked_for_is_done_though_it_left(agent: Running) -> None:
    request = extension.Generate("orphan", "rsa-2048", (), 0)
    with connect(agent) as maker:
        maker.sendall(frame(wire.extension_request(request.name), *extension.encode(request)))
        time.sleep(0.05)  # so that the agent has read it, most of the time
    deadline = time.monotonic() + 20
    with AgentClient(agent.socket_path) as client:
        while not client.list_keys() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [key.key_name for key in client.list_keys()] in (["orphan"], [])
        client.generate("after", "p-256")


def test_wrong_passphrases_of_one_client_keep_no_other_waiting(agent: Running) -> None:
    wrong = frame(bytes([wire.UNLOCK]), string("wrong"))
    with AgentClient(agent.socket_path) as client:
        client.lock(bytearray(b"right"))
        with connect(agent) as guesser:
            guesser.sendall(wrong * 3)
            for _ in range(50):
                assert client.status().locked
            assert answers(guesser, 3) == [wire.failure()] * 3
        assert client.unlock(bytearray(b"right"))
