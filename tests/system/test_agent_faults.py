"""Processes of the agent are killed and stopped while clients work: what they notice, and what is left.

A worker is replaced, with nothing read from the disk; without zygote or supervisor everything ends, and the
socket is free for the next agent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.agent.client import AgentClient
from kit.agent.errors import AgentTimeout, AgentUnavailable
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.core.errors import EXIT_UNAVAILABLE
from kit.tls.cells import Authentication, Version
from kit.tls.load import Client, Load
from kit.tls.offer import Question, client_context
from tests.system.family import await_that, children, family, left, state, whole
from tests.system.provider_scene import make_identity
from tests.system.serving import agent_keys, serving
from tests.system.signers import CONTENT, ECDSA_P256, Signers

WORKERS, CLIENTS = 2, 8
_REPLACED_S, _ENDED_S = 1.0, 4.0
# kit.agent.processes.zygote gives a worker 5 s to make a change.
_CHANGED_S = 8.0
# Of the rate before; after a fault the machine may have other things to do as well.
_RECOVERED = 0.5


@contextlib.contextmanager
def _configured(directory: Path, **options: object) -> Iterator[Running]:
    """An agent whose one key comes from a file that is gone by now, with everything else that it read."""
    identity = make_identity(directory, "web", "p-256", "")
    identity.key.chmod(0o600)
    config = directory / "agent.toml"
    config.write_text(
        f'[keys.web]\nfile = "{identity.key}"\npurposes = ["tls-server"]\npeers = ["uid:{os.getuid()}"]\n'
    )
    options = {"config": str(config), "workers": WORKERS, **options}
    log = str(directory / "log")
    with start_agent(f"{directory}/agent.sock", log_path=log, options=Options(**options)) as running:  # type: ignore[arg-type]
        identity.key.unlink()
        config.unlink()
        yield running


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    with _configured(short_tmp) as running:
        yield running


def _log(running: Running) -> list[list[str]]:
    """The words of each line, from the event on."""
    log = Path(running.socket_path).parent / "log"
    return [line.split(maxsplit=2)[2].split() for line in log.read_text().splitlines()]


def _why(running: Running, event: str) -> str:
    return " ".join(next(words for words in _log(running) if words[0] == event)[1:])


def test_a_killed_worker_is_replaced_within_a_second_and_no_client_notices(agent: Running) -> None:
    seconds: list[float] = []
    with Signers(agent.socket_path, ["web"] * CLIENTS) as clients:
        before = clients.rate()
        for at in range(3):
            victim = family(agent.socket_path).workers[at % WORKERS]
            os.kill(victim, signal.SIGKILL)
            begin_s = time.monotonic()
            whole(agent.socket_path, WORKERS, without=victim)
            seconds.append(time.monotonic() - begin_s)
        await_that(lambda: clients.rate() > _RECOVERED * before, "the rate of before")
    # The least, as the machine may have other things to do meanwhile.
    assert min(seconds) < _REPLACED_S, seconds
    assert clients.errors == []
    with AgentClient(agent.socket_path) as client:
        assert client.status().restarts == 3


def test_new_clients_do_not_notice_either(agent: Running) -> None:
    """Each of them a connection that may be on its way to the worker that dies."""
    failures: list[str] = []
    done = threading.Event()

    def come_and_go() -> None:
        with AgentClient(agent.socket_path, timeout_s=20) as client:
            wanted = key_id(client.find("web").spki)
            while not done.is_set():
                try:
                    client.close()
                    client.sign(wanted, ECDSA_P256, CONTENT)
                except AgentUnavailable as error:
                    failures.append(str(error))

    threads = [threading.Thread(target=come_and_go) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for at in range(4):
        victim = family(agent.socket_path).workers[at % WORKERS]
        os.kill(victim, signal.SIGKILL)
        whole(agent.socket_path, WORKERS, without=victim)
    done.set()
    for thread in threads:
        thread.join(40)
    assert failures == []


def test_handshakes_go_on_while_workers_die(short_tmp: Path, kit_program: str) -> None:
    question = Question(Version.TLS_1_3, Authentication.ECDSA, "localhost", verify=False)
    with agent_keys(short_tmp) as keys, serving(kit_program, *keys.arguments()) as server:
        client = Client("127.0.0.1", server.port, client_context(question)[0])
        path = keys.running.socket_path
        workers = len(family(path).workers)
        with Load([client], CLIENTS) as load:
            load.wait(50, 20)
            for _ in range(3):
                victim = family(path).workers[0]
                os.kill(victim, signal.SIGKILL)
                whole(path, workers, without=victim)
                load.wait(50, 20)
        assert load.errors == []
        assert len(load.seconds) >= 200


def test_the_sixth_worker_that_ends_within_a_minute_ends_the_agent(agent: Running) -> None:
    for _ in range(5):
        processes = whole(agent.socket_path, WORKERS)
        os.kill(processes.workers[0], signal.SIGKILL)
        whole(agent.socket_path, WORKERS, without=processes.workers[0])
    processes = family(agent.socket_path)
    os.kill(processes.workers[1], signal.SIGKILL)
    await_that(lambda: not left(processes.everybody), "the end of every process", _ENDED_S)
    assert agent.wait() == EXIT_UNAVAILABLE
    assert len([words for words in _log(agent) if words[0] == "worker-ended"]) == 6
    assert _why(agent, "give-up") == "why='too many workers ended within a minute'"


def _ends(running: Running, role: str, number: int) -> None:
    """Kill this process in the middle of eight clients' work and of an RSA key's making: nothing is left."""
    processes = family(running.socket_path)
    with Signers(running.socket_path, ["web"] * CLIENTS) as clients, _making_a_key(running.socket_path):
        await_that(lambda: len(children(processes.zygote)) > WORKERS, "the key's making")
        everybody = [*processes.everybody, *children(processes.zygote)]
        assert clients.rate(0.2) > 0
        os.kill(processes.named[role], number)
        await_that(lambda: not left(everybody), "the end of every process", _ENDED_S)
    assert clients.errors


@contextlib.contextmanager
def _making_a_key(socket_path: str) -> Iterator[None]:
    """Seconds of work for a child of the zygote."""

    def generate() -> None:
        with contextlib.suppress(AgentUnavailable), AgentClient(socket_path) as client:
            client.generate("long", "rsa-8192")

    thread = threading.Thread(target=generate)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive(), "a client waits for an agent that is gone"


def test_without_its_zygote_everything_ends_and_the_log_says_why(agent: Running, short_tmp: Path) -> None:
    _ends(agent, "zygote", signal.SIGKILL)
    assert agent.wait() == EXIT_UNAVAILABLE
    assert _why(agent, "give-up") == "why='the process that holds the keys ended'"
    with start_agent(agent.socket_path, log_path=os.devnull), AgentClient(agent.socket_path) as client:
        assert client.status().keys == 0


def test_without_its_supervisor_everything_ends(agent: Running) -> None:
    _ends(agent, "supervisor", signal.SIGKILL)
    assert agent.wait() == -signal.SIGKILL
    with start_agent(agent.socket_path, log_path=os.devnull), AgentClient(agent.socket_path) as client:
        assert client.status().keys == 0


def test_an_agent_that_is_stopped_while_it_makes_a_key_leaves_nobody(agent: Running) -> None:
    _ends(agent, "supervisor", signal.SIGTERM)
    assert agent.wait() == 0


@pytest.mark.parametrize("role", ["zygote", "worker 0"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to end"])
def test_a_process_that_was_stopped_ends_with_the_others(agent: Running, role: str, number: int) -> None:
    """A signal that it could handle would wait for it for ever, and the keys with it."""
    processes = family(agent.socket_path)
    os.kill(processes.named[role], signal.SIGSTOP)
    await_that(lambda: state(processes.named[role]) == "T", "a stopped process")
    os.kill(processes.supervisor, number)
    await_that(lambda: not left(processes.everybody), "the end of every process", _ENDED_S + 2)


def test_a_stopped_worker_holds_up_no_change_for_long(agent: Running, short_tmp: Path) -> None:
    identity = make_identity(short_tmp, "other", "p-256", "")
    victim = family(agent.socket_path).workers[0]
    with Signers(agent.socket_path, ["web"] * CLIENTS) as clients:
        os.kill(victim, signal.SIGSTOP)
        with _of_another_worker(agent.socket_path, victim) as client:
            begin_s, before = time.monotonic(), clients.count
            added = client.add("other", bytearray(identity.der()), ("tls-server",))
            assert time.monotonic() < begin_s + _CHANGED_S
            assert clients.count > before + 50, "the others do not go on"
            await_that(lambda: not left([victim]), "the end of the stopped worker")
            whole(agent.socket_path, WORKERS, without=victim)
            client.remove(key_id(added.spki))
    assert clients.errors == []
    assert "kill" in [words[0] for words in _log(agent)]


@contextlib.contextmanager
def _of_another_worker(socket_path: str, stopped: int) -> Iterator[AgentClient]:
    """A client that a worker serves which was not stopped."""
    while True:
        with AgentClient(socket_path, timeout_s=0.5) as client:
            try:
                client.list_keys()
            except AgentTimeout:
                continue
            client.timeout_s = 20
            yield client
            return
