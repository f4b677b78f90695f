"""What a configuration demands of each use of a key: a rate, a confirmation, a lifetime. And ends at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.agent.client import AgentClient
from kit.agent.errors import KeyRefused, UnknownKey
from kit.agent.extension import Status
from tests.agent.samples import public_key
from tests.system.family import await_that
from tests.system.peer_scene import CONTENT, P256, Line, Scene, User, become

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent is started as root and becomes another")

WEB = User(4243, 4243)
KEY = public_key("p-256")


@pytest.fixture
def scene(short_tmp: Path) -> Scene:
    scene = Scene(short_tmp)
    scene.write_key("web")
    return scene


def rule(scene: Scene, *lines: str) -> None:
    scene.configure("\n".join(["web", f'peers = ["uid:0", "uid:{WEB.uid}"]', *lines]))


def script(scene: Scene, text: str) -> str:
    """A program that everybody may run."""
    path = scene.directory / "confirm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def together(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_a_rate_holds_over_all_workers_and_clients(scene: Scene) -> None:
    rule(scene, "rate = 0.5", "burst = 7")
    made: list[int] = []

    def sign(_number: int) -> None:
        with Line(scene.socket) as line:
            for _ in range(6):
                made.append(line.sign(KEY))

    with scene.agent() as root:
        begin_s = time.monotonic()
        together(6, sign)
        possible = 7 + int((time.monotonic() - begin_s) * 0.5)
        assert 7 <= made.count(Status.DONE) <= possible
        assert set(made) == {Status.DONE, Status.REFUSED}
        assert root.find("web").signed == made.count(Status.DONE)
        assert root.find("web").refused == made.count(Status.REFUSED)
        with Line(scene.socket) as line:
            await_that(lambda: line.sign(KEY) == Status.DONE, "one more after two seconds")
            assert line.sign(KEY) == Status.REFUSED
        await_that(lambda: len(root.peers()) == 1, "the end of the others' connections")
        acts = [act["result"] for act in scene.events("sign")]
    assert acts.count("done") == made.count(Status.DONE) + 1


def test_a_yes_is_asked_for_with_every_fact_and_without_a_shell(scene: Scene) -> None:
    said = scene.own / "said"
    program = script(scene, f'env > {said}; echo "$#" "$1" "$2" >> {said}')
    rule(scene, f'confirm = ["{program}", "a; b $HOME"]')

    def use() -> list[int]:
        with Line(scene.socket) as line:
            return [os.getpid(), line.sign(KEY), line.ssh_sign(KEY)[0]]

    with scene.agent():
        pid, status, answer = become(WEB, use)
    assert (status, answer) == (Status.DONE, 14)
    lines = said.read_text().splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    assert (facts["KIT_KEY"], facts["KIT_PURPOSE"]) == ("web", "ssh")
    assert (facts["KIT_PEER_UID"], facts["KIT_PEER_PID"]) == (str(WEB.uid), str(pid))
    assert facts["SSH_ASKPASS_PROMPT"] == "confirm"
    assert lines[-1].startswith("2 a; b $HOME Allow a use of the key 'web' (ssh) by '")
    assert lines[-1].endswith(f"process {pid} of user {WEB.uid}?")
    assert said.stat().st_uid == 1, "as the agent's user"


@pytest.mark.parametrize("text", ["exit 1", "exit 255", "kill -9 $$", "missing", "not executable"])
def test_anything_but_a_yes_is_a_no(scene: Scene, text: str) -> None:
    program = script(scene, text)
    if text == "missing":
        Path(program).unlink()
    elif text == "not executable":
        Path(program).chmod(0o644)
    rule(scene, f'confirm = "{program}"')
    with scene.agent() as root:
        for _ in range(2):
            with pytest.raises(KeyRefused, match="not confirmed") as refused:
                root.sign(KEY.key_id, P256, CONTENT)
            assert refused.value.purpose == "tls-server"
        assert root.find("web").refused == 2
        assert root.status().restarts == 0
    assert [act["result"] for act in scene.events("sign")] == ["refused"] * 2


def test_while_somebody_is_asked_others_are_served_and_a_flood_is_answered_no(scene: Scene) -> None:
    scene.write_key("other", "p-256", 1)
    asked, go = scene.own / "asked", scene.own / "go"
    program = script(scene, f"echo x >> {asked}; until test -e {go}; do sleep 0.05; done")
    scene.configure(f'web\npeers = ["uid:0"]\nconfirm = "{program}"', 'other\npeers = ["uid:0"]')
    answers: list[int] = []

    def ask(_number: int) -> None:
        with Line(scene.socket) as line:
            answers.append(line.sign(KEY))

    with scene.agent() as root:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(70)]
        for thread in threads:
            thread.start()
        # One is asked, 64 wait, and what is more is refused while nobody has answered.
        await_that(lambda: len(answers) == 5, "the answers to five too many")
        assert answers == [Status.REFUSED] * 5
        assert len(root.sign(public_key("p-256", 1).key_id, P256, CONTENT)) > 60
        await_that(lambda: asked.exists() and asked.read_text(), "the one who is asked")
        assert asked.read_text() == "x\n"
        go.touch()
        for thread in threads:
            thread.join(60)
    assert answers.count(Status.DONE) == 65
    assert len(asked.read_text().split()) == 65


def test_a_lifetime_ends_the_key_in_every_process(scene: Scene) -> None:
    rule(scene, 'lifetime = "2s"')
    with scene.agent() as root, Line(scene.socket) as one, Line(scene.socket) as two:
        begin_s = time.monotonic()
        assert {line.sign(KEY) for line in (one, two)} == {Status.DONE}
        await_that(lambda: not root.list_keys(), "the key's end")
        assert time.monotonic() - begin_s < 3
        assert {line.sign(KEY) for line in (one, two)} == {Status.UNKNOWN_KEY}
        await_that(lambda: scene.events("expire"), "its line in the audit log")
    (expired,) = scene.events("expire")
    assert (expired["key"], expired["result"]) == ("web", "done")


class Hammer:
    """Clients that sign until the key is gone; when each began its last signature."""

    def __init__(self, path: str, clients: int) -> None:
        self._path = path
        self.made, self.begun_s = [0] * clients, [0.0] * clients
        self._threads = [threading.Thread(target=self._sign, args=(number,)) for number in range(clients)]

    def _sign(self, number: int) -> None:
        with AgentClient(self._path, timeout_s=20) as client:
            while True:
                begin_s = time.monotonic()
                try:
                    client.sign(KEY.key_id, P256, CONTENT)
                except UnknownKey:
                    return
                self.made[number] += 1
                self.begun_s[number] = begin_s

    def __enter__(self) -> Hammer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)


def test_no_worker_signs_with_a_key_once_its_removal_was_answered(scene: Scene) -> None:
    rule(scene)
    with scene.agent() as root:
        with Hammer(scene.socket, 8) as hammer:
            await_that(lambda: min(hammer.made) > 50, "signatures of every client")
            root.remove(KEY.key_id)
            removed_s = time.monotonic()
        assert max(hammer.begun_s) < removed_s, "what was asked after the answer was not signed"
        assert root.list_keys() == ()
        assert root.status().restarts == 0
    (removed,) = scene.events("remove")
    signed = [act["time"] for act in scene.events("sign") if act["result"] == "done"]
    assert len(signed) == sum(hammer.made)
    assert max(signed) <= removed["time"], "every worker was told before it was written down"


def test_the_lock_holds_in_every_worker_once_it_was_answered(scene: Scene) -> None:
    rule(scene)
    with scene.agent() as root:
        lines = [Line(scene.socket) for _ in range(4)]
        for _ in range(5):
            assert {line.sign(KEY) for line in lines} == {Status.DONE}
            assert root.lock(bytearray(b"x"))
            assert {line.sign(KEY) for line in lines} == {Status.LOCKED}
            assert root.unlock(bytearray(b"x"))
        for line in lines:
            line.socket.close()
