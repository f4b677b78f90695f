"""The agent's client: blocking calls, each bounded in time, from any thread and after fork.

A connection is one call's at a time (`links`), so an answer never meets another's question.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeVar

from kit.agent import extension, wire
from kit.agent.encoding import Buffer
from kit.agent.errors import (
    AgentFailed,
    AgentLocked,
    AgentUnavailable,
    KeyRefused,
    UnknownKey,
)
from kit.agent.extension import AgentStatus, Failure, KeyRecord, Status
from kit.agent.link import Gone, Link
from kit.agent.links import Links
from kit.agent.selection import select
from kit.core.errors import KitError, NotPermitted, ProtocolError, Unavailable, UsageError
from kit.core.framing import frame
from kit.core.paths import running_agent_socket

_Answer = TypeVar("_Answer", bound=extension.Answer)
_Read = TypeVar("_Read")
# What may take longer than a signature, whatever the client's time limit: an RSA key of 8192 bits takes a
# minute to make, a change has to reach every worker, and wrong guesses before this one delay an unlock.
_GENERATE_S, _CHANGE_S, _UNLOCK_S = 300.0, 30.0, 60.0
# A new connection may have gone to a process of the agent that was about to end; the next goes to another.
_FRESH_LIMIT = 3


class AgentClient:
    """Talks to the agent on `socket_path`, or $KIT_AGENT_SOCK, or the usual place.

    `timeout_s` bounds each call; generate, add and unlock have at least the time that they may take.
    """

    def __init__(self, socket_path: str | None = None, *, timeout_s: float = 5.0) -> None:
        self.socket_path = running_agent_socket(socket_path)
        self.timeout_s = timeout_s
        self._links = Links()

    def sign(self, key_id: bytes, scheme_code: int, content: bytes, purpose: str = "") -> bytes:
        """A signature in TLS's own form; the agent decides by the content whether the key may make it."""
        request = extension.Sign(key_id, scheme_code, purpose, content)
        return self._ask(request, extension.Signature).signature

    def sign_digest(self, key_id: bytes, scheme_code: int, digest: bytes, purpose: str = "") -> bytes:
        """A signature over what has this digest; the key must allow "digest" or "tls-digest" by name."""
        request = extension.SignDigest(key_id, scheme_code, purpose, digest)
        return self._ask(request, extension.Signature).signature

    def sign_block(self, key_id: bytes, block: bytes, purpose: str = "") -> bytes:
        """The bare RSA operation on a block that is EMSA-PSS encoded already."""
        request = extension.SignBlock(key_id, purpose, block)
        return self._ask(request, extension.Signature).signature

    def decrypt(self, key_id: bytes, ciphertext: bytes) -> bytes:
        """RSA PKCS#1 v1.5 with implicit rejection."""
        return bytes(self._ask(extension.Decrypt(key_id, ciphertext), extension.Plaintext).plaintext)

    def list_keys(self) -> tuple[KeyRecord, ...]:
        return self._ask(extension.List(), extension.KeyList).keys

    def certificates(self) -> dict[bytes, bytes]:
        """The certificates (DER) that the configuration names, by the key_id."""
        rows = self._ask(extension.GetCertificates(), extension.CertificateList).certificates
        return {row.key_id: row.certificate for row in rows}

    def find(self, wanted: str) -> KeyRecord:
        """The key of this name, SSH fingerprint ("SHA256:…") or beginning of its hexadecimal key_id."""
        return select(self.list_keys(), wanted)

    def generate(
        self, name: str, kind: str, purposes: tuple[str, ...] = (), lifetime_s: int = 0
    ) -> KeyRecord:
        """Make a key inside the agent; without purposes it gets the usual ones."""
        request = extension.Generate(name, kind, tuple(purposes), lifetime_s)
        return _only(self._ask(request, extension.KeyList, repeatable=False, at_least_s=_GENERATE_S))

    def add(
        self,
        name: str,
        der: bytearray | memoryview,
        purposes: tuple[str, ...] = (),
        lifetime_s: int = 0,
    ) -> KeyRecord:
        """Hand over a private key (DER of PKCS#8, PKCS#1 or SEC 1); the caller wipes `der`."""
        request = extension.Add(name, tuple(purposes), lifetime_s, memoryview(der))
        return _only(self._ask(request, extension.KeyList, repeatable=False, at_least_s=_CHANGE_S))

    def remove(self, key_id: bytes) -> None:
        request = extension.Remove(key_id)
        self._ask(request, extension.Done, repeatable=False, at_least_s=_CHANGE_S)

    def status(self) -> AgentStatus:
        return self._ask(extension.GetStatus(), extension.AgentStatus)

    def metrics(self) -> extension.AgentMetrics:
        """What there is to count; every histogram is of the bounds that come with it."""
        metrics = self._ask(extension.GetMetrics(), extension.AgentMetrics)
        bounds = metrics.bounds_us
        if list(bounds) != sorted(set(bounds)) or any(
            len(key.durations) != len(bounds) + 1 for key in metrics.by_key
        ):
            raise ProtocolError("a histogram that does not fit its bounds")
        return metrics

    def peers(self) -> tuple[extension.PeerRecord, ...]:
        """Who is connected."""
        return self._ask(extension.GetPeers(), extension.PeerList).peers

    def reload(self) -> tuple[extension.Reloaded, ...]:
        """Have configuration and key files read again; what became of each key."""
        request = extension.Reload()
        return self._ask(request, extension.ReloadReport, repeatable=False, at_least_s=_CHANGE_S).keys

    def stop(self) -> None:
        """End the agent; on return its socket is free for another one."""
        deadline_s = time.monotonic() + self.timeout_s
        self._ask(extension.Stop(), extension.Done, repeatable=False)
        link = self._links.take_last()
        if link:
            link.await_end(deadline_s)
            link.close()

    def lock(self, passphrase: bytearray) -> bool:
        """Lock the agent with a passphrase; False where it is locked already."""
        return self._change_lock(wire.LOCK, passphrase)

    def unlock(self, passphrase: bytearray) -> bool:
        """Unlock the agent; False for a wrong passphrase, and where it is not locked."""
        return self._change_lock(wire.UNLOCK, passphrase)

    @contextlib.contextmanager
    def conversation(self) -> Iterator[Conversation]:
        """A connection of its own for questions that belong together; it ends with the block."""
        conversation = Conversation(self.socket_path, self.timeout_s)
        try:
            yield conversation
        finally:
            conversation.close()

    def close(self) -> None:
        """Close this process's connections; the next call opens a new one.

        Also for whoever finds that a signature is wrong: it may have been the answer to an earlier question,
        and the right one would be taken for that to the next.
        """
        self._links.close()

    def __enter__(self) -> AgentClient:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(
        self,
        request: extension.Request,
        answer: type[_Answer],
        *,
        repeatable: bool = True,
        at_least_s: float = 0.0,
    ) -> _Answer:
        within_s = max(self.timeout_s, at_least_s)
        result = self._exchange(
            _parts(request), lambda message: _result(request, answer, message), repeatable, within_s
        )
        return _answer(request, result, self.socket_path)

    def _change_lock(self, number: int, passphrase: bytearray) -> bool:
        parts = wire.lock_request(number, passphrase)
        return self._exchange(parts, wire.read_success, False, max(self.timeout_s, _UNLOCK_S))

    def _exchange(
        self, parts: list[Buffer], read: Callable[[bytearray], _Read], repeatable: bool, within_s: float
    ) -> _Read:
        """Ask; what `read` makes of the answer."""
        deadline_s = time.monotonic() + within_s
        question = frame(*parts)
        try:
            link = self._links.take()
            if link:
                try:
                    return self._once(link, question, read, deadline_s)
                except Gone:
                    if not repeatable:
                        raise self._gone() from None
            for _ in range(_FRESH_LIMIT - 1 if repeatable else 0):
                with contextlib.suppress(Gone):
                    return self._fresh(question, read, deadline_s)
            return self._last(question, read, deadline_s)
        finally:
            question[:] = bytes(len(question))

    def _fresh(self, question: bytearray, read: Callable[[bytearray], _Read], deadline_s: float) -> _Read:
        """Ask on a new connection; raises Gone."""
        return self._once(Link(self.socket_path, deadline_s), question, read, deadline_s)

    def _last(self, question: bytearray, read: Callable[[bytearray], _Read], deadline_s: float) -> _Read:
        try:
            return self._fresh(question, read, deadline_s)
        except Gone:
            raise self._gone() from None

    def _once(
        self, link: Link, question: bytearray, read: Callable[[bytearray], _Read], deadline_s: float
    ) -> _Read:
        taken_in, ended = self._links.round, False
        try:
            # Behind nonsense the right answer may be on its way: it must not meet the next question.
            answer = read(link.ask(question, deadline_s))
            ended = True
            return answer
        finally:
            if ended:
                self._links.give_back(link, taken_in)
            else:
                link.close()

    def _gone(self) -> AgentUnavailable:
        return _gone(self.socket_path)


class Conversation:
    """Questions on one connection, whose end makes the agent forget what they were about."""

    def __init__(self, socket_path: str, timeout_s: float) -> None:
        self._path, self._timeout_s = socket_path, timeout_s
        self._link: Link | None = None

    def ask(self, request: extension.Request, answer: type[_Answer], *, at_least_s: float = 0.0) -> _Answer:
        """The answer; only the first question is asked again where a worker of the agent ends."""
        deadline_s = time.monotonic() + max(self._timeout_s, at_least_s)
        question = frame(*_parts(request))
        try:
            result = _result(request, answer, self._exchange(question, deadline_s))
        except ProtocolError:
            self.close()
            raise
        finally:
            question[:] = bytes(len(question))
        return _answer(request, result, self._path)

    def close(self) -> None:
        if self._link:
            self._link.close()

    def _exchange(self, question: bytearray, deadline_s: float) -> bytearray:
        if self._link and self._link.dead:
            self._link.close()
            raise _gone(self._path)
        for _ in range(1 if self._link else _FRESH_LIMIT):
            link = self._link or Link(self._path, deadline_s)
            try:
                message = link.ask(question, deadline_s)
            except Gone:
                link.close()
                continue
            except BaseException:
                link.close()
                raise
            self._link = link
            return message
        raise _gone(self._path)


def _parts(request: extension.Request) -> list[Buffer]:
    return [wire.extension_request(request.name), *extension.encode(request)]


def _result(
    request: extension.Request, answer: type[_Answer], message: bytearray
) -> _Answer | Failure | None:
    """What a message says, None where it is from another kind of agent; raises ProtocolError."""
    reader = wire.read_extension_response(message, request.name)
    return None if reader is None else extension.parse_answer(answer, reader)


def _answer(request: extension.Request, result: _Answer | Failure | None, socket_path: str) -> _Answer:
    if result is None:
        raise Unavailable(
            f"the agent on {socket_path!r} does not know {request.name!r}",
            hint="it is not kit's agent; start one with 'kit agent start'",
        )
    if isinstance(result, Failure):
        raise _error(result)
    return result


def _gone(socket_path: str) -> AgentUnavailable:
    return AgentUnavailable(f"the agent on {socket_path!r} closed the connection")


def _only(answer: extension.KeyList) -> KeyRecord:
    if len(answer.keys) != 1:
        raise ProtocolError(f"an answer of {len(answer.keys)} keys, where one was due")
    return answer.keys[0]


def _error(failure: Failure) -> KitError:
    if failure.status is Status.REFUSED:
        return KeyRefused(f"the agent refused: {failure.message}", purpose=failure.purpose)
    kinds: dict[Status, tuple[type[KitError], str | None]] = {
        Status.UNKNOWN_KEY: (UnknownKey, "'kit agent list' shows what it holds"),
        Status.LOCKED: (AgentLocked, "unlock it with 'kit agent unlock'"),
        Status.MALFORMED: (UsageError, None),
        Status.NOT_PERMITTED: (NotPermitted, None),
        Status.UNAVAILABLE: (Unavailable, None),
    }
    kind, hint = kinds.get(failure.status, (AgentFailed, None))
    return kind(failure.message, hint=hint)
