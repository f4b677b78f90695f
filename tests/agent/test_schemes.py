"""The tables of schemes and key types say what the RFCs and IANA say."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.agent.schemes import BY_NAME, EC_KINDS, KINDS, SCHEMES, SSH_EC_SCHEMES, SSH_RSA_FLAGS, KeyType
from tests.agent.samples import CLASSICAL, ML_DSA, private_key, public_key
from tests.agent.samples import KINDS as SAMPLES

# RFC 8446, section 4.2.3; of ML-DSA, IANA.
REGISTRY = {
    "rsa_pkcs1_sha256": 0x0401,
    "rsa_pkcs1_sha384": 0x0501,
    "rsa_pkcs1_sha512": 0x0601,
    "ecdsa_secp256r1_sha256": 0x0403,
    "ecdsa_secp384r1_sha384": 0x0503,
    "ecdsa_secp521r1_sha512": 0x0603,
    "rsa_pss_rsae_sha256": 0x0804,
    "rsa_pss_rsae_sha384": 0x0805,
    "rsa_pss_rsae_sha512": 0x0806,
    "ed25519": 0x0807,
    "mldsa44": 0x0904,
    "mldsa65": 0x0905,
    "mldsa87": 0x0906,
}


def test_the_code_points_are_ianas() -> None:
    assert {name: scheme.code for name, scheme in BY_NAME.items()} == REGISTRY
    assert {code: scheme.name for code, scheme in SCHEMES.items()} == {v: k for k, v in REGISTRY.items()}


@pytest.mark.parametrize("name", REGISTRY)
def test_a_scheme_is_what_its_name_says(name: str) -> None:
    scheme = BY_NAME[name]
    assert scheme.pss == ("pss" in name)
    assert scheme.hash_name == (name.rsplit("_", 1)[1] if "sha" in name else "")
    assert scheme.curve == (name.split("_")[1] if name.startswith("ecdsa") else "")
    if name.startswith("mldsa"):
        assert scheme.key_type.replace("-", "").lower() == name
    else:
        assert scheme.key_type == {"rsa": KeyType.RSA, "ecd": KeyType.EC, "ed2": KeyType.ED25519}[name[:3]]


def test_no_scheme_uses_a_broken_hash() -> None:
    sizes = {hashlib.new(scheme.hash_name).digest_size for scheme in SCHEMES.values() if scheme.hash_name}
    assert min(sizes) == 32


def test_every_key_has_a_scheme_for_ssh() -> None:
    assert {flag: name for flag, (name, _) in SSH_RSA_FLAGS.items()} == {2: "rsa-sha2-256", 4: "rsa-sha2-512"}
    for name, scheme in SSH_RSA_FLAGS.values():
        assert (scheme.hash_name, scheme.pss) == (f"sha{name[-3:]}", False)
    assert set(SSH_EC_SCHEMES) == set(EC_KINDS) == {"secp256r1", "secp384r1", "secp521r1"}
    for kind in EC_KINDS.values():
        assert kind.ssh_name == f"ecdsa-sha2-{kind.ssh_curve}"


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_real_key_is_of_the_kind_that_it_was_made_as(kind: str) -> None:
    key = public_key(kind)
    assert key.kind == kind
    assert (key.key_type, key.bits, key.curve) == (KINDS[kind].key_type, KINDS[kind].bits, KINDS[kind].curve)
    assert KINDS[kind].ssh_name.encode() in key.ssh_blob
    assert bool(KINDS[kind].ssh_name) == bool(key.ssh_blob) == (kind in CLASSICAL)


@pytest.mark.parametrize("kind", ML_DSA)
def test_the_bits_of_an_ml_dsa_key_are_its_public_keys(kind: str) -> None:
    raw = private_key(kind).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert KINDS[kind].bits == len(raw) * 8
