"""kit's own messages, as extensions of the SSH agent protocol; field by field in kit-agent-protocol(7).

A request is `byte 27, string NAME, fields`; an answer `byte 29, string NAME, byte status`, then the
answer's fields where status is DONE, otherwise `string message, string purpose`. Each message is a frozen
dataclass whose fields carry their wire type, in wire order, so reading and writing follow one table.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, TypeVar, get_args

from kit.agent.encoding import Buffer, Reader, string
from kit.agent.fields import (
    counts,
    flag,
    names,
    number32,
    number64,
    octets,
    read,
    remark,
    rows,
    secret,
    text,
    write,
)
from kit.agent.queue.messages import QueueAnswer, QueueRequest
from kit.agent.records import CertificateRecord as CertificateRecord
from kit.agent.records import KeyMetrics as KeyMetrics
from kit.agent.records import KeyRecord as KeyRecord
from kit.agent.records import Measure as Measure
from kit.agent.records import PeerRecord as PeerRecord
from kit.agent.records import Process as Process
from kit.agent.records import Reloaded as Reloaded
from kit.core.errors import ProtocolError
from kit.core.frozen import frozen

KEYS_LIMIT = 256
_PEERS_LIMIT = 1024


class Status(IntEnum):
    """What became of a request."""

    DONE = 0
    REFUSED = 1  # the key exists, and its purposes do not allow this
    UNKNOWN_KEY = 2
    LOCKED = 3
    MALFORMED = (
        4  # understood, but a field says something impossible (a key that is none, an unknown purpose)
    )
    UNAVAILABLE = 5  # a limit is reached, or this agent cannot do it
    FAILED = 6  # the private operation itself failed
    NOT_PERMITTED = 7  # only an administrator may ask for this


@frozen
class Sign:
    """Sign `content` with a TLS SignatureScheme; `purpose` is what the caller says that it is for."""

    name: ClassVar[str] = "sign@kit"
    key_id: bytes = octets()  # SHA-256 of the SubjectPublicKeyInfo; `forms.id_of`
    scheme: int = number32()
    purpose: str = text()
    content: bytes = octets()


@frozen
class SignDigest:
    """Sign what has this digest, of which the agent learns nothing else.

    For an RSA key the scheme says how; for an EC key it says the hash, as in TLS 1.2, whatever the curve.
    """

    name: ClassVar[str] = "sign-digest@kit"
    key_id: bytes = octets()
    scheme: int = number32()
    purpose: str = text()
    digest: bytes = octets()


@frozen
class SignBlock:
    """The bare RSA operation on a block that is EMSA-PSS encoded already (RFC 8017, section 9.1.1)."""

    name: ClassVar[str] = "sign-block@kit"
    key_id: bytes = octets()
    purpose: str = text()
    block: bytes = octets()


@frozen
class Decrypt:
    """RSA PKCS#1 v1.5 decryption with implicit rejection (draft-irtf-cfrg-rsa-guidance)."""

    name: ClassVar[str] = "decrypt@kit"
    key_id: bytes = octets()
    ciphertext: bytes = octets()


@frozen
class Generate:
    """Make a key inside the agent; `kind` is one of `schemes.KINDS`. No lifetime is 0."""

    name: ClassVar[str] = "generate@kit"
    key_name: str = text()
    kind: str = text()
    purposes: tuple[str, ...] = names()
    lifetime_s: int = number32()


@frozen
class Add:
    """Hand over a private key: unencrypted DER of PKCS#8, PKCS#1 or SEC 1; with the purpose `queue` a
    symmetric key as it is.
    """

    name: ClassVar[str] = "add@kit"
    key_name: str = text()
    purposes: tuple[str, ...] = names()
    lifetime_s: int = number32()
    private_key: memoryview = secret()


@frozen
class List:
    """Every key that there is, with its public side and its counters."""

    name: ClassVar[str] = "list@kit"


@frozen
class Remove:
    """Forget one key."""

    name: ClassVar[str] = "remove@kit"
    key_id: bytes = octets()


@frozen
class GetStatus:
    """How is the agent?"""

    name: ClassVar[str] = "status@kit"


@frozen
class Stop:
    """End the agent in good order."""

    name: ClassVar[str] = "stop@kit"


@frozen
class Reload:
    """Read the configuration and its key files again."""

    name: ClassVar[str] = "reload@kit"


@frozen
class GetMetrics:
    """What is there to count?"""

    name: ClassVar[str] = "metrics@kit"


@frozen
class GetPeers:
    """Who is connected?"""

    name: ClassVar[str] = "peers@kit"


@frozen
class GetCertificates:
    """Which certificates does the configuration name, of the keys that the asker may use?"""

    name: ClassVar[str] = "certificates@kit"


Request = (
    Sign
    | SignDigest
    | SignBlock
    | Decrypt
    | Generate
    | Add
    | List
    | Remove
    | GetStatus
    | Stop
    | Reload
    | GetMetrics
    | GetPeers
    | GetCertificates
    | QueueRequest
)
_REQUESTS: dict[str, type[Request]] = {
    kind.name: kind
    for kind in (
        Sign,
        SignDigest,
        SignBlock,
        Decrypt,
        Generate,
        Add,
        List,
        Remove,
        GetStatus,
        Stop,
        Reload,
        GetMetrics,
        GetPeers,
        GetCertificates,
        *get_args(QueueRequest),
    )
}
NAMES = tuple(_REQUESTS)


@frozen
class Signature:
    """In TLS's own form: ECDSA as DER, RSA and Ed25519 as they are."""

    signature: bytes = octets()


@frozen
class Plaintext:
    """What the ciphertext held; for a bad one, bytes that look no different (implicit rejection)."""

    plaintext: memoryview = secret()


@frozen
class KeyList:
    """The answer to `List`; of one key, to `Generate` and `Add`."""

    keys: tuple[KeyRecord, ...] = rows(KeyRecord, KEYS_LIMIT)


@frozen
class Done:
    """The answer to `Remove` and `Stop`: nothing to add."""


@frozen
class AgentStatus:
    """The answer to `GetStatus`; counters count since the start."""

    version: str = text()
    pid: int = number32()
    started_s: int = number64()
    locked: bool = flag()
    keys: int = number32()
    connections: int = number32()
    accepted: int = number64()
    signed: int = number64()
    decrypted: int = number64()
    refused: int = number64()
    failed: int = number64()
    malformed: int = number64()
    rejected: int = number64()  # connections of other users, and those beyond the limit
    restarts: int = number64()  # of workers
    audit: str = remark()  # where the audit log goes, and whether it does; "" for nowhere
    processes: tuple[Process, ...] = rows(Process, KEYS_LIMIT)
    measures: tuple[Measure, ...] = rows(Measure, KEYS_LIMIT)


@frozen
class ReloadReport:
    """The answer to `Reload`: each key that the configuration names, and each that it names no more."""

    keys: tuple[Reloaded, ...] = rows(Reloaded, 2 * KEYS_LIMIT)


@frozen
class AgentMetrics:
    """The answer to `GetMetrics`; of a locked agent's keys it tells only how many there are."""

    version: str = text()
    pid: int = number32()
    started_s: int = number64()
    locked: bool = flag()
    keys: int = number32()
    workers: int = number32()
    connections: int = number64()
    accepted: int = number64()
    rejected: int = number64()
    malformed: int = number64()
    failed: int = number64()
    restarts: int = number64()
    audit_failing: bool = flag()
    audit_lost: int = number64()
    bounds_us: tuple[int, ...] = counts()  # of `durations`
    by_key: tuple[KeyMetrics, ...] = rows(KeyMetrics, KEYS_LIMIT)


@frozen
class PeerList:
    """The answer to `GetPeers`."""

    peers: tuple[PeerRecord, ...] = rows(PeerRecord, _PEERS_LIMIT)


@frozen
class CertificateList:
    """The answer to `GetCertificates`: as many as fit in a message."""

    certificates: tuple[CertificateRecord, ...] = rows(CertificateRecord, KEYS_LIMIT)


Answer = (
    Signature
    | Plaintext
    | KeyList
    | Done
    | AgentStatus
    | ReloadReport
    | AgentMetrics
    | PeerList
    | CertificateList
    | QueueAnswer
)


@frozen
class Failure:
    """Any status but DONE; `purpose` names the purpose that a refusal is about."""

    status: Status
    message: str
    purpose: str = ""


_T = TypeVar("_T")


def parse_request(name: str, reader: Reader) -> Request | None:
    """The request after its name, or None where kit has no such extension."""
    if name not in _REQUESTS:
        return None
    request = read(_REQUESTS[name], reader)
    reader.end()
    return request


def encode(message: Request | Answer) -> list[Buffer]:
    """The message's fields, in parts so that a secret is not copied."""
    return write(message)


def encode_answer(answer: Answer | Failure) -> list[Buffer]:
    """The status, then the fields."""
    if isinstance(answer, Failure):
        return [bytes([answer.status]), string(answer.message[:1024]), string(answer.purpose)]
    return [bytes([Status.DONE]), *write(answer)]


def parse_answer(answer: type[_T], reader: Reader) -> _T | Failure:
    """The answer's fields after the extension's name."""
    status = reader.byte()
    if status == Status.DONE:
        result: _T | Failure = read(answer, reader)
    else:
        result = Failure(_status(status), reader.text(4096), reader.text())
    reader.end()
    return result


def _status(number: int) -> Status:
    try:
        return Status(number)
    except ValueError:
        raise ProtocolError(f"an answer of status {number}") from None
