"""A process's connections to one agent, of which each is one caller's at a time.

A server may make a thread for each of its own clients; a connection for each of these would cost the agent
more than the signature that it is for. So a caller takes a connection that nobody uses, and gives it back
when its answer is read to the end.
"""

from __future__ import annotations

import os

from kit.agent.link import Link

# More threads than this can ask at once, each with a connection that is closed behind it.
_IDLE_LIMIT = 64


class Links:
    """Connections that nobody uses; safe for threads, and after fork, where the parent's are let go."""

    def __init__(self) -> None:
        self._idle: list[Link] = []
        self._round = 0

    def take(self) -> Link | None:
        """The connection that was used last, if it is still good; None where there is none."""
        while link := self.take_last():
            # Nothing may be sent twice into a dead one, and what it says too much would be an answer.
            if link.pid == os.getpid() and not link.dead:
                return link
            link.close()
        return None

    def take_last(self) -> Link | None:
        """The same, be it good or not."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    @property
    def round(self) -> int:
        """Changes with `close`, after which what was taken before is not taken back."""
        return self._round

    def give_back(self, link: Link, taken_in: int) -> None:
        """Nobody uses it any more; its last answer was read to the end."""
        if taken_in == self._round and len(self._idle) < _IDLE_LIMIT:
            self._idle.append(link)
        else:
            link.close()

    def close(self) -> None:
        """Close them, and those that are in use when they come back."""
        self._round += 1
        while link := self.take_last():
            link.close()
