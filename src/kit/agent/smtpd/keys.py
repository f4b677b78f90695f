"""The agent's keys by smtpd's names for them, and their use: every answer soon, or an error.

smtpd's dispatcher stands still, with all of its sessions, until it is answered. So an agent that did not
answer in time is left alone for a while, in which handshakes fail at once and mail without TLS goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from kit.agent.errors import AgentTimeout, UnknownKey
from kit.agent.extension import KeyRecord
from kit.agent.forms import key_id
from kit.agent.smtpd.names import hash_name
from kit.agent.smtpd.requests import Block, Digest, Request
from kit.core.errors import ProtocolError, Unavailable

PATIENCE_S = 3.0  # of one call; on a busy machine one took more than a second
_PAUSE_S = 2.0
# A peer can make as many handshakes with an unknown key as it likes; the list of keys is long.
_LIST_EVERY_S = 1.0
# What the agent does not see cannot be more than this, whatever the key allows.
_PURPOSE = "tls-digest"


class Agent(Protocol):
    """The part of `AgentClient` that is of use here."""

    def list_keys(self) -> tuple[KeyRecord, ...]: ...

    def sign_digest(self, key_id: bytes, scheme_code: int, digest: bytes, purpose: str = "") -> bytes: ...

    def sign_block(self, key_id: bytes, block: bytes, purpose: str = "") -> bytes: ...


class Keys:
    """Signs with whichever key smtpd names; `clock` gives seconds that only grow."""

    def __init__(self, agent: Agent, clock: Callable[[], float]) -> None:
        self._agent, self._clock = agent, clock
        self._ids: dict[str, bytes] = {}
        self._list_from_s = self._ask_from_s = clock()

    def sign(self, request: Request) -> bytes:
        """The signature, ECDSA's as DER; raises KitError."""
        wanted = request.wanted()
        if self._clock() < self._ask_from_s:
            raise Unavailable("the agent did not answer a moment ago")
        try:
            return self._sign(request.key_name, wanted)
        except AgentTimeout:
            self._ask_from_s = self._clock() + _PAUSE_S
            raise

    def _sign(self, name: str, wanted: Digest | Block) -> bytes:
        known = self._ids.get(name)
        if known:
            try:
                return self._ask(known, wanted)
            except UnknownKey:
                del self._ids[name]  # removed, and maybe back under the name that smtpd 6.8 uses
        return self._ask(self._find(name), wanted)

    def _ask(self, wanted_id: bytes, wanted: Digest | Block) -> bytes:
        if isinstance(wanted, Block):
            return self._agent.sign_block(wanted_id, wanted.block, _PURPOSE)
        return self._agent.sign_digest(wanted_id, wanted.scheme, wanted.digest, _PURPOSE)

    def _find(self, name: str) -> bytes:
        now_s = self._clock()
        if now_s >= self._list_from_s:
            self._ids = named(self._agent.list_keys())
            self._list_from_s = now_s + _LIST_EVERY_S
        if name not in self._ids:
            raise UnknownKey("the agent holds no such key that names this process's user as a peer")
        return self._ids[name]


def named(records: Iterable[KeyRecord]) -> dict[str, bytes]:
    """Key ids by the names that smtpd 7 and smtpd 6.8 would have for these keys."""
    ids: dict[str, bytes] = {}
    for record in records:
        ids.setdefault(record.key_name, key_id(record.spki))
        try:
            ids[hash_name(record.spki)] = key_id(record.spki)
        except ProtocolError:
            continue
    return ids
