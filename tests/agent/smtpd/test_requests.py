"""What smtpd may have signed, and what becomes of everything else."""

from __future__ import annotations

import hashlib
import struct

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.schemes import BY_NAME, SCHEMES
from kit.agent.smtpd.imsg import Kind, Message
from kit.agent.smtpd.names import hash_name
from kit.agent.smtpd.requests import Block, Digest, Request, read_request
from kit.core.errors import NegativeAnswer, ProtocolError
from tests.agent.samples import private_key, public_key
from tests.agent.smtpd.messages import NAME, request

PKCS1, NONE, OAEP = 1, 3, 4
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def read(kind: Kind, body: bytes) -> Request:
    return read_request(Message(kind, 0, False, body))


@pytest.mark.parametrize(("size", "scheme"), [(32, 0x0403), (48, 0x0503), (64, 0x0603)])
def test_an_ecdsa_request_is_a_digest(size: int, scheme: int) -> None:
    asked = read(Kind.ECDSA_SIGN, request(b"d" * size, ident=7))
    assert asked == Request(Kind.ECDSA_SIGN, struct.pack("=Q", 7), NAME, b"d" * size, 0)
    assert asked.wanted() == Digest(scheme, b"d" * size)


@pytest.mark.parametrize("hash_name", HASHES)
def test_a_digest_info_as_openssl_makes_it_is_a_digest(hash_name: str) -> None:
    key = private_key("rsa-2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(b"content", padding.PKCS1v15(), HASHES[hash_name])
    info = key.public_key().recover_data_from_signature(signature, padding.PKCS1v15(), None)
    asked = read(Kind.RSA_PRIVENC, request(info, modulus=256, padding=PKCS1))
    digest = hashlib.new(hash_name, b"content").digest()
    assert asked.wanted() == Digest(BY_NAME[f"rsa_pkcs1_{hash_name}"].code, digest)


def test_what_is_encoded_already_is_a_block() -> None:
    asked = read(Kind.RSA_PRIVENC, request(b"b" * 256, padding=NONE))
    assert asked.wanted() == Block(b"b" * 256)


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (Kind.RSA_PRIVDEC, request(bytes(256), padding=PKCS1), "an RSA decryption"),
        (
            Kind.RSA_PRIVENC,
            request(bytes(36), padding=PKCS1),
            "no digest of SHA-256",
        ),  # MD5 and SHA-1: TLS 1.1
        (Kind.RSA_PRIVENC, request(bytes(256), padding=OAEP), "the padding 4"),
        (Kind.RSA_PRIVENC, request(bytes(256), padding=2**64 - 1), "the padding 18446744073709551615"),
        (Kind.ECDSA_SIGN, request(bytes(20)), "a digest of 20 bytes"),
        (Kind.ECDSA_SIGN, request(b""), "a digest of 0 bytes"),
    ],
)
def test_what_no_key_signs_is_an_answer_and_no_error(kind: Kind, body: bytes, why: str) -> None:
    asked = read(kind, body)
    with pytest.raises(NegativeAnswer, match=why):
        asked.wanted()


def test_answers_are_what_smtpd_reads() -> None:
    rsa_asked = read(Kind.RSA_PRIVENC, request(bytes(256), ident=9, padding=NONE))
    assert rsa_asked.answer(b"s" * 256) == struct.pack("=Qi", 9, 256) + struct.pack("@N", 256) + b"s" * 256
    ec_asked = read(Kind.ECDSA_SIGN, request(bytes(32), ident=9))
    assert ec_asked.answer(b"s" * 70) == struct.pack("=Qi", 9, 1) + struct.pack("@N", 70) + b"s" * 70
    assert ec_asked.answer(None) == struct.pack("=Qi", 9, -1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(8),
        bytes(8) + b"s",
        bytes(8) + b"x" + b"name\0" + bytes(8),
        bytes(8) + b"s" + b"n" * 256 + b"\0" + bytes(8),
        bytes(8) + b"sname\0" + b"\xff" * 8,
        bytes(8) + b"sname\0" + struct.pack("@N", 1025) + bytes(1025),
        request(bytes(32)) + b"\0",
        request(bytes(32))[:-1],
        request(bytes(32), padding=NONE),
    ],
)
def test_a_broken_request_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(Kind.ECDSA_SIGN, body)


def test_an_rsa_request_has_a_padding() -> None:
    whole = request(bytes(32), padding=NONE)
    for end in range(len(request(bytes(32))), len(whole)):
        with pytest.raises(ProtocolError):
            read(Kind.RSA_PRIVENC, whole[:end])


@given(st.sampled_from([Kind.RSA_PRIVENC, Kind.RSA_PRIVDEC, Kind.ECDSA_SIGN]), st.binary(max_size=400))
def test_any_body_is_a_request_or_an_error(kind: Kind, body: bytes) -> None:
    try:
        wanted = read(kind, body).wanted()
    except (ProtocolError, NegativeAnswer):
        return
    assert isinstance(wanted, Block) or wanted.scheme in SCHEMES


@given(st.binary(max_size=120))
def test_only_the_exact_form_is_a_digest_info(data: bytes) -> None:
    head = bytes.fromhex("3031300d060960864801650304020105000420")
    asked = Request(Kind.RSA_PRIVENC, bytes(8), NAME, head + data, PKCS1)
    try:
        assert asked.wanted() == Digest(0x0401, data)
    except NegativeAnswer:
        assert len(data) != 32


def test_a_keys_name_is_the_hash_of_the_bit_strings_contents() -> None:
    """As OpenSSL's X509_pubkey_digest: of PKCS #1's structure for RSA, of the point for EC."""
    for kind, form in (
        ("rsa-2048", (Encoding.DER, PublicFormat.PKCS1)),
        ("p-256", (Encoding.X962, PublicFormat.UncompressedPoint)),
    ):
        inside = private_key(kind).public_key().public_bytes(*form)
        assert hash_name(public_key(kind).spki) == "SHA256:" + hashlib.sha256(inside).hexdigest()
