"""Configuration and key files read again: what is right is taken over, what is wrong changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.agent.client import AgentClient
from kit.agent.extension import Status
from kit.core.errors import EXIT_NO, EXIT_UNAVAILABLE, Unavailable
from tests.agent.samples import public_key
from tests.system.agents import KIT
from tests.system.family import await_that
from tests.system.peer_scene import CONTENT, KEYS, P256, Line, Scene, User, become, named

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent is started as root and becomes another")

USER = User(4243, 4243)
RULES = {name: f'{name}\npeers = ["uid:0"]' for name in ("mail", "web")}
NEW = public_key("p-256", 7)


@pytest.fixture
def scene(short_tmp: Path) -> Scene:
    scene = Scene(short_tmp)
    for name in RULES:
        scene.write_key(name, *KEYS[name])
    scene.configure(*RULES.values())
    return scene


@pytest.fixture
def root(scene: Scene) -> Iterator[AgentClient]:
    with scene.agent() as client:
        yield client


def reload(scene: Scene, *options: str) -> tuple[int, str, str]:
    command = [KIT, "agent", "reload", "--socket", scene.socket, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def results(scene: Scene) -> dict[str, tuple[str, str | None]]:
    """Of `kit agent reload --json`, key by key."""
    _, out, _ = reload(scene, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    return {row["key"]: (row["result"], row["why"]) for row in rows}


def signs(scene: Scene, name: str) -> bool:
    with Line(scene.socket) as line:
        return line.sign(named(name)) == Status.DONE


def test_what_did_not_change_is_kept(scene: Scene, root: AgentClient) -> None:
    before = root.list_keys()
    assert results(scene) == {"mail": ("kept", None), "web": ("kept", None)}
    assert root.list_keys() == before
    assert reload(scene) == (0, "KEY   RESULT\nmail  kept\nweb   kept\n", "")
    assert root.status().restarts == 0


def test_a_new_key_in_the_file_takes_the_place_of_the_old_one(scene: Scene, root: AgentClient) -> None:
    scene.write_key("web", "p-256", 7)
    assert results(scene) == {"mail": ("kept", None), "web": ("loaded", None)}
    assert root.find("web").spki == NEW.spki
    assert len(root.list_keys()) == 2
    assert not signs(scene, "web")
    assert root.sign(NEW.key_id, P256, CONTENT)
    assert [act["result"] for act in scene.events("reload")] == ["done"]


def test_a_key_that_the_configuration_names_no_more_is_removed(scene: Scene, root: AgentClient) -> None:
    root.generate("mine", "p-256")
    scene.configure(RULES["mail"])
    assert results(scene) == {"mail": ("kept", None), "web": ("removed", None)}
    assert {key.key_name for key in root.list_keys()} == {"mail", "mine"}, "another's key stays"
    assert not signs(scene, "web")


def test_a_new_rule_holds_at_once(scene: Scene, root: AgentClient) -> None:
    web = [RULES["mail"], f'web\npeers = ["uid:{USER.uid}"]']
    with Line(scene.socket) as line:
        assert line.sign(named("web")) == Status.DONE
        scene.configure(*web)
        assert results(scene)["web"] == ("loaded", None)
        assert line.sign(named("web")) == Status.UNKNOWN_KEY, "on a connection that signed with it before"
    assert become(USER, lambda: signs(scene, "web"))
    assert root.find("web").peers == (f"uid:{USER.uid}",)
    assert root.find("web").signed == 2, "its counters live on"


def _world_readable(path: Path) -> str:
    path.chmod(0o644)
    return "others can read the key file"


def _missing(path: Path) -> str:
    path.unlink()
    return "there is no key file"


def _directory(path: Path) -> str:
    path.unlink()
    path.mkdir(mode=0o700)
    return "is no regular file"


def _link(path: Path) -> str:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))
    return "is a symbolic link"


def _fifo(path: Path) -> str:
    path.unlink()
    os.mkfifo(path, 0o600)
    return "is no regular file"


def _garbage(path: Path) -> str:
    path.write_text("no key")
    return "private key"


def _empty(path: Path) -> str:
    path.write_text("")
    return ""


def _foreign(path: Path) -> str:
    os.chown(path, USER.uid, USER.gid)
    return "belongs to neither root nor the agent's user"


WRONG = [_world_readable, _missing, _directory, _link, _fifo, _garbage, _empty, _foreign]


@pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__.strip("_"))
def test_a_key_file_that_is_wrong_leaves_the_old_key_with_its_old_rule(
    scene: Scene, root: AgentClient, spoil: object
) -> None:
    why = spoil(scene.directory / "web.key")  # type: ignore[operator]
    scene.configure(RULES["mail"], f'web\npeers = ["uid:{USER.uid}"]')
    status, out, _ = reload(scene, "--json")
    assert status == EXIT_NO
    (failed,) = [json.loads(line) for line in out.splitlines() if '"failed"' in line]
    assert failed["key"] == "web"
    assert why in failed["why"]
    assert failed["why"].endswith(", and the key stays as it was")
    assert signs(scene, "web")
    assert signs(scene, "mail")
    assert root.find("web").peers == ("uid:0",)
    assert "reload-failed key='web'" in scene.log()
    assert [act["result"] for act in scene.events("reload")] == ["failed"]


BROKEN = {
    "no TOML": "[agent\n",
    "an unknown field": '[agent]\nmodus = "0666"\n',
    "a key without a file": "[keys.web]\n",
    "nonsense for a peer": '[keys.web]\nfile = "/x"\npeers = ["everybody"]\n',
    "nothing readable": "\0\0\0",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_configuration_that_is_wrong_changes_nothing(scene: Scene, root: AgentClient, text: str) -> None:
    scene.config.write_text(text)
    scene.write_key("web", "p-256", 7)
    before = root.list_keys()
    status, out, error = reload(scene)
    assert (status, out) == (EXIT_UNAVAILABLE, "")
    assert "agent.toml" in error
    assert root.list_keys() == before
    assert signs(scene, "web")
    with pytest.raises(Unavailable, match=r"agent\.toml"):
        root.reload()
    assert "reload-failed" in scene.log()
    scene.configure(*RULES.values())
    assert results(scene)["web"] == ("loaded", None)


def test_a_configuration_that_others_may_write_is_not_read(scene: Scene, root: AgentClient) -> None:
    scene.config.chmod(0o666)
    assert reload(scene)[0] == EXIT_UNAVAILABLE
    assert len(root.list_keys()) == 2


def test_a_path_of_any_length_and_script_is_only_a_file_that_is_not_there(
    scene: Scene, root: AgentClient
) -> None:
    scene.configure(RULES["mail"])
    text = scene.config.read_text() + f'[keys.web]\nfile = "/{"ü" * 1900}"\npeers = ["uid:0"]\n'
    scene.config.write_text(text + 'purposes = ["ssh"]\n')
    assert results(scene)["web"][0] == "failed"
    assert signs(scene, "web")
    assert root.status().restarts == 0


def test_a_key_with_more_users_than_a_page_holds_is_listed(scene: Scene, root: AgentClient) -> None:
    users = ", ".join(f'"uid:{uid}"' for uid in range(4294967000, 4294967256))
    scene.configure(RULES["mail"], f"web\npeers = [{users}]")
    assert results(scene)["web"] == ("loaded", None)
    assert len(root.find("web").peers) == 256


def test_a_hang_up_reloads_too(scene: Scene, root: AgentClient) -> None:
    scene.write_key("web", "p-256", 7)
    os.kill(root.status().pid, signal.SIGHUP)
    wanted = {NEW.spki, named("mail").spki}
    await_that(lambda: {key.spki for key in root.list_keys()} == wanted, "the new key in the old one's place")
    await_that(lambda: scene.events("reload"), "its line in the audit log")
    (act,) = scene.events("reload")
    assert (act["uid"], act["result"]) == (1, "done")


def test_a_hang_up_opens_the_audit_log_anew(scene: Scene, root: AgentClient) -> None:
    moved = scene.audit.with_suffix(".1")
    assert signs(scene, "mail")
    scene.audit.rename(moved)
    os.kill(root.status().pid, signal.SIGHUP)
    await_that(scene.audit.exists, "the new file")
    assert signs(scene, "mail")
    assert [act["event"] for act in scene.events("sign")] == ["sign"]
    assert moved.read_text().count('"sign"') == 1


def test_reloads_while_clients_sign_fail_no_signature(scene: Scene, root: AgentClient) -> None:
    pid = root.status().pid
    with Line(scene.socket) as line:
        for number in range(20):
            os.kill(pid, signal.SIGHUP)
            if number % 5 == 0:
                scene.write_key("web", "p-256", 7 + number)
            assert line.sign(named("mail")) == Status.DONE
    assert set(results(scene)) == {"mail", "web"}
    assert root.status().restarts == 0


def test_a_key_of_an_administrator_cannot_have_the_name_of_a_configured_one(
    scene: Scene, root: AgentClient
) -> None:
    scene.configure(RULES["mail"])
    assert results(scene)["web"] == ("removed", None)
    mine = root.generate("web", "p-256")
    scene.configure(*RULES.values())
    result, why = results(scene)["web"]
    assert result == "failed"
    assert why == "another key is named 'web'"
    assert root.find("web").spki == mine.spki
