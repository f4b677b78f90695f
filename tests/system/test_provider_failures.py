"""The agent fails in every way: no bad signature leaves, the error says why, the next handshake works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.agent import AgentClient
from kit.agent.forms import key_id
from kit.agent.handle import Handle, encode
from tests.agent.samples import public_key
from tests.post_quantum import needs_no_ml_dsa_in_ssl
from tests.system.provider_fixtures import agent_with, hand_over
from tests.system.provider_process import Talk
from tests.system.provider_programs import BAD_SIGNATURE
from tests.system.provider_scene import HAS_ML_DSA, Identity, make_identity
from tests.system.rogue_agent import HONEST, WRONG_MESSAGES, WRONG_SIGNATURES, RogueAgent

SEED = int(os.environ.get("KIT_TEST_SEED", "0"))


@pytest.fixture
def identity(short_tmp: Path) -> Identity:
    return make_identity(short_tmp, "mail", "p-256", str(short_tmp / "agent.sock"))


def assert_failed(told: dict[str, Any], *words: str) -> None:
    """The server says what happened, and the client got no signature at all."""
    assert told["server"].startswith("kit agent: key 'mail': "), told
    assert told["kind"] == "AgentSSLError"
    assert told["observed"] == [["mail", told["server"].removeprefix("kit agent: key 'mail': ")]]
    for word in words:
        assert word in told["server"]
    assert told["client"] not in ("done", *BAD_SIGNATURE)


def works(talk: Talk, line: str = "") -> None:
    told = talk.next(line)
    assert (told["server"], told["client"]) == ("", "done")
    assert told["observed"] == [["mail", None]]


@pytest.fixture(params=["rsa-2048", "p-256", "ed25519", *(["ml-dsa-65"] if HAS_ML_DSA else [])])
def rogue(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[tuple[RogueAgent, Talk]]:
    """A program that handshakes on demand, with an agent that can be told how to answer."""
    path = str(short_tmp / "agent.sock")
    identity = make_identity(short_tmp, "mail", request.param, path)
    with RogueAgent(path, identity.private_key(), SEED) as agent, Talk("attempts", short_tmp, "mail") as talk:
        yield agent, talk


def test_no_wrong_answer_becomes_a_signature(rogue: tuple[RogueAgent, Talk]) -> None:
    agent, talk = rogue
    works(talk)
    for name, behaviour in {**WRONG_SIGNATURES, **WRONG_MESSAGES}.items():
        for _ in range(3):
            agent.behaviour, agent.hangs_up = behaviour, True
            assert_failed(talk.next()), name
        agent.behaviour, agent.hangs_up = HONEST, False
        works(talk)


def test_an_answer_too_many_does_not_spoil_the_next_one(rogue: tuple[RogueAgent, Talk]) -> None:
    agent, talk = rogue
    for late in (False, True):
        agent.repeats, agent.repeats_late = True, late
        told = [talk.next() for _ in range(5)]
        assert all(one["client"] == "done" or one["server"] for one in told)
        assert not any(one["client"] in BAD_SIGNATURE for one in told)
        agent.repeats = False
        # One of them may still meet what was left over, whenever that comes.
        after = [talk.next() for _ in range(3)]
        assert sum(one["client"] != "done" for one in after) <= 1
        works(talk)


def test_a_connection_that_is_one_answer_behind_costs_one_handshake(rogue: tuple[RogueAgent, Talk]) -> None:
    agent, talk = rogue
    agent.is_behind = True
    for _ in range(3):
        works(talk)
        assert_failed(talk.next(), "not a signature of this key")


def test_an_agent_that_dies_in_mid_answer_costs_one_handshake(rogue: tuple[RogueAgent, Talk]) -> None:
    agent, talk = rogue
    works(talk)
    for cut in (0, 1, 3, 4, 5, 20, -1):
        agent.behaviour, agent.hangs_up = lambda r, cut=cut: HONEST(r)[:cut], True
        assert_failed(talk.next(), "closed the connection")
        agent.behaviour, agent.hangs_up = HONEST, False
        works(talk)


def test_a_slow_agent_costs_the_time_limit_and_no_more(short_tmp: Path) -> None:
    path = str(short_tmp / "agent.sock")
    key = make_identity(short_tmp, "mail", "p-256", path).private_key()
    with (
        RogueAgent(path, key) as agent,
        Talk("attempts", short_tmp, "mail", "do_handshake", "0.2") as talk,
    ):
        agent.silent = True
        told = talk.next()
        assert_failed(told, "in time")
        assert told["cause"] == "AgentTimeout"
        assert 0.1 < told["seconds"] < 5
        agent.silent = False
        works(talk, "5")  # an honest agent may be slower than 0.2 s, on a busy machine


def test_an_agent_that_is_gone_is_named_and_found_again(identity: Identity) -> None:
    with Talk("attempts", identity.directory, "mail") as talk:
        told = talk.next()
        assert_failed(told, "no agent", str(identity.directory / "agent.sock"))
        assert told["cause"] == "AgentUnavailable"
        for _ in range(2):
            with agent_with(identity.directory, identity):
                works(talk)
                works(talk)
            assert_failed(talk.next(), "no agent")


def test_a_removed_key_is_named_and_used_again_when_it_is_back(identity: Identity) -> None:
    with (
        agent_with(identity.directory, identity) as agent,
        Talk("attempts", identity.directory, "mail") as talk,
    ):
        works(talk)
        with AgentClient(agent.socket_path) as client:
            client.remove(key_id(identity.spki()))
        assert_failed(talk.next())
        hand_over(agent.socket_path, [identity])
        works(talk)


def test_a_refused_purpose_is_named(identity: Identity) -> None:
    with (
        agent_with(identity.directory, identity, purposes=("tls-client", "csr")),
        Talk("attempts", identity.directory, "mail") as talk,
    ):
        told = talk.next()
        assert_failed(told, "refused", "tls-server")
        assert told["cause"] == "KeyRefused"


def test_a_failure_inside_a_read_is_logged(identity: Identity) -> None:
    with Talk("attempts", identity.directory, "mail", "read") as talk:
        told = talk.next()
        assert told["server"]
        assert told["client"] not in ("done", *BAD_SIGNATURE)
        assert told["kind"] == "SSLError"
        assert "kit agent: key 'mail': no agent" in talk.errors()
        with agent_with(identity.directory, identity):
            works(talk)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace("-----END", "-----FIN"), "damaged"),
        (lambda text: text.replace("\nAA", "\n!A", 1), "damaged"),
        (lambda text: encode(Handle(b"\x30\x03\x02\x01\x01", "mail", "")), "public key in the handle"),
    ],
    ids=["no end", "no base64", "no public key"],
)
def test_a_damaged_handle_is_told_when_it_is_loaded(identity: Identity, spoil: Any, said: str) -> None:
    text = identity.handle.read_text()
    assert spoil(text) != text
    identity.handle.write_text(spoil(text))
    assert said in _loading_error(identity)


@needs_no_ml_dsa_in_ssl
def test_a_handle_of_an_ml_dsa_key_says_which_openssl_it_takes(identity: Identity) -> None:
    identity.handle.write_text(encode(Handle(public_key("ml-dsa-65").spki, "mail", "")))
    assert "has no ML-DSA: it takes 3.5 or newer" in _loading_error(identity)


def test_a_handle_of_another_key_does_not_fit_the_certificate(identity: Identity) -> None:
    other = make_identity(identity.directory, "other", "p-256", "")
    identity.handle.write_text(other.handle.read_text())
    assert "KEY_VALUES_MISMATCH" in _loading_error(identity)


def _loading_error(identity: Identity) -> str:
    with pytest.raises(AssertionError) as caught, Talk("attempts", identity.directory, "mail"):
        pass
    return str(caught.value)
