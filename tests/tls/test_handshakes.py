"""The log line and the record of one handshake."""

from __future__ import annotations

import json

from kit.tls.conversation import Negotiated
from kit.tls.handshakes import Handshake, Signed

AGREED = Negotiated(
    "TLSv1.2",
    "ECDHE-RSA-AES256-GCM-SHA384",
    256,
    "x25519",
    "rsa_pss_rsae_sha256",
    "localhost/rsa-2048",
    "localhost",
    False,
)


def test_the_line_holds_smtpds_words_and_then_pairs() -> None:
    done = Handshake("127.0.0.1:5", 0.0021, AGREED, Signed("rsa", 0.00074), "localhost")
    assert done.line() == (
        "127.0.0.1:5 tls ciphers=TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256 "
        "group=x25519 scheme=rsa_pss_rsae_sha256 cert=localhost/rsa-2048 sni=localhost "
        "handshake_ms=2.1 key=rsa agent_ms=0.74"
    )


def test_what_is_not_known_is_left_out_of_the_line_and_null_in_the_record() -> None:
    bare = Negotiated("TLSv1.3", "TLS_AES_128_GCM_SHA256", 128, None, None, None, None, True)
    done = Handshake("[::1]:5", 0.001, bare)
    assert (
        done.line() == "[::1]:5 tls ciphers=TLSv1.3:TLS_AES_128_GCM_SHA256:128 resumed=yes handshake_ms=1.0"
    )
    record = json.loads(json.dumps(done.record()))
    assert record["ok"] is True
    assert record["group"] is None
    assert record["agent_ms"] is None


def test_a_failure_says_why() -> None:
    failed = Handshake("127.0.0.1:5", 0.1, None, Signed("rsa", 5.0, "no answer"), "a.example", "no answer")
    assert failed.line() == (
        '127.0.0.1:5 tls failed reason="no answer" sni=a.example key=rsa agent_ms=5000.0'
    )
    assert failed.record()["ok"] is False
    assert failed.record()["error"] == "no answer"


def test_a_peers_words_cannot_look_like_fields_or_lines_of_their_own() -> None:
    line = Handshake("127.0.0.1:5", 0.1, None, None, 'x" sni=good\nforged \x1b[2J', "no").line()
    assert "\n" not in line
    assert "\x1b" not in line
    assert r'sni="x\" sni=good' in line


def test_records_of_good_and_failed_handshakes_have_the_same_fields() -> None:
    good = Handshake("p", 0.1, AGREED).record()
    failed = Handshake("p", 0.1, error="x").record()
    assert list(good) == list(failed)
