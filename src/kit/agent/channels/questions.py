"""A worker's questions to zygote and supervisor, and whom their replies are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kit.agent.channels.channel import Channel
from kit.agent.channels.messages import Reply, encode
from kit.agent.later import Get, Wait

_NUMBERS = 2**32


class Questions:
    """Numbers each question; its reply finds back by that number."""

    def __init__(self, zygote: Channel, supervisor: Channel) -> None:
        self._channels = {Wait.ZYGOTE: zygote, Wait.SUPERVISOR: supervisor}
        self._pending: dict[int, Callable[[Get], None]] = {}
        self._last = 0

    def ask(self, wait: Wait, question: Callable[[int], Any], then: Callable[[Get], None]) -> None:
        """Ask; `then` is told how to get the reply, which is a view that must not be kept."""
        self._last = (self._last + 1) % _NUMBERS
        self._pending[self._last] = then
        self._channels[wait].send(encode(question(self._last)))

    def answered(self, reply: Reply) -> None:
        """The reply is here."""
        then = self._pending.pop(reply.number, None)
        if then:
            then(lambda: reply)
