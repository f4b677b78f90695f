"""Findings and exit status are functions of the cells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.core.errors import ProtocolError, Unavailable, UsageError
from kit.tls.cells import Cell, Ending, Step, Version
from kit.tls.verdict import complaint, exit_status, findings, parse_wanted
from tests.tls.samples import ALL, ECDSA, POST_QUANTUM, RSA, RSA_CERTIFICATE, good, refused, unsigned

V12, V13 = Version.TLS_1_2, Version.TLS_1_3
_GOOD = [good(*name) for name in ALL]
_RSA_ONLY = [good(v, a) if a is RSA else refused(v, a) for v, a in ALL]


def _texts(cells: list[Cell]) -> list[str]:
    return [finding.text for finding in findings(cells)]


def test_four_good_cells_are_no_finding_and_exit_0() -> None:
    assert findings(_GOOD) == []
    assert exit_status(_GOOD) == 0


def test_a_key_that_does_not_sign_is_said_once_for_all_cells() -> None:
    cells = [unsigned(*name) for name in ALL]
    (finding,) = findings(cells)
    assert finding.name == "key_does_not_sign"
    assert finding.text == (
        "RSA, ECDSA: a certificate is shown, but no handshake completes: "
        "its key does not sign (alert internal error)"
    )
    assert finding.cells == ("TLS 1.2 RSA", "TLS 1.2 ECDSA", "TLS 1.3 RSA", "TLS 1.3 ECDSA")
    assert exit_status(cells) == 1


def test_a_key_that_signs_over_one_version_only_is_said_of_the_other() -> None:
    cells = [unsigned(v, a) if (v, a) == (V12, RSA) else good(v, a) for v, a in ALL]
    assert _texts(cells) == [
        "RSA over TLS 1.2: a certificate is shown, but the handshake does not complete: "
        "its key does not sign (alert internal error)",
        "RSA: works over TLS 1.3 only",
    ]
    assert exit_status(cells) == 1


@pytest.mark.parametrize("ending", [Ending.ALERT, Ending.CLOSED, Ending.RESET, Ending.TIMEOUT])
def test_every_way_of_giving_up_before_the_signature_is_a_key_that_does_not_sign(ending: Ending) -> None:
    cells = [unsigned(*name, ending=ending) for name in ALL]
    assert [finding.name for finding in findings(cells)] == ["key_does_not_sign"]


def test_a_client_that_rejects_the_certificate_says_nothing_of_the_key() -> None:
    cells = [unsigned(*name, ending=Ending.REJECTED, error="dh key too small") for name in ALL]
    assert _texts(cells) == ["RSA, ECDSA: a certificate is shown, but the handshake fails: dh key too small"]


def test_a_bad_signature_is_a_key_of_another_certificate() -> None:
    cells = [unsigned(*n, ending=Ending.REJECTED, signed=True, error="bad signature") for n in ALL]
    assert _texts(cells) == ["RSA, ECDSA: the signature does not fit the certificate"]


def test_a_server_that_wants_a_client_certificate_is_not_blamed_for_its_key() -> None:
    cells = [unsigned(*n, signed=True, client_certificate_requested=True, alert=40) for n in ALL]
    assert [finding.name for finding in findings(cells)] == ["client_certificate_required"]


def test_a_verification_failure_names_the_reason_and_the_missing_issuer() -> None:
    why = "unable to get local issuer certificate"
    cells = [good(*name, verified=False, verify_error=why) for name in ALL]
    assert _texts(cells) == [
        f"RSA, ECDSA: the certificate does not verify: {why} "
        "(the chain ends with a certificate of 'CN=Test Root')"
    ]
    assert exit_status(cells) == 1


def test_a_missing_twin_is_no_fault_unless_it_is_wanted() -> None:
    assert findings(_RSA_ONLY) == []
    assert exit_status(_RSA_ONLY) == exit_status(_RSA_ONLY, (RSA,)) == 0
    assert exit_status(_RSA_ONLY, (RSA, ECDSA)) == 1
    assert [f.text for f in findings(_RSA_ONLY, (ECDSA,))] == ["ECDSA: wanted, but not served"]


def test_a_type_that_works_over_one_version_only_is_noted() -> None:
    cells = [refused(v, a) if (v, a) == (V12, ECDSA) else good(v, a) for v, a in ALL]
    (finding,) = findings(cells)
    assert (finding.name, finding.fault) == ("lone_version", False)
    assert exit_status(cells) == 0


def test_nothing_served_is_exit_1() -> None:
    cells = [refused(*name) for name in ALL]
    assert [finding.name for finding in findings(cells)] == ["nothing_served"]
    assert exit_status(cells) == 1


def test_what_cannot_be_checked_here_is_a_note_and_wanted_a_fault() -> None:
    cells = [*(good(*name) for name in ALL), Cell(*POST_QUANTUM, Ending.UNCHECKED, error="cannot check it")]
    (note,) = findings(cells)
    assert (note.name, note.text, note.fault) == ("not_checked", "ML-DSA: cannot check it", False)
    assert exit_status(cells) == 0
    wanted = findings(cells, parse_wanted("ml-dsa"))
    assert [finding.name for finding in wanted if finding.fault] == ["wanted_not_served"]
    assert "not known to be served" in wanted[0].text


def test_what_was_not_forced_is_noted_and_unknown_is_no_fault() -> None:
    cells = [
        good(v, a, forced=v is V12, chain=(RSA_CERTIFICATE,) if v is V13 else good(v, a).chain)
        for v, a in ALL
    ]
    (lone, note) = findings(cells)
    assert lone.name == "lone_version"
    assert note.cells == ("TLS 1.3 RSA", "TLS 1.3 ECDSA")
    assert exit_status(cells) == 0
    assert exit_status(cells, (ECDSA,)) == 1


def test_nobody_there_is_69_and_another_protocol_is_76() -> None:
    nobody = [Cell(*n, Ending.UNREACHABLE, step=Step.CONNECT, error="connection refused") for n in ALL]
    assert exit_status(nobody) == 69
    assert isinstance(complaint("h:1", nobody, None), Unavailable)
    garbage = [Cell(*n, Ending.GARBAGE, error="the peer answers 'x' instead of TLS") for n in ALL]
    assert exit_status(garbage) == 76
    error = complaint("h:1", garbage, None)
    assert isinstance(error, ProtocolError)
    assert "--starttls" in str(error.hint)
    assert complaint("h:1", [*nobody[1:], _GOOD[0]], None) is None
    assert exit_status([*garbage[1:], _GOOD[0]]) == exit_status([*nobody[1:], _GOOD[0]]) == 1


def test_a_hung_cell_is_a_fault() -> None:
    cells = [replace(_GOOD[0], ending=Ending.TIMEOUT, chain=(), error="no answer within 5 s"), *_GOOD[1:]]
    assert _texts(cells) == ["RSA over TLS 1.2: no answer within 5 s", "RSA: works over TLS 1.3 only"]
    assert exit_status(cells) == 1


def test_wanted_types_are_read() -> None:
    assert parse_wanted("ecdsa, RSA,rsa") == (ECDSA, RSA)
    assert parse_wanted("") == ()
    with pytest.raises(UsageError, match="dsa"):
        parse_wanted("rsa,dsa")
