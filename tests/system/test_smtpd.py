"""OpenSMTPD with its keys in the agent: the distribution's binary, real sessions, the memory of all of it.

Debian 13 has the smtpd that can do it. Debian 12's cannot serve TLS under OpenSSL 3, whoever has its keys:
what it does instead is held here, too.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from kit.agent.client import AgentClient
from kit.tls.memscan import ENOUGH, snapshot
from tests.peers import find, needs, only_on_debian
from tests.system.agents import KIT
from tests.system.mail_servers import KINDS, USER, Mail, Server
from tests.system.needles import traces_of_each
from tests.system.probe_servers import needs_root

Wait = Callable[[Callable[[], bool]], None]
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_PATIENCE_S = 20.0
_NAMES = {"rsa": "rsa-2048", "ec": "p-256", "smtps": "rsa-2048"}

since_7_3 = only_on_debian(13, "its smtpd can sign under OpenSSL 3, as those since 7.3 can")
before_7_3 = only_on_debian(12, "its smtpd cannot sign under OpenSSL 3")


@pytest.fixture
def mail(short_tmp: Path, wait_until: Wait) -> Mail:
    needs("smtpd")
    needs_root()
    return Mail(short_tmp, wait_until)


@pytest.fixture
def scene(mail: Mail) -> Iterator[tuple[Mail, Server]]:
    """smtpd and the agent that has its keys."""
    with mail.agent(), mail.by_kit() as server:
        yield mail, server


def _context(tls: str = "") -> ssl.SSLContext:
    """Of a client that looks at the certificate itself: the samples' are self-signed for another name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls:
        context.minimum_version = context.maximum_version = VERSIONS[tls]
    return context


def _session(server: Server, listener: str, tls: str = "") -> smtplib.SMTP:
    """A session under TLS; its handshake verifies the signature by the certificate's key."""
    port = server.ports[listener]
    if listener == "smtps":
        return smtplib.SMTP_SSL("127.0.0.1", port, timeout=_PATIENCE_S, context=_context(tls))
    session = smtplib.SMTP("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        session.starttls(context=_context(tls))
    except BaseException:
        session.close()
        raise
    return session


def _spki(session: smtplib.SMTP) -> bytes:
    from tests.agent.samples import describe

    assert isinstance(session.sock, ssl.SSLSocket)
    shown = session.sock.getpeercert(binary_form=True)
    assert shown
    return describe(x509.load_der_x509_certificate(shown).public_key()).spki


def _works(server: Server, listener: str = "ec") -> bool:
    try:
        with _session(server, listener):
            return True
    except (OSError, smtplib.SMTPException):
        return False


def _counts(mail: Mail) -> dict[str, tuple[int, int]]:
    with AgentClient(mail.socket) as client:
        return {key.key_name: (key.signed, key.refused) for key in client.list_keys()}


@since_7_3
def test_starttls_and_smtps_with_rsa_and_ecdsa_in_both_protocols(scene: tuple[Mail, Server]) -> None:
    mail, server = scene
    from tests.agent.samples import public_key

    for listener, kind in _NAMES.items():
        for tls in VERSIONS:
            with _session(server, listener, tls) as session:
                assert isinstance(session.sock, ssl.SSLSocket)
                assert session.sock.version() == tls
                assert _spki(session) == public_key(kind).spki
    assert _counts(mail) == {"rsa.test": (4, 0), "ec.test": (2, 0)}
    lines = [line for line in server.text().splitlines() if " smtp tls ciphers=" in line]
    assert Counter(line.split("ciphers=")[1].split(":")[0] for line in lines) == {"TLSv1.2": 3, "TLSv1.3": 3}


@since_7_3
def test_rsa_with_pkcs1_is_signed_as_a_digest(scene: tuple[Mail, Server]) -> None:
    mail, server = scene
    command = ["s_client", "-tls1_2", "-sigalgs", "RSA+SHA256", "-starttls", "smtp", "-connect"]
    done = subprocess.run(
        [find("openssl"), *command, f"127.0.0.1:{server.ports['rsa']}"],
        input="QUIT\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Peer signature type: RSA" in done.stdout or "rsa_pkcs1_sha256" in done.stdout, done.stdout
    assert _counts(mail)["rsa.test"] == (1, 0)


@since_7_3
def test_mail_is_delivered(scene: tuple[Mail, Server]) -> None:
    mail, server = scene
    for listener in _NAMES:
        with _session(server, listener) as session:
            text = f"Subject: by {listener}\r\n\r\nThe key is elsewhere.\r\n"
            session.sendmail("a@sender.test", ["box@mail.test"], text)
    delivered = mail.here / "mail"
    mail.wait_until(lambda: delivered.read_text().count("The key is elsewhere.") == len(_NAMES))


@since_7_3
def test_an_agents_restart_costs_handshakes_only_while_it_is_away(mail: Mail) -> None:
    with mail.agent() as agent:
        with mail.by_kit() as server:
            with _session(server, "ec") as before:
                agent.terminate()
                mail.wait_until(lambda: not _works(server))
                assert before.noop()[0] == 250  # a session goes on without the agent
                with smtplib.SMTP("127.0.0.1", server.ports["rsa"], timeout=_PATIENCE_S) as plain:
                    assert plain.noop()[0] == 250
                assert "warn: kit: no signature with SHA256:" in server.text()
                processes = server.processes()
                with mail.agent():
                    assert all(_works(server, listener) for listener in _NAMES)
                    assert before.noop()[0] == 250
                assert server.processes() == processes


@since_7_3
def test_an_agent_that_hangs_holds_nobody_up_for_long(mail: Mail) -> None:
    with mail.agent(), mail.by_kit() as server:
        assert _works(server)
        with AgentClient(mail.socket) as client:
            stopped = [process.pid for process in client.status().processes]
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        try:
            assert not _works(server)
            with smtplib.SMTP("127.0.0.1", server.ports["rsa"], timeout=_PATIENCE_S) as plain:
                assert plain.noop()[0] == 250
        finally:
            for each in reversed(stopped):
                os.kill(each, signal.SIGCONT)
        mail.wait_until(lambda: _works(server))


@since_7_3
def test_a_key_that_allows_no_digest_costs_handshakes_and_nothing_else(mail: Mail) -> None:
    command = [KIT, "agent", "start", "--config", mail.agent_configuration('["tls-server"]')]
    subprocess.run(command, check=True, capture_output=True)
    try:
        with mail.by_kit() as server:
            assert not _works(server, "ec")
            assert not _works(server, "rsa")
            assert "(tls-digest), and the key may sign tls-server only" in server.text()
            assert _counts(mail) == {"rsa.test": (0, 1), "ec.test": (0, 1)}
            with smtplib.SMTP("127.0.0.1", server.ports["rsa"], timeout=_PATIENCE_S) as plain:
                assert plain.noop()[0] == 250
    finally:
        subprocess.run([KIT, "agent", "stop", "--socket", mail.socket], check=True)


def _traces(mail: Mail, server: Server) -> dict[str, set[str]]:
    """By process: of which keys something stands in its memory."""
    found: dict[str, set[str]] = {}
    for name, pid in server.processes().items():
        copy = snapshot(pid)
        assert copy.read >= ENOUGH * copy.wanted
        found[name] = {key for key, traces in traces_of_each(mail.keys, copy).items() if traces}
    return found


@since_7_3
def test_no_process_of_smtpd_holds_a_key_that_the_agent_has_and_the_genuine_one_does(mail: Mail) -> None:
    with mail.agent(), mail.by_kit() as ours, mail.genuine() as theirs:
        for server in (ours, theirs):
            assert all(_works(server, listener) for listener in _NAMES)
        genuine, kits = _traces(mail, theirs), _traces(mail, ours)
    assert genuine["ca"] == set(KINDS), "this proves nothing"
    assert genuine["lka"] == set(KINDS), "its lookup process should have the PEM text"
    assert len(genuine) == 7
    assert kits == {name: set() for name in genuine}


@since_7_3
def test_the_bridge_has_given_up_everything(scene: tuple[Mail, Server]) -> None:
    import pwd

    _, server = scene
    text = Path(f"/proc/{server.processes()['ca']}/status").read_text()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in text.splitlines())}
    assert status["Name"] == ["kit-smtpd-ca"]
    assert status["Uid"] == [str(pwd.getpwnam(USER).pw_uid)] * 4
    assert status["Groups"] == []
    assert {int(status[f"Cap{each}"][0], 16) for each in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])


@since_7_3
def test_it_serves_with_the_systems_log_too(mail: Mail) -> None:
    """As a service manager runs it: in the foreground, with the system log."""
    with mail.agent(), mail.by_kit(debug=False) as server:
        assert all(_works(server, listener) for listener in _NAMES)


def _check(mail: Mail, configuration: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    command = [KIT, "agent", "smtpd", "--check", "--json", "--socket", mail.socket, *options]
    done = subprocess.run(
        [*command, "--", find("smtpd"), "-f", configuration],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def _written(mail: Mail, keys: dict[str, str]) -> Path:
    path = mail.here / "check.conf"
    lines = [
        f'pki {name}.test cert "{mail.here}/{name}.crt"\npki {name}.test key "{key}"\n'
        for name, key in keys.items()
    ]
    path.write_text("".join(lines) + "listen on lo\naction a relay\nmatch from any for any action a\n")
    return path


@since_7_3
def test_a_check_tells_that_all_is_ready(mail: Mail) -> None:
    dummy = mail.here / "dummy.key"
    subprocess.run([KIT, "agent", "smtpd", "--make-dummy", dummy], check=True)
    with mail.agent():
        status, (about, *pkis) = _check(mail, _written(mail, dict.fromkeys(KINDS, str(dummy))))
    assert about["problems"] == []
    assert about["version"].startswith("OpenSMTPD 7.")
    assert about["user"] == USER
    assert [(each["name"], each["key"], each["kind"], each["ready"]) for each in pkis] == [
        (f"{name}.test", f"{name}.test", kind, True) for name, kind in KINDS.items()
    ]
    assert status == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('["tls-digest"]', '["tls-server"]'), "the key signs no digests"),
        ((f'peers = ["user:{USER}"]', 'peers = ["uid:4711"]'), f"smtpd's user {USER} may not use the key"),
        (("", ""), "holds the key itself, which smtpd still reads"),
    ],
)
def test_a_check_tells_what_is_missing(mail: Mail, change: tuple[str, str], told: str) -> None:
    dummy = mail.here / "dummy.key"
    subprocess.run([KIT, "agent", "smtpd", "--make-dummy", dummy], check=True)
    keys = dict.fromkeys(KINDS, str(dummy))
    config = mail.agent_configuration()
    if change[0]:
        text = config.read_text()
        assert change[0] in text
        config.write_text(text.replace(*change))
    else:
        keys["rsa"] = f"{mail.here}/rsa.key"
    subprocess.run([KIT, "agent", "start", "--config", config], check=True, capture_output=True)
    try:
        status, (_, *pkis) = _check(mail, _written(mail, keys))
    finally:
        subprocess.run([KIT, "agent", "stop", "--socket", mail.socket], check=True)
    assert told in pkis[0]["problem"]
    assert status == 1


def test_a_check_without_an_agent_or_a_certificate_tells_so(mail: Mail) -> None:
    empty = mail.here / "empty.conf"
    empty.write_text("listen on lo\n")
    status, (about,) = _check(mail, empty)
    assert status == 1
    assert any("no agent answers" in problem for problem in about["problems"])
    assert any("names no certificate" in problem for problem in about["problems"])


def test_people_get_a_table_and_the_drop_in(mail: Mail) -> None:
    dummy = mail.here / "dummy.key"
    subprocess.run([KIT, "agent", "smtpd", "--make-dummy", dummy], check=True)
    configuration = _written(mail, dict.fromkeys(KINDS, str(dummy)))
    with mail.agent():
        command = [KIT, "agent", "smtpd", "--check", "--socket", mail.socket, "--", find("smtpd"), "-f"]
        done = subprocess.run(
            [*command, configuration], capture_output=True, text=True, timeout=60, check=False
        )
    assert "rsa.test" in done.stdout
    start = f"ExecStart={KIT} agent smtpd --socket {mail.socket} -- {find('smtpd')} -f {configuration}"
    assert done.stdout.splitlines()[-2:] == ["ExecStart=", start]


def test_a_dummy_replaces_nothing_and_is_for_root_alone(short_tmp: Path) -> None:
    path = short_tmp / "dummy.key"
    command = [KIT, "agent", "smtpd", "--make-dummy", path]
    subprocess.run(command, check=True)
    made = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"-----BEGIN PRIVATE KEY-----" in made
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "there is something at" in again.stderr
    assert path.read_bytes() == made


def test_smtpd_is_not_started_with_what_it_does_not_take(short_tmp: Path) -> None:
    for words, told in (
        (("no-such-smtpd",), "there is no program 'no-such-smtpd'"),
        (("/bin/true", "--foreground"), "smtpd would not take this"),
        (("/bin/true", "-x", "ca"), "'-x' is for smtpd's own use"),
        (("/bin/true", *["-v"] * 40), "at most 29"),
    ):
        done = subprocess.run(
            [KIT, "agent", "smtpd", "--", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert told in done.stderr


def test_the_stand_in_is_for_smtpd_alone() -> None:
    program = Path(KIT).with_name("kit-smtpd")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "kit-smtpd is started by smtpd" in done.stderr


@before_7_3
def test_debian_12s_smtpd_starts_with_the_bridge_and_never_asks_it(mail: Mail) -> None:
    """Its TLS fails under OpenSSL 3 before anybody is asked for a signature; mail without TLS goes on."""
    with mail.agent(), mail.by_kit() as server:
        for listener in _NAMES:
            assert not _works(server, listener)
        with smtplib.SMTP("127.0.0.1", server.ports["rsa"], timeout=_PATIENCE_S) as plain:
            plain.sendmail("a@sender.test", ["box@mail.test"], "Subject: plain\r\n\r\nIt goes on.\r\n")
        mail.wait_until(lambda: "It goes on." in (mail.here / "mail").read_text())
        assert "kit: keys of the agent on" in server.text()
        assert "no signature" not in server.text()
        assert _counts(mail) == {"rsa.test": (0, 0), "ec.test": (0, 0)}


@before_7_3
def test_a_check_of_debian_12s_smtpd_says_that_it_makes_no_handshake(mail: Mail) -> None:
    with mail.agent():
        status, (about, *_) = _check(mail, _written(mail, {}))
    assert status == 1
    assert any("makes no TLS handshake under OpenSSL 3" in problem for problem in about["problems"])
