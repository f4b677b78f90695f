"""kit agent check-config, on files as an administrator has them."""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests import forked
from tests.agent import samples

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
DAY = datetime.timedelta(days=1)
KEY_FIELDS = {
    "type",
    "name",
    "file",
    "kind",
    "fingerprint",
    "purposes",
    "peers",
    "lifetime_s",
    "rate",
    "burst",
    "confirm",
    "certificate",
    "names",
    "ends_s",
}
FINDING_FIELDS = {"type", "path", "line", "key", "message", "hint", "expected", "found"}
WWW_DATA = 33


def pem(kind: str, which: int = 0, passphrase: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return samples.private_key(kind, which).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def certificate(kind: str, begins: datetime.timedelta = -DAY, ends: datetime.timedelta = 90 * DAY) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(samples.name("mail.example"), samples.name("mail.example"))
    builder = builder.public_key(samples.private_key(kind).public_key()).serial_number(1)
    builder = builder.not_valid_before(now + begins).not_valid_after(now + ends)
    signed = builder.sign(samples.private_key(kind), samples.hash_of(kind))  # type: ignore[arg-type]
    return signed.public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class Place:
    """A directory with a configuration, a key and its certificate."""

    path: Path

    def save(self, name: str, data: bytes, mode: int = 0o600) -> str:
        path = self.path / name
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def configure(self, text: str) -> str:
        """The configuration, with the directory's path for `@`."""
        return self.save("agent.toml", text.replace("@", str(self.path)).encode(), 0o644)

    def check(self, text: str, *options: str) -> subprocess.CompletedProcess[str]:
        return run("check-config", self.configure(text), *options)

    def records(self, text: str) -> list[dict[str, Any]]:
        """What --json says, and nothing else is said."""
        done = self.check(text, "--json")
        assert done.stderr == ""
        return [json.loads(line) for line in done.stdout.splitlines()]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["agent", *arguments], env=os.environ)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.save("mail.pem", pem("p-256"))
    place.save("mail.crt", certificate("p-256"), 0o644)
    return place


MAIL = '[keys.mail]\nfile = "@/mail.pem"\npeers = ["user:root"]\n'
WHOLE = """
[keys.mail]
file = "@/mail.pem"
certificate = "@/mail.crt"
purposes = ["tls-server"]
peers = ["user:www-data", "uid:4000000", "group:root"]
lifetime = "8h"
rate = 50
confirm = ["/bin/true", "--yes"]
"""


def test_a_good_configuration_shows_its_keys_and_nothing_else(place: Place) -> None:
    done = place.check(WHOLE)
    assert (done.returncode, done.stderr) == (0, "")
    head, row = done.stdout.splitlines()
    assert re.split(" +", head, maxsplit=4)[:4] == ["NAME", "KIND", "PURPOSES", "PEERS"]
    cells = re.split(" {2,}", row)
    assert cells[:-1] == [
        "mail",
        "p-256",
        "tls-server",
        "user:www-data,uid:4000000,group:root",
        "50/s, 50 at once",
        "true",
        "mail.example",
    ]
    assert cells[-1].startswith("89d")


def test_a_key_has_every_field_in_json(place: Place) -> None:
    (record,) = place.records(WHOLE)
    assert record.keys() == KEY_FIELDS
    public = samples.public_key("p-256")
    assert record == {
        "type": "key",
        "name": "mail",
        "file": str(place.path / "mail.pem"),
        "kind": "p-256",
        "fingerprint": public.fingerprint,
        "purposes": ["tls-server"],
        "peers": ["user:www-data", "uid:4000000", "group:root"],
        "lifetime_s": 28_800,
        "rate": 50,
        "burst": 50,
        "confirm": ["/bin/true", "--yes"],
        "certificate": str(place.path / "mail.crt"),
        "names": ["mail.example"],
        "ends_s": record["ends_s"],
    }
    assert 89 < (record["ends_s"] - datetime.datetime.now().timestamp()) / 86_400 < 91


def test_what_is_not_said_is_null_in_json(place: Place) -> None:
    (record,) = place.records(MAIL)
    unknown = {name for name in record if record[name] is None}
    assert unknown == {"lifetime_s", "rate", "burst", "certificate", "names", "ends_s"}


def test_every_problem_of_the_configuration_is_told_at_once(place: Place) -> None:
    text = "[agent]\nworker = 2\n" + MAIL + 'purposes = ["tls"]\n'
    done = place.check(text)
    path = place.path / "agent.toml"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"kit: error: {path}:2: agent.worker: expected 'workers' perhaps, found an unknown key",
        f"kit: error: {path}:6: keys.mail.purposes[1]: expected one of tls-server, tls-client, ssh, csr,"
        " self-signed, ca, any, tls-digest, digest, decrypt, queue, found 'tls'",
    ]
    first, second = place.records(text)
    assert first == {
        "type": "error",
        "path": str(path),
        "line": 2,
        "key": "agent.worker",
        "message": "expected 'workers' perhaps, found an unknown key",
        "hint": None,
        "expected": "'workers' perhaps",
        "found": "an unknown key",
    }
    assert second.keys() == FINDING_FIELDS


OFF = '[agent]\nsandbox = "off"\ni-know-that-keys-are-less-protected = true\n'
WARNINGS = [
    ("", 1, "", "the configuration has no keys"),
    (OFF + MAIL, 2, "agent.sandbox", "the sandbox is off"),
    (
        "[agent]\naudit-strict = true\n" + MAIL,
        2,
        "agent.audit-strict",
        "there is no audit log, and without one",
    ),
    ('[keys.mail]\nfile = "@/mail.pem"\n', 1, "keys.mail.peers", "nobody may use the key"),
    (MAIL + 'purposes = ["any"]\n', 4, "keys.mail.purposes", "the key signs any content"),
    (MAIL + 'certificate = "@/old.crt"\n', 4, "keys.mail.certificate", "has ended"),
    (MAIL + 'certificate = "@/soon.crt"\n', 4, "keys.mail.certificate", "ends in 13 days"),
    (MAIL + 'certificate = "@/next.crt"\n', 4, "keys.mail.certificate", "is not valid yet"),
]


@pytest.mark.parametrize(("text", "line", "key", "message"), WARNINGS, ids=[row[3][:30] for row in WARNINGS])
def test_what_may_not_be_meant_is_remarked_and_fine(
    place: Place, text: str, line: int, key: str, message: str
) -> None:
    place.save("old.crt", certificate("p-256", -20 * DAY, -DAY))
    place.save("soon.crt", certificate("p-256", -DAY, 13.5 * DAY))
    place.save("next.crt", certificate("p-256", DAY))
    done = place.check(text)
    assert done.returncode == 0
    (remark,) = [row for row in done.stderr.splitlines() if row.startswith("kit: note: ")]
    where = f"kit: note: {place.path / 'agent.toml'}:{line}: " + (f"{key}: " if key else "")
    assert remark.startswith(where)
    assert message in remark
    (warning, *_) = place.records(text)
    assert (warning["type"], warning["line"], warning["key"]) == ("warning", line, key)
    assert warning.keys() == FINDING_FIELDS


ERRORS = [
    ('file = "@/no.pem"', "file", 69, "there is no key file"),
    ('file = "@/open.pem"', "file", 77, "(mode 0644, gid"),
    ('file = "@/link.pem"', "file", 77, "is a symbolic link"),
    ('file = "@"', "file", 2, "is no regular file"),
    ('file = "@/fifo"', "file", 2, "is no regular file"),
    ('file = "@/mail.crt"', "file", 77, "others can read"),
    ('file = "@/text"', "file", 2, "it is neither PEM nor DER"),
    ('file = "@/weak.pem"', "file", 2, "an RSA key of 1024 bits"),
    ('file = "@/secret.pem"', "file", 2, "it is encrypted, and a service has nobody to ask"),
    ('file = "@/mail.pem"\ncertificate = "@/no.crt"', "certificate", 69, "there is no certificate"),
    ('file = "@/mail.pem"\ncertificate = "@/text"', "certificate", 2, "it holds no certificate"),
    ('file = "@/mail.pem"\ncertificate = "@/both.pem"', "certificate", 2, "it holds a private key, too"),
    ('file = "@/mail.pem"\ncertificate = "@/other.crt"', "certificate", 2, "is another key's"),
    ('file = "@/mail.pem"\nconfirm = "@/no"', "confirm", 69, "every use of the key would be refused"),
]


@pytest.mark.parametrize(("lines", "name", "status", "message"), ERRORS, ids=[row[0][-26:] for row in ERRORS])
def test_a_file_that_the_agent_would_not_use_is_an_error(
    place: Place, lines: str, name: str, status: int, message: str
) -> None:
    place.save("open.pem", pem("p-256"), 0o644)
    place.save("text", b"hello\n")
    place.save("weak.pem", pem("rsa-1024"))
    place.save("secret.pem", pem("p-256", passphrase=b"open"))
    place.save("both.pem", certificate("p-256") + pem("p-256"))
    place.save("other.crt", certificate("ed25519"))
    (place.path / "link.pem").symlink_to("mail.pem")
    os.mkfifo(place.path / "fifo", 0o600)
    text = f'[keys.mail]\npeers = ["user:root"]\n{lines}\n'
    done = place.check(text)
    assert done.returncode == status
    first = done.stderr.splitlines()[0]
    line = 3 + lines.count("\n")
    assert first.startswith(f"kit: error: {place.path / 'agent.toml'}:{line}: keys.mail.{name}: ")
    assert message in first
    assert done.stdout.splitlines()[1].startswith("mail ")
    records = place.records(text)
    assert [record["type"] for record in records] == ["error", "key"]


def test_the_status_is_that_of_the_first_error(place: Place) -> None:
    place.save("open.pem", pem("ed25519"), 0o644)
    one, other = '[keys.a]\nfile = "@/open.pem"\n', '[keys.b]\nfile = "@/no.pem"\n'
    assert place.check(one + other).returncode == 77
    assert place.check(other + one).returncode == 69


def test_a_key_in_two_files_is_one_key(place: Place) -> None:
    place.save("copy.pem", pem("p-256"))
    done = place.check(MAIL + MAIL.replace("mail", "copy"))
    assert done.returncode == 2
    assert done.stderr == (
        f"kit: error: {place.path}/agent.toml:5: keys.copy.file:"
        f" the key in '{place.path}/copy.pem' is keys.mail, too\n"
    )


@pytest.mark.parametrize("kind", samples.KINDS)
def test_no_secret_comes_out(place: Place, kind: str) -> None:
    place.save("mail.pem", pem(kind))
    shown = "".join(place.check(MAIL, *options).stdout for options in ((), ("--json",)))
    assert samples.public_key(kind).fingerprint in shown
    body = b"".join(pem(kind).splitlines()[1:-1])
    for form in (body.decode(), base64.b64decode(body).hex()):
        assert not any(form[at : at + 24] in shown for at in range(len(form) // 3, len(form) - 24, 8))


def test_a_configuration_that_is_not_there_is_unavailable(place: Place) -> None:
    done = run("check-config", str(place.path / "no.toml"))
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.startswith(
        f"kit: error: there is no configuration '{place.path}/no.toml'\nkit: hint: "
    )


def test_a_configuration_that_others_may_write_is_refused(place: Place) -> None:
    path = place.configure(MAIL)
    Path(path).chmod(0o664)
    done = run("check-config", path)
    assert done.returncode == 77
    assert "(mode 0664)" in done.stderr


@pytest.mark.skipif(Path("/etc/kit/agent.toml").exists(), reason="this system has a configuration")
def test_without_a_file_the_usual_one_is_checked() -> None:
    done = run("check-config")
    assert done.returncode == 69
    assert "'/etc/kit/agent.toml'" in done.stderr


def owned(place: Place, uid: int, gid: int, mode: int) -> str:
    """What is said of a key file with this owner, by root, for an agent of www-data."""
    path = place.save("www.pem", pem("ed25519"), mode)
    os.chown(path, uid, gid)
    text = '[agent]\nuser = "www-data"\n[keys.a]\nfile = "@/www.pem"\npeers = ["user:www-data"]\n'
    done = place.check(text)
    return f"{done.returncode} {done.stderr}"


@as_root
def test_the_rules_for_owners_are_those_of_the_configured_user(place: Place) -> None:
    assert owned(place, 0, 0, 0o600) == "0 "
    assert owned(place, WWW_DATA, WWW_DATA, 0o600) == "0 "
    assert "0 kit: note: " in owned(place, 0, WWW_DATA, 0o640)
    assert "the agent's group can read" in owned(place, 0, WWW_DATA, 0o640)
    assert owned(place, 0, 0, 0o640).startswith("77 ")
    assert owned(place, WWW_DATA, WWW_DATA, 0o640).startswith("77 ")
    assert owned(place, 65534, 0, 0o600).startswith("77 ")


# Imported first: the plain user may have no way to where this Python lies.
_AS_NOBODY = """
import os, sys
import kit.agent.config.checking
import kit.cli.agent.group
from kit.cli.main import root
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
sys.exit(root.main(sys.argv[1:]))
"""


@as_root
def test_a_plain_user_is_told_what_he_may_not_read(place: Place) -> None:
    for directory in (place.path, *place.path.parents[:2]):
        directory.chmod(0o755)
    command = [sys.executable, "-c", _AS_NOBODY, "agent", "check-config", place.configure(MAIL)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 77
    assert f"no permission to read the key file '{place.path}/mail.pem'" in done.stderr
