"""The zygote's children that make one key each and end: what they touched, ends with their memory.

A child writes the key's DER to a pipe; nothing in the pipe says that there is no key. As many work at once as
there are cores, the others wait.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from kit.agent.encoding import Buffer
from kit.agent.passphrase import wipe
from kit.core.errors import Unavailable
from kit.core.process import die_with_parent

# RSA-8192 as PKCS#8 has 4,680 bytes.
_DER_LIMIT = 8 * 1024
_WAITING_LIMIT = 64

Make = Callable[[], bytes]
Take = Callable[[memoryview | None], None]


class Watch(Protocol):
    """The zygote's loop."""

    def watch(self, source: int, callback: Callable[[], None]) -> None: ...

    def unwatch(self, source: int) -> None: ...


@dataclass
class _Child:
    pid: int
    pipe: int
    take: Take
    der: bytearray
    have: int = 0


class Offspring:
    """Children at work, and what waits for one."""

    def __init__(self, loop: Watch, at_once: int) -> None:
        self._loop, self._at_once = loop, at_once
        self._children: dict[int, _Child] = {}
        self._waiting: deque[tuple[Make, Take]] = deque()

    def start(self, make: Make, take: Take) -> None:
        """Have a key made; `take` gets its DER, which is wiped after that, or None."""
        if len(self._waiting) >= _WAITING_LIMIT:
            raise Unavailable("too many keys are being made")
        self._waiting.append((make, take))
        self._start_next()

    def start_now(self, make: Make, take: Take) -> None:
        """The same, whoever waits: for what is quick and whose secret must not lie about."""
        self._start(make, take)

    def wipe(self) -> None:
        """In a process forked from this one: overwrite its copy of what came from children so far."""
        for child in self._children.values():
            wipe(child.der)

    def _start_next(self) -> None:
        while self._waiting and len(self._children) < self._at_once:
            self._start(*self._waiting.popleft())

    def _start(self, make: Make, take: Take) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            _make(make, writing, parent)
        os.close(writing)
        child = _Child(pid, reading, take, bytearray(_DER_LIMIT))
        self._children[pid] = child
        self._loop.watch(reading, lambda: self._read(child))

    def _read(self, child: _Child) -> None:
        with memoryview(child.der)[child.have :] as room:
            got = os.readv(child.pipe, [room]) if room else 0
        child.have += got
        if not got:
            self._ended(child)

    def _ended(self, child: _Child) -> None:
        self._loop.unwatch(child.pipe)
        os.close(child.pipe)
        # It may hang where it should not: nobody waits for it.
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        del self._children[child.pid]
        try:
            with memoryview(child.der)[: child.have] as der:
                child.take(der if child.have else None)
        finally:
            wipe(child.der)
        self._start_next()


def _make(make: Make, writing: int, parent: int) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent, signal.SIGKILL)
        der: Buffer = make()
        while der:
            der = memoryview(der)[os.write(writing, der) :]
        status = 0
    finally:
        os._exit(status)
