"""What the agent's processes say to each other: a byte that tells which message, then its fields. Pure.

Descriptors travel beside a message and are named in its docstring, in their order. A worker is the least
trusted of the three: what comes from it is read like what comes from a client.
"""

from __future__ import annotations

from typing import Any

from kit.agent.encoding import Buffer, Reader
from kit.agent.extension import Measure, PeerRecord, Reloaded
from kit.agent.fields import (
    flag,
    names,
    number32,
    number64,
    numbers,
    octets,
    read,
    remark,
    rows,
    secret,
    text,
    write,
)
from kit.agent.peers import Allowed, Peer
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

_ROWS = 1024

# Supervisor and zygote.


@frozen
class Ready:
    """Zygote: locked down, and waiting for keys."""

    measures: tuple[Measure, ...] = rows(Measure, _ROWS)


@frozen
class Failed:
    """Zygote: cannot start; what KitError carries."""

    error: str = remark()
    hint: str = remark()
    exit_status: int = number32()


@frozen
class Fork:
    """Supervisor: fork worker `index`. Its ends of the channels to supervisor and zygote, the zygote's end of
    the latter, and the pipe for its audit records.
    """

    index: int = number32()


@frozen
class Forked:
    """Zygote: worker `index` is process `pid`."""

    index: int = number32()
    pid: int = number32()


@frozen
class Died:
    """Zygote: that worker ended, with the status that waitpid gave."""

    index: int = number32()
    pid: int = number32()
    status: int = number32()


@frozen
class Load:
    """Supervisor: hold this configured key, in place of what stood under its name. The open key file.

    `error` says why the supervisor has no file to give; then there is none.
    """

    key_name: str = text()
    purposes: tuple[str, ...] = names()
    uids: frozenset[int] = numbers()
    gids: frozenset[int] = numbers()
    lifetime_s: int = number32()
    rate_mhz: int = number64()  # signatures in 1000 seconds; 0 for no limit
    burst: int = number32()
    confirm: bool = flag()
    spki: bytes = octets()  # the certificate's, which the key must fit; empty for none
    certificate: bytes = octets()
    error: str = remark()


@frozen
class Keep:
    """Supervisor: the configuration is told; forget the configured keys that it did not name."""


@frozen
class Kept:
    """Zygote: what became of each key since the last `Keep`."""

    keys: tuple[Reloaded, ...] = rows(Reloaded, _ROWS)


@frozen
class Admit:
    """Supervisor: this client of worker `index` is an administrator. Said before the worker gets him."""

    slot: int = number32()
    index: int = number32()
    uid: int = number32()
    pid: int = number32()
    peer_name: str = text()


@frozen
class Dismiss:
    """Supervisor: he is gone."""

    slot: int = number32()


@frozen
class Quit:
    """Supervisor: end, in good order."""


# Supervisor and worker.


@frozen
class Client:
    """Supervisor: serve this client. The connected socket."""

    slot: int = number32()
    uid: int = number32()
    gid: int = number32()
    groups: frozenset[int] = numbers()
    pid: int = number32()
    peer_name: str = text()
    admin: bool = flag()

    @property
    def peer(self) -> Peer:
        return Peer(self.uid, self.gid, self.groups, self.pid, self.peer_name)


@frozen
class Alive:
    """Supervisor: are you? Worker, in the same words: yes."""


@frozen
class Audited:
    """Supervisor: so many of your records are written, and the log works, or does not."""

    count: int = number64()
    working: bool = flag()


# Supervisor and bridge; the bridge can be of an agent that was before this one.


@frozen
class Attending:
    """Bridge: how many clients it has, at each change and to each `Alive`."""

    pid: int = number32()
    clients: int = number32()


@frozen
class Introduce:
    """Bridge: who is this client? Its socket, of which the kernel tells that, whatever a bridge would say."""

    number: int = number32()


@frozen
class Introduced:
    """Supervisor: a connection to a worker, which knows it for that client. Not admitted is whom no key
    concerns; without a connection, whom nobody has room for.
    """

    number: int = number32()
    admitted: bool = flag()


@frozen
class Noted:
    """Bridge: for the log."""

    event: str = text()
    uid: int = number32()
    pid: int = number32()
    why: str = remark(200)


# Worker to supervisor or zygote, answered by a Reply of the same number.


@frozen
class Confirm:
    """Worker to supervisor: may this peer use this key now?"""

    number: int = number32()
    key_name: str = text()
    purpose: str = text()
    slot: int = number32()


@frozen
class ReadAgain:
    """Worker to supervisor: reload, for this peer."""

    number: int = number32()
    slot: int = number32()


@frozen
class Who:
    """Worker to supervisor: who is connected? For this peer."""

    number: int = number32()
    slot: int = number32()


@frozen
class End:
    """Worker to supervisor: end the agent, for this peer."""

    number: int = number32()
    slot: int = number32()


@frozen
class Forward:
    """Worker to zygote: an administrator's message as it came, which the zygote answers."""

    number: int = number32()
    slot: int = number32()
    message: memoryview = secret()


@frozen
class Take:
    """Worker to zygote: may the key make one more signature, by its rate?"""

    number: int = number32()
    key_id: bytes = octets()


@frozen
class Reply:
    """The answer to the question of this number."""

    number: int = number32()
    good: bool = flag()
    message: memoryview = secret()


@frozen
class Reloads:
    """In a Reply to ReadAgain."""

    keys: tuple[Reloaded, ...] = rows(Reloaded, _ROWS)


@frozen
class Connected:
    """In a Reply to Who."""

    peers: tuple[PeerRecord, ...] = rows(PeerRecord, _ROWS)


# Zygote to worker, answered by Done.


@frozen
class Hold:
    """Hold this key; `der` is PKCS#8, PKCS#1 or SEC 1, or a symmetric key's octets if that is what its
    purpose takes, and `slot` where its counters are.
    """

    slot: int = number32()
    key_name: str = text()
    purposes: tuple[str, ...] = names()
    uids: frozenset[int] = numbers()
    gids: frozenset[int] = numbers()
    added_us: int = number64()
    expires_us: int = number64()  # 0 for never
    limited: bool = flag()
    confirm: bool = flag()
    certificate: bytes = octets()  # the key's own, DER; empty for none
    der: memoryview = secret()

    @property
    def peers(self) -> Allowed:
        return Allowed(self.uids, self.gids)


@frozen
class Drop:
    """Forget this key."""

    key_id: bytes = octets()


@frozen
class Shut:
    """The agent is locked, or unlocked."""

    closed: bool = flag()


@frozen
class Done:
    """Worker: the change is made."""


Change = Hold | Drop | Shut
OfSupervisor = Confirm | ReadAgain | Who | End
_KINDS: tuple[type[Any], ...] = (
    Ready,
    Failed,
    Fork,
    Forked,
    Died,
    Load,
    Keep,
    Kept,
    Admit,
    Dismiss,
    Quit,
    Client,
    Alive,
    Audited,
    Attending,
    Introduce,
    Introduced,
    Noted,
    Confirm,
    ReadAgain,
    Who,
    End,
    Forward,
    Take,
    Reply,
    Reloads,
    Connected,
    Hold,
    Drop,
    Shut,
    Done,
)
_NUMBERS = {kind: bytes([number]) for number, kind in enumerate(_KINDS, 1)}


def encode(message: Any) -> list[Buffer]:
    """The message in parts, a secret uncopied."""
    return [_NUMBERS[type(message)], *write(message)]


def parse(data: Buffer) -> Any:
    """The message; a secret in it is a view that lives as long as `data` is not wiped."""
    reader = Reader(data)
    number = reader.byte()
    if not 1 <= number <= len(_KINDS):
        raise ProtocolError(f"a message of kind {number} between the agent's processes")
    message = read(_KINDS[number - 1], reader)
    reader.end()
    return message
