"""Attacks on a running agent by other processes of its user, which must fail.

The agent runs as root, as a user that root gave himself up for, and as a plain user from the start; the
intruder has the agent's uid and no capability. A process that does not defend itself is the control.
"""

from __future__ import annotations

import array
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.agent import extension, wire
from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.core.errors import EXIT_UNAVAILABLE
from kit.core.framing import frame
from tests.agent.samples import TLS_1_3_HEAD
from tests.peers import forbidden, needs
from tests.system.accounts import NOBODY, ROOT, run_as_nobody
from tests.system.family import Family, await_that, descriptors, family, field, left, state, whole
from tests.system.intruder import ATTEMPTS, NOT_IN_CONTROL, OWNERS_ONLY, as_user, successes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
CONTENT = TLS_1_3_HEAD + bytes(32)
WORKERS = 2


@dataclass(frozen=True)
class Scene:
    """An agent with a key, its processes, and the user that they run as."""

    socket: str
    uid: int

    @property
    def family(self) -> Family:
        return family(self.socket)


@contextlib.contextmanager
def _directory(owner: int = ROOT) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    os.chown(path, owner, owner)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def _of_root(user: str, uid: int) -> Iterator[Scene]:
    with _directory() as directory:
        options = Options(user=user, workers=WORKERS)
        with start_agent(f"{directory}/agent.sock", log_path=os.devnull, options=options) as running:
            yield Scene(running.socket_path, uid)


@contextlib.contextmanager
def _plain() -> Iterator[Scene]:
    with _directory(NOBODY) as directory:
        path = f"{directory}/agent.sock"
        start = [sys.executable, "-m", "kit", "agent", "start", "--socket", path, "--workers", str(WORKERS)]
        run_as_nobody(start, directory)
        pids = family(path).everybody
        try:
            yield Scene(path, NOBODY)
        finally:
            with AgentClient(path) as client:
                client.stop()
            await_that(lambda: not left(pids), "the end of every process")


_AGENTS = {
    "root's": lambda: _of_root("root", ROOT),
    "one that root started": lambda: _of_root("nobody", NOBODY),
    "a plain user's": _plain,
}


@pytest.fixture(scope="module", params=_AGENTS)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with _AGENTS[request.param]() as found:
        with AgentClient(found.socket) as client:
            client.generate("web", "p-256", ("tls-server",))
        yield found


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    """One that a test may harm."""
    log = str(short_tmp / "log")
    options = Options(user="nobody", workers=WORKERS)
    with start_agent(f"{short_tmp}/agent.sock", log_path=log, options=options) as running:
        yield running


def _signs(socket_path: str) -> bool:
    with AgentClient(socket_path) as client:
        return len(client.sign(key_id(client.find("web").spki), 0x0403, CONTENT)) > 60


def test_the_same_user_looks_into_none_of_its_processes(scene: Scene) -> None:
    processes = scene.family
    done = successes(scene.uid, processes.everybody)
    assert set(ATTEMPTS) - set(done[-1]) <= NOT_IN_CONTROL, "the control resists, so this proves nothing"
    allowed = OWNERS_ONLY if scene.uid == ROOT else set()
    assert {name: set(done[pid]) - allowed for name, pid in processes.named.items()} == {
        name: set() for name in processes.named
    }
    assert scene.family == processes
    assert _signs(scene.socket)


def test_each_process_runs_as_the_user_and_holds_no_root(scene: Scene) -> None:
    for pid in scene.family.everybody:
        assert {int(word) for name in ("Uid", "Gid") for word in field(pid, name).split()} == {scene.uid}
    for pid in scene.family.holders:
        assert int(field(pid, "CapPrm"), 16) == int(field(pid, "CapBnd"), 16) == 0


def test_the_environment_and_the_arguments_tell_nothing(scene: Scene) -> None:
    needs("ps")
    for pid in scene.family.everybody:
        assert Path(f"/proc/{pid}/environ").read_bytes() == b""
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert words[1:4] == [b"-I", b"-m", b"kit.agent.processes.supervisor"]
        assert words[4].isdigit()
        assert words[5:] == [b""]
        ps = subprocess.run(["ps", "-o", "args=", str(pid)], capture_output=True, text=True, check=True)
        assert ps.stdout.split()[1:] == [word.decode() for word in words[1:5]]


# What each descriptor is, by how it looks in /proc.
def _kinds(pid: int) -> Counter[str]:
    return Counter(target.split(":")[0] for number, target in descriptors(pid).items() if number > 2)


def _inodes(pid: int) -> set[str]:
    return {target for number, target in descriptors(pid).items() if number > 2 and ":[" in target} - {
        "anon_inode:[eventpoll]"
    }


def test_a_worker_has_its_own_channels_and_clients_open_and_nothing_else(scene: Scene) -> None:
    """Two channels, the loop, both ends of its wake pipe, the pipe for its audit records, that of the log."""
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            client = stack.enter_context(AgentClient(scene.socket))
            client.list_keys()

        def exact() -> bool:
            """Clients that left before are gone in a moment."""
            connections = {p.pid: p.connections for p in client.status().processes if p.role == "worker"}
            expected = {pid: {"socket": 2 + n, "anon_inode": 1, "pipe": 4} for pid, n in connections.items()}
            return {pid: _kinds(pid) for pid in connections} == expected

        await_that(exact, "exactly these descriptors", 3)


def test_the_zygote_has_a_channel_to_each_and_no_file(scene: Scene) -> None:
    expected = {"socket": 1 + WORKERS, "anon_inode": 1, "pipe": 4}
    assert _kinds(scene.family.zygote) == expected


def test_processes_have_no_more_than_the_pipe_of_the_log_in_common(scene: Scene) -> None:
    processes = scene.family
    log = _inodes(processes.zygote) & _inodes(processes.workers[0]) & _inodes(processes.workers[1])
    assert len(log) == 1
    holders = processes.holders
    for at, one in enumerate(holders):
        for other in holders[at + 1 :]:
            assert _inodes(one) & _inodes(other) == log

    def shared() -> list[str]:
        """The supervisor has the other ends of channels, and of each pipe: the same inode, to read from."""
        common = set().union(*map(_inodes, holders)) & _inodes(processes.supervisor)
        return [target for target in common if target.startswith("socket:")]

    # Its copy of a client is closed when that may have been answered already.
    await_that(lambda: not shared(), "the supervisor lets go of clients")


def test_nobody_with_a_key_has_the_listening_socket(scene: Scene) -> None:
    lines = Path("/proc/net/unix").read_text().splitlines()
    inodes = {line.split()[6] for line in lines if line.endswith(f" {scene.socket}")}
    assert len(inodes) > 0
    listening = {f"socket:[{inode}]" for inode in inodes}
    assert listening & _inodes(scene.family.supervisor)
    clients = sum(len(listening & _inodes(pid)) for pid in scene.family.workers)
    with AgentClient(scene.socket) as client:
        assert clients <= client.status().connections
    assert not listening & _inodes(scene.family.zygote)


def test_descriptors_and_credentials_that_a_client_sends_are_not_received(scene: Scene) -> None:
    question = bytes(frame(wire.extension_request("list@kit"), *extension.encode(extension.List())))
    processes = scene.family
    with socket.socket(socket.AF_UNIX) as client, Path(os.devnull).open() as file:
        client.connect(scene.socket)
        client.sendall(question)
        assert len(client.recv(65536)) > 100
        workers = processes.workers
        await_that(lambda: sum(_kinds(pid)["socket"] for pid in workers) == 2 * WORKERS + 1, "one client")
        before = {pid: _kinds(pid) for pid in processes.everybody}
        rights = array.array("i", [file.fileno()] * 250).tobytes()
        root = struct.pack("iII", os.getpid(), 0, 0)
        for part in (question[:3], question[3:9], question[9:]):
            client.sendmsg(
                [part],
                [
                    (socket.SOL_SOCKET, socket.SCM_RIGHTS, rights),
                    (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, root),
                ],
            )
        assert len(client.recv(65536)) > 100
        # The supervisor closes its copy of a client when that may have been answered already.
        assert {pid: _kinds(pid) - before[pid] for pid in before} == {pid: Counter() for pid in before}
        # And a reader of the list of clients is told who connected.
        with AgentClient(scene.socket) as other:
            assert {(peer.uid, peer.pid) for peer in other.peers()} == {(os.geteuid(), os.getpid())}


HARMLESS = (signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT)
DEADLY = (signal.SIGUSR1, signal.SIGALRM, signal.SIGABRT, signal.SIGSEGV)


def _signal(uid: int, pid: int, number: int) -> None:
    def send() -> str:
        os.kill(pid, number)
        return ""

    as_user(uid, send)


@pytest.mark.parametrize("number", HARMLESS, ids=lambda number: number.name)
def test_a_signal_that_means_nothing_changes_nothing(scene: Scene, number: int) -> None:
    processes = scene.family
    for pid in processes.everybody:
        _signal(scene.uid, pid, number)
    assert _signs(scene.socket)
    assert scene.family == processes


def test_a_signal_that_ends_a_worker_leads_to_a_new_one(agent: Running, short_tmp: Path) -> None:
    with AgentClient(agent.socket_path) as client:
        client.generate("web", "p-256", ("tls-server",))
    for number in DEADLY:
        victim = family(agent.socket_path).workers[0]
        _signal(NOBODY, victim, number)
        whole(agent.socket_path, WORKERS, without=victim)
        assert _signs(agent.socket_path)
    ended = [
        line.split()[-1] for line in (short_tmp / "log").read_text().splitlines() if "worker-ended" in line
    ]
    assert ended == [f"status=-{number.value}" for number in DEADLY]


@pytest.mark.parametrize("number", (signal.SIGUSR1, signal.SIGSEGV), ids=lambda number: number.name)
@pytest.mark.parametrize("role", ["zygote", "supervisor"])
def test_a_signal_that_ends_another_process_ends_all(agent: Running, role: str, number: int) -> None:
    processes = family(agent.socket_path)
    _signal(NOBODY, processes.named[role], number)
    await_that(lambda: not left(processes.everybody), "the end of every process", 5)
    agent.wait()


_DUMPING = ("prlimit", "--core=unlimited")


def _dumps_core(directory: Path) -> bool:
    """Does a process here that crashes leave its memory behind?"""
    child = subprocess.Popen([*_DUMPING, "sleep", "60"], cwd=directory)
    await_that(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "sleep\n", "sleep")
    child.send_signal(signal.SIGABRT)
    ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    child.wait()
    return bool(ended and ended.si_code == os.CLD_DUMPED)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV], ids=lambda number: number.name)
def test_no_process_that_crashes_leaves_its_memory_behind(short_tmp: Path, number: signal.Signals) -> None:
    places = (short_tmp / "control", short_tmp / "agent")
    for place in places:
        place.mkdir(mode=0o777)
    if not _dumps_core(places[0]):
        forbidden("core dumps")
    path, log = f"{short_tmp}/agent.sock", f"{short_tmp}/log"
    start = [*_DUMPING, sys.executable, "-m", "kit", "agent", "start", "--foreground"]
    start += ["--socket", path, "--log", log, "--workers", str(WORKERS)]
    with subprocess.Popen(start, cwd=places[1], stdout=subprocess.PIPE) as kit:
        try:
            assert kit.stdout
            assert kit.stdout.readline(), "it tells its address once it serves"
            processes = whole(path, WORKERS)
            os.kill(processes.workers[0], number)
            os.kill(whole(path, WORKERS, without=processes.workers[0]).zygote, number)
            assert kit.wait(20) == EXIT_UNAVAILABLE
        finally:
            kit.kill()
    assert f"status=-{number.value}" in Path(log).read_text()
    assert list(places[1].iterdir()) == []
    assert [
        left for left in Path("/").glob("core*") if left.stat().st_mtime > places[1].stat().st_mtime
    ] == []


def test_another_user_reaches_a_socket_for_all_and_nothing_behind_it(short_tmp: Path) -> None:
    """Nobody has a key here: the supervisor turns him away before a worker reads a byte."""
    short_tmp.chmod(0o755)
    config = short_tmp / "agent.toml"
    config.write_text('[agent]\nmode = "0666"\n')
    options = Options(user="root", config=str(config), workers=WORKERS)
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull, options=options) as running:
        processes = family(running.socket_path)
        assert as_user(NOBODY, lambda: _ask_for_a_list(running.socket_path)) == "b''"
        for pid in processes.holders:
            assert state(pid) in "SR"
        with AgentClient(running.socket_path) as client:
            assert client.status().rejected == 1
            assert client.status().malformed == 0


def _ask_for_a_list(socket_path: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(socket_path)
        try:
            client.sendall(b"\0\0\0\1\x0b")
            return repr(client.recv(1))
        except (BrokenPipeError, ConnectionResetError):
            return repr(b"")
