"""What people and programs are shown is a function of the cells."""

from __future__ import annotations

import io
import json

from kit.core.output import Output
from kit.tls.cells import Cell, Certificate, Version
from kit.tls.report import remark_lines, render, row, tables
from kit.tls.target import Target
from kit.tls.verdict import findings
from tests.tls.samples import ALL, ECDSA, POST_QUANTUM, RSA, RSA_CERTIFICATE, good, refused, unsigned

V12, V13 = Version.TLS_1_2, Version.TLS_1_3
_TARGET = Target("localhost", 443)


def _shown(cells: list[Cell], *, as_json: bool = False, hybrids: list[str] | None = None) -> str:
    out = io.StringIO()
    render(Output(as_json=as_json, stdout=out), _TARGET, cells, findings(cells), hybrids)
    return out.getvalue()


def test_a_good_row_tells_everything() -> None:
    assert row(good(V13, RSA)) == (
        *("1.3", "RSA", "ok", "TLS_AES_256_GCM_SHA384", "x25519", "rsa_pss_rsae_sha256", "RSA 2048", "yes"),
        "4.0",
    )


def test_a_refused_row_is_empty_and_a_remark_tells_why() -> None:
    assert row(refused(V12, ECDSA)) == ("1.2", "ECDSA", "not served", *("-",) * 6)
    cells = [good(v, a) if a is RSA else refused(v, a) for v, a in ALL]
    assert list(remark_lines(cells)) == [
        "TLS 1.2 ECDSA, TLS 1.3 ECDSA: not served, alert handshake failure",
        "",
    ]


def test_a_narrow_terminal_gets_two_tables_that_fit_in_80_columns() -> None:
    cells = [good(*name) for name in ALL]
    assert len(tables(cells, None)) == len(tables(cells, 140)) == 1
    narrow = tables(cells, 80)
    assert [table[0][:3] for table in narrow] == [("TLS", "KEY", "OUTCOME"), ("TLS", "KEY", "CIPHER")]
    for table in narrow:
        assert sum(max(map(len, column)) + 2 for column in zip(*table, strict=True)) <= 82


def test_remarks_tell_what_is_unusual() -> None:
    cell = good(V13, ECDSA, chain=(RSA_CERTIFICATE,), hello_retry_request=True)
    assert list(remark_lines([cell, good(V12, RSA, client_certificate_requested=True)])) == [
        "TLS 1.3 ECDSA: the server shows RSA 2048 instead",
        "TLS 1.3 ECDSA: the server asks for another group first (HelloRetryRequest)",
        "TLS 1.2 RSA: the server asks for a client certificate",
        "",
    ]


def test_the_answer_is_the_last_line() -> None:
    assert _shown([good(*name) for name in ALL]).endswith("\n\n4 of 4 cells ok\n")
    cells = [unsigned(v, a) if a is RSA else refused(v, a) for v, a in ALL]
    lines = _shown(cells).splitlines()
    assert lines[-2].startswith("fault: RSA: a certificate is shown, but no handshake completes")
    assert lines[-1] == "0 of 4 cells ok, 2 not served, 2 broken"


def test_the_hybrid_groups_are_a_line_and_a_record_where_they_were_asked_for() -> None:
    cells = [good(*name) for name in (*ALL, POST_QUANTUM)]
    assert "hybrid groups" not in _shown(cells)
    assert "\nhybrid groups: X25519MLKEM768\n" in _shown(cells, hybrids=["X25519MLKEM768"])
    assert "\nhybrid groups: none\n" in _shown(cells, hybrids=[])
    last = json.loads(_shown(cells, as_json=True, hybrids=["X25519MLKEM768"]).splitlines()[-1])
    assert (last["kind"], last["hybrid"]) == ("groups", ["X25519MLKEM768"])


def test_each_chain_is_shown_once() -> None:
    text = _shown([good(*name) for name in ALL])
    assert text.count("chain sent to") == 2
    assert "chain sent to TLS 1.2 RSA, TLS 1.3 RSA\n" in text


def test_a_chain_of_any_length_takes_a_bounded_place() -> None:
    many = Certificate(
        "ee" * 32, names=tuple(f"n{n}.test" for n in range(1000)), error="its key cannot be read"
    )
    text = _shown([good(V12, RSA, chain=(RSA_CERTIFICATE, *[many] * 5000))])
    assert "and 996 more" in text
    assert "and 4991 more" in text
    assert text.count("\n") < 70


def test_json_is_a_line_for_each_cell_and_each_finding() -> None:
    cells = [unsigned(*name) for name in ALL]
    lines = [json.loads(line) for line in _shown(cells, as_json=True).splitlines()]
    assert [line["kind"] for line in lines] == ["cell"] * 4 + ["finding"]
    assert lines[0]["version"] == "1.2"
    assert lines[0]["chain"][0]["names"] == ["mail.test"]
    assert lines[4]["name"] == "key_does_not_sign"


def test_the_fields_of_json_are_a_promise() -> None:
    cell = json.loads(_shown([good(V12, RSA)], as_json=True).splitlines()[0])
    assert set(cell) == {
        *("kind", "host", "port", "address", "version", "authentication", "outcome", "forced", "step"),
        *("ending", "error", "alert", "cipher", "group", "scheme", "signed", "hello_retry_request"),
        *("client_certificate_requested", "verified", "verify_error", "chain"),
        *("connect_ms", "dialogue_ms", "first_flight_ms", "handshake_ms"),
    }
    assert set(cell["chain"][0]) == {
        *("sha256", "authentication", "key", "key_sha256", "subject", "issuer", "names"),
        *("not_before", "not_after", "error"),
    }
