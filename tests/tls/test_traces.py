"""Private keys recognised by their public ones, in every form, and nothing else taken for one."""

from __future__ import annotations

import base64
import random
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kit.tls.traces import LIMB, ORDERS, find, public_is_in, sought

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KINDS = ("rsa-2048", "rsa-3072", "p-256", "p-384")
ML_DSA = {
    "ml-dsa-44": mldsa.MLDSA44PrivateKey,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey,
}


@cache
def private_key(kind: str) -> PrivateKey:
    """One that no limit is known to miss."""
    while True:
        key = _any_key(kind)
        numbers = [*secrets_of(key), *_montgomery_forms(key)]
        if not any(_escapes(number) for number in numbers):
            return key


def _any_key(kind: str) -> PrivateKey:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    return ec.generate_private_key(ec.SECP256R1() if kind == "p-256" else ec.SECP384R1())


def _escapes(number: bytes) -> bool:
    """One limb in 65,536 looks like an address, as `traces` says; whichever way round the number stands."""
    limbs = [number[at : at + LIMB] for at in range(0, len(number), LIMB)]
    return any(limb.startswith(bytes(2)) or limb.endswith(bytes(2)) for limb in limbs)


def _montgomery_forms(key: PrivateKey) -> list[bytes]:
    if isinstance(key, rsa.RSAPrivateKey):
        return []
    form = (key.private_numbers().private_value << key.key_size) % ORDERS[key.curve.name]
    return [form.to_bytes(key.key_size // 8, "big")]


def secrets_of(key: PrivateKey) -> tuple[bytes, ...]:
    """The numbers that are looked for, big-endian."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        return tuple(prime.to_bytes(key.key_size // 16, "big") for prime in (numbers.p, numbers.q))
    return (key.private_numbers().private_value.to_bytes(key.key_size // 8, "big"),)


def filler(size: int, seed: int) -> bytes:
    """Memory as a program has it: addresses, small numbers, text, zeros and noise, in stretches."""
    chance = random.Random(seed)
    out = bytearray()
    while len(out) < size:
        count = chance.randrange(1, 64)
        kind = chance.randrange(5)
        if kind == 0:
            out += b"".join(
                (0x7F0000000000 + chance.randrange(2**32)).to_bytes(8, "little") for _ in range(count)
            )
        elif kind == 1:
            out += b"".join(chance.randrange(1000).to_bytes(8, "little") for _ in range(count))
        elif kind == 2:
            out += b"The quick brown fox jumps over the lazy dog. "[: count // 8 * 8] + bytes(8)
        else:
            out += bytes(8 * count) if kind == 3 else chance.randbytes(8 * count)
        out += bytes(-len(out) % 8)
    return bytes(out[:size])


def forms_of(key: PrivateKey, secret: bytes) -> dict[str, bytes]:
    """What to plant so that the form of this name is found."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    text = base64.b64encode(b"\x05\x11" + secret)
    return {
        "little-endian limbs": secret[::-1],
        "big-endian": secret,
        "DER or SSH": b"\xff" * 3 + der,
        "base64": b'"' + text + b'"',
        "base64 in PEM": b"x" * 5 + pem,
        "base64 with CRLF": pem.replace(b"\n", b"\r\n"),
        "base64 for URLs": b":" + base64.urlsafe_b64encode(secret).rstrip(b"=") + b",",
        "hex": b"d=" + secret.hex().encode() + b"\n",
        "hex in capitals": b"=" + secret.hex().upper().encode() + b"\0",
        "hex with colons": b" " + secret.hex(":").encode() + b" ",
    }


FORMS = tuple(forms_of(private_key("p-256"), secrets_of(private_key("p-256"))[0]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_where_it_stands(kind: str, form: str) -> None:
    key = private_key(kind)
    wanted = sought(kind, key.public_key())
    assert wanted
    for number, secret in enumerate(secrets_of(key)):
        before, after = filler(40_000, number) + bytes(LIMB), bytes(LIMB) + filler(20_000, number + 9)
        found = find(before + forms_of(key, secret)[form] + after, [wanted])
        assert found, form
        assert {trace.key for trace in found} == {kind}
        assert any(trace.form == " ".join(form.split()[:1]) or trace.form in form for trace in found)
        assert all(len(before) - LIMB <= trace.offset for trace in found)


@pytest.mark.parametrize("kind", ["p-256", "p-384"])
def test_openssls_montgomery_form_of_a_scalar_is_found(kind: str) -> None:
    key = private_key(kind)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    (form,) = _montgomery_forms(key)
    wanted = sought(kind, key.public_key())
    assert wanted
    planted = filler(8_000, 1) + form[::-1] + filler(8_000, 2)
    assert [trace.offset for trace in find(planted, [wanted])] == [8_000]


@pytest.mark.parametrize("kind", ML_DSA)
def test_an_ml_dsa_seed_is_found_in_each_form_and_its_public_key_is_none(kind: str) -> None:
    key = ML_DSA[kind].generate()
    while _escapes(key.private_bytes_raw()):
        key = ML_DSA[kind].generate()
    wanted = sought(kind, key.public_key())
    assert wanted
    seed, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    forms = {
        "big-endian": seed,
        "DER": bytes(3) + key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "base64": b'"' + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + b'"',
        "hex": b"d=" + seed.hex().encode() + b"\n",
    }
    for number, (form, planted) in enumerate(forms.items()):
        memory = filler(20_000, number) + bytes(LIMB) + planted + bytes(LIMB) + filler(8_000, number + 9)
        assert form in "".join(trace.form for trace in find(memory, [wanted])), form
    memory = filler(20_000, 1) + public + filler(8_000, 2)
    assert public_is_in(memory, wanted)
    assert find(memory, [wanted]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_where_only_the_public_key_is(kind: str) -> None:
    public = private_key(kind).public_key()
    wanted = sought(kind, public)
    assert wanted
    memory = filler(300_000, 3)
    for encoding, public_format in (
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.OpenSSH, PublicFormat.OpenSSH),
    ):
        memory += public.public_bytes(encoding, public_format) + filler(4_000, 4)
    memory += wanted.public_forms[1] + filler(4_000, 5)
    assert find(memory + bytes(-len(memory) % LIMB), [wanted]) == []
    assert public_is_in(memory, wanted)


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256"])
def test_another_key_is_not_taken_for_this_one(kind: str) -> None:
    mine = sought(kind, private_key(kind).public_key())
    other = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa-2048"
        else ec.generate_private_key(ec.SECP256R1())
    )
    assert mine
    for secret in secrets_of(other):
        memory = b"".join(filler(800, 6) + planted for planted in forms_of(other, secret).values())
        assert find(memory, [mine]) == []
        assert not public_is_in(memory, mine)


def test_several_keys_are_looked_for_at_once_and_told_apart() -> None:
    keys = [sought(kind, private_key(kind).public_key()) for kind in KINDS]
    memory = b"".join(secret[::-1] + bytes(16) for kind in KINDS for secret in secrets_of(private_key(kind)))
    found = find(memory, [key for key in keys if key])
    names = [trace.key for trace in found]
    assert names == ["rsa-2048", "rsa-2048", "rsa-3072", "rsa-3072", "p-256", "p-384"]


def test_a_key_that_cannot_be_recognised_is_not_sought() -> None:
    assert sought("ed", ed25519.Ed25519PrivateKey.generate().public_key()) is None
    assert sought("p-521", ec.generate_private_key(ec.SECP521R1()).public_key()) is None


def test_memory_of_any_length_and_no_memory_can_be_searched() -> None:
    keys = [key for kind in KINDS if (key := sought(kind, private_key(kind).public_key()))]
    for size in (0, 1, 7, 8, 31, 33, 129):
        assert find(b"\xa5" * size, keys) == []
