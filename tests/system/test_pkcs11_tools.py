"""Programs that list and sign by PKCS#11 with a real agent: pkcs11-tool, p11tool and python-pkcs11."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.peers import needs
from tests.system.accounts import NOBODY, as_nobody
from tests.system.family import await_that
from tests.system.pkcs11_scene import KINDS, RULES, Rule, Token, module, serving_token

CONTENT = b"content that is signed\n"
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_PSS = ("--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256", "--salt-len", "32")
REFUSED = "CKR_KEY_FUNCTION_NOT_PERMITTED"
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with serving_token() as token:
        yield token


def tool(token: Token, *words: str, status: int = 0) -> str:
    return token.run("pkcs11-tool", "--module", module(), *words, status=status)


def signed(token: Token, name: str, mechanism: str, data: bytes, *options: str, status: int = 0) -> bytes:
    """What pkcs11-tool gets, or says where it is refused."""
    given, out = token.directory / "given", token.directory / "signature"
    given.write_bytes(data)
    out.unlink(missing_ok=True)
    words = ("--sign", "--id", token.id(name), "-m", mechanism, "-i", str(given), "-o", str(out), *options)
    said = tool(token, *words, status=status)
    return said.encode() if status else out.read_bytes()


def test_every_key_shows_its_three_objects_under_one_id(token: Token) -> None:
    listed = tool(token, "--list-objects")
    found = re.findall(r"^(\w+) (?:Key )?Object.*\n(?:  .*\n)*?  label: +(\S+)\n", listed, re.MULTILINE)
    names = sorted(rule.name for rule in RULES)
    for kind in ("Private", "Public", "Certificate"):
        assert sorted(name for its, name in found if its == kind) == names
    ids = re.findall(r"^  ID: +(\w+)$", listed, re.MULTILINE)
    assert {token.id(name): ids.count(token.id(name)) for name in names} == {
        token.id(name): 3 for name in names
    }


@pytest.mark.parametrize("mechanism", ["SHA256-RSA-PKCS", "RSA-PKCS", "RSA-PKCS-PSS"])
def test_pkcs11_tool_signs_with_rsa(token: Token, mechanism: str) -> None:
    digest = hashlib.sha256(CONTENT).digest()
    data = {"SHA256-RSA-PKCS": CONTENT, "RSA-PKCS": _DIGEST_INFO + digest}.get(mechanism, digest)
    before = token.counted("login-rsa")
    made = signed(token, "login-rsa", mechanism, data, *(_PSS if "PSS" in mechanism else ()))
    public = token.leaves["login-rsa"].private.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    public.verify(made, CONTENT, pss if "PSS" in mechanism else padding.PKCS1v15(), hashes.SHA256())
    assert token.counted("login-rsa") == before + 1


@pytest.mark.parametrize(("name", "hash_"), [("p256", hashes.SHA256()), ("p384", hashes.SHA384())])
def test_pkcs11_tool_signs_with_ecdsa(token: Token, name: str, hash_: hashes.HashAlgorithm) -> None:
    digest = hashlib.new(hash_.name, CONTENT).digest()
    made = signed(token, name, "ECDSA", digest, "--signature-format", "openssl")
    public = token.leaves[name].private.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(made, CONTENT, ec.ECDSA(hash_))


def test_p11tool_lists_every_object_by_its_uri(token: Token) -> None:
    listed = token.run("p11tool", "--provider", module(), "--list-all", "pkcs11:token=kit%20agent")
    uris = re.findall(r"^\s*URL: pkcs11:.*object=([\w-]+);type=(\w+)$", listed, re.MULTILINE)
    kinds = ("private", "public", "cert")
    assert sorted(uris) == sorted((rule.name, kind) for rule in RULES for kind in kinds)


def test_p11tool_reads_the_certificate(token: Token) -> None:
    pem = token.run("p11tool", "--provider", module(), "--export", token.uri("p256", "cert"))
    shown = x509.load_pem_x509_certificate(pem[pem.index("-----BEGIN") :].encode())
    assert shown == token.leaves["p256"].certificate


@pytest.mark.parametrize("name", KINDS)
def test_p11tool_test_signs(token: Token, name: str) -> None:
    said = token.run("p11tool", "--provider", module(), "--test-sign", token.uri(name))
    assert said.count("... ok") == 3


def test_p11tool_test_signs_by_pss(token: Token) -> None:
    command = ("p11tool", "--provider", module(), "--test-sign", "--sign-params=rsa-pss", token.uri("rsa"))
    assert token.run(*command).count("... ok") == 3


_THREADS = """
import hashlib, sys, threading
import pkcs11
from pkcs11 import MGF, Mechanism, ObjectClass

rsa, p256, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
token = pkcs11.lib(sys.argv[1]).get_token(token_label="kit agent")
made = []

def work(number):
    with token.open() as session:
        ec = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=p256)
        big = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=rsa)
        for turn in range(count):
            text = f"{number} {turn}"
            digest = hashlib.sha256(text.encode()).digest()
            pss = big.sign(digest, mechanism=Mechanism.RSA_PKCS_PSS,
                           mechanism_param=(Mechanism.SHA256, MGF.SHA256, 32))
            made.append((text, ec.sign(digest, mechanism=Mechanism.ECDSA), pss))

threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for text, ec, pss in made:
    print(text, ec.hex(), pss.hex(), sep=",")
"""


def test_eight_threads_of_one_python_share_a_connection(token: Token) -> None:
    pytest.importorskip("pkcs11")
    turns = 10
    command = [sys.executable, "-c", _THREADS, module(), "rsa", "p256", str(turns)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=token.environment, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert len({text for text, _, _ in lines}) == 8 * turns
    big, small = (token.leaves[name].private.public_key() for name in ("rsa", "p256"))
    assert isinstance(big, rsa.RSAPublicKey)
    assert isinstance(small, ec.EllipticCurvePublicKey)
    for text, ecdsa, pss in lines:
        r, s = (int(half, 16) for half in (ecdsa[:64], ecdsa[64:]))
        small.verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(hashes.SHA256()))
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        big.verify(bytes.fromhex(pss), text.encode(), scheme, hashes.SHA256())


@pytest.mark.parametrize(
    ("name", "mechanism", "head"),
    [
        ("strict-p256", "ECDSA", b""),
        ("strict-rsa", "RSA-PKCS", _DIGEST_INFO),
        ("strict-rsa", "RSA-PKCS-PSS", b""),
    ],
)
def test_a_key_of_the_default_purposes_signs_no_digest(
    token: Token, name: str, mechanism: str, head: bytes
) -> None:
    before = token.counted(name, "refused")
    digest = head + hashlib.sha256(CONTENT).digest()
    said = signed(token, name, mechanism, digest, *(_PSS if "PSS" in mechanism else ()), status=1)
    assert REFUSED in said.decode()
    assert token.counted(name, "refused") > before  # pkcs11-tool tries once more, in parts
    why = "only a digest arrives (tls-digest), and the key may sign tls-server and csr only"
    await_that(lambda: f"refuse key='{name}' purpose='tls-digest' why='{why}'" in token.log(), "the reason")


def test_a_key_of_the_default_purposes_signs_no_content_that_is_not_tls(token: Token) -> None:
    said = signed(token, "strict-rsa", "SHA256-RSA-PKCS", CONTENT, status=1)
    assert REFUSED in said.decode()


def test_a_digest_that_is_not_of_tls_is_refused_by_tls_digest(token: Token) -> None:
    """SHA-1, which libp11 would pass on as well."""
    sha1 = bytes.fromhex("3021300906052b0e03021a05000414") + bytes(20)
    assert b"CKR_DATA_INVALID" in signed(token, "rsa", "RSA-PKCS", sha1, status=1)
    assert b"CKR_DATA_LEN_RANGE" in signed(token, "p256", "ECDSA", bytes(20), status=1)


def test_the_audit_log_names_the_program_that_signed(token: Token) -> None:
    before = len(token.audit())
    signed(token, "p256", "ECDSA", bytes(32))
    (line,) = token.audit()[before:]
    assert (line["key"], line["uid"], line["peer"]) == ("p256", os.geteuid(), "pkcs11-tool")


@pytest.fixture(scope="module")
def shared() -> Iterator[Token]:
    """A token for two users, each of whom has a key, beside one that both have."""
    rules = (
        Rule("roots", "p256"),
        Rule("nobodys", "p256", peers=(f"uid:{NOBODY}",)),
        Rule("both", "p256", peers=("uid:0", f"uid:{NOBODY}")),
    )
    with serving_token(rules, mode="0666") as token:
        yield token


def labels(token: Token, *become: str) -> set[str]:
    command = [*become, "pkcs11-tool", "--module", module(), "--list-objects", "--type", "privkey"]
    return set(re.findall(r"label: +(\S+)", token.run(*command)))


@only_root
def test_a_user_sees_the_keys_that_name_him_and_no_others(shared: Token) -> None:
    assert labels(shared) == {"roots", "both"}
    assert labels(shared, *as_nobody()) == {"nobodys", "both"}


@only_root
def test_programs_of_two_users_sign_at_once(shared: Token) -> None:
    needs("pkcs11-tool")
    program = ["p11tool", "--provider", module(), "--test-sign", shared.uri("both")]
    before = len(shared.audit())
    running = [
        subprocess.Popen(
            [*become, *program],
            env=shared.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for become in ((), as_nobody()) * 3
    ]
    said = [each.communicate(timeout=60)[0] for each in running]
    assert [(each.returncode, text.count("... ok")) for each, text in zip(running, said, strict=True)] == [
        (0, 3)
    ] * len(running)
    uids = [line["uid"] for line in shared.audit()[before:]]
    assert uids.count(0) == uids.count(NOBODY) == len(uids) // 2


@only_root
def test_whom_no_key_names_finds_an_empty_token(shared: Token) -> None:
    needs("setpriv")
    become = ("setpriv", "--reuid=33", "--regid=33", "--clear-groups")
    assert labels(shared, *become) == set()
    await_that(lambda: "no key names this user" in shared.log(), "the log tells of it")
