"""No key is in a bridge's memory, and its own user can look into it no more than into the others."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator

import pytest

from kit.tls.memscan import ENOUGH, snapshot
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.family import family, field
from tests.system.intruder import ATTEMPTS, NOT_IN_CONTROL, successes
from tests.system.needles import traces_of_each
from tests.system.pkcs11_program import Program
from tests.system.pkcs11_scene import AGENT_USER, Rule, Token, module, serving_token

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read the bridge's memory")
CONTENT = TLS_1_3_HEAD + bytes(32)


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    rules = [Rule("web-rsa", "rsa", ("tls-server", "tls-digest")), Rule("web-p256", "p256", ("tls-server",))]
    with serving_token(rules) as token:
        yield token


def traces(token: Token, pid: int) -> dict[str, int]:
    """How much of each key stands in the process."""
    copy = snapshot(pid)
    assert copy.read >= ENOUGH * copy.wanted
    keys = {name: leaf.private for name, leaf in token.leaves.items()}
    return {name: sum(found.values()) for name, found in traces_of_each(keys, copy).items()}


def test_the_bridge_holds_nothing_of_any_key_while_programs_sign(token: Token) -> None:
    processes = family(token.agent.socket)
    with Program(token.socket) as program:
        for _ in range(20):
            program.signature(program.key("web-p256"), CONTENT)
        token.run("p11tool", "--provider", module(), "--test-sign", token.uri("web-rsa"))
        found = traces(token, processes.bridge)
        assert all(traces(token, processes.workers[0]).values()), "this proves nothing"
        assert found == dict.fromkeys(token.leaves, 0)
        copy = snapshot(processes.bridge)
        public = token.leaves["web-p256"].private.public_key().public_numbers().x.to_bytes(32, "big")
        assert any(public in region.memory for region in copy.regions), "it does not even know the public key"


def test_the_same_user_looks_into_the_bridge_no_more_than_into_a_worker(token: Token) -> None:
    processes = family(token.agent.socket)
    uid = int(field(processes.bridge, "Uid").split()[0])
    done = successes(uid, [processes.bridge, processes.workers[0]])
    assert set(ATTEMPTS) - set(done[-1]) <= NOT_IN_CONTROL, "the control resists, so this proves nothing"
    assert done[processes.bridge] == done[processes.workers[0]] == []


def test_the_bridge_has_no_rights_of_root_and_no_capability(token: Token) -> None:
    bridge = family(token.agent.socket).bridge
    assert field(bridge, "Uid").split() == [str(pwd.getpwnam(AGENT_USER).pw_uid)] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(field(bridge, name), 16) == 0
    assert field(bridge, "Seccomp") == "2"
