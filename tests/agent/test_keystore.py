"""The book of keys: what is found, what has room, what has expired."""

from __future__ import annotations

import pytest

from kit.agent.extension import KeyList, KeyRecord, encode_answer
from kit.agent.keystore import LIST_LIMIT, Entry, KeyStore, NameTaken, StoreFull
from kit.agent.peers import Allowed, spelled
from kit.agent.public import PublicKey
from kit.agent.schemes import KeyType
from tests.agent.samples import ML_DSA, public_key


def _public(number: int, size: int = 91) -> PublicKey:
    spki = number.to_bytes(4, "big") + bytes(size - 4)
    return PublicKey(KeyType.EC, 256, "secp256r1", spki, b"blob" + spki)


SOME = Allowed(frozenset({0, 4_294_967_294}), frozenset({1000}))


def _entry(number: int, name: str = "", expires_s: float = 0, size: int = 91, slot: int = 0) -> Entry:
    return Entry(name or f"key {number}", _public(number, size), ("ssh",), SOME, 1000.0, expires_s, slot)


def test_a_key_is_found_by_id_blob_and_name() -> None:
    store, entry = KeyStore(), _entry(1, "web")
    store.put(entry)
    assert store.by_id(entry.public.key_id, 0) is entry
    assert store.by_blob(entry.public.ssh_blob, 0) is entry
    assert store.by_name("web", 0) is entry


def test_keys_that_ssh_does_not_have_are_not_mistaken_for_each_other() -> None:
    store = KeyStore()
    entries = [Entry(kind, public_key(kind), ("tls-server",), SOME, 0) for kind in ML_DSA]
    for entry in entries:
        store.put(entry)
    assert store.by_blob(b"", 0) is None
    store.drop(entries[0].public.key_id)
    store.drop(entries[1].public.key_id)
    assert list(store) == entries[2:]
    assert store.by_id(entries[2].public.key_id, 0) is entries[2]


def test_what_is_not_there_is_none() -> None:
    store = KeyStore()
    assert store.by_id(b"x", 0) is store.by_blob(b"x", 0) is store.by_name("x", 0) is None
    store.drop(b"x")


def test_a_dropped_key_is_found_in_no_way() -> None:
    store, entry = KeyStore(), _entry(1)
    store.put(entry)
    store.drop(entry.public.key_id)
    assert len(store) == 0
    assert store.by_blob(entry.public.ssh_blob, 0) is None


def test_an_expired_key_is_not_found_before_it_is_swept_out() -> None:
    store, entry = KeyStore(), _entry(1, expires_s=1060)
    store.put(entry)
    assert store.by_id(entry.public.key_id, 1059.9) is entry
    assert store.by_id(entry.public.key_id, 1060) is None
    assert store.expired(1060) == [entry]


def test_the_next_expiry_follows_what_is_put_and_dropped() -> None:
    store = KeyStore()
    assert store.next_expiry_s == 0
    store.put(_entry(1))
    store.put(_entry(2, expires_s=50))
    store.put(_entry(3, expires_s=20))
    assert store.next_expiry_s == 20
    store.drop(_public(3).key_id)
    assert store.next_expiry_s == 50


def test_the_same_key_again_replaces_its_entry_and_keeps_the_slot_of_its_counters() -> None:
    store, first, second = KeyStore(), _entry(1, "old", slot=0), _entry(2, "other", slot=1)
    store.put(first)
    store.put(second)
    assert store.free_slot(second.public.key_id) == 1
    store.put(_entry(2, "new", slot=1))
    assert [(e.name, e.slot) for e in store] == [("old", 0), ("new", 1)]


def test_a_new_key_counts_where_no_other_does() -> None:
    store = KeyStore()
    for number in range(3):
        slot = store.free_slot(_public(number).key_id)
        assert slot == number
        store.put(_entry(number, slot=slot))
    store.drop(_public(1).key_id)
    assert store.free_slot(_public(9).key_id) == 1


def test_a_name_is_taken_by_another_key_only_while_that_lives() -> None:
    store = KeyStore()
    store.put(_entry(1, "web", expires_s=10))
    with pytest.raises(NameTaken, match="'web'"):
        store.check_name("web", _public(2).key_id, 5)
    store.check_name("web", _public(1).key_id, 5)
    store.check_name("web", _public(2).key_id, 10)


def test_one_key_too_many_is_refused_but_a_known_one_is_taken() -> None:
    store = KeyStore(keys_limit=2)
    store.put(_entry(1))
    store.put(_entry(2))
    for refused in (store.check_room, store.put):
        with pytest.raises(StoreFull, match="no more than 2"):
            refused(_entry(3))
    store.check_room(_entry(2, "again"))
    store.put(_entry(2, "again"))
    assert [e.name for e in store] == ["key 1", "again"]


def test_the_list_of_all_keys_stays_within_a_message() -> None:
    store = KeyStore()
    with pytest.raises(StoreFull, match="one message"):
        for number in range(256):
            store.put(_entry(number, size=1100))
    assert sum(entry.listed_bytes for entry in store) <= LIST_LIMIT


def test_an_entry_counts_what_it_takes_on_the_wire() -> None:
    entry = _entry(1, "Schlüssel")
    public, peers = entry.public, spelled(entry.peers)
    blobs = (public.spki, public.ssh_blob)
    row = KeyRecord(entry.name, public.kind, *blobs, entry.purposes, 1, 0, 0, 0, 0, peers, "tls-digest")
    empty = sum(map(len, encode_answer(KeyList(()))))
    assert entry.listed_bytes >= sum(map(len, encode_answer(KeyList((row,))))) - empty
