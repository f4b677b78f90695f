"""The handshake over memory, at every chunking, and what the client offers when it is forced."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.tls import libssl
from kit.tls.cells import Authentication, Ending, Version
from kit.tls.handshake import Handshake
from kit.tls.libssl import has_ml_dsa
from kit.tls.offer import Question
from tests.tls.authority import Authority
from tests.tls.samples import ALL, ECDSA, RSA

V12, V13 = Version.TLS_1_2, Version.TLS_1_3
Cut = Callable[[bytes], list[bytes]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


class _Server:
    """A stdlib server over memory."""

    def __init__(self, authority: Authority) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for leaf in (authority.rsa, authority.ecdsa):
            context.load_cert_chain(leaf.chain, leaf.key)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    def feed(self, data: bytes) -> bytes:
        self._in.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()


def _shake(question: Question, authority: Authority, cut: Cut = lambda data: [data]) -> Handshake:
    server, client = _Server(authority), Handshake(question)
    to_server = client.feed(b"")
    while not client.done:
        answer = server.feed(to_server)
        assert answer, "both wait"
        to_server = b"".join([client.feed(piece) for piece in cut(answer)])
    return client


@pytest.mark.parametrize(("version", "authentication"), ALL)
def test_each_cell_gets_the_certificate_that_it_forces(
    version: Version, authentication: Authentication, authority: Authority
) -> None:
    question = Question(version, authentication, "localhost", str(authority.ca_file))
    client = _shake(question, authority)
    assert (client.ending, client.error, client.forced) == (Ending.COMPLETED, "", True)
    assert client.facts.scheme.startswith("rsa_pss_rsae" if authentication is RSA else "ecdsa_secp256r1")
    hybrid = has_ml_dsa() and version is V13
    assert client.facts.group == ("X25519MLKEM768" if hybrid else "x25519")
    assert len(client.facts.chain) == 2
    assert client.facts.signed
    assert client.cipher


@pytest.mark.parametrize("version", Version)
def test_bytes_one_by_one_come_to_the_same(version: Version, authority: Authority) -> None:
    question = Question(version, ECDSA, "localhost", str(authority.ca_file))
    client = _shake(question, authority, lambda data: [data[i : i + 1] for i in range(len(data))])
    assert client.ending is Ending.COMPLETED
    assert client.facts == _shake(question, authority).facts


@settings(max_examples=15, deadline=None)
@given(version=st.sampled_from(Version), size=st.integers(2, 700))
def test_any_chunk_size_comes_to_the_same(version: Version, size: int, authority: Authority) -> None:
    question = Question(version, RSA, "localhost", str(authority.ca_file))
    client = _shake(question, authority, lambda data: [data[i : i + size] for i in range(0, len(data), size)])
    assert client.ending is Ending.COMPLETED
    assert len(client.facts.chain) == 2


def test_a_failed_verification_says_why_and_keeps_the_chain(authority: Authority) -> None:
    client = _shake(Question(V13, RSA, "other.test", str(authority.ca_file)), authority)
    assert client.ending is Ending.REJECTED
    assert client.verify_error == "hostname mismatch, certificate is not valid for 'other.test'"
    assert len(client.facts.chain) == 2


def test_without_verification_it_completes(authority: Authority) -> None:
    assert _shake(Question(V13, RSA, "other.test", verify=False), authority).ending is Ending.COMPLETED


def test_an_address_is_verified_and_not_sent_as_a_name(authority: Authority) -> None:
    question = Question(V13, RSA, "127.0.0.1", str(authority.ca_file))
    assert _shake(question, authority).ending is Ending.COMPLETED
    assert b"127.0.0.1" not in Handshake(question).feed(b"")
    assert b"localhost" in Handshake(Question(V13, RSA, "localhost")).feed(b"")


@pytest.mark.parametrize("opening", [b"220 mail ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_another_protocol_is_quoted(opening: bytes) -> None:
    client = Handshake(Question(V13, RSA, "localhost"))
    client.feed(b"")
    client.feed(opening)
    assert client.ending is Ending.GARBAGE
    assert client.error == f"the peer answers '{opening.splitlines()[0].decode()}' instead of TLS"


@pytest.mark.parametrize("version", Version)
def test_a_fatal_alert_is_named(version: Version) -> None:
    client = Handshake(Question(version, RSA, "localhost"))
    client.feed(b"")
    client.feed(bytes.fromhex("15030300020228"))
    assert (client.ending, client.alert, client.error) == (Ending.ALERT, 40, "alert handshake failure")


def test_a_close_notify_is_no_alert() -> None:
    client = Handshake(Question(V12, RSA, "localhost"))
    client.feed(b"")
    client.feed(bytes.fromhex("15030300020100"))
    assert (client.ending, client.alert) == (Ending.CLOSED, None)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), st.lists(st.binary(max_size=300), max_size=5))
def test_no_bytes_whatever_raise(cell: tuple[Version, Authentication], chunks: list[bytes]) -> None:
    client = Handshake(Question(*cell, "localhost"))
    client.feed(b"")
    for chunk in chunks:
        client.feed(chunk)
    client.end_of_stream()
    assert client.done
    assert client.facts.chain == ()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_flight_with_changed_bytes_raises_nothing(data: st.DataObject, authority: Authority) -> None:
    client = Handshake(Question(data.draw(st.sampled_from(Version)), RSA, "localhost", verify=False))
    flight = bytearray(_Server(authority).feed(client.feed(b"")))
    for _ in range(data.draw(st.integers(1, 4))):
        flight[data.draw(st.integers(0, len(flight) - 1))] = data.draw(st.integers(0, 255))
    client.feed(bytes(flight))
    client.end_of_stream()
    assert client.done


def _offered_schemes(hello: bytes) -> bytes:
    at = hello.index(b"\x00\x0d", 120)
    return hello[at + 6 : at + 4 + int.from_bytes(hello[at + 2 : at + 4], "big")]


def test_only_the_schemes_of_the_cell_are_offered() -> None:
    hello = Handshake(Question(V13, ECDSA, "localhost")).feed(b"")
    assert _offered_schemes(hello) == bytes.fromhex("040305030603")


def test_where_the_library_is_out_of_reach_tls_1_3_is_not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libssl, "_control", lambda: None)
    assert not Handshake(Question(V13, ECDSA, "localhost")).forced
    assert Handshake(Question(V12, ECDSA, "localhost")).forced


def test_an_unknown_layout_is_left_alone() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    written: list[int] = []

    def control(_pointer: int, command: int, _number: int, _text: bytes | None) -> int:
        written.append(command)
        return 0

    assert not libssl._is_layout_known(control, 1, context)
    assert written == [130, 131]


def test_python_3_15_forces_by_its_own_methods() -> None:
    class Context(ssl.SSLContext):
        def set_server_sigalgs(self, names: str) -> None:
            self.schemes = names

        def set_groups(self, names: str) -> None:
            self.groups = names

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    assert libssl.force(context, "ed25519", "X25519")
    assert (context.schemes, context.groups) == ("ed25519", "X25519")
