"""Several users, one agent: each has the keys that name him, and nothing of anybody else's."""

from __future__ import annotations

import grp
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.agent import extension, wire
from kit.agent.client import AgentClient
from kit.agent.encoding import string
from kit.agent.extension import Status
from kit.agent.startup import Limits
from tests.agent.samples import public_key
from tests.peers import find
from tests.system.peer_scene import KEYS, Line, Scene, User, become, becoming, named

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")

NOBODY = User(65534, 65534)
STAFF = grp.getgrnam("users").gr_gid
BY_GROUP, BY_GROUPS = User(5002, STAFF), User(5001, 5001, (7, STAFF))
WEB, BOTH = User(4243, 4243), User(4243, 4243, (STAFF,))
STRANGER, ADMIN = User(6000, 6000), User(6100, 6100)
SEES = {NOBODY: "mail", BY_GROUP: "staff", BY_GROUPS: "staff", WEB: "web", BOTH: "staff web"}
RULES = (
    'mail\npeers = ["user:nobody"]',
    'staff\npeers = ["group:users"]',
    f'web\npeers = ["uid:{WEB.uid}"]',
)


@pytest.fixture
def scene(short_tmp: Path) -> Scene:
    scene = Scene(short_tmp)
    for name, (kind, which) in KEYS.items():
        scene.write_key(name, kind, which)
    scene.configure(*RULES, agent=[f'admins = ["uid:{ADMIN.uid}"]'])
    return scene


@pytest.fixture
def root(scene: Scene) -> Iterator[AgentClient]:
    with scene.agent() as client:
        yield client


def _uses(path: str) -> dict[str, Any]:
    """What this process sees and can do, in both dialects."""
    with AgentClient(path, timeout_s=20) as client, Line(path) as line:
        kit = [key.key_name for key in client.list_keys()]
        signs = [name for name in KEYS if line.sign(named(name)) == Status.DONE]
        ssh = [name for name in KEYS if line.ssh_sign(named(name))[:1] == bytes([wire.SIGN_RESPONSE])]
        listed = line.ask([wire.REQUEST_IDENTITIES])
    seen = [name for name in KEYS if string(named(name).ssh_blob) in listed]
    return {"kit": kit, "signs": signs, "ssh": ssh, "seen": seen}


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("user", SEES, ids=str)
def test_each_user_sees_and_uses_exactly_the_keys_that_name_him(scene: Scene, user: User) -> None:
    expected = SEES[user].split()
    assert become(user, lambda: _uses(scene.socket)) == dict.fromkeys(
        ("kit", "signs", "ssh", "seen"), expected
    )
    done = [(act["key"], act["uid"]) for act in scene.events("sign") if act["result"] == "done"]
    assert sorted(done) == sorted((name, user.uid) for name in expected for _ in range(2))


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("user", [NOBODY, BOTH], ids=str)
def test_ssh_add_lists_what_the_user_may_use(scene: Scene, user: User) -> None:
    done = subprocess.run(
        [find("ssh-add"), "-l"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"SSH_AUTH_SOCK": scene.socket},
        user=user.uid,
        group=user.gid,
        extra_groups=user.groups,
    )
    assert [line.split()[2] for line in done.stdout.splitlines()] == SEES[user].split()


def _answers(path: str, requests: list[bytes]) -> list[str]:
    with Line(path) as line:
        return [line.ask(request).hex() for request in requests]


@pytest.mark.usefixtures("root")
def test_a_key_of_others_and_no_key_are_the_same_answer_and_two_events(scene: Scene) -> None:
    others, none = named("mail"), public_key("p-256", 9)
    requests = [
        *(_request(extension.Sign(key.key_id, 0x0403, "", b"x")) for key in (others, none)),
        *(_request(extension.Sign(key.key_id, 0x0403, "ca", bytes(64))) for key in (others, none)),
        *(_request(extension.Decrypt(key.key_id, bytes(256))) for key in (others, none)),
        *(
            bytes([wire.SIGN_REQUEST]) + string(key.ssh_blob) + string(b"x") + bytes(4)
            for key in (others, none)
        ),
    ]
    got = become(WEB, lambda: _answers(scene.socket, requests))
    assert got[0::2] == got[1::2]
    assert "" not in got
    acts = [act for act in scene.events() if act["uid"] == WEB.uid]
    assert [act["result"] for act in acts] == ["denied", "unknown"] * 4
    assert [act["event"] for act in acts] == ["sign"] * 4 + ["decrypt"] * 2 + ["sign"] * 2


def _request(request: extension.Request) -> bytes:
    return b"".join(map(bytes, (wire.extension_request(request.name), *extension.encode(request))))


ADMINISTRATIVE = (
    extension.Generate("x", "p-256", (), 0),
    extension.Add("x", (), 0, memoryview(bytes(9))),
    extension.Remove(named("web").key_id),
    extension.GetStatus(),
    extension.GetMetrics(),
    extension.GetPeers(),
    extension.Reload(),
    extension.Stop(),
)
SSH_ADMINISTRATIVE = (
    bytes([wire.ADD_IDENTITY]) + string("ssh-ed25519") + string(bytes(32)) + string(bytes(64)) + string(""),
    bytes([wire.REMOVE_IDENTITY]) + string(named("web").ssh_blob),
    bytes([wire.REMOVE_ALL_IDENTITIES]),
    bytes([wire.LOCK]) + string("x"),
    bytes([wire.UNLOCK]) + string("x"),
)


def test_no_user_of_a_key_administers_the_agent(scene: Scene, root: AgentClient) -> None:
    def attempts() -> list[Any]:
        with Line(scene.socket) as line:
            kit = [line.status(request) for request in ADMINISTRATIVE]
            return [kit, [line.ask(message).hex() for message in SSH_ADMINISTRATIVE]]

    before = root.status()
    kit, ssh = become(WEB, attempts)
    assert kit == [Status.NOT_PERMITTED] * len(ADMINISTRATIVE)
    assert ssh == [wire.failure().hex()] * len(SSH_ADMINISTRATIVE)
    after = root.status()
    assert (after.pid, after.keys, after.locked, after.restarts) == (before.pid, 3, False, 0)


@pytest.mark.usefixtures("root")
def test_an_administrator_that_the_configuration_names_administers_and_uses_no_key(scene: Scene) -> None:
    def work() -> list[Any]:
        with AgentClient(scene.socket) as client, Line(scene.socket) as line:
            status = line.sign(named("web"))
            made = client.generate("mine", "p-256")
            return [len(client.list_keys()), client.status().keys, status, list(made.peers)]

    listed, keys, status, peers = become(ADMIN, work)
    assert (listed, keys, status) == (4, 4, Status.UNKNOWN_KEY)
    assert peers == ["uid:0", f"uid:{ADMIN.uid}"]
    assert [act["uid"] for act in scene.events("generate")] == [ADMIN.uid]


def test_whoever_no_key_names_is_turned_away_at_the_door(scene: Scene, root: AgentClient) -> None:
    def knock() -> str:
        with Line(scene.socket) as line:
            return line.ask([wire.REQUEST_IDENTITIES]).hex()

    assert become(STRANGER, knock) == ""
    assert root.status().rejected == 1
    assert f"reject uid={STRANGER.uid}" in scene.log()
    assert "'no key names this user'" in scene.log()


def test_users_of_keys_cannot_keep_an_administrator_out(scene: Scene) -> None:
    lines: list[Line] = []  # in the child, where they stay open

    def crowd() -> int:
        lines.extend(Line(scene.socket) for _ in range(80))
        return sum(bool(line.ask([wire.REQUEST_IDENTITIES])) for line in lines)

    with scene.agent(Limits(connections=64)) as root:
        root.status()
        with becoming(WEB, crowd) as served:
            assert served == 64 - 8 - 1
            administrators = [AgentClient(scene.socket, timeout_s=20) for _ in range(7)]
            for number, client in enumerate(administrators):
                assert client.status().connections == served + 2 + number
                assert {peer.uid for peer in client.peers()} == {0, WEB.uid}
            for client in administrators:
                client.close()
        assert root.status().rejected == 80 - served
