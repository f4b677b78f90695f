"""Whole TLS 1.2 handshakes of real peers are taken, and nothing but a whole one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.schemes import SCHEMES
from kit.agent.transcript import read_client_spki, resembles
from kit.core.errors import ProtocolError
from tests.agent.handshakes import Recorder, handshake, openssl_says, run, transcript, write_pem
from tests.agent.samples import CLASSICAL, certificate, private_key, public_key
from tests.peers import find, needs

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
# Message types, RFC 5246 section 7.4.
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, EXCHANGE = 1, 2, 11, 12
REQUEST, DONE, CLIENT_EXCHANGE, STATUS = 13, 14, 16, 22


def verify(kind: str, recorder: Recorder) -> None:
    """The CertificateVerify's signature covers exactly what the recorder took for the transcript."""
    content, body = recorder.split()
    scheme = SCHEMES[int.from_bytes(body[:2], "big")]
    signature, key = body[4:], private_key(kind).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        hash_ = HASHES[scheme.hash_name]
        pss = padding.PSS(padding.MGF1(hash_), padding.PSS.DIGEST_LENGTH)
        key.verify(signature, content, pss if scheme.pss else padding.PKCS1v15(), hash_)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, content, ec.ECDSA(HASHES[scheme.hash_name]))
    else:
        assert isinstance(key, ed25519.Ed25519PublicKey)
        key.verify(signature, content)


def check(kind: str, recorder: Recorder) -> list[int]:
    """The transcript passes; the types of its messages."""
    verify(kind, recorder)
    content, _ = recorder.split()
    assert read_client_spki(content) == public_key(kind).spki
    assert resembles(content)
    types, at = [], 0
    while at < len(content):
        types.append(content[at])
        at += 4 + int.from_bytes(content[at + 1 : at + 4], "big")
    return types


@pytest.mark.parametrize("tickets", [True, False])
@pytest.mark.parametrize("client", CLASSICAL)
def test_what_a_python_client_signs_is_a_transcript_with_its_key(client: str, tickets: bool) -> None:
    types = check(client, handshake(client, tickets=tickets))
    assert types == [
        CLIENT_HELLO,
        SERVER_HELLO,
        CERTIFICATE,
        EXCHANGE,
        REQUEST,
        DONE,
        CERTIFICATE,
        CLIENT_EXCHANGE,
    ]


@pytest.mark.parametrize("ciphers", ["ECDHE", "kRSA"])
def test_a_handshake_with_or_without_server_key_exchange_passes(ciphers: str) -> None:
    types = check("p-256", handshake("p-256", "rsa-2048", f"{ciphers}:@SECLEVEL=1"))
    assert (EXCHANGE in types) == (ciphers != "kRSA")


@contextmanager
def openssl_server(
    folder: Path, wait_until: Callable[..., None], *options: str
) -> Iterator[tuple[str, Callable[[], str]]]:
    """`openssl s_server -msg` that asks for a certificate: its port, and what it said when it has ended."""
    command = [find("openssl"), "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-Verify", "1", "-msg"]
    command += ["-cert", write_pem(folder, "rsa-2048"), "-naccept", "1", *options]
    log = folder / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)

    def ended() -> str:
        server.wait(20)
        return log.read_text(errors="replace")

    try:
        wait_until(lambda: re.search(r"^ACCEPT .*:\d+\n", log.read_text(), re.MULTILINE), "s_server")
        yield re.findall(r"^ACCEPT .*:(\d+)", log.read_text(), re.MULTILINE)[0], ended
    finally:
        server.kill()
        server.communicate()


def openssl_client(port: str, pem: str, *options: str) -> str:
    command = [find("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-msg", "-cert", pem]
    return run(*command, "-key", pem, *options, stdin="Q\n").stdout


@pytest.mark.parametrize("client", CLASSICAL)
def test_what_openssl_signs_passes_with_a_stapled_ocsp_response(
    client: str, short_tmp: Path, wait_until: Callable[..., None]
) -> None:
    needs("openssl")

    unsuccessful = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    staple = short_tmp / "staple.der"
    staple.write_bytes(unsuccessful.public_bytes(Encoding.DER))
    with openssl_server(short_tmp, wait_until, "-status_file", str(staple)) as (port, _):
        output = openssl_client(port, write_pem(short_tmp, client), "-status")
    types = check(client, openssl_says(output))
    assert types[:4] == [CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, STATUS]


@pytest.mark.parametrize("client", CLASSICAL)
def test_what_gnutls_signs_is_a_transcript_with_its_key(
    client: str, short_tmp: Path, wait_until: Callable[..., None]
) -> None:
    needs("openssl")
    gnutls, pem = find("gnutls-cli"), write_pem(short_tmp, client)
    with openssl_server(short_tmp, wait_until) as (port, ended):
        options = ("--insecure", "--x509keyfile", pem, "--x509certfile", pem, "--port", port)
        run(gnutls, *options, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "127.0.0.1", stdin="")
        output = ended()
    check(client, openssl_says(output))


def test_a_handshake_with_finite_field_diffie_hellman_passes(
    short_tmp: Path, wait_until: Callable[..., None]
) -> None:
    needs("openssl")
    with openssl_server(short_tmp, wait_until) as (port, _):
        output = openssl_client(port, write_pem(short_tmp, "p-256"), "-cipher", "DHE-RSA-AES256-GCM-SHA384")
    assert "DHE-RSA-AES256-GCM-SHA384" in output
    check("p-256", openssl_says(output))


# What a transcript must not be: made from a real one, by hand.


def messages(content: bytes) -> list[bytes]:
    found = []
    while content:
        size = 4 + int.from_bytes(content[1:4], "big")
        found.append(content[:size])
        content = content[size:]
    return found


def message(number: int, body: bytes) -> bytes:
    return bytes([number]) + len(body).to_bytes(3, "big") + body


def vector(width: int, body: bytes) -> bytes:
    return len(body).to_bytes(width, "big") + body


HELLO_HEAD = b"\x03\x03" + b"r" * 32 + b"\x00"
GOOD_HELLO = HELLO_HEAD + b"\x00\x02\xc0\x2b\x01\x00"
GOOD_SERVER_HELLO = HELLO_HEAD + b"\xc0\x2b\x00"


def with_message(index: int, *replacements: bytes) -> bytes:
    parts = messages(transcript("p-256"))
    parts[index : index + 1] = replacements
    return b"".join(parts)


GOOD_BODIES = {
    "a ClientHello without extensions": (0, GOOD_HELLO),
    "a ServerHello without extensions": (1, GOOD_SERVER_HELLO),
    "an RSA-encrypted secret": (7, vector(2, b"s" * 256)),
}
BAD_BODIES = {
    "a ClientHello of TLS 1.1": (0, b"\x03\x02" + GOOD_HELLO[2:]),
    "a session id of 33 bytes": (0, HELLO_HEAD[:-1] + vector(1, b"s" * 33) + GOOD_HELLO[35:]),
    "no cipher suites": (0, HELLO_HEAD + b"\x00\x00\x01\x00"),
    "half a cipher suite": (0, HELLO_HEAD + b"\x00\x03\xc0\x2b\x00\x01\x00"),
    "no compression methods": (0, HELLO_HEAD + b"\x00\x02\xc0\x2b\x00"),
    "a byte after the hello": (0, GOOD_HELLO + b"\x00\x00\x00"),
    "an extension twice": (0, GOOD_HELLO + vector(2, 2 * (b"\x00\x17" + vector(2, b"")))),
    "a hundred and one extensions": (
        0,
        GOOD_HELLO + vector(2, b"".join(at.to_bytes(2, "big") + vector(2, b"") for at in range(101))),
    ),
    "an extension cut short": (0, GOOD_HELLO + vector(2, b"\x00\x17\x00\x01")),
    "a ServerHello of TLS 1.3": (1, GOOD_SERVER_HELLO + vector(2, b"\x00\x2b" + vector(2, b"\x03\x04"))),
    "a ServerHello of TLS 1.0": (1, b"\x03\x01" + GOOD_SERVER_HELLO[2:]),
    "compression": (1, GOOD_SERVER_HELLO[:-1] + b"\x01"),
    "no server certificate": (2, vector(3, b"")),
    "an empty server certificate": (2, vector(3, vector(3, b"") + vector(3, b"x" * 64))),
    "a certificate of a few bytes": (2, vector(3, vector(3, b"x" * 63))),
    "a byte after the certificates": (2, vector(3, vector(3, b"x" * 64)) + b"\x00"),
    "an empty ServerKeyExchange": (3, b""),
    "no certificate types": (4, vector(1, b"") + vector(2, b"\x04\x03") + vector(2, b"")),
    "no signature algorithms": (4, vector(1, b"\x40") + vector(2, b"") + vector(2, b"")),
    "an authority without a name": (
        4,
        vector(1, b"\x40") + vector(2, b"\x04\x03") + vector(2, vector(2, b"")),
    ),
    "a ServerHelloDone that says something": (5, b"\x00"),
    "no client certificate": (6, vector(3, b"")),
    "a client certificate that is none": (6, vector(3, vector(3, b"no DER" * 20))),
    "an empty ClientKeyExchange": (7, b""),
    "a ClientKeyExchange of a wrong length": (7, vector(1, b"p" * 65) + b"\x00"),
    "a ClientKeyExchange of zeros": (7, b"\x00\x00"),
}


@pytest.mark.parametrize("case", GOOD_BODIES)
def test_a_rare_but_good_message_passes(case: str) -> None:
    index, body = GOOD_BODIES[case]
    number = messages(transcript("p-256"))[index][0]
    assert read_client_spki(with_message(index, message(number, body))) == public_key("p-256").spki


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_message_with_a_wrong_inside_is_refused(case: str) -> None:
    index, body = BAD_BODIES[case]
    number = messages(transcript("p-256"))[index][0]
    with pytest.raises(ProtocolError):
        read_client_spki(with_message(index, message(number, body)))


@pytest.mark.parametrize("index", range(8))
def test_a_message_left_out_doubled_or_of_another_type_is_refused(index: int) -> None:
    parts = messages(transcript("p-256"))
    missing = with_message(index)
    if parts[index][0] == EXCHANGE:  # which RSA key exchange has not
        assert read_client_spki(missing) == public_key("p-256").spki
    else:
        with pytest.raises(ProtocolError):
            read_client_spki(missing)
    for wrong in ((parts[index], parts[index]), (message(0, b""), parts[index]), (message(99, b"x"),)):
        with pytest.raises(ProtocolError):
            read_client_spki(with_message(index, *wrong))


def test_two_messages_in_the_other_order_are_refused() -> None:
    for at in range(7):
        parts = messages(transcript("p-256"))
        parts[at], parts[at + 1] = parts[at + 1], parts[at]
        with pytest.raises(ProtocolError):
            read_client_spki(b"".join(parts))


def test_a_message_after_the_last_is_refused() -> None:
    for last in (message(15, b"\x08\x07\x00\x00"), message(20, b"f" * 12), message(16, b"\x02pp"), b"\x00"):
        with pytest.raises(ProtocolError):
            read_client_spki(transcript("p-256") + last)


@pytest.mark.parametrize("status", [b"\x02", b"\x01"])
def test_a_certificate_status_has_its_type_and_length(status: bytes) -> None:
    parts = messages(transcript("p-256"))
    good = with_message(2, parts[2], message(STATUS, status + vector(3, b"response")))
    assert read_client_spki(good) == public_key("p-256").spki
    for body in (b"\x03" + vector(3, b"r"), status + vector(3, b""), status + vector(3, b"r") + b"\x00", b""):
        with pytest.raises(ProtocolError):
            read_client_spki(with_message(2, parts[2], message(STATUS, body)))


def test_every_truncation_is_refused() -> None:
    content = transcript("p-256")
    for end in range(len(content)):
        with pytest.raises(ProtocolError):
            read_client_spki(content[:end])


def test_the_key_is_that_of_the_leaf_and_not_of_another_certificate() -> None:

    leaf, other = (vector(3, certificate(kind).public_bytes(Encoding.DER)) for kind in ("p-384", "p-256"))
    content = with_message(6, message(CERTIFICATE, vector(3, leaf + other)))
    assert read_client_spki(content) == public_key("p-384").spki


@given(st.binary(max_size=600))
def test_garbage_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_client_spki(data)
    assert isinstance(resembles(data), bool)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 11, 12, 13, 14, 16, 22]), st.binary(max_size=80)), max_size=10)
)
def test_garbage_in_the_shape_of_messages_is_a_protocol_error(parts: list[tuple[int, bytes]]) -> None:
    with pytest.raises(ProtocolError):
        read_client_spki(b"".join(message(number, body) for number, body in parts))
