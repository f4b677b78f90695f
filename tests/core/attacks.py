"""What somebody who runs code in a confined process would try next, each try in a child of its own.

An attack raises OSError (or RuntimeError, from a thread that does not start) where the system says no, dies
of a signal where the filter ends it, and returns where it worked. `Scene` is what the process inherits, as
far as an agent would be careless enough to leave it something.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kit.core.sandbox.linux import call

_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_TIOCSTI = 0x5412
_NEW_USER = 0x10000000
_PTRACE_TRACEME, _PTRACE_SEIZE = 0, 0x4206
_PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Scene:
    """Outside: a parent and a bystander of the same user, and places to reach; inherited: descriptors."""

    parent: int
    bystander: int
    directory: Path
    listener: socket.socket = field(init=False)
    abstract: socket.socket = field(init=False)
    port: socket.socket = field(init=False)
    datagram: socket.socket = field(init=False)
    root: int = field(init=False)
    process: int = field(init=False)
    namespace: int = field(init=False)
    program: int = field(init=False)
    file: int = field(init=False)
    pidfd: int = field(init=False)
    terminal: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.listener, self.abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.directory / "listener"))
        self.abstract.bind(f"\0kit-test-{os.urandom(8).hex()}")
        self.port = socket.socket(socket.AF_INET)
        self.port.bind(("127.0.0.1", 0))
        for server in (self.listener, self.abstract, self.port):
            server.listen(200)
        self.datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.datagram.bind(f"\0kit-test-{os.urandom(8).hex()}")
        self.root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        self.process = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
        self.namespace = os.open("/proc/self/ns/uts", os.O_RDONLY)
        self.program = os.open("/bin/true", os.O_RDONLY)
        self.file = os.open(self.directory / "file", os.O_RDWR | os.O_CREAT)
        self.pidfd = os.pidfd_open(self.bystander)
        self.terminal = os.openpty()


Attack = Callable[[Scene], object]


def _protect(before: int, after: int) -> None:
    held = mmap.mmap(-1, _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=before | mmap.PROT_WRITE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(held))
    if _libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(_PAGE), ctypes.c_int(after)):
        raise OSError(ctypes.get_errno(), "mprotect")


def _fork(flags: int = 17) -> None:
    """A child by the system call itself; 17 is SIGCHLD."""
    child = call("clone", flags, 0, 0, 0, 0)
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _read_foreign_memory(pid: int) -> None:
    """The memory of a relative, at an address that both have."""
    buffer, target = ctypes.create_string_buffer(8), ctypes.create_string_buffer(b"secret")
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_size_t * 2)(ctypes.addressof(target), 8)
    call("process_vm_readv", pid, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0)


def _connect(family: int, address: object) -> None:
    with socket.socket(family) as client:
        client.connect(address)  # type: ignore[arg-type]


def _stat_with_flag(_scene: Scene) -> None:
    status = ctypes.create_string_buffer(512)
    call("newfstatat", _AT_FDCWD, b"/etc/passwd", ctypes.byref(status), _AT_EMPTY_PATH)


def _perf(_scene: Scene) -> None:
    attributes = (ctypes.c_uint32 * 32)(1, 128)  # PERF_TYPE_SOFTWARE, its size
    call("perf_event_open", ctypes.byref(attributes), 0, -1, -1, 0)


def _bpf(_scene: Scene) -> None:
    """An array map of one element."""
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    call("bpf", 0, ctypes.byref(attributes), 128)


def _keep_capabilities(_scene: Scene) -> None:
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(4, 4, 0, 0, 0, 0)
    call("capset", ctypes.byref(header), ctypes.byref(data))


def _number(number: int) -> Attack:
    """A call that has no name in the tables, or not this one."""

    def attack(_scene: Scene) -> None:
        _libc.syscall.restype = ctypes.c_long
        if _libc.syscall(ctypes.c_long(number)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return attack


def _raw(name: str, *arguments: int | None) -> Attack:
    return lambda _scene: call(name, *arguments)


_FILES: dict[str, Attack] = {
    "open": lambda _: os.open("/etc/passwd", os.O_RDONLY),
    "create": lambda s: os.open(s.directory / "new", os.O_WRONLY | os.O_CREAT),
    "open by an inherited directory": lambda s: os.open("etc/passwd", os.O_RDONLY, dir_fd=s.root),
    "list an inherited directory": lambda s: os.listdir(s.root),  # noqa: PTH208
    "go into an inherited directory": lambda s: os.fchdir(s.root),
    "own memory by an inherited /proc": lambda s: os.open("mem", os.O_RDWR, dir_fd=s.process),
    "own memory": lambda _: os.open("/proc/self/mem", os.O_RDWR),
    "environment": lambda _: os.open("/proc/self/environ", os.O_RDONLY),
    "stat": lambda _: os.stat("/etc/passwd"),  # noqa: PTH116
    "stat with an empty path's flag": _stat_with_flag,
    "readlink": lambda _: os.readlink("/proc/self/exe"),  # noqa: PTH115
    "unlink": lambda s: os.unlink(s.directory / "victim"),  # noqa: PTH108
    "rename": lambda s: os.rename(s.directory / "file", s.directory / "moved"),  # noqa: PTH104
    "mkdir": lambda s: os.mkdir(s.directory / "made"),  # noqa: PTH102
    "chmod": lambda s: os.chmod(s.directory / "file", 0o660),  # noqa: PTH101
    "write to an inherited file": lambda s: os.write(s.file, b"x"),
    "truncate an inherited file": lambda s: os.ftruncate(s.file, 0),
    "inotify": _raw("inotify_init1", 0),
    "chroot": lambda _: os.chroot("/"),
    "mount": _raw("mount", None, None, None, 0, None),
}
_NETWORK: dict[str, Attack] = {
    "unix": lambda s: _connect(socket.AF_UNIX, s.listener.getsockname()),
    "abstract unix": lambda s: _connect(socket.AF_UNIX, s.abstract.getsockname()),
    "inet": lambda s: _connect(socket.AF_INET, s.port.getsockname()),
    "udp": lambda _: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "netlink": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socketpair": lambda _: socket.socketpair(),
    "send to an address": lambda s: s.datagram.sendto(b"x", s.datagram.getsockname()),
    "connect an inherited socket": lambda s: s.datagram.connect(s.datagram.getsockname()),
}
_PROCESSES: dict[str, Attack] = {
    "signal the parent": lambda s: os.kill(s.parent, 0),
    "signal a thread of the parent": lambda s: _raw("tgkill", s.parent, s.parent, 0)(s),
    "signal everybody": lambda _: os.kill(-1, 0),
    "signal the group": lambda _: os.kill(0, 0),
    "signal a bystander": lambda s: os.kill(s.bystander, 0),
    "signal by an inherited pidfd": lambda s: _raw("pidfd_send_signal", s.pidfd, 0, 0, 0)(s),
    "open a pidfd": lambda s: os.pidfd_open(s.parent),
    "steal a descriptor": lambda s: _raw("pidfd_getfd", s.pidfd, 0, 0)(s),
    "ptrace itself": _raw("ptrace", _PTRACE_TRACEME, 0, 0, 0),
    "ptrace the bystander": lambda s: _raw("ptrace", _PTRACE_SEIZE, s.bystander, 0, 0)(s),
    "read the parent's memory": lambda s: _read_foreign_memory(s.parent),
    "limits of the parent": lambda s: resource.prlimit(s.parent, resource.RLIMIT_NOFILE),
    "raise a limit": lambda _: resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096)),
    "thread": lambda _: _thread(),
    "share memory with a child": lambda _: _fork(17 | 0x4000 | 0x100),  # CLONE_VFORK | CLONE_VM
    "session": lambda _: os.setsid(),
    "exec": lambda _: os.execv("/bin/true", ["true"]),  # noqa: S606
    "exec of an inherited program": lambda s: os.execve(s.program, ["true"], {}),  # noqa: S606
    "exec of memory": lambda _: os.execve(os.memfd_create("x"), ["x"], {}),  # noqa: S606
    "type into the terminal": lambda s: fcntl.ioctl(s.terminal[1], _TIOCSTI, b"x"),
}
_KERNEL: dict[str, Attack] = {
    "memfd": lambda _: os.memfd_create("x"),
    "writable and executable memory": lambda _: mmap.mmap(-1, _PAGE, prot=7),
    "executable memory": lambda _: mmap.mmap(-1, _PAGE, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "make written memory executable": lambda _: _protect(mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_EXEC),
    "dumpable": _raw("prctl", 4, 1, 0, 0, 0),
    "become root": lambda _: os.setuid(0),
    "become root for a while": lambda _: os.setresuid(-1, 0, -1),
    "root's group": lambda _: os.setgroups([0]),
    "take a capability": _keep_capabilities,
    "user namespace": _raw("unshare", _NEW_USER),
    "child in a user namespace": lambda _: _fork(17 | _NEW_USER),
    "enter an inherited namespace": lambda s: _raw("setns", s.namespace, 0)(s),
    "keyctl": _raw("keyctl", 0, -3, 1),  # KEYCTL_GET_KEYRING_ID of the session
    "io_uring": lambda s: call("io_uring_setup", 8, ctypes.create_string_buffer(256)),
    "bpf": _bpf,
    "perf": _perf,
    "userfaultfd": _raw("userfaultfd", 1),
    "personality": _raw("personality", 0x0040000),  # ADDR_NO_RANDOMIZE
    "shared memory": _raw("shmget", 0, 4096, 0o1600),
    "x32's getpid": _number(0x40000000 + 39),
    "a call of the future": _number(0x1000),
}
# What another process of the same user would try on a confined one; it has the pid alone.
FROM_OUTSIDE: dict[str, Callable[[int], object]] = {
    "memory": lambda pid: os.open(f"/proc/{pid}/mem", os.O_RDONLY),
    "environment": lambda pid: Path(f"/proc/{pid}/environ").read_bytes(),
    "map of its memory": lambda pid: Path(f"/proc/{pid}/maps").read_bytes(),
    "descriptors": lambda pid: os.listdir(f"/proc/{pid}/fd"),  # noqa: PTH208
    "root directory": lambda pid: os.listdir(f"/proc/{pid}/root"),  # noqa: PTH208
    "namespace": lambda pid: os.open(f"/proc/{pid}/ns/net", os.O_RDONLY),
    "read memory": _read_foreign_memory,
    "ptrace": lambda pid: call("ptrace", _PTRACE_SEIZE, pid, 0, 0),
    "steal a descriptor": lambda pid: call("pidfd_getfd", os.pidfd_open(pid), 2, 0),
}
ATTACKS: dict[str, Attack] = {**_FILES, **_NETWORK, **_PROCESSES, **_KERNEL}
# One needs to be a worker for these to be attacks: the zygote forks.
WORKER_ATTACKS: dict[str, Attack] = {
    "fork": lambda _: os.waitpid(os.fork() or os._exit(0), 0),
    "fork by the system call": lambda _: _fork(),
    "pipe": lambda _: os.pipe(),
    "epoll": _raw("epoll_create1", 0),
    "a filter of one's own": _raw("seccomp", 1, 0, None),
    "lower a limit": lambda _: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)),
    "signal a sibling": lambda s: os.kill(os.getppid(), 0),
}
# A compatible filter leaves these: nothing comes of them.
HARMLESS = {"pipe", "epoll"}
# What ends the process in a strict or compatible filter, and not merely fails.
DEADLY = {
    *("mount", "chroot", "exec", "exec of an inherited program", "user namespace", "keyctl", "io_uring"),
    *("steal a descriptor", "ptrace itself", "ptrace the bystander", "read the parent's memory", "bpf"),
    *("enter an inherited namespace", "perf", "userfaultfd", "personality", "x32's getpid"),
}
