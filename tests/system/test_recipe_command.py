"""`kit agent recipe` as one types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.agent.recipes.catalogue import RECIPES
from tests.system.agents import KIT, Agent, running_agent


@pytest.fixture
def agent(home: Path) -> Iterator[Agent]:
    (home / "run" / "kit").mkdir(mode=0o700)
    with running_agent(home / "run" / "kit", "--pkcs11") as running:
        running.ok("generate", "web", "--type", "p-256")
        yield running


def test_without_a_program_the_recipes_are_listed(agent: Agent) -> None:
    head, *rows = agent.ok("recipe").splitlines()
    assert head.split() == ["PROGRAM", "BY", "TESTED"]
    assert [row.split()[0] for row in rows] == list(RECIPES)
    records = [json.loads(line) for line in agent.ok("recipe", "--json").splitlines()]
    assert [record["program"] for record in records] == list(RECIPES)
    assert {tuple(record) for record in records} == {("program", "way", "tested")}


def test_it_shows_files_and_commands_for_this_agent(agent: Agent) -> None:
    shown = agent.ok("recipe", "python", "--key", "web", "--cert", "/srv/web.crt")
    assert shown.startswith("python, by kit's provider\ntested: ")
    assert "missing" not in shown
    assert f"agent handle web --output /etc/kit/web.key --socket {agent.socket}\n" in shown
    assert "--ssl-certfile /srv/web.crt --ssl-keyfile /etc/kit/web.key" in shown


def test_json_has_the_same(agent: Agent) -> None:
    done = agent.kit("recipe", "openssh", "--key", "web", "--json")
    found = json.loads(done.stdout)
    assert list(found) == ["program", "way", "tested", "missing", "steps", "remarks"]
    assert done.returncode == 1  # the key is for TLS alone
    assert [lack["cure"] for lack in found["missing"]] == ["add or generate it with --allow ssh"]
    assert found["steps"][0]["text"] == f"Host *\n    IdentityAgent {agent.socket}\n"


def test_the_socket_for_pkcs11_programs_is_found(agent: Agent) -> None:
    shown = agent.kit("recipe", "gnutls", "--key", "web").stdout
    assert f"P11_KIT_SERVER_ADDRESS=unix:path={agent.directory}/pkcs11.sock " in shown
    assert "a socket for PKCS#11 programs" not in shown
    elsewhere = agent.kit("recipe", "gnutls", "--key", "web", "--pkcs11", "/run/else.sock")
    assert "missing: a socket for PKCS#11 programs at /run/else.sock" in elsewhere.stdout
    named = agent.run(
        KIT, "agent", "recipe", "gnutls", "--key", "web", extra={"P11_KIT_SERVER_ADDRESS": "unix:path=/a%20b"}
    )
    assert "PKCS#11 programs at /a b" in named.stdout


def test_without_an_agent_it_says_so_and_shows_the_rest(home: Path, agent: Agent) -> None:
    agent.ok("stop")
    done = agent.kit("recipe", "openssh", "--key", "web")
    assert done.returncode == 1
    assert "missing: no agent answers" in done.stdout
    assert "1. For all users" in done.stdout


def test_an_unknown_program_a_missing_key_and_no_key_are_refused(agent: Agent) -> None:
    unknown = agent.kit("recipe", "sendmail", "--key", "web")
    assert (unknown.returncode, "no recipe for 'sendmail'" in unknown.stderr) == (2, True)
    assert "there are nginx, postfix" in unknown.stderr
    none = agent.kit("recipe", "nginx")
    assert (none.returncode, "which key is the program to use?" in none.stderr) == (2, True)
    wrong = agent.kit("recipe", "nginx", "--key", "nobody")
    assert (wrong.returncode, "nobody" in wrong.stderr) == (69, True)
