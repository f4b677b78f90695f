"""Whole sessions with `kit agent`: what a user types, what he sees, how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from kit.agent.handle import decode
from kit.agent.pkcs11_uri import encode, named
from kit.agent.public import describe
from tests.agent import samples
from tests.peers import find
from tests.system.agents import KIT, Agent, alive, await_end, running_agent


@pytest.fixture
def agent(lent: Agent) -> Agent:
    return lent


def key_file(directory: Path, name: str, passphrase: bytes = b"") -> Path:
    """A P-256 key in a file, encrypted if there is a passphrase."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    key = ec.generate_private_key(ec.SECP256R1())
    path = directory / name
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    path.chmod(0o600)
    return path


def says(done: subprocess.CompletedProcess[str], status: int, *words: str) -> bool:
    """It ended with the status, and standard error is kit's own words, these among them."""
    lines = done.stderr.splitlines()
    assert done.returncode == status, done.stderr
    assert lines and all(line.startswith("kit: ") for line in lines), done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    return True


# Starting and stopping.


def test_the_shell_can_evaluate_what_start_prints(home: Path) -> None:
    script = 'eval "$($KIT agent start)" && test "$SSH_AUTH_SOCK" = "$KIT_AGENT_SOCK" && '
    script += "$KIT agent generate mail --type p-256 >/dev/null && $KIT agent list && $KIT agent stop"
    done = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "KIT": KIT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("mail  p-256  SHA256:")
    assert list((home / "run" / "kit").iterdir()) == [], "nothing is left behind"


@pytest.mark.parametrize(("shell", "options"), [("/bin/tcsh", []), ("/bin/bash", ["-c"])])
def test_csh_gets_its_own_words(
    kit: Callable[..., subprocess.CompletedProcess[str]],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    shell: str,
    options: list[str],
) -> None:
    monkeypatch.setenv("SHELL", shell)
    done = kit("agent", "start", *options)
    path = f"{home}/run/kit/agent.sock"
    assert done.stdout == f"setenv KIT_AGENT_SOCK {path};\nsetenv SSH_AUTH_SOCK {path};\n", done.stderr
    assert kit("agent", "stop").returncode == 0


def test_a_key_given_at_the_start_is_there_from_the_first_moment(home: Path) -> None:
    files = [key_file(home, "a.pem"), key_file(home, "b.pem")]
    options = ["--key", f"a={files[0]}", "--key", f"b={files[1]}", "--allow", "tls-client"]
    with running_agent(home, *options, "--lifetime", "1h") as agent:
        keys = agent.keys()
    assert {name: key["purposes"] for name, key in keys.items()} == {"a": ["tls-client"], "b": ["tls-client"]}
    assert keys["a"]["expires_s"] - keys["a"]["added_s"] == 3600


def test_a_key_that_cannot_be_had_leaves_no_agent(home: Path) -> None:
    path = home / "agent.sock"
    command = [KIT, "agent", "start", "-s", path, "--key", "a=/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert says(done, 69, "cannot read '/nowhere': no such file or directory")
    assert done.stdout == ""
    assert not path.exists()


def test_a_second_agent_is_refused_and_the_first_lives_on(agent: Agent) -> None:
    done = agent.kit("start")
    assert says(done, 69, "another agent answers on", agent.socket)
    assert agent.ok("list") == ""


def test_a_dead_agent_s_socket_is_no_obstacle(home: Path) -> None:
    with running_agent(home) as first:
        os.kill(first.pid, signal.SIGKILL)
        await_end(first.pid)
        assert says(first.kit("list"), 69, f"no agent answers on {first.socket!r}", "kit agent start")
        with running_agent(home) as second:
            assert second.socket == first.socket
            assert second.ok("list") == ""


def test_without_an_agent_the_hint_says_how_to_start_one(
    kit: Callable[..., subprocess.CompletedProcess[str]], home: Path
) -> None:
    for command in (["list"], ["status"], ["stop"], ["remove", "--all"], ["lock", "--passphrase-fd", "0"]):
        done = kit("agent", *command)
        assert says(done, 69, "no agent answers on", "kit: hint: start one with 'kit agent start'")


def test_development_mode_has_nothing_to_remark(home: Path) -> None:
    path = key_file(home, "a.pem", b"right")
    script = f"$KIT agent add a={path} --passphrase-fd 0 && $KIT agent csr a --dns a && $KIT agent list"
    done = subprocess.run(
        [KIT, "agent", "start", "--", "sh", "-c", script],
        env={**os.environ, "KIT": KIT, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "default"},
        input="right\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_status_tells_each_measure(agent: Agent) -> None:
    fields = json.loads(agent.ok("status", "--json"))
    assert (fields["pid"], fields["socket"], fields["locked"]) == (agent.pid, agent.socket, False)
    states = {measure["measure"]: measure["state"] for measure in fields["measures"]}
    assert states["not dumpable"] == states["no new privileges"] == states["no core dumps"] == "applied"
    text = agent.ok("status")
    assert all(measure["measure"] in text for measure in fields["measures"])


def test_stopping_ends_the_process_and_frees_the_socket(agent: Agent) -> None:
    agent.ok("stop")
    await_end(agent.pid)
    assert not Path(agent.socket).exists()
    assert says(agent.kit("stop"), 69, "no agent answers on")


# Around a command.


def around(home: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KIT, "agent", "start", "--", *command],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=home,
    )


def test_a_command_finds_the_agent_and_its_status_is_kept(home: Path) -> None:
    done = around(home, "sh", "-c", f'{KIT} agent status --json; echo "$SSH_AUTH_SOCK"; exit 7')
    status, path = done.stdout.splitlines()
    assert (done.returncode, json.loads(status)["socket"]) == (7, path)
    await_end(json.loads(status)["pid"])
    assert not Path(path).parent.exists(), "its directory is gone as well"


def test_an_agent_around_a_command_leaves_another_one_alone(agent: Agent) -> None:
    done = agent.run(KIT, "agent", "start", "--", "sh", "-c", 'echo "$KIT_AGENT_SOCK"')
    assert done.returncode == 0
    assert done.stdout.strip() != agent.socket
    assert agent.ok("list") == ""


@pytest.mark.parametrize(
    ("command", "status"), [("kill -TERM $$", 143), ("exit 0", 0), ("kill -KILL $$", 137)]
)
def test_a_command_that_a_signal_ends_gives_128_and_its_number(home: Path, command: str, status: int) -> None:
    assert around(home, "sh", "-c", command).returncode == status


def test_a_command_that_is_not_there_is_unavailable(home: Path) -> None:
    assert says(around(home, "no-such-command"), 69, "no command 'no-such-command'")
    (home / "file").write_text("")
    assert says(around(home, "./file"), 77, "no permission to run './file'")
    (home / "file").write_text("#!/no/such/interpreter\n")
    (home / "file").chmod(0o700)
    assert says(around(home, "./file"), 69, "cannot run './file': no such file or directory")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_the_command(home: Path, number: signal.Signals) -> None:
    trap = f"trap 'echo trapped; exit 9' {number.name.removeprefix('SIG')}; echo ready"
    script = f"{trap}; while :; do sleep 0.05; done"
    command = [KIT, "agent", "start", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == "trapped\n"
        assert process.wait(20) == 9


# In the foreground.


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_in_the_foreground_a_signal_ends_it_in_order(home: Path, number: signal.Signals, status: int) -> None:
    command = [KIT, "agent", "start", "--foreground", "--json", "--key", f"a={key_file(home, 'a.pem')}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        started = json.loads(process.stdout.readline())
        assert alive(started["pid"])
        process.send_signal(number)
        assert process.wait(20) == status
        assert "Traceback" not in process.stderr.read()
    await_end(started["pid"])
    assert not Path(started["socket"]).exists()


def test_in_the_foreground_stop_ends_it_as_well(
    kit: Callable[..., subprocess.CompletedProcess[str]], home: Path
) -> None:
    command = [KIT, "agent", "start", "--foreground"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("KIT_AGENT_SOCK=")
        assert kit("agent", "stop").returncode == 0
        assert process.wait(20) == 0


def test_the_log_goes_where_it_is_told(home: Path) -> None:
    with running_agent(home, "--log", str(home / "log")) as agent:
        agent.ok("generate", "web", "--type", "p-256", "--allow", "tls-server")
        assert agent.kit("selfsign", "web", "--dns", "web.example").returncode == 1
    log = (home / "log").read_text()
    assert "self-signed" in log, "a refusal stands in the log and names the purpose"


# Adding.


def test_a_key_from_a_file_may_do_what_a_server_needs(agent: Agent) -> None:
    path = key_file(agent.directory, "mail.pem")
    shown = agent.ok("add", f"mail={path}")
    key = agent.keys()["mail"]
    assert shown == f"{key['fingerprint']} mail (p-256)\n"
    assert (key["kind"], key["purposes"], key["expires_s"]) == ("p-256", ["tls-server", "csr"], None)


def test_purposes_are_those_that_there_are(agent: Agent) -> None:
    path = key_file(agent.directory, "mail.pem")
    done = agent.kit("add", f"mail={path}", "--allow", "tls-server,mail")
    assert says(done, 2, "no purpose 'mail'", "kit: hint: the purposes are")
    agent.ok("add", f"mail={path}", "--allow", "csr,tls-client")
    assert agent.keys()["mail"]["purposes"] == ["tls-client", "csr"]


def test_a_passphrase_comes_by_descriptor_a_line_each(agent: Agent) -> None:
    one, two = key_file(agent.directory, "1.pem", b"first"), key_file(agent.directory, "2.pem", b"second")
    done = agent.kit("add", f"1={one}", f"2={two}", "--passphrase-fd", "0", stdin="first\nsecond\n")
    assert done.returncode == 0, done.stderr
    assert set(agent.keys()) == {"1", "2"}


def test_a_wrong_passphrase_adds_nothing(agent: Agent) -> None:
    path = key_file(agent.directory, "mail.pem", b"right")
    done = agent.kit("add", f"mail={path}", "--passphrase-fd", "0", stdin="wrong\n")
    assert says(done, 1, f"the passphrase does not open {str(path)!r}")
    assert "wrong" not in done.stderr
    assert agent.keys() == {}


def test_a_passphrase_cannot_be_asked_without_a_terminal(agent: Agent) -> None:
    path = key_file(agent.directory, "mail.pem", b"right")
    command = [KIT, "agent", "add", f"mail={path}"]
    done = subprocess.run(
        command,
        env=agent.environment,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        check=False,
    )
    assert says(done, 2, "there is no terminal to ask for", "--passphrase-fd")


@pytest.mark.parametrize(
    ("argument", "status", "words"),
    [
        ("mail", 2, "'mail' is not of the form NAME=PEM"),
        ("=x.pem", 2, "is not of the form NAME=PEM"),
        ("mail=nowhere.pem", 69, "cannot read 'nowhere.pem': no such file or directory"),
        ("mail=.", 2, "no private key from '.': it is no regular file"),
        ("mail=garbage.pem", 2, "no private key from 'garbage.pem': it is neither PEM nor DER"),
        ("mail=small.pem", 2, "an RSA key of 1024 bits"),
        ("mail=strange.pem", 2, "a key that is neither RSA, ECDSA"),
    ],
)
def test_what_cannot_be_added_says_why(agent: Agent, argument: str, status: int, words: str) -> None:
    (agent.directory / "garbage.pem").write_bytes(os.urandom(2000).replace(b"-", b"").replace(b"0", b""))
    keys = {
        "small.pem": rsa.generate_private_key(65537, 1024),  # noqa: S505 - to be refused
        "strange.pem": ec.generate_private_key(ec.BrainpoolP256R1()),
    }
    for name, key in keys.items():
        data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (agent.directory / name).write_bytes(data)
        (agent.directory / name).chmod(0o600)
    (agent.directory / "garbage.pem").chmod(0o600)
    assert says(agent.kit("add", argument), status, words)
    assert agent.keys() == {}


def test_a_file_that_others_read_is_remarked(agent: Agent) -> None:
    path = key_file(agent.directory, "mail.pem")
    path.chmod(0o644)
    done = agent.kit("add", f"mail={path}")
    assert says(done, 0, "kit: note: others than you can read", "(mode 0644)")


def test_a_lifetime_ends(agent: Agent, wait_until: Callable[..., None]) -> None:
    agent.ok("generate", "short", "--type", "ed25519", "--lifetime", "1s")
    wait_until(lambda: agent.keys() == {}, "the end of the lifetime")
    for wrong in ("", "0", "8x", "h", "-1s", "99999999999"):
        done = agent.kit("generate", "x", "--type", "ed25519", "--lifetime", wrong)
        assert says(done, 2, "is no time like 90s, 30m, 8h or 1h30m")


# Keys: making, naming, removing.


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rsa-2048", rsa.RSAPublicKey),
        ("rsa-3072", rsa.RSAPublicKey),
        ("p-256", ec.EllipticCurvePublicKey),
        ("p-384", ec.EllipticCurvePublicKey),
        ("p-521", ec.EllipticCurvePublicKey),
        ("ed25519", ed25519.Ed25519PublicKey),
    ],
)
def test_a_key_is_made_and_its_public_half_shown(agent: Agent, kind: str, expected: type) -> None:
    agent.ok("generate", "new", "--type", kind)
    key = load_pem_public_key(agent.ok("public", "new").encode())
    assert isinstance(key, expected)
    line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert agent.ok("public", "new", "--format", "ssh") == f"{line} new\n"
    assert agent.keys()["new"]["purposes"] == ["tls-server", "csr", "self-signed"]


@pytest.mark.parametrize("kind", samples.ML_DSA)
def test_an_ml_dsa_key_is_made_added_and_shown_and_is_none_of_ssh_s(agent: Agent, kind: str) -> None:
    agent.ok("generate", "new", "--type", kind)
    key = load_pem_public_key(agent.ok("public", "new").encode())
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    path = agent.directory / "added.pem"
    path.write_bytes(
        samples.private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    path.chmod(0o600)
    assert samples.public_key(kind).fingerprint in agent.ok("add", f"added={path}")
    shown = agent.keys()
    assert shown["new"]["key_id"] == hashlib.sha256(spki).hexdigest()
    assert shown["new"]["fingerprint"] == describe(key).fingerprint
    assert agent.ok("public", shown["new"]["fingerprint"]) == agent.ok("public", "new")
    assert says(agent.kit("public", "new", "--format", "ssh"), 2, "SSH has no keys of this type")
    assert "no identities" in agent.run(find("ssh-add"), "-l").stdout
    refused = agent.kit("generate", "other", "--type", kind, "--allow", "ssh,csr")
    assert says(refused, 2, f"SSH has no keys of type {kind}")
    agent.ok("remove", "new")
    assert list(agent.keys()) == ["added"]


def test_a_type_that_there_is_not_names_those_that_there_are(agent: Agent) -> None:
    done = agent.kit("generate", "new", "--type", "rsa-1024")
    assert says(done, 2, "rsa-1024", "rsa-2048", "ed25519")


def test_a_name_is_unique_and_not_empty(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    path = key_file(agent.directory, "web.pem")
    assert says(agent.kit("generate", "web", "--type", "p-256"), 2, "another key is named 'web'")
    assert says(agent.kit("add", f"web={path}"), 2, "another key is named 'web'")
    assert says(agent.kit("generate", "", "--type", "p-256"), 2, "a key needs a name")
    assert says(agent.kit("generate", "x" * 300, "--type", "p-256"), 2, "more than 255 bytes")


def test_a_key_is_named_by_name_fingerprint_and_beginning_of_its_id(agent: Agent) -> None:
    agent.ok("generate", "new", "--type", "p-256")
    key = agent.keys()["new"]
    shown = {
        agent.ok("public", word) for word in ("new", key["fingerprint"], key["key_id"], key["key_id"][:6])
    }
    assert len(shown) == 1
    assert says(agent.kit("public", "old"), 69, "the agent holds no key 'old'", "kit: hint: it holds new")


@pytest.mark.parametrize(
    "name", ["two words", "schlüssel", "-x", "a=b", "🔑", "../../etc", "tab\there", "\x1b[2Jx"]
)
def test_odd_names_are_names(agent: Agent, name: str) -> None:
    agent.ok("generate", "--type", "p-256", "--", name)
    assert list(agent.keys()) == [name]
    assert agent.ok("public", "--", name).startswith("-----BEGIN PUBLIC KEY-----")
    for text in (agent.ok("list"), agent.ok("handle", "--", name)):
        assert "\x1b" not in text
    agent.ok("remove", "--", name)
    assert agent.keys() == {}


def test_keys_are_removed_by_name_or_all_at_once(agent: Agent) -> None:
    for name in ("a", "b", "c"):
        agent.ok("generate", name, "--type", "ed25519")
    agent.ok("remove", "a")
    assert set(agent.keys()) == {"b", "c"}
    assert says(agent.kit("remove"), 2, "which keys?", "--all")
    assert says(agent.kit("remove", "b", "--all"), 2, "which keys?")
    assert says(agent.kit("remove", "b", "nobody"), 69, "no key 'nobody'")
    assert set(agent.keys()) == {"b", "c"}, "all or none"
    agent.ok("remove", "--all")
    assert agent.keys() == {}


def test_a_locked_agent_shows_nothing_until_it_is_unlocked(agent: Agent) -> None:
    agent.ok("generate", "new", "--type", "p-256")
    assert says(agent.kit("unlock", "--passphrase-fd", "0", stdin="x\n"), 1, "the agent is not locked")
    assert says(agent.kit("lock", "--passphrase-fd", "0", stdin="\n"), 2, "an empty passphrase")
    assert agent.kit("lock", "--passphrase-fd", "0", stdin="sesame\n").returncode == 0
    for command in (["list"], ["public", "new"], ["remove", "--all"], ["generate", "x", "--type", "p-256"]):
        assert says(agent.kit(*command), 77, "locked", "kit agent unlock")
    assert json.loads(agent.ok("status", "--json"))["locked"] is True
    assert says(agent.kit("lock", "--passphrase-fd", "0", stdin="x\n"), 1, "locked already")
    assert says(agent.kit("unlock", "--passphrase-fd", "0", stdin="wrong\n"), 1, "does not unlock")
    assert agent.kit("unlock", "--passphrase-fd", "0", stdin="sesame\n").returncode == 0
    assert set(agent.keys()) == {"new"}


# Files: handles, requests, certificates.


def test_a_handle_names_the_key_and_where_it_is(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    path = agent.directory / "web.handle"
    assert agent.ok("handle", "web", "-o", path) == ""
    handle = decode(path.read_bytes())
    assert handle
    assert (handle.key_name, handle.socket_path) == ("web", agent.socket)
    public = load_pem_public_key(agent.ok("public", "web").encode())
    assert handle.spki == public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    anywhere = decode(agent.ok("handle", "web", "--any-agent").encode())
    assert anywhere
    assert anywhere.socket_path == ""


def test_a_pkcs11_handle_names_the_key_by_its_uri(agent: Agent) -> None:
    agent.ok("generate", "mail 1;x", "--type", "rsa-2048")
    text = agent.ok("handle", "mail 1;x", "--format", "pkcs11-uri")
    assert text == encode(named("mail 1;x"))
    assert text.startswith("-----BEGIN PKCS#11 PROVIDER URI-----\n")


def test_a_pkcs11_handle_is_refused_where_it_would_not_work(agent: Agent) -> None:
    agent.ok("generate", "login", "--type", "ed25519")
    agent.ok("generate", "web", "--type", "p-256")
    assert says(agent.kit("handle", "login", "--format", "pkcs11-uri"), 2, "'login' is of type ed25519")
    both = agent.kit("handle", "web", "--format", "pkcs11-uri", "--any-agent")
    assert says(both, 2, "a PKCS#11 URI names no agent", "leave --any-agent out")


@pytest.mark.parametrize("kind", ["rsa-2048", "p-384", "ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"])
def test_a_request_and_a_certificate_are_signed_by_the_agent(agent: Agent, kind: str) -> None:
    agent.ok("generate", "web", "--type", kind)
    public = load_pem_public_key(agent.ok("public", "web").encode())
    names = ["--subject", "CN=web.example,O=Example", "--dns", "web.example", "--ip", "127.0.0.1"]
    request = x509.load_pem_x509_csr(agent.ok("csr", "web", *names).encode())
    assert request.is_signature_valid
    assert request.public_key() == public
    path = agent.directory / "web.crt"
    agent.ok("selfsign", "web", "--dns", "web.example", "--days", "7", "-o", path)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    certificate.verify_directly_issued_by(certificate)
    assert certificate.public_key() == public
    assert agent.keys()["web"]["signed"] == 2


def test_a_refused_purpose_writes_nothing(agent: Agent) -> None:
    agent.ok("add", f"web={key_file(agent.directory, 'web.pem')}")
    path = agent.directory / "web.crt"
    path.write_text("older\n")
    done = agent.kit("selfsign", "web", "--dns", "web.example", "-o", path)
    assert says(done, 1, "refused", "self-signed")
    assert path.read_text() == "older\n"
    assert sorted(p.name for p in agent.directory.glob("*web*")) == ["web.crt", "web.pem"]
    assert agent.keys()["web"]["refused"] == 1


def test_a_file_that_cannot_be_written_is_told_and_the_old_one_kept(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    assert says(agent.kit("handle", "web", "-o", "/dev/full"), 69, "no space left on device")
    assert says(agent.kit("handle", "web", "-o", "nowhere/file"), 69, "cannot write 'nowhere/file'")
    assert says(agent.kit("handle", "web", "-o", "."), 69, "cannot write '.': is a directory")
    with Path("/dev/full").open("w") as full:
        command = [KIT, "agent", "handle", "web"]
        done = subprocess.run(
            command, env=agent.environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert says(done, 69, "no space left")


def test_a_file_is_replaced_at_once_and_a_link_followed(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    real, link = agent.directory / "real", agent.directory / "link"
    real.write_text("older\n")
    link.symlink_to(real)
    before = real.stat().st_ino
    agent.ok("handle", "web", "-o", link)
    assert link.is_symlink()
    assert decode(real.read_bytes())
    assert real.stat().st_ino != before, "it was written beside, then renamed"


def test_names_that_are_none_are_usage_errors(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    assert says(agent.kit("csr", "web"), 2, "a certificate needs a name", "--subject")
    assert says(agent.kit("csr", "web", "--subject", "web"), 2, "'web' is no subject")
    assert says(agent.kit("csr", "web", "--ip", "1.2.3"), 2, "'1.2.3' is no IP address")
    assert says(agent.kit("selfsign", "web", "--dns", "x", "--days", "0"), 2, "for 0 days")


def test_a_reader_that_goes_away_is_no_error(agent: Agent) -> None:
    agent.ok("generate", "web", "--type", "p-256")
    for command in (["list"], ["list", "--json"], ["public", "web"], ["status"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [KIT, "agent", *command],
            env=agent.environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, "")
