"""ML-DSA's private keys in the forms that programs write, and what is said where `cryptography` has none."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import keeper, mldsa
from kit.agent.keeper import BadKey, Keeper
from kit.agent.mldsa import ALGORITHMS
from kit.agent.schemes import BY_NAME, KeyType
from kit.core.errors import NegativeAnswer, UsageError
from tests.agent.handshakes import run
from tests.agent.samples import ML_DSA, private_key, public_key
from tests.agent.test_loader import Typed, load
from tests.agent.test_x509 import sequence, tlv
from tests.peers import find
from tests.post_quantum import needs_ml_dsa_in_openssl

# FIPS 204, table 2.
EXPANDED = {"ml-dsa-44": 2560, "ml-dsa-65": 4032, "ml-dsa-87": 4896}
SEED_FORMS = ("seed-only", "seed-priv", "bare-seed")
EXPANDED_FORMS = ("priv-only", "bare-priv")


def seed(kind: str) -> bytes:
    raw = private_key(kind).private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    assert len(raw) == 32
    return raw


def expanded(kind: str) -> bytes:
    """As much of FIPS 204's skEncode as can be told from the public key; the rest is never read."""
    public = private_key(kind).public_key().public_bytes_raw()  # type: ignore[union-attr]
    head = public[:32] + b"K" * 32 + hashlib.shake_256(public).digest(64)
    return head + bytes(EXPANDED[kind] - len(head))


def pkcs8(kind: str, key: bytes) -> bytearray:
    algorithm = next(der for der, key_type in ALGORITHMS.items() if key_type == kind.upper())
    return bytearray(sequence(b"\x02\x01\x00", algorithm, tlv(0x04, key)))


def forms(kind: str) -> dict[str, bytearray]:
    """RFC 9881, section 6, and the two that have no tag of their own."""
    one, other = seed(kind), expanded(kind)
    return {
        "seed-only": pkcs8(kind, tlv(0x80, one)),
        "seed-priv": pkcs8(kind, sequence(tlv(0x04, one), tlv(0x04, other))),
        "bare-seed": pkcs8(kind, one),
        "priv-only": pkcs8(kind, tlv(0x04, other)),
        "bare-priv": pkcs8(kind, other),
    }


@pytest.mark.parametrize("form", SEED_FORMS)
@pytest.mark.parametrize("kind", ML_DSA)
def test_every_form_with_a_seed_is_taken(kind: str, form: str) -> None:
    candidate = keeper.load(memoryview(forms(kind)[form]))
    assert candidate.public == public_key(kind)


@pytest.mark.parametrize("form", EXPANDED_FORMS)
@pytest.mark.parametrize("kind", ML_DSA)
def test_a_form_without_a_seed_is_refused_with_the_reason(kind: str, form: str) -> None:
    with pytest.raises(UsageError, match="without its seed"):
        keeper.load(forms(kind)[form])


@pytest.mark.parametrize("kind", ML_DSA)
def test_an_expanded_key_of_another_seed_is_refused(kind: str) -> None:
    good = forms(kind)["seed-priv"]
    for part in (expanded(kind)[:32], expanded(kind)[64:128]):
        damaged = good.copy()
        damaged[damaged.index(part)] ^= 1
        with pytest.raises(UsageError, match="not its seed's"):
            keeper.load(damaged)
    mixed = pkcs8(kind, sequence(tlv(0x04, bytes(32)), tlv(0x04, expanded(kind))))
    with pytest.raises(UsageError, match="not its seed's"):
        keeper.load(mixed)


@given(st.sampled_from(sorted(ML_DSA)), st.sampled_from([*SEED_FORMS, *EXPANDED_FORMS]), st.data())
def test_what_is_cut_or_damaged_never_gives_this_key(kind: str, form: str, data: st.DataObject) -> None:
    der = forms(kind)[form]
    at = data.draw(st.integers(0, len(der) - 1))
    change = data.draw(st.sampled_from(["cut", "flip", "tail"]))
    damaged = der[:at] if change == "cut" else der + b"\0" if change == "tail" else der.copy()
    if change == "flip":
        damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        candidate = keeper.load(damaged)
    except UsageError:
        return
    # A bit of the seed makes another key; one of what is never read makes no difference.
    assert change == "flip"
    assert candidate.public != public_key(kind) or form == "seed-priv"


@needs_ml_dsa_in_openssl
@pytest.mark.parametrize("kind", ML_DSA)
def test_what_openssl_writes_is_taken_in_every_form_with_a_seed(kind: str, tmp_path: Path) -> None:
    path, publics = tmp_path / "key", set()
    made = run(find("openssl"), "genpkey", "-algorithm", kind, "-out", str(path))
    assert made.returncode == 0, made.stderr
    for form in (*SEED_FORMS, *EXPANDED_FORMS):
        out = tmp_path / form
        options = ("-provparam", f"ml-dsa.output_formats={form}", "-outform", "DER")
        made = run(find("openssl"), "pkey", "-in", str(path), "-out", str(out), *options)
        assert made.returncode == 0, made.stderr
        if form in SEED_FORMS:
            publics.add(keeper.load(bytearray(out.read_bytes())).public)
        else:
            with pytest.raises(UsageError, match="without its seed"):
                keeper.load(bytearray(out.read_bytes()))
    (public,) = publics
    assert public.kind == kind


@needs_ml_dsa_in_openssl
def test_an_encrypted_key_opens_as_its_seed_and_otherwise_the_hint_says_how(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    made = run(find("openssl"), "genpkey", "-algorithm", "ml-dsa-65", "-out", str(plain))
    assert made.returncode == 0, made.stderr

    def encrypted(form: str) -> str:
        path = tmp_path / form
        options = ("-aes256", "-passout", "pass:secret", "-provparam", f"ml-dsa.output_formats={form}")
        made = run(find("openssl"), "pkey", "-in", str(plain), "-out", str(path), *options)
        assert made.returncode == 0, made.stderr
        return str(path)

    opened = load(encrypted("seed-only"), Typed(b"secret"))
    assert keeper.load(bytearray(opened)).public.kind == "ml-dsa-65"
    with pytest.raises(NegativeAnswer) as caught:
        load(encrypted("seed-priv"), Typed(b"secret", tries=1))
    assert "ml-dsa.output_formats=seed-only" in str(caught.value.hint)


def test_a_signature_has_an_empty_context() -> None:
    candidate = keeper.load(forms("ml-dsa-44")["seed-only"])
    held = Keeper()
    held.hold(candidate)
    signature = held.sign(candidate.public.key_id, BY_NAME["mldsa44"], b"content")
    private_key("ml-dsa-44").public_key().verify(signature, b"content", b"")  # type: ignore[call-arg]


def test_ssh_has_no_such_key() -> None:
    with pytest.raises(BadKey, match="SSH has no keys of type ml-dsa-65"):
        keeper.check_ssh(keeper.load(forms("ml-dsa-65")["seed-only"]))
    keeper.check_ssh(keeper.load(bytearray(keeper.generate_der("p-256"))))


def test_a_key_tells_its_type_by_its_algorithm_alone() -> None:
    for kind in ML_DSA:
        for der in forms(kind).values():
            assert mldsa.pkcs8_type(memoryview(der)) is KeyType(kind.upper())
        assert mldsa.spki_type(public_key(kind).spki) is KeyType(kind.upper())
    for other in (b"", b"0", b"0\x82", keeper.generate_der("ed25519"), public_key("p-256").spki):
        assert mldsa.pkcs8_type(memoryview(other)) is mldsa.spki_type(other) is None


# Where `cryptography` is older than 48, which kit runs with: its module is not there.
WITHOUT = """
import sys
sys.modules["cryptography.hazmat.primitives.asymmetric.mldsa"] = None
from kit.agent import keeper, mldsa, public
from kit.core.errors import Unavailable
assert not mldsa.is_available()
der, spki = (bytearray(bytes.fromhex(word)) for word in sys.argv[1:])
asked = [lambda: keeper.check_kind("ml-dsa-65"), lambda: keeper.load(der)]
asked.append(lambda: public.load_spki(bytes(spki)))
for ask in asked:
    try:
        ask()
    except Unavailable as error:
        print(error)
keeper.check_kind("p-256")
print(keeper.load(bytearray(keeper.generate_der("ed25519"))).public.kind)
"""


def test_without_ml_dsa_in_cryptography_the_rest_works_and_the_error_says_what_is_needed() -> None:
    arguments = (forms("ml-dsa-65")["seed-priv"].hex(), public_key("ml-dsa-65").spki.hex())
    told = run(sys.executable, "-c", WITHOUT, *arguments)
    assert told.returncode == 0, told.stderr
    *errors, kind = told.stdout.splitlines()
    assert kind == "ed25519"
    assert len(errors) == 3
    assert all("it takes 48 or newer, linked with OpenSSL 3.5 or newer" in error for error in errors)
