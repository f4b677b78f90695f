"""A user's word for a key, and the key that it means."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from kit.agent.errors import UnknownKey
from kit.agent.extension import KeyRecord
from kit.agent.public import describe
from kit.agent.selection import select
from kit.core.errors import UsageError
from tests.agent.samples import ML_DSA, public_key


def record(name: str, seed: int = 0) -> KeyRecord:
    """Each seed's key is always the same: of drawn ones, the ids of two may begin alike."""
    public = describe(ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key())
    return KeyRecord(name, "ed25519", public.spki, public.ssh_blob, ("ssh",), 0, 0, 0, 0, 0, (), "")


MAIL, WEB, TWIN = record("mail", 1), record("web", 2), record("web", 3)
PUBLIC = describe(ed25519.Ed25519PublicKey.from_public_bytes(MAIL.spki[-32:]))


def test_a_name_a_fingerprint_and_a_key_id_mean_their_key() -> None:
    key_id = PUBLIC.key_id.hex()
    for word in ("mail", PUBLIC.fingerprint, key_id, key_id[:8], key_id[:4].upper()):
        assert select([MAIL, WEB], word) is MAIL


def test_a_key_that_ssh_does_not_have_is_meant_by_the_fingerprint_of_its_spki() -> None:
    keys = [public_key(kind) for kind in ML_DSA]
    records = [KeyRecord(k.kind, k.kind, k.spki, b"", ("csr",), 0, 0, 0, 0, 0, (), "") for k in keys]
    for key, meant in zip(keys, records, strict=True):
        assert key.fingerprint.startswith("SPKI-SHA256:")
        assert select(records, key.fingerprint) is meant
    with pytest.raises(UnknownKey):
        select(records, "SHA256:" + keys[0].fingerprint.partition(":")[2])


def test_a_name_goes_before_a_key_id() -> None:
    namesake = record(PUBLIC.key_id.hex()[:8])
    assert select([MAIL, namesake], namesake.key_name) is namesake


@pytest.mark.parametrize("word", ["", "nobody", PUBLIC.key_id.hex()[:3], "MAIL", "mail "])
def test_an_unknown_key_tells_which_there_are(word: str) -> None:
    with pytest.raises(UnknownKey) as caught:
        select([MAIL, WEB], word)
    assert caught.value.hint == "it holds mail, web"


def test_the_hint_is_short_and_safe() -> None:
    with pytest.raises(UnknownKey) as caught:
        select([], "mail")
    assert caught.value.hint == "it holds none; see 'kit agent add' and 'kit agent generate'"
    with pytest.raises(UnknownKey) as caught:
        select([record(f"\x1b[2Jkey {number}") for number in range(20)], "mail")
    assert "\x1b" not in str(caught.value.hint)
    assert str(caught.value.hint).endswith("key 7 and 12 more")


def test_two_keys_of_one_name_are_told_apart_by_fingerprint() -> None:
    with pytest.raises(UsageError, match="2 keys are meant by 'web'"):
        select([MAIL, WEB, TWIN], "web")
