"""Key files that are opened and those that are refused; certificates."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.config.certificate import Leaf, from_pem, read_leaf
from kit.agent.config.key_facts import KeyFacts, NoKey, key_facts
from kit.agent.config.key_files import open_key, read_certificate
from kit.core.errors import KitError, NotPermitted, ProtocolError, Unavailable, UsageError
from tests.agent import samples
from tests.descriptors import open_descriptors

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
NOBODY = 65534
PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
KEY = samples.private_key("p-256").private_bytes(*PKCS8)
ENCRYPTED = samples.private_key("p-256").private_bytes(*PKCS8[:2], BestAvailableEncryption(b"x"))
NAMES = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.DNSName("b.example")])


def save(path: Path, data: bytes = KEY, mode: int = 0o600, uid: int = -1, gid: int = -1) -> str:
    path.write_bytes(data)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return str(path)


def opened(path: str, uid: int | None = None, gid: int | None = None) -> bytes:
    descriptor = open_key(path, uid, gid)
    with os.fdopen(descriptor, "rb") as file:
        assert not os.get_inheritable(descriptor)
        return file.read()


def refusal(path: str, uid: int | None = None, gid: int | None = None) -> KitError:
    before = open_descriptors()
    with pytest.raises(KitError) as caught:
        open_key(path, uid, gid)
    assert not open_descriptors() - before, "a descriptor was left open"
    return caught.value


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_opened(tmp_path: Path, mode: int) -> None:
    assert opened(save(tmp_path / "key", mode=mode)) == KEY


@pytest.mark.parametrize(
    ("mode", "verb"),
    [(0o644, "read"), (0o604, "read"), (0o660, "write to"), (0o602, "write to"), (0o601, "execute")],
)
def test_a_file_that_others_can_use_is_refused_with_the_reason(tmp_path: Path, mode: int, verb: str) -> None:
    error = refusal(save(tmp_path / "key", mode=mode))
    assert isinstance(error, NotPermitted)
    assert f"others can {verb} the key file" in str(error)
    assert f"(mode {mode:04o}, gid " in str(error)


@as_root
def test_a_file_of_root_or_of_the_agents_user_is_opened(tmp_path: Path) -> None:
    assert opened(save(tmp_path / "a", uid=0), uid=33, gid=33) == KEY
    assert opened(save(tmp_path / "b", uid=33), uid=33, gid=33) == KEY


@as_root
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "key", uid=NOBODY)
    for error in (refusal(path), refusal(path, uid=33, gid=33)):
        assert isinstance(error, NotPermitted)
        assert "belongs to neither root nor the agent's user (uid 65534)" in str(error)


@as_root
@pytest.mark.parametrize(
    ("mode", "uid", "gid", "taken"),
    [
        (0o640, 0, 33, True),
        (0o440, 0, 33, True),
        (0o640, 0, 34, False),  # another group
        (0o640, 33, 33, False),  # not root's
        (0o660, 0, 33, False),
        (0o644, 0, 33, False),
        (0o650, 0, 33, False),
    ],
)
def test_the_agents_own_group_may_read_what_root_owns(
    tmp_path: Path, mode: int, uid: int, gid: int, taken: bool
) -> None:
    path = save(tmp_path / "key", mode=mode, uid=uid, gid=gid)
    if taken:
        assert opened(path, uid=33, gid=33) == KEY
    else:
        assert isinstance(refusal(path, uid=33, gid=33), NotPermitted)


def test_a_symbolic_link_is_refused_and_its_target_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "key")
    (tmp_path / "link").symlink_to("key")
    error = refusal(str(tmp_path / "link"))
    assert isinstance(error, NotPermitted)
    assert "is a symbolic link" in str(error)
    assert "readlink -f" in (error.hint or "")


def test_what_is_no_regular_file_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (str(tmp_path / "fifo"), str(tmp_path), "/dev/null"):
        error = refusal(path)
        assert isinstance(error, UsageError)
        assert "is no regular file" in str(error)


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    assert isinstance(refusal(str(tmp_path / "key")), Unavailable)
    assert isinstance(refusal(str(tmp_path / "no" / "key")), Unavailable)
    assert isinstance(refusal("/\0"), UsageError)


def facts(path: str) -> KeyFacts | NoKey:
    descriptor = open_key(path)
    try:
        return key_facts(descriptor, path)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("kind", samples.KINDS)
def test_the_public_half_of_a_key_file_is_found(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "key", samples.private_key(kind).private_bytes(*PKCS8))
    public = samples.public_key(kind)
    assert facts(path) == KeyFacts(public.kind, public.fingerprint, public.spki.hex())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"hello", "it is neither PEM nor DER"),
        (
            samples.certificate("p-256").public_bytes(Encoding.PEM),
            "it holds a certificate, but no private key",
        ),
        (b"\x30\x03\x02\x01\x00", "no key for the agent in"),
        (ENCRYPTED, "it is encrypted, and a service has nobody to ask"),
    ],
)
def test_a_file_without_a_key_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    path = save(tmp_path / "key", data)
    found = facts(path)
    assert isinstance(found, NoKey)
    assert why in found.message
    assert repr(path) in found.message
    assert found.exit_status == 2


_DUMPABLE = """
import ctypes, sys
from kit.agent.config import key_facts
from kit.agent.config.key_files import open_key
assert key_facts._load(open_key(sys.argv[1]), sys.argv[1])["kind"] == "p-256"
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""


def test_the_process_that_loads_a_key_shows_its_memory_to_nobody(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _DUMPABLE, save(tmp_path / "key")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")


# Certificates


def save_certificate(path: Path, encoding: Encoding = Encoding.PEM, kind: str = "p-256") -> str:
    return save(path, samples.certificate(kind, samples.LEAF, NAMES).public_bytes(encoding), 0o644)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("kind", samples.KINDS)
def test_a_certificate_tells_its_key_names_and_end(tmp_path: Path, encoding: Encoding, kind: str) -> None:
    certificate = samples.certificate(kind, samples.LEAF, NAMES)
    path = save(tmp_path / "crt", certificate.public_bytes(encoding), 0o644)
    end = samples.NOW + datetime.timedelta(days=4000)
    assert read_certificate(path) == Leaf(
        certificate.public_bytes(Encoding.DER),
        samples.public_key(kind).spki,
        ("a.example", "b.example"),
        samples.NOW.timestamp(),
        end.timestamp(),
    )


def test_the_leaf_is_the_first_of_a_chain(tmp_path: Path) -> None:
    chain = [samples.certificate(kind).public_bytes(Encoding.PEM) for kind in ("ed25519", "p-256")]
    path = save(tmp_path / "crt", b"Subject: CN = x\n" + b"\n".join(chain).replace(b"\n", b"\r\n"))
    assert read_certificate(path).spki == samples.public_key("ed25519").spki


def test_without_dns_names_the_common_name_is_told(tmp_path: Path) -> None:
    path = save(tmp_path / "crt", samples.certificate("p-256").public_bytes(Encoding.PEM))
    assert read_certificate(path).names == ("mail.example",)


@pytest.mark.parametrize(
    ("not_after", "seconds"),
    [("1955-01-01", -473_385_600), ("2049-12-31", 2_524_521_600), ("2050-01-01", 2_524_608_000)],
)
def test_the_years_of_a_certificate_have_four_digits_or_two(not_after: str, seconds: int) -> None:
    begin = datetime.datetime(1950, 6, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(samples.name("a"), samples.name("a")).serial_number(1)
    builder = builder.public_key(samples.private_key("p-256").public_key()).not_valid_before(begin)
    builder = builder.not_valid_after(datetime.datetime.fromisoformat(not_after))
    certificate = builder.sign(samples.private_key("p-256"), samples.hash_of("p-256"))  # type: ignore[arg-type]
    leaf = read_leaf(certificate.public_bytes(Encoding.DER))
    assert (leaf.begins_s, leaf.ends_s) == (begin.timestamp(), seconds)


CERTIFICATE = samples.certificate("p-256", samples.LEAF, NAMES).public_bytes(Encoding.DER)
CERTIFICATE_PEM = samples.certificate("p-256").public_bytes(Encoding.PEM)
KEY_DER = samples.private_key("p-256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it holds no certificate"),
        (b"hello", "it holds no certificate"),
        (CERTIFICATE_PEM[:-30], "it holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "its base64 is damaged"),
        (CERTIFICATE_PEM + KEY, "it holds a private key, too"),
        (KEY_DER, "it holds no certificate"),
        (CERTIFICATE[:-1], "an ASN.1 value that ends 1 bytes too early"),
        (b"\x30" * 200, "ASN.1 value"),
        (b"\x30\xff" * 60, "it holds no certificate"),
        (b"x" * 200_000, "it is larger than"),
    ],
)
def test_a_file_without_a_certificate_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    path = save(tmp_path / "crt", data)
    with pytest.raises(UsageError) as caught:
        read_certificate(path)
    assert str(caught.value).startswith(f"no certificate from {path!r}: ")
    assert why in str(caught.value)


def test_a_certificate_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="there is no certificate"):
        read_certificate(str(tmp_path / "crt"))
    with pytest.raises(UsageError, match="no regular file"):
        read_certificate(str(tmp_path))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_certificate_or_a_protocol_error(data: bytes) -> None:
    for read in (read_leaf, from_pem):
        with pytest.raises(ProtocolError):
            read(data)


@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 255))
def test_any_damage_is_harmless(at: int, octet: int) -> None:
    damaged = CERTIFICATE[:at] + bytes([octet]) + CERTIFICATE[at + 1 :]
    try:
        read_leaf(damaged)
    except ProtocolError as error:
        assert str(error)
