"""kit agent metrics, on a real agent with two workers."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_fd_to_metric_families

from kit.agent.client import AgentClient
from kit.agent.errors import KeyRefused
from kit.agent.forms import key_id
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.agents import KIT, Agent, running_agent
from tests.system.stranger import ask_as_stranger
from tests.system.terminal import at_terminal

CONTENT = TLS_1_3_HEAD + bytes(32)
ECDSA_P256_SHA256 = 0x0403
Wait = Callable[..., None]
Series = dict[tuple[str, str], float]


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Agent]:
    with running_agent(short_tmp, "--workers", "2") as agent:
        yield agent


def parsed(text: str) -> Series:
    """Samples by their name and labels; the parser refuses what is no OpenMetrics text."""
    families = text_fd_to_metric_families(io.StringIO(text, newline="\n"))
    samples = [sample for family in families for sample in family.samples]
    return {
        (s.name.removeprefix("kit_agent_"), json.dumps(s.labels, sort_keys=True)): s.value for s in samples
    }


def metrics(agent: Agent) -> Series:
    return parsed(agent.ok("metrics"))


def of(series: Series, name: str, **labels: str) -> float:
    return series[name, json.dumps(labels, sort_keys=True)]


def key_of(agent: Agent, name: str, kind: str = "p-256", *purposes: str, lifetime_s: int = 0) -> bytes:
    with AgentClient(agent.socket) as client:
        return key_id(client.generate(name, kind, purposes, lifetime_s).spki)


def labels_of(agent: Agent, name: str) -> dict[str, str]:
    """What tells the key's samples apart."""
    with AgentClient(agent.socket) as client:
        record = client.find(name)
    return {"key": name, "key_id": key_id(record.spki).hex()[:16], "kind": record.kind}


def sign(client: AgentClient, key: bytes, times: int) -> None:
    for _ in range(times):
        client.sign(key, ECDSA_P256_SHA256, CONTENT, "tls-server")


def worker_of(client: AgentClient) -> int:
    """The process that serves this client, whose last connection it is that this process has."""
    mine = [peer for peer in client.peers() if peer.pid == os.getpid()]
    status = client.status()
    workers = [process.pid for process in status.processes if process.role == "worker"]
    return workers[max(mine, key=lambda peer: peer.operations).worker]


def test_operations_add_up_over_the_workers_and_outlive_one(agent: Agent, wait_until: Wait) -> None:
    key = key_of(agent, "web")
    labels = labels_of(agent, "web")
    with AgentClient(agent.socket) as one, AgentClient(agent.socket) as other:
        # The next one goes where there are the fewest, and the end of a connection is seen a moment later.
        wait_until(lambda: one.status().connections == 1, "the end of earlier connections")
        other.status()
        sign(one, key, 30)
        sign(other, key, 12)
        assert {(peer.worker, peer.operations) for peer in one.peers()} in (
            {(0, 30), (1, 12)},
            {(1, 30), (0, 12)},
        )
        series = metrics(agent)
        assert of(series, "operations_total", **labels, operation="sign") == 42
        assert of(series, "operation_duration_seconds_count", **labels) == 42
        assert of(series, "operation_duration_seconds_bucket", **labels, le="+Inf") == 42
        assert 42 * 10e-6 < of(series, "operation_duration_seconds_sum", **labels) < 42
        assert (of(series, "workers"), of(series, "worker_restarts_total")) == (2, 0)
        assert of(series, "connections") == 3

        os.kill(worker_of(one), signal.SIGKILL)
        wait_until(lambda: of(metrics(agent), "worker_restarts_total") == 1, "the restart")
        sign(one, key, 5)
        sign(other, key, 5)
    series = metrics(agent)
    assert of(series, "operations_total", **labels, operation="sign") == 52
    assert of(series, "operation_duration_seconds_count", **labels) == 52
    assert (of(series, "workers"), of(series, "worker_restarts_total")) == (2, 1)


def test_refusals_decryptions_and_the_state_are_told(agent: Agent) -> None:
    key = key_of(agent, "web", "p-256", "csr", lifetime_s=3600)
    rsa = key_of(agent, "old", "rsa-2048", "decrypt")
    with AgentClient(agent.socket) as client:
        for _ in range(3):
            with pytest.raises(KeyRefused):
                client.sign(key, ECDSA_P256_SHA256, CONTENT, "tls-server")
        client.decrypt(rsa, b"\1" * 256)
        expires_s, started_s = client.find("web").expires_s, client.status().started_s
    series, labels = metrics(agent), labels_of(agent, "web")
    assert of(series, "refusals_total", **labels) == 3
    assert of(series, "operations_total", **labels, operation="sign") == 0
    assert of(series, "key_expiry_timestamp_seconds", **labels) == expires_s
    assert of(series, "operations_total", **labels_of(agent, "old"), operation="decrypt") == 1
    assert of(series, "start_time_seconds") == started_s
    assert (of(series, "keys"), of(series, "locked"), of(series, "audit_failing")) == (2, 0, 0)
    assert of(series, "connections_accepted_total") > 3


def test_a_locked_agent_shows_how_many_keys_it_has(agent: Agent) -> None:
    key_of(agent, "web")
    assert agent.kit("lock", "--passphrase-fd", "0", stdin="sesame\n").returncode == 0
    text = agent.ok("metrics")
    assert (of(parsed(text), "keys"), of(parsed(text), "locked")) == (1, 1)
    assert "web" not in text


def test_an_audit_log_that_cannot_be_written_is_told_as_long_as_it_is_so(
    short_tmp: Path, wait_until: Wait
) -> None:
    with running_agent(short_tmp, "--audit", str(short_tmp / "audit.log")) as agent:
        key = key_of(agent, "web")
        limits = resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        with AgentClient(agent.socket) as client:
            sign(client, key, 1)
        wait_until(lambda: of(metrics(agent), "audit_failing") == 1, "the failure")
        resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, limits)
        wait_until(lambda: of(metrics(agent), "audit_failing") == 0, "its end")
        assert of(metrics(agent), "audit_lost_lines_total") == 0


def test_json_says_the_same(agent: Agent) -> None:
    key_of(agent, "web")
    records = [json.loads(line) for line in agent.ok("metrics", "--json").splitlines()]
    assert all(record.keys() == {"metric", "type", "labels", "value"} for record in records)
    # The first command's connection may still be there, or not any more, when the second one asks.
    changing = ("kit_agent_connections", "kit_agent_connections_accepted_total")
    fixed = [r for r in records if r["metric"] not in changing]
    series = metrics(agent)
    assert all(of(series, r["metric"].removeprefix("kit_agent_"), **r["labels"]) == r["value"] for r in fixed)
    assert len(series) == len(records)


def test_whoever_reads_the_file_meanwhile_sees_it_whole(agent: Agent) -> None:
    for number in range(20):
        key_of(agent, f"key {number}", "ed25519")
    path, done, seen = agent.directory / "kit.prom", threading.Event(), set[str]()
    agent.ok("metrics", "--output", path)

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text()[-6:])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            agent.ok("metrics", "-o", path)
    finally:
        done.set()
        reader.join()
    assert seen == {"# EOF\n"}
    assert of(parsed(path.read_text()), "keys") == 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    assert [file.name for file in agent.directory.iterdir() if "kit.prom" in file.name] == ["kit.prom"]


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_without_an_agent_the_file_stays_as_it_was(short_tmp: Path) -> None:
    path = short_tmp / "kit.prom"
    path.write_text("before")
    command = [KIT, "agent", "metrics", "-s", f"{short_tmp}/no.sock", "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.startswith("kit: error: no agent answers on ")
    assert path.read_text() == "before"


def test_a_terminal_does_not_obey_the_name_of_a_key(agent: Agent) -> None:
    name = 'a\x1b[2J\x9b"b'
    key_of(agent, name, "ed25519")
    assert of(metrics(agent), "refusals_total", **labels_of(agent, name)) == 0
    with at_terminal([KIT, "agent", "metrics"], {**agent.environment, "TERM": "xterm"}) as terminal:
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen
    assert "\x9b" not in terminal.seen
    assert r'kit_agent_refusals_total{key="a\x1b[2J\x9b\"b",key_id=' in terminal.seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_whoever_may_only_use_a_key_is_told_so(short_tmp: Path) -> None:
    status, err = ask_as_stranger(short_tmp, "metrics")
    assert (status, err) == (77, "kit: error: only an administrator of the agent may ask for this\n")
