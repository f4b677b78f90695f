"""Who connected, by the kernel's word, through real sockets."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kit.agent.processes import identity
from kit.agent.processes.identity import identify
from tests.peers import forbidden

ROOT = os.geteuid() == 0


@contextmanager
def client_of(
    path: Path, become: Callable[[], None] = lambda: None
) -> Iterator[tuple[socket.socket, int, int]]:
    """An accepted connection of a child, its pid, and what to write to for its end."""
    path.parent.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o666)
        listening.listen()
        leave, told = os.pipe()
        child = os.fork()
        if not child:
            os.close(told)
            become()
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(path))
                os.read(leave, 1)
            os._exit(0)
        os.close(leave)
        accepted, _ = listening.accept()
        with accepted:
            try:
                yield accepted, child, told
            finally:
                os.close(told)
                with suppress(ChildProcessError):
                    os.waitpid(child, 0)


def test_this_process_is_itself(short_tmp: Path) -> None:
    with client_of(short_tmp / "s") as (accepted, child, _):
        peer = identify(accepted)
    assert (peer.uid, peer.gid, peer.pid) == (os.geteuid(), os.getegid(), child)
    assert peer.groups == frozenset(os.getgroups())
    assert peer.name == Path("/proc/self/comm").read_text().strip()


@pytest.mark.skipif(not ROOT, reason="only root can become other users")
@pytest.mark.parametrize("groups", [(), (7,), tuple(range(100, 350))], ids=len)
def test_another_user_is_who_he_was_when_he_connected(short_tmp: Path, groups: tuple[int, ...]) -> None:
    def become() -> None:
        os.setgroups(groups)
        os.setresgid(5001, 5001, 5001)
        os.setresuid(5002, 5002, 5002)

    with client_of(short_tmp / "s", become) as (accepted, child, _):
        peer = identify(accepted)
    assert (peer.uid, peer.gid, peer.pid, peer.groups) == (5002, 5001, child, frozenset(groups))


@pytest.mark.skipif(not ROOT, reason="only root can have other groups")
def test_of_more_groups_than_can_be_read_none_counts(short_tmp: Path) -> None:
    with client_of(short_tmp / "s", lambda: os.setgroups(range(100, 500))) as (accepted, _, _):
        assert identify(accepted).groups == frozenset()


def test_a_process_that_ended_has_no_name(short_tmp: Path) -> None:
    with client_of(short_tmp / "s") as (accepted, child, told):
        os.write(told, b"x")
        os.waitpid(child, 0)
        peer = identify(accepted)
    assert (peer.pid, peer.name) == (child, "")


def test_a_pid_that_was_given_to_another_process_names_nobody(short_tmp: Path) -> None:
    """The kernel's watch of the one who connected tells that he ended, whoever has his number now."""
    with client_of(short_tmp / "s") as (accepted, child, told):
        watch = identity._pidfd(accepted)
        if watch is None:
            forbidden("to watch a peer's process (SO_PEERPIDFD)")
        os.close(watch or 0)
        os.write(told, b"x")
        os.waitpid(child, 0)
        assert identity._name(accepted, os.getpid()) == "", "this process has a name, and is not the one"


def test_a_name_is_cut_and_taken_as_it_is(short_tmp: Path) -> None:
    def become() -> None:
        Path("/proc/self/comm").write_bytes(b"\xff\n\x1b[31m" + b"x" * 40)

    with client_of(short_tmp / "s", become) as (accepted, _, _):
        name = identify(accepted).name
    assert name.startswith("\N{REPLACEMENT CHARACTER}\n\x1b[31m")
    assert len(name) == 15


def test_the_record_of_the_kernel_is_read_as_unix_7_has_it() -> None:
    one, two = socket.socketpair()
    with one, two:
        raw = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert struct.unpack("iII", raw) == (os.getpid(), os.geteuid(), os.getegid())
        assert identify(two).pid == os.getpid()
