"""The probe against servers on loopback that fail in one way each: what it says, and that it always ends."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
import time
import warnings

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kit.core.errors import Unavailable, UsageError
from kit.tls.cells import CELLS, Authentication, Cell, Certificate, Ending, Outcome, Step, Version
from kit.tls.libssl import has_ml_dsa
from kit.tls.probe import Options, probe
from kit.tls.target import Target
from kit.tls.verdict import exit_status, findings
from tests.tls import doubles
from tests.tls.authority import Authority, make_key
from tests.tls.samples import ALL, ECDSA, RSA

V12, V13 = Version.TLS_1_2, Version.TLS_1_3
_ECDHE_RSA, _ECDHE_ECDSA = 0xC02F, 0xC02B
Cells = dict[tuple[Version, Authentication], Cell]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def _probe(handler: doubles.Handler, authority: Authority, host: str = "localhost", **how: object) -> Cells:
    options = {"ca_file": str(authority.ca_file), "timeout_s": 10.0, **how}
    with doubles.serving(handler) as port:
        cells = probe(Target(host, port), Options(**options))  # type: ignore[arg-type]
    return {name: cell for cell in cells if (name := (cell.version, cell.authentication)) in ALL}


def _outcomes(cells: Cells) -> list[str]:
    return [cells[name].outcome.value for name in ALL]


def _said(cells: Cells) -> list[str]:
    return [finding.name for finding in findings(list(cells.values()))]


def test_two_certificates_serve_four_cells(authority: Authority) -> None:
    cells = _probe(doubles.tls(authority.rsa, authority.ecdsa), authority)
    assert _outcomes(cells) == ["ok"] * 4
    assert {cell.chain[0].key for cell in cells.values()} == {"RSA 2048", "P-256"}
    cell = cells[V13, ECDSA]
    group = "X25519MLKEM768" if has_ml_dsa() else "x25519"
    assert (cell.scheme, cell.group, cell.address) == ("ecdsa_secp256r1_sha256", group, "127.0.0.1")
    assert cell.chain[0].names == ("localhost", "mail.test", "127.0.0.1", "::1")
    assert cell.chain[0].issuer == cell.chain[1].subject == "CN=Test Intermediate"
    assert cell.times.connect_ms is not None
    assert cell.times.dialogue_ms is None
    assert cell.times.first_flight_ms <= cell.times.handshake_ms  # type: ignore[operator]


def test_an_address_is_verified_like_a_name(authority: Authority) -> None:
    assert (
        _outcomes(_probe(doubles.tls(authority.rsa, authority.ecdsa), authority, "127.0.0.1")) == ["ok"] * 4
    )


def test_ipv6_is_spoken(authority: Authority) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with doubles.serving(doubles.tls(authority.rsa), "::1") as port:
        cells = probe(Target("::1", port), Options(ca_file=str(authority.ca_file)))
    assert [cell.outcome for cell in cells if cell.authentication is RSA] == [Outcome.OK] * 2
    assert cells[0].address == "::1"


@pytest.mark.parametrize("kind", [RSA, ECDSA])
def test_one_certificate_serves_its_own_two_cells(kind: Authentication, authority: Authority) -> None:
    leaf = authority.rsa if kind is RSA else authority.ecdsa
    cells = _probe(doubles.tls(leaf), authority)
    assert {a: cells[v, a].outcome for v, a in ALL} == {
        a: Outcome.OK if a is kind else Outcome.NOT_SERVED for a in (RSA, ECDSA)
    }
    assert exit_status(list(cells.values())) == 0


@pytest.mark.parametrize(
    "then", [doubles.alert(doubles.INTERNAL_ERROR), lambda _connection: None, doubles.reset]
)
@pytest.mark.parametrize("kind", [RSA, ECDSA])
def test_tls_1_2_with_a_key_that_does_not_sign(
    kind: Authentication, then: doubles.Handler, authority: Authority
) -> None:
    leaf, suite = (authority.rsa, _ECDHE_RSA) if kind is RSA else (authority.ecdsa, _ECDHE_ECDSA)
    cells = _probe(doubles.tls_1_2(leaf, suite, then), authority, ca_file=str(leaf.chain))
    assert cells[V12, kind].outcome is Outcome.BROKEN
    assert cells[V12, kind].chain[0].authentication is kind
    assert "key_does_not_sign" in _said(cells)


@pytest.mark.parametrize("kind", [RSA, ECDSA])
def test_tls_1_3_with_a_key_that_does_not_sign(kind: Authentication, authority: Authority) -> None:
    leaf = authority.rsa if kind is RSA else authority.ecdsa
    cells = _probe(doubles.tls_1_3(leaf, lambda sealed: sealed.alert(doubles.INTERNAL_ERROR)), authority)
    cell = cells[V13, kind]
    assert (cell.outcome, cell.ending, cell.alert, cell.signed) == (Outcome.BROKEN, Ending.ALERT, 80, False)
    assert cell.chain[0].authentication is kind
    assert "key_does_not_sign" in _said(cells)
    # The double shows its certificate to everybody; to the other kind's client that is "not served".
    assert sorted(_outcomes(cells)) == ["broken", "not served", "not served", "not served"]


def test_a_signature_by_another_key_is_told_from_none(authority: Authority) -> None:
    point = doubles.vector(1, bytes(range(9, 41)))
    signature = b"\x08\x04" + doubles.vector(2, os.urandom(256))
    exchange = b"\x03" + struct.pack(">H", 29) + point + signature
    over_1_2 = doubles.tls_1_2(
        authority.rsa, _ECDHE_RSA, lambda c: c.recv(99) and None, key_exchange=exchange
    )
    cells = _probe(over_1_2, authority)
    assert "wrong_signature" in _said(cells)
    assert "key_does_not_sign" not in _said(cells)

    def send_wrong(sealed: doubles.Sealed) -> None:
        sealed.send(doubles.HANDSHAKE_RECORD, doubles.message(15, signature))
        sealed.connection.recv(99)

    cells = _probe(doubles.tls_1_3(authority.rsa, send_wrong), authority)
    assert "wrong_signature" in _said(cells)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"days": -3}, "certificate has expired"),
        ({"names": ("other.test",)}, "hostname mismatch, certificate is not valid for 'localhost'"),
        ({"self_signed": True}, "self-signed certificate"),
        ({"with_middle": False}, "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_does_not_verify_is_broken_with_all_facts(
    change: dict[str, object], why: str, authority: Authority
) -> None:
    leaf = authority.leaf("faulty", make_key("ecdsa"), **change)  # type: ignore[arg-type]
    cells = _probe(doubles.tls(leaf), authority)
    for version in Version:
        cell = cells[version, ECDSA]
        assert (cell.outcome, cell.ending, cell.verified) == (Outcome.BROKEN, Ending.COMPLETED, False)
        assert cell.verify_error == why
        assert cell.signed
    assert _said(cells) == ["not_verified"]
    assert exit_status(list(cells.values())) == 1


def test_a_self_signed_certificate_verifies_where_it_is_trusted(authority: Authority) -> None:
    leaf = authority.leaf("own", make_key("ecdsa"), self_signed=True)
    cells = _probe(doubles.tls(leaf), authority, ca_file=str(leaf.chain))
    assert cells[V12, ECDSA].outcome is cells[V13, ECDSA].outcome is Outcome.OK


def test_servername_is_what_is_asked_for_and_verified(authority: Authority) -> None:
    cells = _probe(doubles.tls(authority.rsa), authority, server_name="mail.test")
    assert cells[V13, RSA].outcome is Outcome.OK
    assert _probe(doubles.tls(authority.rsa), authority, server_name="x.test")[V13, RSA].verified is False


def test_a_hello_retry_request_is_noticed(authority: Authority) -> None:
    handler = doubles.tls(authority.rsa, change=lambda context: context.set_ecdh_curve("secp384r1"))
    cell = _probe(handler, authority)[V13, RSA]
    assert (cell.outcome, cell.group, cell.hello_retry_request) == (Outcome.OK, "secp384r1", True)


def test_a_server_that_insists_on_a_client_certificate_is_told_from_a_dead_key(authority: Authority) -> None:
    def insist(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca_file)

    cells = _probe(doubles.tls(authority.rsa, authority.ecdsa, change=insist), authority)
    assert cells[V13, RSA].client_certificate_requested
    assert "client_certificate_required" in _said(cells)
    assert "key_does_not_sign" not in _said(cells)


def test_a_server_of_older_versions_serves_nothing(authority: Authority) -> None:
    def make_old(context: ssl.SSLContext) -> None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

    assert _outcomes(_probe(doubles.tls(authority.rsa, change=make_old), authority)) == ["not served"] * 4


@pytest.mark.parametrize(
    ("handler", "ending", "status"),
    [
        (doubles.after_hello(lambda _connection: None), Ending.CLOSED, 1),
        (doubles.after_hello(doubles.alert(doubles.HANDSHAKE_FAILURE)), Ending.ALERT, 1),
        (doubles.after_hello(doubles.reset), Ending.RESET, 1),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), Ending.GARBAGE, 76),
        (doubles.after_hello(lambda c: c.sendall(bytes(range(256)) * 9)), Ending.GARBAGE, 76),
        (doubles.after_hello(lambda c: c.sendall(doubles.record(22, b"\x02" + bytes(300)))), None, None),
        (doubles.after_hello(lambda c: c.sendall(doubles.record(22, b"\x0b\xff\xff\xff"))), None, None),
    ],
)
def test_a_bad_answer_to_the_hello_ends_every_cell(
    handler: doubles.Handler, ending: Ending | None, status: int | None, authority: Authority
) -> None:
    cells = list(_probe(handler, authority).values())
    assert not any(cell.chain for cell in cells)
    assert ending is None or {cell.ending for cell in cells} == {ending}
    assert status is None or exit_status(cells) == status


def test_a_server_that_hangs_is_given_up_in_every_cell(authority: Authority) -> None:
    cells = _probe(doubles.after_hello(lambda c: c.recv(1) and None), authority, timeout_s=0.5)
    assert {cell.ending for cell in cells.values()} == {Ending.TIMEOUT}
    assert {cell.error for cell in cells.values()} == {"no answer within 0.5 s"}


def test_the_cells_run_side_by_side_so_that_a_hung_one_delays_no_other(authority: Authority) -> None:
    all_here = threading.Barrier(len(CELLS), timeout=15)
    serve = doubles.tls(authority.rsa, authority.ecdsa)

    def wait_for_all(connection: socket.socket) -> None:
        all_here.wait()
        serve(connection)

    assert _outcomes(_probe(wait_for_all, authority, timeout_s=15.0)) == ["ok"] * 4


def test_a_key_that_is_too_weak_to_trust_is_shown_with_all_facts(authority: Authority) -> None:
    leaf = authority.leaf("weak", rsa.generate_private_key(65537, 1024))  # noqa: S505 -- that is the point
    handler = doubles.tls(leaf, change=lambda context: context.set_ciphers("ALL:@SECLEVEL=0"))
    cell = _probe(handler, authority)[V13, RSA]
    assert (cell.outcome, cell.ending, cell.verified) == (Outcome.BROKEN, Ending.COMPLETED, False)
    assert cell.chain[0].key == "RSA 1024"
    assert "too weak" in cell.verify_error


def test_a_server_that_drips_byte_by_byte_is_given_up_at_the_limit(authority: Authority) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(1000):
            connection.sendall(b"\x16\x03\x03\x40\x00"[:1] if _ == 0 else b"\x03")
            time.sleep(0.01)

    cells = _probe(drip, authority, timeout_s=0.4)
    assert {cell.ending for cell in cells.values()} <= {Ending.TIMEOUT, Ending.GARBAGE}


def test_a_server_that_hangs_after_its_certificate_does_not_sign(authority: Authority) -> None:
    cells = _probe(
        doubles.tls_1_3(authority.rsa, lambda s: s.connection.recv(1) and None), authority, timeout_s=2.0
    )
    assert cells[V13, RSA].ending in (Ending.TIMEOUT, Ending.CLOSED)
    assert cells[V13, RSA].chain
    assert "key_does_not_sign" in _said(cells)


def test_a_certificate_of_garbage_and_a_huge_chain_are_survived(authority: Authority) -> None:
    def send(connection: socket.socket, body: bytes) -> None:
        flight = doubles.message(11, body)
        for at in range(0, len(flight), 16000):
            connection.sendall(doubles.record(22, flight[at : at + 16000]))

    leaf = doubles.chain_of(authority.rsa)[0]
    for chain in ([b"\x30\x03\x02\x01\x01"], [leaf] * 3000, [leaf[:-9]], [leaf] + [b"x"] * 5, [b""]):
        body = doubles.vector(3, b"".join(doubles.vector(3, der) for der in chain))

        def bad(connection: socket.socket, body: bytes = body) -> None:
            doubles.read_hello(connection)
            choice = b"\x03\x03" + os.urandom(32) + b"\x00\xc0\x2f\x00"
            connection.sendall(
                doubles.record(22, doubles.message(2, choice + b"\x00\x05\xff\x01\x00\x01\x00"))
            )
            send(connection, body)
            connection.recv(1)

        cells = _probe(bad, authority, timeout_s=3.0)
        assert cells[V12, RSA].outcome is Outcome.BROKEN


# ---- STARTTLS


def test_smtp_starttls_serves_four_cells(authority: Authority) -> None:
    handler = doubles.smtp(doubles.tls(authority.rsa, authority.ecdsa), greeting=b"220-mail\r\n220 ESMTP\r\n")
    cells = _probe(handler, authority, starttls="smtp")
    assert _outcomes(cells) == ["ok"] * 4
    assert cells[V12, RSA].times.dialogue_ms is not None


def test_smtp_that_refuses_starttls_serves_nothing(authority: Authority) -> None:
    handler = doubles.smtp(lambda c: c.recv(99) and None, answer=b"454 4.7.0 \x1b[31mlater\r\n")
    cells = list(_probe(handler, authority, starttls="smtp").values())
    assert {(cell.outcome, cell.step, cell.ending) for cell in cells} == {
        (Outcome.NOT_SERVED, Step.DIALOGUE, Ending.REFUSED)
    }
    assert cells[0].error == r"the server says '454 4.7.0 \x1b[31mlater'"
    assert exit_status(cells) == 1


def test_smtp_that_answers_more_than_was_asked_is_caught(authority: Authority) -> None:
    handler = doubles.smtp(doubles.tls(authority.rsa), answer=b"220 go\r\n250 injected\r\n")
    cells = list(_probe(handler, authority, starttls="smtp").values())
    assert {cell.ending for cell in cells} == {Ending.GARBAGE}
    assert "answered more than was asked" in cells[0].error


def test_smtp_closed_at_each_step_is_broken(authority: Authority) -> None:
    def nothing(_connection: socket.socket) -> None: ...

    steps: list[doubles.Handler] = [
        nothing,
        lambda c: c.sendall(b"220 x\r\n"),
        lambda c: c.sendall(b"220-x\r\n"),
        doubles.smtp(nothing, answer=b""),
        doubles.smtp(nothing, answer=b"22"),
    ]
    for handler in steps:
        cells = _probe(handler, authority, starttls="smtp").values()
        assert {cell.outcome for cell in cells} == {Outcome.BROKEN}
        assert {cell.step for cell in cells} == {Step.DIALOGUE}
        assert {cell.ending for cell in cells} <= {Ending.CLOSED, Ending.RESET}


def test_smtp_with_an_endless_greeting_is_given_up(authority: Authority) -> None:
    def endless(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"220-hello\r\n" * 100)

    cells = _probe(endless, authority, starttls="smtp").values()
    assert {cell.error for cell in cells} == {"the peer says more than 65536 bytes before TLS"}


# ---- nobody there, and wrong files


def test_nobody_on_the_port_is_69(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    cells = probe(Target("127.0.0.1", port), Options(timeout_s=5))
    assert {(cell.ending, cell.step, cell.error) for cell in cells} == {
        (Ending.UNREACHABLE, Step.CONNECT, "connection refused")
    }
    assert exit_status(cells) == 69


def test_a_name_that_is_none_is_69() -> None:
    # An address in the scope of an interface that is not there: the resolver says no without asking anybody.
    cells = probe(Target("fe80::1%kit-none", 443), Options(timeout_s=2))
    assert {cell.step for cell in cells} == {Step.RESOLVE}
    assert exit_status(cells) == 69


def test_a_file_of_authorities_that_is_none_is_said_at_once(tmp_path: os.PathLike[str]) -> None:
    empty = os.path.join(tmp_path, "empty.pem")  # noqa: PTH118
    with open(empty, "wb"):  # noqa: PTH123
        pass
    with pytest.raises(UsageError, match="no certificates"):
        probe(Target("127.0.0.1", 1), Options(ca_file=empty))
    with pytest.raises(Unavailable, match="no such file"):
        probe(Target("127.0.0.1", 1), Options(ca_file=empty + "x"))


def test_certificates_are_described_where_they_can_be_read(authority: Authority) -> None:
    cells = _probe(doubles.tls(authority.rsa), authority)
    leaf: Certificate = cells[V12, RSA].chain[0]
    assert (leaf.key, leaf.subject, leaf.error) == ("RSA 2048", "CN=localhost", "")
    assert leaf.not_before < leaf.not_after
