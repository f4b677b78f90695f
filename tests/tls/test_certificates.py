"""Whom a certificate is for, and which context a client gets."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kit.core.errors import Unavailable, UsageError
from kit.tls.certificates import Pair, can_make_ml_dsa, covers, read, throw_away
from kit.tls.contexts import Contexts


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a.example", "a.example", True),
        ("A.example", "a.EXAMPLE", True),
        ("a.example", "a.example.", True),
        ("a.example", "b.example", False),
        ("*.example.org", "a.example.org", True),
        ("*.example.org", "A.EXAMPLE.ORG", True),
        ("*.example.org", "a.b.example.org", False),
        ("*.example.org", "example.org", False),
        ("*.example.org", ".example.org", False),
        ("*.org", "example.org", False),
        ("*", "localhost", False),
        ("f*.example.org", "foo.example.org", False),
        ("a.*.org", "a.b.org", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_a_wildcard_stands_for_one_whole_label_as_in_rfc_6125(pattern: str, name: str, fits: bool) -> None:
    assert covers(pattern, name) is fits


def test_throw_away_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    pairs = throw_away(tmp_path)
    kinds = ["rsa-2048", "p-256", *(["ml-dsa-65"] if can_make_ml_dsa() else [])]
    assert [read(pair.certificate).label for pair in pairs] == [f"localhost/{kind}" for kind in kinds]
    assert {stat.S_IMODE(pair.key.stat().st_mode) for pair in pairs} == {0o600}


def test_certificates_for_the_same_names_share_a_context_and_sni_chooses(tmp_path: Path) -> None:
    pairs = []
    for number, names in enumerate([["a.example"], ["*.example"], ["*.b.example", "b.example"]]):
        directory = tmp_path / str(number)
        directory.mkdir()
        pairs += throw_away(directory, names)
    contexts = Contexts(pairs)
    chosen = {name: contexts.choose(name) for name in ("a.example", "x.b.example", "b.example")}
    assert len({id(context) for context in chosen.values()}) == 2
    assert chosen["x.b.example"] is chosen["b.example"]
    assert chosen["a.example"] is contexts.default
    assert contexts.choose(None) is contexts.default
    assert contexts.choose("unknown.invalid") is contexts.default


def test_an_exact_name_wins_over_a_wildcard_that_comes_first(tmp_path: Path) -> None:
    for name in ("wild", "exact"):
        (tmp_path / name).mkdir()
    wild = throw_away(tmp_path / "wild", ["*.example.org"])
    exact = throw_away(tmp_path / "exact", ["a.example.org"])
    contexts = Contexts([*wild, *exact])
    assert contexts.choose("b.example.org") is contexts.default
    assert contexts.choose("a.example.org") is not contexts.default


def test_without_alternative_names_the_common_name_counts(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "c.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    assert read(path).label == "old.example/p-384"


def test_a_certificate_that_is_not_there_or_none_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        read(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UsageError, match="no certificate"):
        read(tmp_path / "text")


def test_a_key_that_does_not_fit_is_a_clear_error(tmp_path: Path) -> None:
    rsa, ecdsa, *_ = throw_away(tmp_path)
    with pytest.raises(UsageError, match="cannot be served"):
        Contexts([Pair(rsa.certificate, ecdsa.key)])
