"""The outcome follows from what was seen, by the definitions of the three words."""

from __future__ import annotations

import pytest

from kit.tls.cells import CELLS, Cell, Certificate, Ending, Outcome, Step, Version
from tests.tls.samples import ALL, ECDSA, POST_QUANTUM, RSA, RSA_CERTIFICATE, good, refused, unsigned

V12, V13 = Version.TLS_1_2, Version.TLS_1_3


def test_a_completed_and_verified_handshake_is_ok() -> None:
    assert good(V12, RSA).outcome is Outcome.OK


def test_a_clean_refusal_without_a_certificate_is_not_served() -> None:
    assert refused(V12, RSA).outcome is Outcome.NOT_SERVED
    assert Cell(V12, RSA, Ending.CLOSED).outcome is Outcome.NOT_SERVED
    assert Cell(V12, RSA, Ending.REFUSED, step=Step.DIALOGUE).outcome is Outcome.NOT_SERVED


@pytest.mark.parametrize("ending", [e for e in Ending if e not in (Ending.COMPLETED, Ending.UNCHECKED)])
def test_a_certificate_without_a_completed_handshake_is_broken(ending: Ending) -> None:
    assert unsigned(V13, ECDSA, ending=ending, alert=40).outcome is Outcome.BROKEN


def test_tls_1_2_has_no_ml_dsa() -> None:
    assert (*ALL, POST_QUANTUM) == CELLS


def test_what_this_client_cannot_check_is_unknown() -> None:
    assert Cell(*POST_QUANTUM, Ending.UNCHECKED).outcome is Outcome.UNKNOWN
    assert good(*POST_QUANTUM).outcome is Outcome.OK
    assert refused(*POST_QUANTUM).outcome is Outcome.NOT_SERVED


def test_a_completed_handshake_that_does_not_verify_is_broken() -> None:
    assert good(V12, RSA, verified=False, verify_error="expired").outcome is Outcome.BROKEN


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.TIMEOUT, Ending.GARBAGE, Ending.UNREACHABLE])
def test_no_certificate_and_no_clean_refusal_is_broken(ending: Ending) -> None:
    assert Cell(V12, RSA, ending).outcome is Outcome.BROKEN


def test_internal_error_is_a_fault_even_without_a_certificate() -> None:
    assert Cell(V12, RSA, Ending.ALERT, alert=80).outcome is Outcome.BROKEN


def test_closing_in_the_dialogue_is_no_clean_refusal() -> None:
    assert Cell(V12, RSA, Ending.CLOSED, step=Step.DIALOGUE).outcome is Outcome.BROKEN


def test_a_certificate_of_the_other_kind_means_that_this_one_is_not_served() -> None:
    assert good(V13, ECDSA, chain=(RSA_CERTIFICATE,)).outcome is Outcome.NOT_SERVED


def test_where_nothing_could_be_forced_the_other_kind_means_unknown() -> None:
    assert good(V13, ECDSA, chain=(RSA_CERTIFICATE,), forced=False).outcome is Outcome.UNKNOWN
    assert good(V13, RSA, forced=False).outcome is Outcome.OK


def test_an_unreadable_certificate_may_be_of_the_kind_that_was_asked_for() -> None:
    assert good(V13, RSA, chain=(Certificate("dd" * 32, error="junk"),)).outcome is Outcome.OK
