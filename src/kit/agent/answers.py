"""The agent's answers in the dialect of their request: kit's own extensions, or the SSH protocol's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kit.agent import extension, ssh_keys, wire
from kit.agent.channels.tallies import LAST_REFUSED
from kit.agent.encoding import Buffer
from kit.agent.extension import Failure, Status
from kit.agent.keeper import NoSuchKey, OperationFailed
from kit.agent.keystore import LIST_LIMIT, Entry, StoreFull
from kit.agent.peers import spelled
from kit.agent.policy import PURPOSES, Refusal
from kit.agent.public import PublicKey
from kit.agent.queue.messages import Continue
from kit.agent.schemes import Scheme
from kit.core.errors import KitError, Unavailable
from kit.core.framing import frame

_PURPOSES = tuple(PURPOSES)
# A key_id, and two lengths.
_CERTIFICATE_OVERHEAD = 40
# A key's counters: signed, decrypted, refused.
Counts = Callable[[Entry], Sequence[int]]


class Refused(KitError):
    """The key's purposes do not allow it, or whoever was asked said no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why)
        self.purpose = refusal.purpose


class Locked(KitError):
    """The agent is locked."""


class NotAdministrator(KitError):
    """Only an administrator of the agent may ask for this."""


def done(request: extension.Request, answer: extension.Answer) -> list[Buffer]:
    return [wire.extension_response(request.name, b""), *extension.encode_answer(answer)]


def listed(request: extension.Request, entries: Iterable[Entry], counts: Counts) -> list[Buffer]:
    """Keys, with what they did."""
    return done(request, extension.KeyList(tuple(_record(entry, counts(entry)) for entry in entries)))


def signature(made: bytes) -> bytearray:
    """To `extension.Sign`, what `done` gives in a quarter of the time."""
    return _signature(_SIGNED, made)


def digest_signature(made: bytes) -> bytearray:
    """To `extension.SignDigest`."""
    return _signature(_DIGEST_SIGNED, made)


def _signature(head: bytes, made: bytes) -> bytearray:
    size = len(made)
    out = bytearray((len(head) + 4 + size).to_bytes(4, "big"))
    out += head
    out += size.to_bytes(4, "big")
    out += made
    return out


def piece(made: bytearray) -> bytearray:
    """To `queue.messages.Continue`; `made` is not needed any more, and wiped."""
    out = frame(_CONTINUED, len(made).to_bytes(4, "big"), made)
    made[:] = bytes(len(made))
    return out


def ssh_signature(public: PublicKey, scheme: Scheme, made: bytes) -> bytearray:
    """To `wire.SignRequest`."""
    name = ssh_keys.signature_format(public, scheme)
    return frame(wire.sign_response(name, ssh_keys.signature_blob(public, made)))


def certificates(request: extension.Request, entries: Iterable[Entry]) -> list[Buffer]:
    """Those that there are, as many as fit in a message."""
    found, left = [], LIST_LIMIT
    for entry in entries:
        size = len(entry.certificate) + _CERTIFICATE_OVERHEAD
        if entry.certificate and size <= left:
            left -= size
            found.append(extension.CertificateRecord(entry.public.key_id, entry.certificate))
    return done(request, extension.CertificateList(tuple(found)))


_CONTINUED, _SIGNED, _DIGEST_SIGNED = (
    wire.extension_response(kind.name, b"") + bytes([Status.DONE])
    for kind in (Continue, extension.Sign, extension.SignDigest)
)


def success(_result: object = None) -> list[Buffer]:
    return [wire.success()]


def failed(request: wire.Request, error: KitError) -> bytearray:
    """What an error looks like to the client."""
    if isinstance(request, wire.Unsupported) and request.is_extension:
        # The draft: an extension that is not known is answered as a message that is not known.
        return frame(wire.failure())
    if not isinstance(request, extension.Request):
        return frame(wire.failure())
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    failure = Failure(status, str(error), getattr(error, "purpose", ""))
    return frame(wire.extension_response(request.name, b""), *extension.encode_answer(failure))


# In this order: the first class that an error is an instance of tells its status on the wire.
_STATUS: tuple[tuple[type[KitError], Status], ...] = (
    (Refused, Status.REFUSED),
    (Locked, Status.LOCKED),
    (NotAdministrator, Status.NOT_PERMITTED),
    (NoSuchKey, Status.UNKNOWN_KEY),
    (OperationFailed, Status.FAILED),
    (StoreFull, Status.UNAVAILABLE),
    (Unavailable, Status.UNAVAILABLE),
    (KitError, Status.MALFORMED),
)


def _record(entry: Entry, counts: Sequence[int]) -> extension.KeyRecord:
    signed, decrypted, refused = counts[:3]
    last = counts[LAST_REFUSED] & 0xFF
    return extension.KeyRecord(
        key_name=entry.name,
        kind=entry.public.kind,
        spki=entry.public.spki,
        ssh_blob=entry.public.ssh_blob,
        purposes=entry.purposes,
        added_s=int(entry.added_s),
        expires_s=int(entry.expires_s),
        signed=signed,
        decrypted=decrypted,
        refused=refused,
        peers=spelled(entry.peers),
        refused_for=_PURPOSES[last - 1] if 0 < last <= len(_PURPOSES) else "",
    )
