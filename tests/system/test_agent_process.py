"""The agent's processes: how they start, what they keep to themselves, how they end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.agent.client import AgentClient
from kit.agent.errors import AgentUnavailable
from kit.agent.forms import key_id
from kit.agent.launch import Options, Running, start_agent
from kit.core.errors import KitError, NotPermitted, Unavailable
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.family import family, field, left

Wait = Callable[..., None]
NOBODY = 65534


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Running]:
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull) as running:
        yield running


def test_its_socket_is_for_its_user_only(agent: Running) -> None:
    assert Path(agent.socket_path).stat().st_mode & 0o777 == 0o600


def test_its_directory_is_made_private(short_tmp: Path) -> None:
    with start_agent(f"{short_tmp}/sub/agent.sock", log_path=os.devnull):
        assert (short_tmp / "sub").stat().st_mode & 0o777 == 0o700


def test_it_starts_in_no_directory_that_others_reach_into(short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    with pytest.raises(NotPermitted, match="0755"):
        start_agent(f"{short_tmp}/agent.sock")
    assert not list(short_tmp.iterdir())


def test_it_is_not_dumpable_dumps_no_core_and_gains_no_privileges(agent: Running) -> None:
    for pid in family(agent.socket_path).everybody:
        assert Path(f"/proc/{pid}/maps").stat().st_uid == 0
        cores = Path(f"/proc/{pid}/limits").read_text().split("Max core file size")[1].split()
        assert cores[:2] == ["0", "0"]
        assert field(pid, "NoNewPrivs") == "1"


def test_each_of_its_processes_is_named_for_its_role(agent: Running) -> None:
    found = family(agent.socket_path)
    workers = [f"kit-worker-{index}" for index in range(len(found.workers))]
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in found.everybody]
    assert names == ["kit-supervisor", "kit-zygote", *workers]
    assert found.supervisor == agent.pid


def test_a_worker_serves_on_each_core_unless_told_otherwise(short_tmp: Path) -> None:
    for workers in (0, 1, 3):
        options = Options(workers=workers)
        with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull, options=options) as agent:
            expected = workers or len(os.sched_getaffinity(0))
            assert len(family(agent.socket_path).workers) == expected


def test_its_environment_and_arguments_are_bare(agent: Running) -> None:
    for pid in family(agent.socket_path).everybody:
        with contextlib.suppress(PermissionError):  # only root may look
            assert Path(f"/proc/{pid}/environ").read_bytes() == b""
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert arguments[1:4] == [b"-I", b"-m", b"kit.agent.processes.supervisor"]


def test_it_loads_little(agent: Running) -> None:
    code = """
import sys
import kit.agent.processes.supervisor
heavy = {"ssl", "_ssl", "asyncio", "click", "rich", "logging", "subprocess", "cryptography.x509"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_status_shows_each_measure(agent: Running) -> None:
    with AgentClient(agent.socket_path) as client:
        measures = {m.measure: m.state for m in client.status().measures}
    assert measures["not dumpable"] == measures["no new privileges"] == "applied"


# Without capabilities, and without their coming back at exec (SECBIT_NOROOT), root may do to his processes
# what a plain user may do to his: `sleep` is the control.
_ATTACK = """
import ctypes, errno, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
if os.geteuid() == 0:
    assert libc.prctl(28, 1, 0, 0, 0) == 0
assert libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()) == 0
from kit.agent.client import AgentClient
from kit.agent.launch import start_agent
with subprocess.Popen(["sleep", "60"]) as control:
    open(f"/proc/{control.pid}/mem", "rb").close()
    control.kill()
with start_agent(sys.argv[1]) as agent, AgentClient(agent.socket_path) as client:
    processes = client.status().processes
    assert len(processes) >= 3
    for process in processes:
        assert libc.ptrace(ctypes.c_long(16), process.pid, None, None) == -1, process.role + " can be traced"
        assert ctypes.get_errno() == errno.EPERM
        for name in ("mem", "maps", "environ"):
            try:
                open(f"/proc/{process.pid}/{name}", "rb").read(1)
            except PermissionError:
                continue
            sys.exit(f"{name} of the {process.role} can be read")
"""


def test_the_same_user_can_neither_trace_it_nor_read_its_memory(short_tmp: Path) -> None:
    path = f"{short_tmp}/agent.sock"
    done = subprocess.run(
        [sys.executable, "-c", _ATTACK, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_turned_away_even_if_the_files_let_him_in(agent: Running, short_tmp: Path) -> None:
    short_tmp.chmod(0o777)
    Path(agent.socket_path).chmod(0o666)
    child = os.fork()
    if not child:
        os.setresuid(NOBODY, NOBODY, NOBODY)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(agent.socket_path)
            os._exit(0 if _closed(peer) else 1)
    assert os.waitpid(child, 0)[1] == 0
    with AgentClient(agent.socket_path) as client:
        assert client.status().rejected == 1


def _closed(peer: socket.socket) -> bool:
    try:
        peer.sendall(b"\0\0\0\1\x0b")
        return peer.recv(1) == b""
    except (BrokenPipeError, ConnectionResetError):
        return True


def test_a_second_agent_on_a_live_socket_is_refused(agent: Running) -> None:
    with pytest.raises(Unavailable, match="another agent"):
        start_agent(agent.socket_path)
    with AgentClient(agent.socket_path) as client:
        assert client.status().pid == agent.pid


def test_of_many_that_start_at_once_one_wins(short_tmp: Path) -> None:
    path, won, lost = f"{short_tmp}/agent.sock", [], []

    def start() -> None:
        try:
            won.append(start_agent(path, log_path=os.devnull))
        except KitError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(won) == 1
    assert len(lost) == 4
    with won[0] as agent, AgentClient(path) as client:
        assert client.status().pid == agent.pid


def test_a_live_socket_of_another_program_is_left_alone(short_tmp: Path) -> None:
    path = f"{short_tmp}/agent.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with pytest.raises(Unavailable, match="another agent"):
            start_agent(path)
    assert Path(path).is_socket()


def test_a_file_in_the_sockets_place_is_left_alone(short_tmp: Path) -> None:
    path = short_tmp / "agent.sock"
    path.write_text("mine")
    with pytest.raises(NotPermitted, match="not a socket"):
        start_agent(str(path))
    assert path.read_text() == "mine"


def test_what_a_killed_agent_leaves_the_next_one_cleans(short_tmp: Path, wait_until: Wait) -> None:
    path = f"{short_tmp}/agent.sock"
    with start_agent(path, log_path=os.devnull) as killed:
        everybody = family(path).everybody
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        wait_until(lambda: not left(everybody), "the end of those with keys")
        assert Path(path).is_socket()
        with start_agent(path, log_path=os.devnull), AgentClient(path) as client:
            assert client.status().keys == 0
    assert not list(short_tmp.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(short_tmp: Path, number: int) -> None:
    agent = start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull)
    everybody = family(agent.socket_path).everybody
    os.kill(agent.pid, number)
    assert agent.wait() == 0
    assert not left(everybody)
    assert not list(short_tmp.iterdir())
    agent.stop()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
def test_a_lost_terminal_or_reader_does_not_end_it(agent: Running, number: int) -> None:
    os.kill(agent.pid, number)
    with AgentClient(agent.socket_path) as client:
        assert client.status().pid == agent.pid


def test_sigterm_under_load_finishes_what_is_in_flight(short_tmp: Path) -> None:
    agent = start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull)
    with AgentClient(agent.socket_path) as client:
        key = client.generate("web", "rsa-2048")
    begun, failures = threading.Barrier(5), []

    def sign() -> None:
        with AgentClient(agent.socket_path) as own:
            own.status()
            begun.wait(20)
            try:
                while True:
                    signature = own.sign(key_id(key.spki), 0x0804, TLS_1_3_HEAD + bytes(32))
                    if len(signature) != 256:
                        failures.append("a short signature")
            except AgentUnavailable:
                return

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(20)
    os.kill(agent.pid, signal.SIGTERM)
    assert agent.wait() == 0
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert not list(short_tmp.iterdir())
    agent.stop()


def test_it_ends_with_the_program_that_started_it(short_tmp: Path, wait_until: Wait) -> None:
    path = f"{short_tmp}/agent.sock"
    code = (
        "import os, signal\nfrom kit.agent.launch import start_agent\n"
        "from kit.agent.client import AgentClient\n"
        f"agent = start_agent({path!r}, log_path={os.devnull!r})\n"
        "print(*(p.pid for p in AgentClient(agent.socket_path).status().processes), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    everybody = [int(word) for word in done.stdout.split()]
    assert len(everybody) >= 3
    wait_until(lambda: not left(everybody), "the end of all its processes")
    wait_until(lambda: not list(short_tmp.iterdir()), "a clean directory")


def test_in_the_background_it_outlives_the_program_that_started_it(short_tmp: Path) -> None:
    path = f"{short_tmp}/agent.sock"
    code = f"from kit.agent.launch import start_agent; print(start_agent({path!r}, detach=True).pid)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    pid = int(done.stdout)
    with AgentClient(path) as client:
        assert client.status().pid == pid
        assert os.getsid(pid) != os.getsid(0)
        client.stop()


def test_an_agent_whose_keys_cannot_be_loaded_does_not_stay(short_tmp: Path) -> None:
    def fail(_client: AgentClient) -> None:
        raise Unavailable("no such file")

    for detach in (False, True):
        with pytest.raises(Unavailable, match="no such file"):
            start_agent(f"{short_tmp}/agent.sock", detach=detach, prepare=fail, log_path=os.devnull)
        assert not list(short_tmp.iterdir())


def test_the_log_tells_what_happened_and_no_content(short_tmp: Path) -> None:
    log = short_tmp / "log"
    with start_agent(f"{short_tmp}/agent.sock", log_path=str(log)) as agent:
        with AgentClient(agent.socket_path) as client:
            key = client.generate("a\nkey", "p-256")
            with pytest.raises(KitError):
                client.sign(key_id(key.spki), 0x0403, b"the content")
            client.remove(key_id(key.spki))
    lines = log.read_text().splitlines()
    assert [line.split()[2] for line in lines] == ["start", "generate", "refuse", "remove", "stop"]
    assert "the content" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_fault_of_its_own_dumps_no_core(short_tmp: Path) -> None:
    with start_agent(f"{short_tmp}/agent.sock", log_path=os.devnull) as agent:
        os.kill(agent.pid, signal.SIGSEGV)
        ended = os.waitid(os.P_PID, agent.pid, os.WEXITED | os.WNOWAIT)
        assert ended
        assert (ended.si_code, ended.si_status) == (os.CLD_KILLED, signal.SIGSEGV)
