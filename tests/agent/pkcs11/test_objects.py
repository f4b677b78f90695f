"""What clients see of the agent's keys, and that it stays the same for them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from kit.agent.extension import (
    KEYS_LIMIT,
    CertificateList,
    CertificateRecord,
    Failure,
    GetCertificates,
    KeyList,
    List,
    Status,
)
from kit.agent.pkcs11.attributes import ATTRIBUTES_LIMIT
from kit.agent.pkcs11.codes import Attribute
from kit.agent.pkcs11.token import Token
from tests.agent.pkcs11.client import CallFailed, Client, failed, mechanism, ready, template, u, u32, wanted
from tests.agent.pkcs11.holder import Holder, record
from tests.agent.samples import certificate, private_key, public_key

KINDS = ("rsa-2048", "p-256", "p-384", "p-521")
CERTIFICATE, PUBLIC, PRIVATE = 1, 2, 3
kinds = pytest.mark.parametrize("kind", KINDS)


def one(client: Client, session: int, kind: str, object_class: int) -> int:
    (handle,) = client.find(session, {0x3: kind.encode(), 0x0: object_class})
    return handle


def test_each_key_is_a_private_key_a_public_key_and_a_certificate_where_it_is_known() -> None:
    client, session = ready(Holder("rsa-2048", "p-256", certified=("p-256",)).answer)
    assert len(client.find(session, {}, room=100)) == 5
    assert [len(client.find(session, {0x0: one})) for one in (PRIVATE, PUBLIC, CERTIFICATE)] == [2, 2, 1]
    assert len(client.find(session, {0x0: PRIVATE, 0x3: b"p-256"})) == 1
    assert client.find(session, {0x0: PRIVATE, 0x3: b"nobody"}) == []


def test_ed25519_and_unknown_types_are_not_shown() -> None:
    holder = Holder("ed25519", "p-256")
    holder.records += (replace(record("p-384"), kind="ml-dsa-65", ssh_blob=b"", spki=b"unread"),)
    client, session = ready(holder.answer)
    assert len(client.find(session, {})) == 2


def test_a_search_asks_the_agent_so_that_changes_are_seen() -> None:
    holder = Holder("p-256")
    client, session = ready(holder.answer)
    first = client.find(session, {0x0: PRIVATE})
    holder.records = Holder("rsa-2048", "p-256").records
    second = client.find(session, {0x0: PRIVATE})
    assert len(second) == 2
    assert second[1:] == first
    assert [type(request) for request in holder.asked] == [List, GetCertificates] * 2
    holder.records = ()
    assert client.find(session, {}) == []
    assert failed(lambda: client.values(session, first[0], [0x3])) == 0x82
    assert failed(lambda: client.sign_init(session, mechanism(0x1041), first[0])) == 0x60


def test_handles_are_stable_while_the_agent_starts_again() -> None:
    holder = Holder(*KINDS)
    client, session = ready(holder.answer)
    before = client.find(session, {})
    client.agent = lambda _request: None
    assert failed(lambda: client.find(session, {})) == 0x30
    # What was found stays, so that a client that does not search again goes on.
    assert client.value(session, before[0], 0x3) == b"rsa-2048"
    client.agent = Holder().answer
    assert client.find(session, {}) == []
    holder.records = holder.records[::-1]
    client.agent = holder.answer
    assert sorted(client.find(session, {})) == sorted(before)
    assert client.value(session, before[0], 0x3) == b"rsa-2048"


def test_handles_of_keys_that_come_and_go_cost_bounded_memory() -> None:
    token, kept = Token(), record("p-256")
    token.replace([kept], [])
    handles = token.find([])
    for generation in range(40):
        others = [replace(kept, spki=b"%d %d" % (generation, n)) for n in range(KEYS_LIMIT - 1)]
        token.replace([kept, *others], [])
        assert token.find([])[:2] == handles
    assert len(token._numbers) <= 5 * KEYS_LIMIT + 1


@kinds
def test_ids_are_the_same_on_all_three_and_after_any_restart(kind: str) -> None:
    expected = hashlib.sha1(public_key(kind).spki, usedforsecurity=False).digest()
    for _ in range(2):
        client, session = ready(Holder(kind, certified=(kind,)).answer)
        handles = client.find(session, {0x102: expected})
        assert [client.value(session, handle, 0x102) for handle in handles] == [expected] * 3
        assert [client.value(session, handle, 0x3) for handle in handles] == [kind.encode()] * 3


@kinds
def test_the_private_key_tells_what_libp11_reads_from_it(kind: str) -> None:
    client, session = ready(Holder(kind).answer)
    for object_class in (PRIVATE, PUBLIC):
        handle = one(client, session, kind, object_class)
        public = private_key(kind).public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            modulus, exponent = (client.value(session, handle, kind_) for kind_ in (0x120, 0x122))
            assert int.from_bytes(modulus, "big") == numbers.n  # type: ignore[arg-type]
            assert int.from_bytes(exponent, "big") == numbers.e  # type: ignore[arg-type]
            assert client.value(session, handle, 0x100) == 0
        else:
            assert isinstance(public, ec.EllipticCurvePublicKey)
            point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            head = b"\x04" + (b"\x81" if len(point) > 127 else b"") + bytes([len(point)])
            assert client.value(session, handle, 0x181) == head + point
            oid = client.value(session, handle, 0x180)
            assert isinstance(oid, bytes)
            assert oid in public_key(kind).spki
            assert client.value(session, handle, 0x100) == 3
        spki = client.value(session, handle, 0x129)
        assert isinstance(spki, bytes)
        assert load_der_public_key(spki) == public


def test_the_size_of_an_rsa_key_stands_on_the_public_key() -> None:
    client, session = ready(Holder("rsa-2048").answer)
    assert client.value(session, one(client, session, "rsa-2048", PUBLIC), 0x121) == 2048
    found, code = client.values(session, one(client, session, "rsa-2048", PRIVATE), [0x121])
    assert (found, code) == ([None], 0x12)


@kinds
def test_no_client_asks_for_a_login_to_see_or_use_a_key(kind: str) -> None:
    client, session = ready(Holder(kind, certified=(kind,)).answer)
    for object_class in (PRIVATE, PUBLIC, CERTIFICATE):
        assert client.value(session, one(client, session, kind, object_class), 0x2) == 0
    assert client.value(session, one(client, session, kind, PRIVATE), 0x202) == 0


@kinds
def test_a_private_key_signs_and_does_nothing_else(kind: str) -> None:
    client, session = ready(Holder(kind).answer)
    handle = one(client, session, kind, PRIVATE)
    flags = {Attribute.SIGN: 1, Attribute.SENSITIVE: 1, Attribute.TOKEN: 1}
    names = "DECRYPT UNWRAP DERIVE SIGN_RECOVER EXTRACTABLE MODIFIABLE COPYABLE NEVER_EXTRACTABLE LOCAL"
    flags |= {Attribute[name]: 0 for name in names.split()}
    found, code = client.values(session, handle, [*flags])
    assert (found, code) == ([*flags.values()], 0)


@kinds
def test_private_values_are_sensitive_and_not_there(kind: str) -> None:
    client, session = ready(Holder(kind).answer)
    handle = one(client, session, kind, PRIVATE)
    secret = list(range(0x123, 0x129)) if kind.startswith("rsa") else [0x11]
    for attribute in secret:
        assert client.values(session, handle, [0x3, attribute]) == ([kind.encode(), None], 0x11)
    assert client.values(session, one(client, session, kind, PUBLIC), secret)[1] == 0x12


@kinds
def test_a_key_says_which_mechanisms_it_takes(kind: str) -> None:
    client, session = ready(Holder(kind).answer)
    rsa_only = [0x1, 0xD, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45]
    expected = rsa_only if kind == "rsa-2048" else [0x1041, 0x1044, 0x1045, 0x1046]
    assert client.value(session, one(client, session, kind, PRIVATE), 0x40000600) == expected


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_certificate_is_found_by_what_nss_looks_for(kind: str) -> None:
    holder = Holder(kind, certified=(kind,))
    client, session = ready(holder.answer)
    (known,) = holder.certificates.values()
    issuer, subject = known.issuer.public_bytes(), known.subject.public_bytes()
    (handle,) = client.find(session, {0x101: subject, 0x0: CERTIFICATE})
    serial = client.value(session, handle, 0x82)
    assert isinstance(serial, bytes)
    assert (serial[0], int.from_bytes(serial[2:], "big")) == (0x02, known.serial_number)
    assert client.find(session, {0x81: issuer, 0x82: serial}) == [handle]
    assert client.value(session, handle, 0x80) == 0
    der = client.value(session, handle, 0x11)
    assert isinstance(der, bytes)
    assert x509.load_der_x509_certificate(der) == known
    assert client.value(session, one(client, session, kind, PRIVATE), 0x101) == subject


def test_a_certificate_that_cannot_be_read_is_not_shown_and_its_key_is() -> None:
    for bad in (b"rubbish", certificate("p-256").public_bytes(Encoding.DER)[:-1]):
        token = Token()
        token.replace([record("p-256")], [CertificateRecord(public_key("p-256").key_id, bad)])
        assert len(token.find([])) == 2


def test_a_certificate_of_no_listed_key_is_not_shown() -> None:
    token = Token()
    der = certificate("p-384").public_bytes(Encoding.DER)
    token.replace([record("p-256")], [CertificateRecord(public_key("p-384").key_id, der)])
    assert len(token.find([])) == 2


def test_an_agent_without_certificates_has_keys_all_the_same() -> None:
    holder = Holder("p-256")

    def answer(request: object) -> object:
        if isinstance(request, GetCertificates):
            return Failure(Status.UNAVAILABLE, "no such extension")
        return holder.answer(request)  # type: ignore[arg-type]

    client, session = ready(answer)  # type: ignore[arg-type]
    assert len(client.find(session, {})) == 2


def test_a_renewed_certificate_is_seen_at_the_next_search() -> None:
    holder = Holder("p-256", certified=("p-256",))
    client, session = ready(holder.answer)
    handle = one(client, session, "p-256", CERTIFICATE)
    before = client.value(session, handle, 0x82)
    holder.certificates = {public_key("p-256").key_id: certificate("p-256")}
    assert one(client, session, "p-256", CERTIFICATE) == handle
    assert client.value(session, handle, 0x82) != before


def test_a_length_query_is_answered_with_the_value() -> None:
    client, session = ready(Holder("p-256").answer)
    handle = one(client, session, "p-256", PRIVATE)
    asked = [0x3, 0x40000600, 0x108]
    assert client.values(session, handle, asked, room=0) == client.values(session, handle, asked)


def test_too_little_room_is_a_code_at_the_end_and_no_error() -> None:
    client, session = ready(Holder("p-256").answer)
    handle = one(client, session, "p-256", PRIVATE)
    found, code = client.values(session, handle, [0x3, 0x108], room=2)
    assert (found, code) == ([None, 1], 0x150)


def test_an_unknown_attribute_is_a_code_at_the_end_and_the_others_come_in_order() -> None:
    client, session = ready(Holder("p-256").answer)
    handle = one(client, session, "p-256", PRIVATE)
    found, code = client.values(session, handle, [0x102, 0x12345678, 0x3])
    assert (found[1], found[2], code) == (None, b"p-256", 0x12)


def test_the_same_certificate_over_and_over_is_too_much() -> None:
    big = [x509.SubjectAlternativeName([x509.DNSName(f"{n}.mail.example.org") for n in range(500)])]
    holder = Holder("p-256")
    holder.certificates = {public_key("p-256").key_id: certificate("p-256", *big)}
    client, session = ready(holder.answer)
    handle = one(client, session, "p-256", CERTIFICATE)
    assert client.values(session, handle, [0x11] * 4)[1] == 0
    with pytest.raises(CallFailed, match="0x2"):
        client.call(24, u(session) + u(handle) + wanted([0x11] * ATTRIBUTES_LIMIT, 0xFFFFFFFF))


def test_a_search_hands_out_what_fits_and_is_one_at_a_time() -> None:
    client, session = ready(Holder(*KINDS).answer)
    client.done(26, u(session) + template({}))
    assert failed(lambda: client.done(26, u(session) + template({}))) == 0x90
    parts = []
    for room in (3, 0, 4, 100, 100):
        reader = client.call(27, u(session) + u32(room))
        parts.append(reader.array(reader.u))
        reader.end()
    assert [len(part) if isinstance(part, list) else None for part in parts] == [3, 0, 4, 1, 0]
    client.done(28, u(session))
    assert failed(lambda: client.done(28, u(session))) == 0x91
    assert failed(lambda: client.call(27, u(session) + u32(1))) == 0x91


def test_a_search_for_no_value_finds_nothing() -> None:
    client, session = ready(Holder("p-256").answer)
    assert client.find(session, {0x3: None}) == []


def test_the_size_of_an_object_is_unavailable() -> None:
    client, session = ready(Holder("p-256").answer)
    handle = one(client, session, "p-256", PRIVATE)
    assert client.number(23, u(session) + u(handle)) == 2**64 - 1
    assert failed(lambda: client.number(23, u(session) + u(999))) == 0x82


@pytest.mark.parametrize(
    ("status", "code"), [(Status.LOCKED, 0x101), (Status.UNAVAILABLE, 0x30), (Status.FAILED, 0x6)]
)
def test_a_search_that_the_agent_does_not_answer_fails_and_can_be_tried_again(
    status: Status, code: int
) -> None:
    holder = Holder("p-256")
    client, session = ready(lambda _request: Failure(status, "no"))
    assert failed(lambda: client.find(session, {})) == code
    client.agent = holder.answer
    assert len(client.find(session, {})) == 2


def test_an_answer_to_something_else_is_the_agent_s_fault() -> None:
    for wrong in (CertificateList(()), KeyList((replace(record("p-256"), ssh_blob=b"\x00"),))):
        client, session = ready(lambda _request, wrong=wrong: wrong)  # type: ignore[misc]
        assert failed(lambda: client.find(session, {})) == 0x30  # noqa: B023
