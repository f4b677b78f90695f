"""The rows that the agent's answers list, in kit's own messages; field by field in kit-agent-protocol(7)."""

from __future__ import annotations

from kit.agent.fields import counts, names, number32, number64, octets, remark, text
from kit.agent.forms import fingerprint, id_of
from kit.core.frozen import frozen


@frozen
class KeyRecord:
    """A key as the agent lists it; times are seconds of the Unix epoch, 0 is never.

    A symmetric key has no public half: `spki` and `ssh_blob` are empty.
    """

    key_name: str = text()
    kind: str = text()
    spki: bytes = octets()  # SubjectPublicKeyInfo, DER
    ssh_blob: bytes = octets()  # RFC 4253, section 6.6
    purposes: tuple[str, ...] = names()
    added_s: int = number64()
    expires_s: int = number64()
    signed: int = number64()
    decrypted: int = number64()
    refused: int = number64()
    peers: tuple[str, ...] = names()  # who may use it: "uid:NUMBER" and "gid:NUMBER"
    refused_for: str = text()  # the purpose that the last refused request would have taken, or empty

    @property
    def key_id(self) -> bytes:
        return id_of(self.spki, self.key_name)

    @property
    def fingerprint(self) -> str:
        """Empty for a key without a public half."""
        return fingerprint(self.ssh_blob, self.spki)


@frozen
class Measure:
    """One hardening measure: `state` is "applied", "unavailable", "refused" or "off", `detail` says why."""

    measure: str = text()
    state: str = text()
    detail: str = remark()


@frozen
class Process:
    """One of the agent's processes: `role` is "supervisor", "zygote", "bridge" or "worker"."""

    role: str = text()
    pid: int = number32()
    connections: int = number32()


@frozen
class Reloaded:
    """What became of one configured key: `result` is "kept", "loaded", "removed" or "failed", and why."""

    key_name: str = text()
    result: str = text()
    why: str = remark(400)  # so that a report on all keys, those before and after, is one message


@frozen
class KeyMetrics:
    """What was done with a key; `durations`: how many operations took up to each bound, and how many more."""

    key_id: bytes = octets()  # several keys may have one name
    key_name: str = text()
    kind: str = text()
    expires_s: int = number64()
    signed: int = number64()
    decrypted: int = number64()
    refused: int = number64()
    microseconds: int = number64()
    durations: tuple[int, ...] = counts()


@frozen
class PeerRecord:
    """A connected client, and what it did on this connection."""

    uid: int = number32()
    pid: int = number32()
    peer_name: str = text()
    connection: int = number32()  # tells it from others; that of one who is gone is given again
    worker: int = number32()
    since_s: int = number64()
    operations: int = number64()
    refused: int = number64()


@frozen
class CertificateRecord:
    """A key's own certificate, DER, without the rest of its chain."""

    key_id: bytes = octets()
    certificate: bytes = octets()
