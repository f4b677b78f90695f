"""Runs the command that is to confirm the use of a key; its exit status is the answer, 0 for yes.

The supervisor does it, since a worker can start nothing. There is no shell in between; the question is the
last argument, as for ssh-askpass, which shows it with two buttons when SSH_ASKPASS_PROMPT is "confirm".
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from kit.agent.operations import Log
from kit.agent.peers import Peer
from kit.agent.processes.loop import Loop, Timer
from kit.core.text import printable

if TYPE_CHECKING:
    import subprocess

_ANSWER_S = 60.0
# A person answers one question at a time; more that wait are a flood.
_AT_ONCE, _WAITING_LIMIT = 1, 64
_PATH = "/usr/local/bin:/usr/bin:/bin"

Answer = Callable[[bool], None]


class Confirming:
    """One question after the other."""

    def __init__(self, loop: Loop, environment: Mapping[str, str], log: Log) -> None:
        self._loop, self._environment, self._log = loop, environment, log
        self._waiting: deque[Callable[[], None]] = deque()
        self._running = 0
        self.commands: dict[str, Sequence[str]] = {}  # by the name of the key

    def ask(self, key: str, purpose: str, peer: Peer, answer: Answer) -> None:
        """Have the key's command decide; a key without one, and a flood, are answered with no."""
        command = self.commands.get(key)
        if not command or len(self._waiting) >= _WAITING_LIMIT:
            answer(False)
            return
        self._waiting.append(partial(self._start, command, key, purpose, peer, answer))
        self._next()

    def _next(self) -> None:
        while self._waiting and self._running < _AT_ONCE:
            self._running += 1
            self._waiting.popleft()()

    def _start(self, command: Sequence[str], key: str, purpose: str, peer: Peer, answer: Answer) -> None:
        from subprocess import DEVNULL, Popen  # most agents never ask

        name = printable(peer.name, limit=40)
        question = (
            f"Allow a use of the key {printable(key)!r} ({purpose}) by {name!r}, process {peer.pid}"
            f" of user {peer.uid}?"
        )
        facts = {
            "KIT_KEY": key,
            "KIT_PURPOSE": purpose,
            "KIT_PEER_NAME": name,
            "KIT_PEER_PID": str(peer.pid),
            "KIT_PEER_UID": str(peer.uid),
            "SSH_ASKPASS_PROMPT": "confirm",
        }
        environment = {"PATH": _PATH, **self._environment, **facts}
        try:
            child = Popen(
                [*command, question], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=environment, cwd="/"
            )
            watch = os.pidfd_open(child.pid)
        except (OSError, ValueError) as error:
            self._log.event("confirm-failed", key=key, why=str(error))
            self._end(answer, False)
            return
        timer = self._loop.after(_ANSWER_S, child.kill)
        self._loop.watch(watch, lambda: self._ended(child, watch, timer, answer))

    def _ended(self, child: subprocess.Popen[bytes], watch: int, timer: Timer, answer: Answer) -> None:
        timer.cancel()
        self._loop.unwatch(watch)
        os.close(watch)
        self._end(answer, child.wait() == 0)

    def _end(self, answer: Answer, good: bool) -> None:
        self._running -= 1
        answer(good)
        self._next()
