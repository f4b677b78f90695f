"""X.509's structures to sign: real ones are read, and what differs from them by a hair is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509 as c
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import x509
from kit.agent.schemes import BY_NAME
from kit.core.errors import ProtocolError
from tests.agent.handshakes import run, write_pem
from tests.agent.samples import (
    CA,
    CLASSICAL,
    KINDS,
    LEAF,
    ML_DSA,
    NOW,
    certificate,
    name,
    private_key,
    public_key,
    request,
    usage,
)
from tests.peers import find
from tests.post_quantum import needs_ml_dsa_in_openssl


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def sign_scheme(data: bytes) -> str:
    return x509.ALGORITHMS[x509.read_certificate(data).algorithm].name


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_of_cryptography_is_read(kind: str) -> None:
    plain, named = request(kind), request(kind, c.SubjectAlternativeName([c.DNSName("a.example")]), LEAF)
    assert x509.read_request(plain).spki == x509.read_request(named).spki == public_key(kind).spki


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_of_cryptography_is_read(kind: str) -> None:
    read = x509.read_certificate(certificate(kind, LEAF, usage()).tbs_certificate_bytes)
    assert read.version == 3
    assert read.spki == public_key(kind).spki
    assert read.issuer == read.subject == name("mail.example").public_bytes()
    assert len(read.extensions) == 2
    assert not read.may_issue


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_in_a_whole_certificate_is_found(kind: str) -> None:
    assert x509.certificate_spki(certificate(kind).public_bytes(Encoding.DER)) == public_key(kind).spki


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_certificate_is_told_by_its_names(kind: str) -> None:
    whole = certificate(kind, issuer="Some CA")
    found = x509.certificate_names(whole.public_bytes(Encoding.DER))
    assert found.issuer == name("Some CA").public_bytes()
    assert found.subject == name("mail.example").public_bytes()
    assert found.serial[0] == 0x02
    assert int.from_bytes(found.serial[2:], "big") == whole.serial_number


def make(folder: Path, command: str) -> bytes:
    """What the command writes to OUT."""
    program, *arguments = command.split()
    out = folder / "out"
    made = run(find(program), *(str(out) if word == "OUT" else word for word in arguments))
    assert made.returncode == 0, made.stderr
    return out.read_bytes()


def tbs(certificate_der: bytes) -> bytes:
    return c.load_der_x509_certificate(certificate_der).tbs_certificate_bytes


OPENSSL_REQ = "openssl req -outform DER -out OUT -subj /C=DE/O=Kit/CN=a.example"


# Debian 12's openssl has no ML-DSA.
OF_OPENSSL = [pytest.param(k, marks=needs_ml_dsa_in_openssl if k in ML_DSA else ()) for k in KINDS]


@pytest.mark.parametrize("kind", OF_OPENSSL)
def test_a_request_of_openssl_is_read(kind: str, short_tmp: Path) -> None:
    key = write_pem(short_tmp, kind)
    made = make(short_tmp, f"{OPENSSL_REQ} -new -key {key} -addext subjectAltName=DNS:a.example,IP:::1")
    read = x509.read_request(c.load_der_x509_csr(made).tbs_certrequest_bytes)
    assert read.spki == public_key(kind).spki


@pytest.mark.parametrize(("ca", "may_issue"), [("CA:TRUE", True), ("CA:FALSE", False)])
@pytest.mark.parametrize("kind", OF_OPENSSL)
def test_a_certificate_of_openssl_is_read(kind: str, ca: str, may_issue: bool, short_tmp: Path) -> None:
    config, key = short_tmp / "openssl.cnf", write_pem(short_tmp, kind)
    config.write_text(
        f"[req]\ndistinguished_name=dn\nx509_extensions=own\n[dn]\n[own]\nbasicConstraints={ca}\n"
        "subjectKeyIdentifier=hash\nkeyUsage=critical,digitalSignature\n"
    )
    read = x509.read_certificate(tbs(make(short_tmp, f"{OPENSSL_REQ} -x509 -key {key} -config {config}")))
    assert read.may_issue is may_issue
    assert read.spki == public_key(kind).spki


@pytest.mark.parametrize("kind", CLASSICAL)
def test_a_request_and_a_certificate_of_gnutls_are_read(kind: str, short_tmp: Path) -> None:
    template, key = short_tmp / "template", write_pem(short_tmp, kind)
    template.write_text('cn = "a.example"\ndns_name = "a.example"\ntls_www_server\nsigning_key\n')
    common = f"certtool --load-privkey {key} --template {template} --outder --outfile OUT"
    csr = c.load_der_x509_csr(make(short_tmp, f"{common} --generate-request")).tbs_certrequest_bytes
    own = x509.read_certificate(tbs(make(short_tmp, f"{common} --generate-self-signed")))
    assert x509.read_request(csr).spki == own.spki == public_key(kind).spki
    assert not own.may_issue


@pytest.mark.parametrize("size", [256, 384, 512])
def test_the_algorithm_named_inside_is_the_scheme(size: int) -> None:
    hash_ = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[size]
    ours = c.CertificateBuilder().subject_name(name("a")).issuer_name(name("a")).serial_number(1)
    ours = ours.not_valid_before(NOW).not_valid_after(NOW).public_key(private_key("p-384").public_key())
    pss = padding.PSS(padding.MGF1(hash_), padding.PSS.DIGEST_LENGTH)
    rsa, p384, ed25519 = (private_key(kind) for kind in ("rsa-2048", "p-384", "ed25519"))
    made = (
        ours.sign(rsa, hash_),
        ours.sign(rsa, hash_, rsa_padding=pss),
        ours.sign(p384, hash_),
        ours.sign(ed25519, None),
    )
    curve = {256: "secp256r1", 384: "secp384r1", 512: "secp521r1"}[size]  # of the scheme, not of the key
    names = [sign_scheme(one.tbs_certificate_bytes) for one in made]
    sha = f"sha{size}"
    assert names == [f"rsa_pkcs1_{sha}", f"rsa_pss_rsae_{sha}", f"ecdsa_{curve}_{sha}", "ed25519"]


def test_the_pss_parameters_of_openssl_are_known(short_tmp: Path) -> None:
    pss = "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"
    made = make(short_tmp, f"{OPENSSL_REQ} -x509 -key {write_pem(short_tmp, 'rsa-2048')} {pss}")
    assert sign_scheme(tbs(made)) == "rsa_pss_rsae_sha384"


def test_pss_with_the_longest_salt_is_no_scheme_of_tls() -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    read = x509.read_certificate(certificate("rsa-2048", rsa_padding=pss).tbs_certificate_bytes)
    assert read.algorithm not in x509.ALGORITHMS


def test_sha1_is_no_algorithm() -> None:
    for algorithm in (
        "300d06092a864886f70d0101050500",
        "300906072a8648ce3d0401",
        "300d06092a864886f70d0101040500",
    ):
        assert bytes.fromhex(algorithm) not in x509.ALGORITHMS
    assert set(x509.ALGORITHMS.values()) == set(BY_NAME.values())


# Certificates put together by hand, to be wrong in one place.

VERSION_3, SERIAL, ALGORITHM = tlv(0xA0, b"\x02\x01\x02"), b"\x02\x01\x05", bytes.fromhex("300506032b6570")
NAME = sequence(tlv(0x31, sequence(bytes.fromhex("0603550403"), tlv(0x0C, b"a"))))
TIME = tlv(0x17, b"260101000000Z")
VALIDITY = sequence(TIME, tlv(0x18, b"99991231235959Z"))
SPKI = sequence(ALGORITHM, tlv(0x03, b"\x00" + b"k" * 32))
FIELDS = (VERSION_3, SERIAL, ALGORITHM, NAME, VALIDITY, NAME, SPKI)
BASIC_CONSTRAINTS, KEY_USAGE, NETSCAPE = (
    bytes.fromhex(oid) for oid in ("0603551d13", "0603551d0f", "06096086480186f8420101")
)


def extension(oid: bytes, value: bytes, *critical: bytes) -> bytes:
    return sequence(oid, *critical, tlv(0x04, value))


def extensions(*listed: bytes) -> bytes:
    return tlv(0xA3, sequence(*listed))


def with_field(index: int, *values: bytes) -> bytes:
    return sequence(*FIELDS[:index], *values, *FIELDS[index + 1 :])


def with_extensions(*listed: bytes) -> bytes:
    return sequence(*FIELDS, extensions(*listed))


GOOD = {
    "no extensions": sequence(*FIELDS),
    "version 1": with_field(0),
    "version 2": with_field(0, tlv(0xA0, b"\x02\x01\x01")),
    "no name": with_field(3, sequence()),
    "two names in one": with_field(3, sequence(tlv(0x31, *2 * (NAME[4:],)))),
    "unique ids": sequence(*FIELDS, tlv(0x81, b"\x00id"), tlv(0x82, b"\x00id")),
    "an extension": with_extensions(extension(KEY_USAGE, b"\x03\x02\x07\x80", b"\x01\x01\xff")),
}
BAD = {
    "version 1, said": with_field(0, tlv(0xA0, b"\x02\x01\x00")),
    "version 4": with_field(0, tlv(0xA0, b"\x02\x01\x03")),
    "a version of thousands of digits": with_field(0, tlv(0xA0, tlv(0x02, b"\x01" * 9000))),
    "two versions": with_field(0, tlv(0xA0, b"\x02\x01\x02\x02\x01\x02")),
    "no serial": with_field(1),
    "no algorithm": with_field(2, sequence()),
    "an algorithm with two parameters": with_field(2, sequence(b"\x06\x01\x2a", b"\x05\x00", b"\x05\x00")),
    "an empty part of a name": with_field(3, sequence(tlv(0x31))),
    "a name without a value": with_field(3, sequence(tlv(0x31, sequence(b"\x06\x01\x2a")))),
    "a name with two values": with_field(
        3, sequence(tlv(0x31, sequence(b"\x06\x01\x2a", b"\x05\x00", b"\x05\x00")))
    ),
    "one time": with_field(4, sequence(TIME)),
    "three times": with_field(4, sequence(TIME, TIME, TIME)),
    "a time with a zone": with_field(4, sequence(TIME, tlv(0x17, b"2601010000+0100"))),
    "a time without seconds": with_field(4, sequence(TIME, tlv(0x17, b"2601010000Z"))),
    "a time that is a text": with_field(4, sequence(TIME, tlv(0x0C, b"260101000000Z"))),
    "no subject": with_field(5),
    "no key": with_field(6),
    "a key without bits": with_field(6, sequence(ALGORITHM)),
    "a key and more": with_field(6, sequence(ALGORITHM, tlv(0x03, b"\x00k"), b"\x05\x00")),
    "unique ids in the other order": sequence(*FIELDS, tlv(0x82, b"\x00id"), tlv(0x81, b"\x00id")),
    "unique id in version 1": sequence(*FIELDS[1:], tlv(0x81, b"\x00id")),
    "extensions in version 2": sequence(
        tlv(0xA0, b"\x02\x01\x01"), *FIELDS[1:], extensions(extension(KEY_USAGE, b""))
    ),
    "no extension": with_extensions(),
    "an extension without a value": with_extensions(sequence(KEY_USAGE)),
    "an extension that says that it is not critical": with_extensions(
        extension(KEY_USAGE, b"", b"\x01\x01\x00")
    ),
    "an extension and more": with_extensions(sequence(KEY_USAGE, tlv(0x04), b"\x05\x00")),
    "an extension twice": with_extensions(extension(KEY_USAGE, b""), extension(KEY_USAGE, b"")),
    "two lists of extensions": sequence(*FIELDS, tlv(0xA3, *2 * (sequence(extension(KEY_USAGE, b"")),))),
    "something after the extensions": sequence(*FIELDS, extensions(extension(KEY_USAGE, b"")), b"\x05\x00"),
    "something after the certificate": sequence(*FIELDS) + b"\x00",
    "a request": sequence(b"\x02\x01\x00", NAME, SPKI, tlv(0xA0)),
    "a revocation list": sequence(b"\x02\x01\x01", ALGORITHM, NAME, TIME),
    "nothing": b"",
    "a very long certificate": with_field(1, tlv(0x02, b"\x01" * x509.SIZE_LIMIT)),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_rare_but_good_certificate_is_read(case: str) -> None:
    assert x509.read_certificate(GOOD[case]).spki == SPKI


@pytest.mark.parametrize("case", BAD)
def test_a_certificate_that_is_wrong_in_one_place_is_refused(case: str) -> None:
    with pytest.raises(ProtocolError):
        x509.read_certificate(BAD[case])


ATTRIBUTE = sequence(bytes.fromhex("06092a864886f70d010907"), tlv(0x31, tlv(0x0C, b"secret")))
BAD_REQUESTS = {
    "version 2": sequence(b"\x02\x01\x01", NAME, SPKI, tlv(0xA0)),
    "no attributes": sequence(b"\x02\x01\x00", NAME, SPKI),
    "no key": sequence(b"\x02\x01\x00", NAME, tlv(0xA0)),
    "something after the attributes": sequence(b"\x02\x01\x00", NAME, SPKI, tlv(0xA0), b"\x05\x00"),
    "an attribute without a value": sequence(
        b"\x02\x01\x00", NAME, SPKI, tlv(0xA0, sequence(b"\x06\x01\x2a", tlv(0x31)))
    ),
    "an attribute and more": sequence(
        b"\x02\x01\x00", NAME, SPKI, tlv(0xA0, sequence(ATTRIBUTE[2:], b"\x05\x00"))
    ),
    "an attribute that is none": sequence(b"\x02\x01\x00", NAME, SPKI, tlv(0xA0, b"\x05\x00")),
    "something after the request": sequence(b"\x02\x01\x00", NAME, SPKI, tlv(0xA0)) + b"\x00",
    "a certificate": sequence(*FIELDS),
}


def test_a_request_with_a_password_is_read() -> None:
    good = sequence(b"\x02\x01\x00", NAME, SPKI, tlv(0xA0, ATTRIBUTE, ATTRIBUTE))
    assert x509.read_request(good).spki == SPKI


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_request_that_is_wrong_in_one_place_is_refused(case: str) -> None:
    with pytest.raises(ProtocolError):
        x509.read_request(BAD_REQUESTS[case])


# Who may issue certificates. The value of the extension, and what it is taken for.
ISSUERS = {
    "a CA": (BASIC_CONSTRAINTS, "30030101ff"),
    "a CA with a path length": (BASIC_CONSTRAINTS, "30060101ff020100"),
    "a BER CA": (BASIC_CONSTRAINTS, "3003010101"),
    "a CA of indefinite length": (BASIC_CONSTRAINTS, "30800101ff0000"),
    "no CA, said": (BASIC_CONSTRAINTS, "3003010100"),
    "constraints with a tail": (BASIC_CONSTRAINTS, "30000101ff"),
    "empty constraints": (BASIC_CONSTRAINTS, ""),
    "keyCertSign": (KEY_USAGE, "03020204"),
    "cRLSign": (KEY_USAGE, "03020102"),
    "keyCertSign among others": (KEY_USAGE, "030202e4"),
    "no bits": (KEY_USAGE, "030100"),
    "bits with a tail": (KEY_USAGE, "03020780" + "03020204"),
    "bits in pieces": (KEY_USAGE, "230403020780"),
    "bits that are none": (KEY_USAGE, "0500"),
    "empty usage": (KEY_USAGE, ""),
    "Netscape's SSL CA": (NETSCAPE, "03020204"),
    "Netscape's object signing CA": (NETSCAPE, "03020001"),
}
SUBJECTS = {
    "no CA": (BASIC_CONSTRAINTS, "3000"),
    "digitalSignature": (KEY_USAGE, "03020780"),
    "digitalSignature, keyEncipherment": (KEY_USAGE, "030205a0"),
    "decipherOnly": (KEY_USAGE, "0303070080"),
    "Netscape's SSL server": (NETSCAPE, "03020640"),
}


@pytest.mark.parametrize("case", ISSUERS)
def test_who_could_be_taken_for_an_issuer_may_issue(case: str) -> None:
    oid, value = ISSUERS[case]
    assert x509.read_certificate(with_extensions(extension(oid, bytes.fromhex(value)))).may_issue


@pytest.mark.parametrize("case", SUBJECTS)
def test_a_mere_subject_may_not_issue(case: str) -> None:
    oid, value = SUBJECTS[case]
    assert not x509.read_certificate(with_extensions(extension(oid, bytes.fromhex(value)))).may_issue


def test_before_version_3_everybody_may_issue() -> None:
    assert x509.read_certificate(GOOD["version 1"]).may_issue
    assert x509.read_certificate(GOOD["version 2"]).may_issue
    assert not x509.read_certificate(GOOD["no extensions"]).may_issue


@pytest.mark.parametrize("extension_type", [CA, usage(certificates=True), usage(lists=True)])
def test_an_issuer_made_by_cryptography_may_issue(extension_type: c.ExtensionType) -> None:
    assert x509.read_certificate(certificate("p-256", extension_type).tbs_certificate_bytes).may_issue


@given(st.binary(max_size=400))
def test_garbage_is_a_protocol_error(data: bytes) -> None:
    for read in (x509.read_request, x509.read_certificate, x509.certificate_spki):
        with pytest.raises(ProtocolError):
            read(data)


_LEAVES = st.builds(tlv, st.sampled_from([1, 2, 3, 4, 5, 6, 12, 23]), st.binary(max_size=20))
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.builds(
        lambda tag, parts: tlv(tag, *parts),
        st.sampled_from([0x30, 0x31, 0xA0, 0xA3]),
        st.lists(inner, max_size=7),
    ),
)


@given(_TREES)
def test_garbage_in_the_shape_of_asn1_is_a_protocol_error(data: bytes) -> None:
    for read in (x509.read_request, x509.read_certificate, x509.certificate_spki):
        with pytest.raises(ProtocolError):
            read(data)
