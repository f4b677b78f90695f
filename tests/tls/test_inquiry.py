"""Half a handshake by hand: what it offers, and what any answer comes to, however it is cut."""

from __future__ import annotations

import os
import socket
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.errors import Unavailable
from kit.tls.attempt import inquire
from kit.tls.cells import Ending, Outcome, Version
from kit.tls.certificates import Pair
from kit.tls.connection import Deadline, resolve
from kit.tls.contexts import Contexts
from kit.tls.inquiry import HYBRID_GROUPS, RANDOM_SIZE, Inquiry, Offer, hybrid, ml_dsa
from kit.tls.libssl import has_ml_dsa
from kit.tls.offer import Question
from kit.tls.probe import Options, hybrid_groups, probe
from kit.tls.target import Target
from tests.post_quantum import needs_ml_dsa_in_ssl, needs_no_ml_dsa_in_ssl
from tests.tls import doubles
from tests.tls.authority import Authority
from tests.tls.samples import ECDSA, POST_QUANTUM

RANDOM = bytes(range(RANDOM_SIZE))
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def server_hello(group: int, random: bytes = b"r" * 32, share: bytes = b"") -> bytes:
    chosen = group.to_bytes(2, "big") + (doubles.vector(2, share) if share else b"")
    extensions = b"\0\x2b" + doubles.vector(2, b"\3\4") + b"\0\x33" + doubles.vector(2, chosen)
    body = b"\3\3" + random + doubles.vector(1, b"") + b"\x13\1\0" + doubles.vector(2, extensions)
    return doubles.record(22, doubles.message(2, body))


def asked(offer: Offer, *answers: bytes) -> Inquiry:
    inquiry = Inquiry(offer, "localhost", RANDOM)
    inquiry.feed(b"")
    for answer in answers:
        assert inquiry.feed(answer) == b""
    return inquiry


@pytest.mark.parametrize("cut", [1, 3, 7, 10_000])
def test_a_hello_retry_request_names_a_group(cut: int) -> None:
    answer = server_hello(4588, RETRY_RANDOM)
    inquiry = asked(hybrid(HYBRID_GROUPS), *(answer[at : at + cut] for at in range(0, len(answer), cut)))
    assert inquiry.ending is Ending.UNCHECKED
    assert (inquiry.facts.group, inquiry.facts.hello_retry_request) == ("X25519MLKEM768", True)


def test_a_server_hello_means_that_the_server_goes_along() -> None:
    inquiry = asked(ml_dsa(), server_hello(29, share=bytes(32)) + b"more that is encrypted")
    assert (inquiry.ending, inquiry.facts.group) == (Ending.UNCHECKED, "x25519")
    assert inquiry.close()


def test_an_alert_is_named() -> None:
    inquiry = asked(ml_dsa(), bytes.fromhex("15030300020228"))
    assert (inquiry.ending, inquiry.alert, inquiry.error) == (Ending.ALERT, 40, "alert handshake failure")


@pytest.mark.parametrize(
    "answer",
    [b"220 mail ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x02", doubles.record(21, b"\x28")],
)
def test_another_protocol_is_garbage(answer: bytes) -> None:
    assert asked(ml_dsa(), answer).ending is Ending.GARBAGE


def test_a_server_hello_of_tls_1_2_is_a_refusal() -> None:
    body = b"\3\3" + b"r" * 32 + doubles.vector(1, b"") + b"\xc0\x2f\0"
    assert asked(ml_dsa(), doubles.record(22, doubles.message(2, body))).ending is Ending.REFUSED


def test_a_stream_without_end_is_cut_off() -> None:
    endless = doubles.record(22, b"\2\xff\xff\xff" + bytes(16_000))
    assert asked(ml_dsa(), *[endless] * 8, b"\x16\3\3\xff\xff" + bytes(70_000)).done


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=200), max_size=6))
def test_no_bytes_whatever_raise(chunks: list[bytes]) -> None:
    inquiry = asked(ml_dsa(), *chunks)
    inquiry.end_of_stream()
    assert inquiry.done


def test_an_address_is_no_server_name() -> None:
    assert b"localhost" in Inquiry(ml_dsa(), "localhost", RANDOM).feed(b"")
    assert b"\0\0\0\x0e" not in Inquiry(ml_dsa(), "", RANDOM).feed(b"")[:200]


def test_openssl_takes_the_hello_for_one_and_a_classical_server_refuses_ml_dsa(authority: Authority) -> None:
    with doubles.serving(doubles.tls(authority.rsa, authority.ecdsa)) as port:
        target = Target("localhost", port)
        addresses = resolve(target, Deadline(10))
        question = Question(Version.TLS_1_3, ECDSA, "localhost")
        refused = inquire(ml_dsa(), question, addresses, None, 10)
        taken = inquire(Offer((29,), (0x0403,), with_share=True), question, addresses, None, 10)
        elsewhere = inquire(Offer((24,), (0x0403,)), question, addresses, None, 10)
        cells = probe(target, Options(ca_file=str(authority.ca_file)))
        groups = hybrid_groups(target)
    assert (refused.ending, refused.alert) == (Ending.ALERT, 40)
    assert (taken.ending, taken.facts.group, taken.facts.hello_retry_request) == (
        Ending.UNCHECKED,
        "x25519",
        False,
    )
    assert (elsewhere.facts.group, elsewhere.facts.hello_retry_request) == ("secp384r1", True)
    cell = cells[-1]
    assert ((cell.version, cell.authentication), cell.outcome) == (POST_QUANTUM, Outcome.NOT_SERVED)
    assert groups == (("X25519MLKEM768",) if has_ml_dsa() else ())


@needs_no_ml_dsa_in_ssl
def test_a_server_that_goes_along_is_not_checked_and_the_note_says_so(authority: Authority) -> None:
    def hybrid_server(connection: socket.socket) -> None:
        hello = doubles.read_hello(connection)
        offered = [code for code in HYBRID_GROUPS if code.to_bytes(2, "big") in hello[70:]]
        with_share = b"\0\x33\0\x26\0\x24\0\x1d\0\x20" in hello
        if with_share:
            connection.sendall(server_hello(29, share=os.urandom(32)))
        elif 4588 in offered:
            connection.sendall(server_hello(4588, RETRY_RANDOM))
        else:
            doubles.alert(doubles.HANDSHAKE_FAILURE)(connection)

    with doubles.serving(hybrid_server) as port:
        target = Target("localhost", port)
        cell = probe(target, Options(ca_file=str(authority.ca_file)))[-1]
        groups = hybrid_groups(target)
    assert (cell.outcome, cell.ending, cell.group) == (Outcome.UNKNOWN, Ending.UNCHECKED, "x25519")
    assert ssl.OPENSSL_VERSION in cell.error
    assert groups == ("X25519MLKEM768",)


@needs_ml_dsa_in_ssl
def test_a_server_with_three_certificates_serves_five_cells_over_a_hybrid_group(authority: Authority) -> None:
    with doubles.serving(doubles.tls(authority.rsa, authority.ecdsa, authority.ml_dsa)) as port:
        cells = probe(Target("localhost", port), Options(ca_file=str(authority.ca_file)))
    assert [cell.outcome for cell in cells] == [Outcome.OK] * 5
    cell = cells[-1]
    assert (cell.scheme, cell.group, cell.chain[0].key) == ("mldsa65", "X25519MLKEM768", "ML-DSA-65")


@needs_no_ml_dsa_in_ssl
def test_an_ml_dsa_certificate_that_cannot_be_served_is_a_clear_error(authority: Authority) -> None:
    with pytest.raises(Unavailable, match="ML-DSA takes 3"):
        Contexts([Pair(authority.ml_dsa.chain, authority.ml_dsa.key)])
