"""Does a process hold a private key? Reads its memory as an attacker would who may read all of it.

The answer has three values. "clean" counts only where the public key was found in the same memory and nearly
all of it could be read; otherwise the scan proves nothing ("inconclusive"). The process is stopped while its
memory is copied (some 10 ms), so that nothing moves from an unread page to one that was read already.

Read are all pages that the process can write or has written: its heaps, stacks, shared memory and the data
of its libraries. Pages of a file that it only reads hold what the file holds, and are left out.
"""

from __future__ import annotations

import os
import signal
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kit.core.errors import NotPermitted, Unavailable
from kit.core.frozen import frozen
from kit.tls.traces import Sought, Trace, find, public_is_in

PAGE = os.sysconf("SC_PAGESIZE")
# Less than all: the kernel's own pages in a process (vvar) and pages that vanish cannot be read.
ENOUGH = 0.95
# proc_pid_pagemap(5): present, swapped, and "file-mapped or shared".
_PRESENT, _FROM_FILE = 3 << 62, 1 << 61
# Linux reads no more than this at once (read(2)); at a boundary a key could be cut, so it is no smaller.
_READ_LIMIT = 0x7FFFF000
_KERNELS = ("[vsyscall]", "[vvar]", "[vvar_vclock]")


@frozen
class Region:
    """Pages that lie side by side."""

    address: int
    memory: bytes


@frozen
class Snapshot:
    """The memory of a process at one moment; `wanted` bytes should have been read."""

    pid: int
    regions: tuple[Region, ...]
    wanted: int

    @property
    def read(self) -> int:
        return sum(len(region.memory) for region in self.regions)


@frozen
class Verdict:
    """What the memory says about one key: "found", "clean" or "inconclusive" (and why)."""

    key: str
    outcome: str
    why: str
    traces: tuple[Trace, ...]

    @property
    def forms(self) -> dict[str, int]:
        """How often the key was found in which form."""
        names = [trace.form for trace in self.traces]
        return {name: names.count(name) for name in dict.fromkeys(names)}


def snapshot(pid: int) -> Snapshot:
    """Copy the memory of process `pid`, which stands still meanwhile."""
    with _explained(pid), _stopped(pid):
        return _copy(pid)


def judge(copy: Snapshot, keys: Sequence[Sought]) -> list[Verdict]:
    """A verdict on each key."""
    traces = [
        Trace(trace.key, trace.form, region.address + trace.offset)
        for region in copy.regions
        for trace in find(region.memory, keys)
    ]
    return [_verdict(copy, key, tuple(t for t in traces if t.key == key.name)) for key in keys]


def _verdict(copy: Snapshot, key: Sought, traces: tuple[Trace, ...]) -> Verdict:
    if traces:
        return Verdict(key.name, "found", "", traces)
    if copy.read < ENOUGH * copy.wanted:
        why = f"only {copy.read} of {copy.wanted} bytes could be read"
    elif not any(public_is_in(region.memory, key) for region in copy.regions):
        why = "not even the public key is in this memory"
    else:
        return Verdict(key.name, "clean", "", ())
    return Verdict(key.name, "inconclusive", why, ())


def _copy(pid: int) -> Snapshot:
    regions: list[Region] = []
    wanted = 0
    with _open(pid, "mem") as memory, _open(pid, "pagemap") as pagemap:
        for begin, end in _touched(pid, pagemap):
            wanted += end - begin
            regions += _read(memory, begin, end)
    return Snapshot(pid, tuple(regions), wanted)


def _read(memory: int, begin: int, end: int) -> Iterator[Region]:
    """What can be read of the range; a page that cannot is left out, and the verdict counts it."""
    while begin < end:
        try:
            content = os.pread(memory, min(end - begin, _READ_LIMIT), begin)
        except OSError:
            content = b""
        if content:
            yield Region(begin, content)
        begin += len(content) or PAGE


def _touched(pid: int, pagemap: int) -> Iterator[tuple[int, int]]:
    """The address ranges worth reading."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, permissions, _, _, _, *name = line.split(None, 5)
        begin, end = (int(address, 16) for address in addresses.split("-"))
        if not name or name[0] not in _KERNELS:
            yield from _touched_in(pagemap, begin, end, writable="w" in permissions)


def _touched_in(pagemap: int, begin: int, end: int, *, writable: bool) -> Iterator[tuple[int, int]]:
    entries = array("Q", os.pread(pagemap, (end - begin) // PAGE * 8, begin // PAGE * 8))
    start = None
    for page, entry in enumerate(entries):
        worth = entry & _PRESENT and (writable or not entry & _FROM_FILE)
        if worth and start is None:
            start = page
        elif not worth and start is not None:
            yield begin + start * PAGE, begin + page * PAGE
            start = None
    if start is not None:
        yield begin + start * PAGE, begin + len(entries) * PAGE


@contextmanager
def _open(pid: int, name: str) -> Iterator[int]:
    descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _explained(pid: int) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise NotPermitted(
            f"the memory of process {pid} cannot be read: {error.strerror}",
            hint="read it as root, as the process that started it, or with kernel.yama.ptrace_scope at 0",
        ) from None
    except (FileNotFoundError, ProcessLookupError):
        raise Unavailable(f"no process {pid}, or no /proc to read its memory from") from None
