"""How a public key is written, held against OpenSSH and OpenSSL's own words."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.agent import forms
from kit.agent.public import describe
from kit.core.errors import UsageError
from tests.agent.samples import public_key
from tests.peers import needs

KEYS = [
    rsa.generate_private_key(65537, 2048).public_key(),
    ec.generate_private_key(ec.SECP384R1()).public_key(),
    ed25519.Ed25519PrivateKey.generate().public_key(),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: describe(key).kind)
def test_ssh_keygen_reads_the_line_and_agrees_on_the_fingerprint(
    key: rsa.RSAPublicKey, tmp_path: Path
) -> None:
    needs("ssh-keygen")
    public = describe(key)
    line = forms.ssh_line(public.ssh_blob, "two words")
    assert line.encode() == key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" two words"
    (tmp_path / "key.pub").write_text(line + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key.pub"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert shown.stdout.split()[1] == public.fingerprint


def test_a_key_that_ssh_does_not_have_has_another_kind_of_fingerprint_and_no_line() -> None:
    public = public_key("ml-dsa-65")
    digest = base64.b64encode(hashlib.sha256(public.spki).digest()).decode().rstrip("=")
    assert public.fingerprint == f"SPKI-SHA256:{digest}"
    with pytest.raises(UsageError, match="SSH has no keys of this type"):
        forms.ssh_line(public.ssh_blob, "web")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: describe(key).kind)
def test_pem_is_what_cryptography_writes(key: rsa.RSAPublicKey) -> None:
    expected = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert forms.pem("PUBLIC KEY", describe(key).spki) == expected


def test_a_comment_stays_on_its_line() -> None:
    assert "\n" not in forms.ssh_line(describe(KEYS[2]).ssh_blob, "a\nssh-rsa AAAA b\x1b[2J")
    assert forms.ssh_line(describe(KEYS[2]).ssh_blob, "").count(" ") == 1
