"""Private keys from files of every form; what is wrong with a file; what stays in memory afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.loader import private_key
from kit.agent.passphrase import FromDescriptor, Passphrases, source
from kit.core.errors import KitError, NegativeAnswer, NotPermitted, Unavailable, UsageError

KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
PEM, DER = Encoding.PEM, Encoding.DER
PKCS8, TRADITIONAL, OPENSSH = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH


class Typed:
    """Somebody who types these passphrases, one after the other."""

    def __init__(self, *typed: bytes, tries: int = 3) -> None:
        self.typed, self.tries = list(typed), tries

    def ask(self, what: str) -> bytearray:
        return bytearray(self.typed.pop(0))


def save(path: Path, data: bytes, mode: int = 0o600) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def load(path: str, passphrases: Passphrases | None = None, notes: list[str] | None = None) -> bytes:
    with private_key(path, passphrases or Typed(), ([] if notes is None else notes).append) as der:
        return bytes(der)


def same_key(der: bytes, name: str) -> bool:
    public = load_der_private_key(der, None).public_key()
    return public == KEYS[name].public_key()


FORMS = [
    (name, encoding, form, encrypted)
    for name in KEYS
    for encoding in (PEM, DER)
    for form in (PKCS8, TRADITIONAL, OPENSSH)
    for encrypted in (False, True)
    # What does not exist: DER of OpenSSH's format, encrypted traditional DER, traditional Ed25519.
    if not (form is OPENSSH and encoding is DER)
    and not (form is TRADITIONAL and (name == "ed25519" or (encrypted and encoding is DER)))
]


@pytest.mark.parametrize(("name", "encoding", "form", "encrypted"), FORMS)
def test_every_form_of_every_key_is_read(
    tmp_path: Path, name: str, encoding: Encoding, form: PrivateFormat, encrypted: bool
) -> None:
    encryption = BestAvailableEncryption(b"open") if encrypted else NoEncryption()
    data = KEYS[name].private_bytes(encoding, form, encryption)
    der = load(save(tmp_path / "key", data), Typed(b"open"))
    assert same_key(der, name)


def test_a_key_between_certificates_and_parameters_is_found(tmp_path: Path) -> None:
    other = b"remark\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = KEYS["ec"].private_bytes(PEM, TRADITIONAL, NoEncryption())
    path = save(tmp_path / "key", (other + parameters + key + other).replace(b"\n", b"\r\n"))
    assert same_key(load(path), "ec")


def test_a_pipe_is_as_good_as_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, KEYS["ec"].private_bytes(PEM, PKCS8, NoEncryption()))
    os.close(writing)
    notes: list[str] = []
    try:
        assert same_key(load(f"/dev/fd/{reading}", notes=notes), "ec")
    finally:
        os.close(reading)
    assert notes == []


def test_the_memory_is_wiped_when_the_block_ends(tmp_path: Path) -> None:
    path = save(tmp_path / "key", KEYS["rsa"].private_bytes(PEM, PKCS8, NoEncryption()))
    with private_key(path, Typed(), print) as der:
        assert any(der)
    assert not any(der)


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604])
def test_a_file_that_others_can_read_is_remarked(tmp_path: Path, mode: int) -> None:
    notes: list[str] = []
    path = save(tmp_path / "key", KEYS["ec"].private_bytes(PEM, PKCS8, NoEncryption()), mode)
    load(path, notes=notes)
    assert notes == [f"kit: note: others than you can read {path!r} (mode {mode:04o})"]


PKCS8_EC = KEYS["ec"].private_bytes(PEM, PKCS8, NoEncryption())
PUBLIC = KEYS["ec"].public_key().public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is neither PEM nor DER"),
        (b"hello\n" * 100, "it is neither PEM nor DER"),
        (bytes(range(256)), "it is neither PEM nor DER"),
        (b"x" * 200_000, "it is larger than 131071 bytes"),
        (PUBLIC, "it holds a public key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "but no private key"),
        (b"-----BEGIN KIT AGENT KEY-----\nAAAA\n-----END KIT AGENT KEY-----\n", "it is a handle"),
        (PKCS8_EC[:-12], "it has no end of 'PRIVATE KEY'"),
        (PKCS8_EC.replace(b"M", b"!", 1), "its base64 is damaged"),
        (PKCS8_EC.replace(b"M", b"", 1), "what it holds is no private key"),
        (b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "what it holds is no private key"),
        (PKCS8_EC.replace(b"PRIVATE", b"OPENSSH PRIVATE"), "its OpenSSH form cannot be read"),
        (PKCS8_EC.replace(b"PRIVATE", b"ENCRYPTED PRIVATE"), "its PEM form cannot be read"),
        (b"\x30", "it is neither PEM nor DER"),
        (b"\x30\x80\x00\x00", "what it holds is no private key"),
        (b"\x30\x84\xff\xff\xff\xff\x02\x01", "what it holds is no private key"),
        (b"\x30\x82\x01\x00\x30\x00", "its DER form cannot be read"),
    ],
)
def test_a_file_without_a_key_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    path = save(tmp_path / "key", data)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value).startswith(f"no private key from {path!r}: ")
    assert why in str(caught.value)


def test_dsa_is_not_supported(tmp_path: Path) -> None:
    data = b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n"
    with pytest.raises(UsageError, match="DSA keys are not supported"):
        load(save(tmp_path / "key", data))


@given(st.integers(0, len(PKCS8_EC) - 1), st.binary(max_size=3))
def test_damage_anywhere_is_a_kit_error_or_bytes(at: int, junk: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, PKCS8_EC[:at] + junk + PKCS8_EC[at + 1 :])
    os.close(writing)
    try:
        load(f"/dev/fd/{reading}")
    except KitError:
        pass
    finally:
        os.close(reading)


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such file or directory"):
        load(str(tmp_path / "nowhere"))


def test_a_directory_and_a_device_are_no_key_files(tmp_path: Path) -> None:
    for path in (str(tmp_path), "/dev/zero"):
        with pytest.raises(UsageError, match="it is no regular file"):
            load(path)


def test_an_unreadable_file_is_not_permitted(tmp_path: Path) -> None:
    path = save(tmp_path / "key", PKCS8_EC, 0o000)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root reads everything
    try:
        with pytest.raises(NotPermitted, match="no permission to read"):
            load(path)
    finally:
        os.seteuid(user)


def encrypted_file(tmp_path: Path) -> str:
    return save(tmp_path / "key", KEYS["ec"].private_bytes(PEM, PKCS8, BestAvailableEncryption(b"open")))


def test_the_third_try_may_be_right(tmp_path: Path) -> None:
    assert same_key(load(encrypted_file(tmp_path), Typed(b"", b"wrong", b"open")), "ec")


def test_three_wrong_passphrases_are_enough(tmp_path: Path) -> None:
    path = encrypted_file(tmp_path)
    with pytest.raises(NegativeAnswer, match="the passphrase does not open") as caught:
        load(path, Typed(b"a", b"b", b"c", b"open"))
    assert repr(path) in str(caught.value)


@pytest.mark.parametrize("text", [b"open\n", b"open", b"open\r\nnext\n"])
def test_a_descriptor_gives_the_passphrase_line(tmp_path: Path, text: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    try:
        assert same_key(load(encrypted_file(tmp_path), FromDescriptor(reading)), "ec")
        assert os.read(reading, 9) == text.partition(b"\n")[2]  # the next key's passphrase is still there
    finally:
        os.close(reading)


def test_a_closed_descriptor_is_a_usage_error(tmp_path: Path) -> None:
    # What is opened meanwhile gets the lowest numbers that are free.
    closed = max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 100
    with pytest.raises(UsageError, match=f"no passphrase from descriptor {closed}: bad file descriptor"):
        load(encrypted_file(tmp_path), source(closed))


def test_no_terminal_means_a_hint_at_the_option(tmp_path: Path) -> None:
    program = (
        "import sys; from kit.agent.loader import private_key; from kit.agent.passphrase import source\n"
        "from kit.core.errors import UsageError\n"
        "try:\n with private_key(sys.argv[1], source(None), print): pass\n"
        "except UsageError as error: print(error, error.hint, sep='|')\n"
    )
    command = [sys.executable, "-c", program, encrypted_file(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, start_new_session=True, check=False
    )
    assert "there is no terminal to ask for the passphrase for" in done.stdout, done.stderr
    assert "--passphrase-fd" in done.stdout


def test_without_bcrypt_an_encrypted_openssh_file_means_a_hint_at_the_extra(tmp_path: Path) -> None:
    program = (
        "import os, sys; sys.modules['bcrypt'] = None; from kit.agent.loader import private_key\n"
        "from kit.agent.passphrase import source; from kit.core.errors import UsageError\n"
        "try:\n with private_key(sys.argv[1], source(0), print): pass\n"
        "except UsageError as error: print(error.hint)\n"
    )
    file = save(tmp_path / "id", KEYS["ec"].private_bytes(PEM, OPENSSH, BestAvailableEncryption(b"open")))
    command = [sys.executable, "-c", program, file]
    done = subprocess.run(command, input="open\n", capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "install kit[ssh], or add the key with ssh-add\n", done.stderr


NAIVE = """
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from kit.agent.loader import private_key
data = open(sys.argv[1], "rb").read()
print("ready", flush=True); sys.stdin.read()
"""
CAREFUL = """
import sys
from kit.agent.loader import private_key
from kit.agent.passphrase import source
with private_key(sys.argv[1], source(0), print) as der:
    assert len(der) > 100
print("ready", flush=True); sys.stdin.read()
"""


def resident(pid: int) -> bytes:
    """All memory of a process that its owner may read."""
    out = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "rw" in access:
                memory.seek(start)
                out += memory.read(end - start) or b""
    return bytes(out)


def traces(program: str, path: str, needles: list[bytes], typed: bytes = b"") -> int:
    """How many of the needles the program's memory holds once it says that it is ready."""
    command = [sys.executable, "-c", program, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(typed)
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        memory = resident(process.pid)
        process.stdin.close()
    assert process.returncode == 0
    return sum(needle in memory for needle in needles)


@pytest.mark.parametrize("form", ["plain", "encrypted", "openssh"])
def test_no_line_of_pem_no_der_and_no_passphrase_stays_behind(tmp_path: Path, form: str) -> None:
    key = KEYS["rsa"]
    der = key.private_bytes(DER, PKCS8, NoEncryption())
    passphrase = b"long passphrase to look for"
    forms: dict[str, Callable[[], bytes]] = {
        "plain": lambda: key.private_bytes(PEM, PKCS8, NoEncryption()),
        "encrypted": lambda: key.private_bytes(PEM, PKCS8, BestAvailableEncryption(passphrase)),
        "openssh": lambda: key.private_bytes(PEM, OPENSSH, BestAvailableEncryption(passphrase)),
    }
    pem = forms[form]()
    path = save(tmp_path / "key", pem)
    # The first 60 DER bytes are public (the algorithm, the modulus begins); so are the first PEM lines.
    needles = [der[-64:-16], der[600:650], passphrase, *pem.splitlines()[12:-2]]
    assert traces(NAIVE, path, needles) > 5, "the control: what is read plainly is found"
    typed = b"" if form == "plain" else passphrase + b"\n"
    assert traces(CAREFUL, path, needles, typed) == 0


def test_a_sigterm_that_comes_with_a_ctrl_c_says_nothing() -> None:
    code = """
import os, signal
from kit.agent.decrypter import _ENDING, _interrupt_once
for number in _ENDING:
    signal.signal(number, _interrupt_once)
signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
for number in _ENDING:
    os.kill(os.getpid(), number)
try:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
except KeyboardInterrupt:
    print("interrupted")
for _ in range(10):
    os.getpid()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
