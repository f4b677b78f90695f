"""The audit log has no room: on a full disk, on /dev/full, and then there is room again.

Without --audit-strict the agent goes on, keeps the lines, and writes them when it can. With it, no signature
leaves the agent without its line in the log.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from kit.agent.launch import Options, start_agent
from kit.core.errors import Unavailable
from tests.peers import forbidden, needs
from tests.system.family import await_that, family, whole
from tests.system.signers import CONTENT, ECDSA_P256

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
# 64 KiB are some 340 lines.
MANY = 600


class Disk:
    """A very small one."""

    def __init__(self, place: Path) -> None:
        needs("mount", "umount")
        self.log = place / "audit"
        self._place = place
        place.mkdir(mode=0o700)
        if not self._mount("size=64k,mode=0700"):
            forbidden("mounting a file system")

    def grow(self) -> None:
        assert self._mount("remount,size=16m")

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(self._place)]
        return not subprocess.run(command, capture_output=True, check=False).returncode

    def lines(self) -> list[dict[str, Any]]:
        """Whole lines, each of them JSON; the last one may be half written."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def signatures(self) -> int:
        return sum(line["event"] == "sign" and line["result"] == "done" for line in self.lines())


@pytest.fixture
def disk(short_tmp: Path) -> Iterator[Disk]:
    place = short_tmp / "disk"
    made = Disk(place)
    yield made
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def _agent(directory: Path, audit: str, *, strict: bool) -> Iterator[AgentClient]:
    options = Options(user="root", audit=audit, audit_strict=strict, workers=2)
    with (
        start_agent(f"{directory}/agent.sock", log_path=f"{directory}/log", options=options) as running,
        AgentClient(running.socket_path, timeout_s=20) as client,
    ):
        client.generate("web", "p-256", ("tls-server",))
        yield client


def _sign(client: AgentClient, wanted: bytes) -> None:
    assert len(client.sign(wanted, ECDSA_P256, CONTENT)) > 60


def test_on_a_full_disk_the_agent_goes_on_and_the_lines_come_later(short_tmp: Path, disk: Disk) -> None:
    with _agent(short_tmp, str(disk.log), strict=False) as client:
        processes = family(client.socket_path)
        wanted = key_id(client.find("web").spki)
        for _ in range(MANY):
            _sign(client, wanted)
        await_that(lambda: "cannot be written" in client.status().audit, "that status says so")
        assert disk.signatures() < MANY
        disk.grow()
        await_that(lambda: disk.signatures() == MANY, f"{MANY} lines")
        await_that(lambda: "cannot" not in client.status().audit, "that status says so")
        _sign(client, wanted)
        await_that(lambda: disk.signatures() == MANY + 1, "the next line")
        assert family(client.socket_path) == processes


def test_a_strict_agent_makes_no_signature_without_its_line(short_tmp: Path, disk: Disk) -> None:
    with _agent(short_tmp, str(disk.log), strict=True) as client:
        processes = family(client.socket_path)
        wanted = key_id(client.find("web").spki)
        made = 0
        with pytest.raises(Unavailable, match="the audit log cannot be written"):
            while made < 10 * MANY:
                _sign(client, wanted)
                made += 1
        assert 0 < made <= disk.signatures()
        for _ in range(20):
            with pytest.raises(Unavailable, match="the audit log cannot be written"):
                _sign(client, wanted)
        assert made <= disk.signatures() <= made + 1
        assert "cannot be written" in client.status().audit
        disk.grow()
        await_that(lambda: "cannot" not in client.status().audit, "that the log works")
        _sign(client, wanted)
        assert disk.signatures() >= made + 1
        assert family(client.socket_path) == processes


def test_a_worker_that_begins_while_the_disk_is_full_refuses_at_once(short_tmp: Path, disk: Disk) -> None:
    with _agent(short_tmp, str(disk.log), strict=True) as client:
        wanted = key_id(client.find("web").spki)
        with pytest.raises(Unavailable, match="the audit log cannot be written"):
            for _ in range(10 * MANY):
                _sign(client, wanted)
        old = family(client.socket_path).workers
        for pid in old:
            os.kill(pid, signal.SIGKILL)
            whole(client.socket_path, len(old), without=pid)
        assert not set(old) & set(family(client.socket_path).workers)
        with AgentClient(client.socket_path, timeout_s=20) as another:
            with pytest.raises(Unavailable, match="the audit log cannot be written"):
                _sign(another, wanted)
            disk.grow()
            await_that(lambda: "cannot" not in another.status().audit, "that the log works")
            _sign(another, wanted)


_TO_STANDARD_OUTPUT = """
import sys
from kit.agent.launch import Options, start_agent
options = Options(user="root", audit="stdout", audit_strict=sys.argv[2] == "strict")
with start_agent(sys.argv[1], log_path="/dev/null", options=options):
    print("ready", file=sys.stderr, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("mode", ["strict", "usual"])
def test_a_standard_output_that_takes_nothing_is_like_a_full_disk(short_tmp: Path, mode: str) -> None:
    path = f"{short_tmp}/agent.sock"
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(
            [sys.executable, "-c", _TO_STANDARD_OUTPUT, path, mode],
            stdin=subprocess.PIPE,
            stdout=full,
            stderr=subprocess.PIPE,
        ) as program,
    ):
        assert program.stdin
        assert program.stderr
        assert program.stderr.readline() == b"ready\n"
        with AgentClient(path, timeout_s=20) as client:
            wanted = key_id(client.generate("web", "p-256", ("tls-server",)).spki)
            await_that(lambda: "cannot be written" in client.status().audit, "that status says so")
            if mode == "strict":
                with pytest.raises(Unavailable, match="the audit log cannot be written"):
                    _sign(client, wanted)
            else:
                _sign(client, wanted)
        program.stdin.close()
