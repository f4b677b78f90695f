"""Configured keys in the zygote: loaded, kept, replaced, removed, and never lost by a mistake."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from kit.agent.channels.messages import Load
from kit.agent.processes.configured import Configured
from tests.agent.processes.test_authority import Zygote
from tests.agent.samples import private_key, public_key

RULE = Load("web", ("ssh",), frozenset({1000}), frozenset(), 0, 0, 0, False, b"", b"", "")


class Room:
    """A zygote's configured keys, and files for them."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.zygote = directory, Zygote()
        self.configured = Configured(self.zygote.authority)

    def load(self, rule: Load, kind: str = "p-256", which: int = 0, password: bytes = b"") -> None:
        key = private_key(kind, which)
        form = BestAvailableEncryption(password) if password else NoEncryption()
        self.load_file(rule, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form))

    def load_file(self, rule: Load, content: bytes) -> None:
        path = self.directory / "key"
        path.write_bytes(content)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.configured.load(rule, descriptor, self.zygote.now_s)
        finally:
            os.close(descriptor)

    def keep(self) -> dict[str, tuple[str, str]]:
        return {row.key_name: (row.result, row.why) for row in self.configured.keep().keys}

    def reload(self, rule: Load) -> None:
        self.load(rule)
        self.keep()

    @property
    def held(self) -> dict[str, bytes]:
        assert self.zygote.same_everywhere()
        return {entry.name: entry.public.key_id for entry in self.zygote.workers[0].store}


@pytest.fixture
def room(short_tmp: Path) -> Room:
    room = Room(short_tmp)
    room.load(RULE)
    assert room.keep() == {"web": ("loaded", "")}
    return room


def key_id(which: int, kind: str = "p-256") -> bytes:
    return public_key(kind, which).key_id


def test_the_same_key_and_rule_is_kept_and_told_to_nobody(room: Room) -> None:
    room.zygote.order.clear()
    room.load(RULE)
    assert room.keep() == {"web": ("kept", "")}
    assert room.zygote.order == []


@pytest.mark.parametrize(
    "rule",
    [
        replace(RULE, uids=frozenset({7})),
        replace(RULE, purposes=("any",)),
        replace(RULE, lifetime_s=9),
        replace(RULE, rate_mhz=1000, burst=1),
        replace(RULE, confirm=True),
    ],
)
def test_a_new_rule_of_the_same_key_is_loaded(room: Room, rule: Load) -> None:
    room.load(rule)
    assert room.keep() == {"web": ("loaded", "")}
    (entry,) = room.zygote.workers[1].store
    assert (entry.peers.uids, entry.confirm, entry.limited) == (rule.uids, rule.confirm, bool(rule.rate_mhz))
    assert entry.expires_s == (1000.0 + rule.lifetime_s if rule.lifetime_s else 0)


def test_another_key_of_the_same_name_is_there_before_the_old_one_goes(room: Room) -> None:
    room.zygote.order.clear()
    room.load(RULE, which=1)
    assert room.keep() == {"web": ("loaded", "")}
    assert room.zygote.order == ["Hold", "Drop"]
    assert room.held == {"web": key_id(1)}


def test_what_is_named_no_more_is_removed(room: Room) -> None:
    room.load(replace(RULE, key_name="mail"), which=1)
    assert room.keep() == {"mail": ("loaded", ""), "web": ("removed", "")}
    assert room.held == {"mail": key_id(1)}
    assert room.keep() == {"mail": ("removed", "")}
    assert room.held == {}


Spoil = Callable[[Room, Load], None]
BROKEN: dict[str, Spoil] = {
    "no file": lambda room, rule: room.configured.load(replace(rule, error="it is gone"), None, 1000.0),
    "garbage": lambda room, rule: room.load_file(rule, b"garbage"),
    "an empty file": lambda room, rule: room.load_file(rule, b""),
    "an encrypted key": lambda room, rule: room.load(rule, password=b"x"),
    "another key's certificate": lambda room, rule: room.load(
        replace(rule, spki=public_key("p-256", 5).spki), which=1
    ),
    "a purpose that it cannot have": lambda room, rule: room.load(replace(rule, purposes=("decrypt",))),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_leaves_the_key_with_its_old_rule(room: Room, spoil: Spoil) -> None:
    room.zygote.order.clear()
    spoil(room, replace(RULE, uids=frozenset({7})))
    ((name, (result, why)),) = room.keep().items()
    assert (name, result) == ("web", "failed")
    assert why.endswith(", and the key stays as it was")
    assert room.zygote.order == []
    assert room.held == {"web": key_id(0)}
    room.load(RULE)
    assert room.keep() == {"web": ("kept", "")}, "of the rule that it was loaded by"


def test_what_was_never_right_says_no_more_than_why(short_tmp: Path) -> None:
    room = Room(short_tmp)
    room.configured.load(replace(RULE, error="there is no key file '/x'"), None, 1000.0)
    assert room.keep() == {"web": ("failed", "there is no key file '/x'")}
    assert room.held == {}


def test_the_certificate_of_the_key_fits(room: Room) -> None:
    room.load(replace(RULE, spki=public_key("p-256").spki))
    assert room.keep() == {"web": ("loaded", "")}


def test_a_rate_is_counted_from_its_load_on_and_replaced_with_its_rule(room: Room) -> None:
    def taken() -> int:
        return sum(room.configured.take(key_id(0), room.zygote.now_s) for _ in range(20))

    assert taken() == 20
    room.reload(replace(RULE, rate_mhz=2000, burst=3))
    assert taken() == 3
    room.zygote.now_s += 1
    assert taken() == 2
    room.reload(replace(RULE, rate_mhz=2000, burst=3))
    assert taken() == 0, "a reload that changes nothing fills nothing"
    room.reload(replace(RULE, rate_mhz=2000, burst=5))
    assert taken() == 5
    room.reload(RULE)
    assert taken() == 20


def test_a_key_that_was_removed_or_expired_is_loaded_again(room: Room) -> None:
    holding = room.zygote.authority.holding
    room.zygote.authority.drop(holding.known(key_id(0)), room.zygote.authority.itself)
    room.load(replace(RULE, lifetime_s=5))
    assert room.keep() == {"web": ("loaded", "")}
    room.zygote.now_s += 5
    room.zygote.authority.expire()
    for worker in room.zygote.workers:
        worker.expire()
    assert room.held == {}
    room.load(replace(RULE, lifetime_s=5))
    assert room.keep() == {"web": ("loaded", "")}
    assert room.held == {"web": key_id(0)}


def test_a_key_that_is_renamed_stays(room: Room) -> None:
    room.load(replace(RULE, key_name="www", rate_mhz=1000, burst=2))
    assert room.keep() == {"www": ("loaded", ""), "web": ("removed", "")}
    assert room.held == {"www": key_id(0)}
    assert sum(room.configured.take(key_id(0), room.zygote.now_s) for _ in range(9)) == 2
    room.load(replace(RULE, key_name="www", rate_mhz=1000, burst=2))
    assert room.keep() == {"www": ("kept", "")}


def test_two_names_may_exchange_their_keys(room: Room) -> None:
    mail = replace(RULE, key_name="mail", uids=frozenset({7}))
    for first, second in ((0, 1), (1, 0), (1, 0), (0, 1)):
        room.load(RULE, which=first)
        room.load(mail, which=second)
        assert set(room.keep()) == {"web", "mail"}
        assert room.held == {"web": key_id(first), "mail": key_id(second)}


def test_one_key_cannot_have_two_rules(room: Room) -> None:
    for _ in range(2):
        room.load(RULE)
        room.load(replace(RULE, key_name="twin", uids=frozenset({7})))
        assert room.keep() == {"web": ("kept", ""), "twin": ("failed", "it is the key of 'web', too")}
        assert room.held == {"web": key_id(0)}
    room.load(RULE)
    assert room.keep() == {"web": ("kept", "")}
    assert room.held == {"web": key_id(0)}
