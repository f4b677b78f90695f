"""Whole commands: kit agent seal and kit agent open, with files, pipes and full disks; the sandbox is on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.peak import peak
from tests.system.agents import KIT, Agent, Lender, lending, running_agent
from tests.system.test_agent_commands import says

KEYS = {"new": "0123456789abcdef0123456789abcdef", "old": "f" * 32}
PLAIN = os.urandom(300_000)  # more than two pieces


def add(agent: Agent, name: str, line: str, *options: str) -> subprocess.CompletedProcess[str]:
    path = agent.directory / f"{name}.key"
    path.write_text(line)
    path.chmod(0o600)
    return agent.kit("add", f"{name}={path}", "--allow", "queue", *options)


@pytest.fixture(scope="module")
def lender() -> Iterator[Lender]:
    # Strict, so that a line of the log is there when its answer is.
    with lending("--sandbox", "strict", "--audit", "{}/audit.log", "--audit-strict") as lender:
        yield lender


@pytest.fixture
def agent(lender: Lender, home: Path) -> Iterator[Agent]:
    with lender.lend(home) as running:
        for name, line in KEYS.items():
            assert add(running, name, line + "\n").returncode == 0
        (home / "plain").write_bytes(PLAIN)
        (home / "sealed").write_bytes(sealed("old", PLAIN))
        yield running


def sealed(name: str, plaintext: bytes) -> bytes:
    iv = os.urandom(12)
    return b"\1" + iv + AESGCM(KEYS.get(name, "x" * 32).encode()).encrypt(iv, plaintext, None)


def opened(name: str, data: bytes) -> bytes:
    assert data[:1] == b"\1"
    return AESGCM(KEYS[name].encode()).decrypt(data[1:13], data[13:], None)


def piped(agent: Agent, *arguments: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    """`kit agent …` in a pipe."""
    return subprocess.run(
        [KIT, "agent", *arguments],
        input=data,
        capture_output=True,
        timeout=60,
        env=agent.environment,
        cwd=agent.directory,
        check=False,
    )


def left(agent: Agent) -> set[str]:
    """What lies in the directory beyond what the tests put there."""
    known = {"plain", "sealed", "run", "new.key", "old.key"}
    return {path.name for path in agent.directory.iterdir()} - known


def test_files_go_there_and_back(agent: Agent) -> None:
    agent.ok("seal", "plain", "--key", "new", "-o", "made")
    assert opened("new", (agent.directory / "made").read_bytes()) == PLAIN
    agent.ok("open", "made", "-o", "again")
    assert (agent.directory / "again").read_bytes() == PLAIN
    assert {(agent.directory / name).stat().st_mode & 0o777 for name in ("made", "again")} == {0o600}
    assert left(agent) == {"made", "again"}


def test_pipes_go_there_and_back(agent: Agent) -> None:
    made = piped(agent, "seal", "--key", "old", data=PLAIN)
    assert (made.returncode, made.stderr) == (0, b"")
    assert opened("old", made.stdout) == PLAIN
    again = piped(agent, "open", "-", data=made.stdout)
    assert (again.returncode, again.stdout, again.stderr) == (0, PLAIN, b"")
    assert left(agent) == set()


def test_more_keys_are_tried_than_fit_in_one_question(agent: Agent) -> None:
    for number in range(17):
        assert add(agent, f"k{number}", f"{number:032}").returncode == 0
    made = piped(agent, "seal", "--key", "k16", data=b"mail")
    assert piped(agent, "open", data=made.stdout).stdout == b"mail"
    done = piped(agent, "open", data=made.stdout[:-1])
    assert b"none of 19 keys fits" in done.stderr


def test_a_key_is_only_left_out_where_there_is_one(agent: Agent) -> None:
    assert says(agent.kit("seal", "plain"), 2, "2 keys could seal it", "say by --key which of 'new', 'old'")
    agent.ok("remove", "old")
    agent.ok("seal", "plain", "-o", "made")
    agent.ok("remove", "new")
    assert says(agent.kit("seal", "plain"), 69, "no key for queue files that you may use")
    assert says(agent.kit("open", "made"), 69, "no key for queue files that you may use")
    assert says(agent.kit("open", "made", "--key", "new"), 69, "holds no key 'new'")


def test_a_key_of_another_kind_is_refused(agent: Agent) -> None:
    agent.ok("generate", "signer", "--type", "p-256", "--allow", "any")
    for command in ("seal", "open"):
        assert says(agent.kit(command, "sealed", "--key", "signer"), 1, "type p-256", "no queue files")


BROKEN: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "empty": (lambda _: b"", 2, "it is empty"),
    "one byte": (lambda data: data[:1], 2, "it has 1 bytes, and an encrypted queue file has more than 29"),
    "29 bytes": (lambda data: data[:29], 2, "it has 29 bytes"),
    "an empty plaintext": (lambda _: sealed("old", b""), 2, "it has 29 bytes"),
    "another first byte": (lambda data: b"\x1f" + data[1:], 2, "it does not begin with the byte 01"),
    "text": (lambda _: b"From: alice\n" * 100, 2, "it is no encrypted queue file"),
    "cut off": (lambda data: data[:-1], 1, "none of 2 keys fits"),
    "longer": (lambda data: data + b"x", 1, "none of 2 keys fits"),
    "a flipped bit of the IV": (lambda data: flipped(data, 5), 1, "none of 2 keys fits"),
    "a flipped bit in the middle": (lambda data: flipped(data, 150_000), 1, "none of 2 keys fits"),
    "a flipped bit of the tag": (lambda data: flipped(data, -1), 1, "none of 2 keys fits"),
    "a foreign key": (lambda _: sealed("foreign", PLAIN), 1, "none of 2 keys fits"),
}


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_told_and_nothing_written(agent: Agent, what: str) -> None:
    change, status, why = BROKEN[what]
    broken, target = agent.directory / "sealed", agent.directory / "target"
    broken.write_bytes(change(broken.read_bytes()))
    target.write_text("as it was")
    done = agent.kit("open", "sealed", "-o", "target")
    assert says(done, status, "'sealed': ", why)
    assert target.read_text() == "as it was"
    assert left(agent) == {"target"}
    done = agent.kit("open", "sealed")
    assert (done.returncode, done.stdout) == (status, "")
    by_pipe = piped(agent, "open", data=broken.read_bytes())
    assert (by_pipe.returncode, by_pipe.stdout) == (status, b"")
    assert why.encode() in by_pipe.stderr


def test_nothing_cannot_be_sealed(agent: Agent) -> None:
    (agent.directory / "plain").write_bytes(b"")
    assert says(
        agent.kit("seal", "plain", "--key", "new", "-o", "made"), 2, "'plain': there is nothing to seal"
    )
    done = piped(agent, "seal", "--key", "new", data=b"")
    assert (done.returncode, done.stdout) == (2, b"")
    assert left(agent) == set()


@pytest.mark.parametrize("command", ["seal", "open"])
def test_what_exceeds_the_format_is_told_before_it_is_read(agent: Agent, command: str) -> None:
    with (agent.directory / "sealed").open("wb") as file:
        os.truncate(file.fileno(), 2**36 - 32 + (30 if command == "open" else 1))
    assert says(agent.kit(command, "sealed", "--key", "new", "-o", "made"), 2, "'sealed': it is too large")
    assert left(agent) == set()


@pytest.mark.parametrize("command", ["seal", "open"])
def test_files_that_are_not_there_are_told(agent: Agent, command: str) -> None:
    for file in ("nothing", "."):
        assert says(agent.kit(command, file, "--key", "old"), 69, f"cannot read '{file}'")
    done = agent.kit(command, "sealed", "--key", "old", "-o", "no/where")
    assert says(done, 69, "cannot write 'no/where': no such file")


@pytest.mark.parametrize("command", ["seal", "open"])
def test_a_full_disk_leaves_nothing(agent: Agent, command: str) -> None:
    """The limit on a file's size fails a write as a full disk does, in its middle."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [KIT, "agent", command, "sealed", "--key", "old", "-o", "made"],
        capture_output=True,
        text=True,
        timeout=60,
        env=agent.environment,
        cwd=agent.directory,
        preexec_fn=limit,
        check=False,
    )
    assert says(done, 69, "cannot write 'made': file too large")
    assert left(agent) == set()
    assert says(agent.kit(command, "sealed", "--key", "old", "-o", "/dev/full"), 69, "no space left")


@pytest.mark.parametrize("command", ["seal", "open"])
def test_a_reader_that_leaves_ends_the_command(agent: Agent, command: str) -> None:
    script = f"{KIT} agent {command} sealed --key old | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = agent.run("bash", "-c", script)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["seal", "open"])
def test_an_interrupt_leaves_nothing(
    agent: Agent, command: str, number: int, status: int, wait_until: Callable[..., None]
) -> None:
    os.mkfifo(agent.directory / "fifo")
    target = "made" if command == "seal" else "-"  # which reads the input first
    with subprocess.Popen(
        [KIT, "agent", command, "fifo", "--key", "old", "-o", target],
        stdout=subprocess.PIPE,
        env=agent.environment,
        cwd=agent.directory,
    ) as process:
        with (agent.directory / "fifo").open("wb", buffering=0) as fifo:
            fifo.write((agent.directory / "sealed").read_bytes()[:200_000])
            if command == "seal":
                wait_until(lambda: left(agent) != {"fifo"}, "a temporary file")
            process.send_signal(number)
            assert process.wait(20) == status
        assert process.stdout and process.stdout.read() == b""
    assert left(agent) == {"fifo"}


def test_a_file_that_changes_between_the_passages_is_not_published(agent: Agent) -> None:
    script = (
        "from kit.agent.client import AgentClient; from kit.agent.queue import passage;"
        "client = AgentClient(); source = open('sealed', 'r+b'); ids = [client.find('old').key_id];"
        "key = passage.find_key(client, ids, source);"
        "source.seek(20); source.write(b'changed'); source.flush();"
        "passage.open_with(client, key, source, lambda piece: None)"
    )
    done = agent.run(str(Path(KIT).parent / "python"), "-c", script)
    assert "it changed while it was opened" in done.stderr


def test_memory_does_not_grow_with_the_file(agent: Agent) -> None:
    """200 MB, through a pipe as well, in what a small one takes and some pieces more."""
    small, large = agent.directory / "plain", agent.directory / "large"
    with large.open("wb") as file:
        os.truncate(file.fileno(), 200_000_000)

    def peak_kib(*arguments: str) -> int:
        found, status = peak([KIT, "agent", *arguments], env=agent.environment, cwd=agent.directory)
        assert status == 0
        return found

    base = peak_kib("seal", str(small), "--key", "new", "-o", "small.sealed")
    assert peak_kib("seal", str(large), "--key", "new", "-o", "large.sealed") < base + 8 * 1024
    assert peak_kib("open", "large.sealed", "-o", "/dev/null") < base + 8 * 1024
    assert (agent.directory / "large.sealed").stat().st_size == 200_000_029


def test_an_agent_that_is_locked_meanwhile_ends_the_file(agent: Agent) -> None:
    assert agent.kit("lock", "--passphrase-fd", "0", stdin="secret\n").returncode == 0
    assert says(agent.kit("seal", "plain", "--key", "new", "-o", "made"), 77, "locked")
    assert says(agent.kit("open", "sealed", "-o", "made"), 77, "locked")
    assert left(agent) == set()


def test_each_file_is_a_line_of_the_audit_log(agent: Agent) -> None:
    agent.ok("seal", "plain", "--key", "new", "-o", "made")
    agent.ok("open", "made", "-o", "again")
    agent.ok("open", "sealed", "-o", "again")
    assert agent.kit("open", "plain").returncode == 2
    (agent.directory / "sealed").write_bytes(sealed("old", b"x")[:-1])
    (agent.directory / "sealed").write_bytes((agent.directory / "sealed").read_bytes() + b"y")
    assert agent.kit("open", "sealed").returncode == 1
    log = Path(agent.socket).with_name("audit.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    acts = [(line["event"], line["key"], line["result"]) for line in lines if line["purpose"] == "queue"]
    first = max(number for number, act in enumerate(acts) if act == ("add", "new", "done"))
    assert acts[first:] == [
        ("add", "new", "done"),
        ("add", "old", "done"),
        ("seal", "new", "done"),
        ("open", "new", "done"),
        ("open", "old", "done"),
        ("open", "", "failed"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "its line has 0 bytes, where 32 are a key"),
        ("0" * 31 + "\n", "its line has 31 bytes"),
        ("0" * 33, "its line has 33 bytes"),
        ("0" * 32 + "\r\n", "its line has 33 bytes"),
        ("0" * 31 + "\0", "it is not one line"),
        ("0" * 15 + "\n" + "0" * 16 + "\n", "it is not one line"),
        ("0" * 32 + "\n\n", "it is not one line"),
    ],
)
def test_a_key_file_holds_one_line_of_32_bytes(agent: Agent, line: str, why: str) -> None:
    assert says(add(agent, "bad", line), 2, "no private key from", why, "queue encryption")
    assert add(agent, "bad", "0" * 32).returncode == 0


def test_such_a_key_is_not_made_and_has_no_public_half(agent: Agent) -> None:
    done = agent.kit("generate", "bad", "--type", "p-256", "--allow", "queue")
    assert says(done, 2, "a key for queue files is not made in the agent")
    for command in (["public"], ["handle"], ["csr", "--dns", "x"], ["selfsign", "--dns", "x"]):
        assert says(agent.kit(*command, "new"), 2, "the key 'new' has no public half")
    record = agent.keys()["new"]
    assert (record["kind"], record["fingerprint"], record["purposes"]) == ("aes-256", None, ["queue"])
    assert agent.kit("list").stdout.splitlines()[1].split()[:4] == ["new", "aes-256", "-", "queue"]
    assert "no identities" in agent.run("ssh-add", "-l").stdout
    assert agent.kit("remove", record["key_id"][:8]).returncode == 0


def test_a_configured_key_is_loaded_and_checked(home: Path) -> None:
    key, configuration = home / "queue.key", home / "agent.toml"
    key.write_text(KEYS["new"] + "\n")
    key.chmod(0o600)
    rule = f'[keys.new]\nfile = "{key}"\npurposes = ["queue"]\npeers = ["uid:{os.geteuid()}"]\n'
    configuration.write_text(rule)
    with running_agent(home, "--config", str(configuration)) as agent:
        assert "aes-256" in agent.ok("check-config", configuration)
        made = piped(agent, "seal", data=b"mail")
        assert opened("new", made.stdout) == b"mail"
        key.write_text(KEYS["old"] + "\n")
        assert "loaded" in agent.ok("reload")
        assert opened("old", piped(agent, "seal", data=b"mail").stdout) == b"mail"
        key.write_text("too short\n")
        assert "the key stays as it was" in agent.kit("reload").stdout
        assert says(agent.kit("check-config", configuration), 2, "its line has 9 bytes")
