"""What a key may sign: one table from kinds of content to purposes, and the decision.

The content alone says what it is. A caller's claim can only narrow what the key allows, never widen it, and
content that can be read in two ways is signed only where the key may sign both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kit.agent.content import Kind, Reading, readings
from kit.agent.public import PublicKey
from kit.agent.queue.format import QUEUE
from kit.agent.schemes import DIGEST_SIZES, KeyType, Scheme
from kit.core.errors import UsageError
from kit.core.frozen import frozen

PURPOSES: dict[str, str] = {
    "tls-server": "the handshakes of a TLS server",
    "tls-client": "the handshakes of a TLS client",
    "ssh": "SSH logins, and signatures by ssh-keygen -Y sign",
    "csr": "certificate requests for the key itself",
    "self-signed": "certificates of the key for itself that are no CA's",
    "ca": "any certificate",
    "any": "any content",
    "tls-digest": "a digest or a PSS block of a form that TLS uses, of whatever it may be",
    "digest": "any digest, and so anything at all",
    "decrypt": "RSA decryption, which no other purpose includes",
    "queue": "sealing and opening queue files, for a key of its own that can do nothing else",
}
ADDED_DEFAULT = ("tls-server", "csr")
GENERATED_DEFAULT = ("tls-server", "csr", "self-signed")
SSH_ADDED = ("ssh",)

# The narrowest purpose stands first. "any" and "digest" allow each kind, and content of no kind: a key that
# signs every digest signs every content anyhow.
ALLOWED_BY: dict[Kind, tuple[str, ...]] = {
    Kind.TLS_1_3_SERVER: ("tls-server",),
    Kind.TLS_1_2_SERVER: ("tls-server",),
    Kind.TLS_1_3_CLIENT: ("tls-client",),
    Kind.TLS_1_2_CLIENT: ("tls-client",),
    Kind.SSH_LOGIN: ("ssh",),
    Kind.SSH_SIGNATURE: ("ssh",),
    Kind.REQUEST: ("csr",),
    Kind.SELF_SIGNED: ("self-signed", "ca"),
    Kind.CERTIFICATE: ("ca",),
    Kind.OTHER_REQUEST: (),
    Kind.ASN1_LIKE: (),
    Kind.SSH_LIKE: (),
    Kind.HANDSHAKE_LIKE: (),
    Kind.IKE_LIKE: (),
    Kind.OPENPGP_LIKE: (),
}
_ANYTHING = frozenset(("any", "digest"))
# Where only a digest arrives. No other purpose allows that, "any" included: nobody can say what is signed.
_TLS_FORM, _OTHER_FORM = ("tls-digest", "digest"), ("digest",)
# By curve: the sizes of the digests that TLS has its keys sign (RFC 8446, section 4.2.3; TLS 1.2 also uses
# hashes that are shorter than the curve).
_TLS_DIGESTS = {"secp256r1": (32,), "secp384r1": (32, 48), "secp521r1": (32, 48, 64)}


@frozen
class Permit:
    """The key may sign this, as `purpose`."""

    purpose: str


@frozen
class Refusal:
    """The key may not; `purpose` is the one that it would take, `why` a sentence for caller and log."""

    purpose: str
    why: str


def parse_purposes(names: Iterable[str]) -> tuple[str, ...]:
    """The purposes in the order of PURPOSES, each once; raises UsageError for one that there is not."""
    wanted = set(names)
    unknown = sorted(wanted - set(PURPOSES))
    if unknown:
        raise UsageError(f"no purpose {unknown[0]!r}", hint=f"the purposes are {_list(PURPOSES)}")
    if QUEUE in wanted and len(wanted) > 1:
        raise UsageError(f"a key with the purpose {QUEUE!r} has no other")
    return tuple(name for name in PURPOSES if name in wanted)


def recognise(key: PublicKey, content: bytes) -> frozenset[str]:
    """Every purpose for which this content could be signed."""
    return frozenset(name for reading in readings(key, content) for name in ALLOWED_BY[reading.kind])


def decide(
    key: PublicKey, allowed: Collection[str], claimed: str, scheme: Scheme, content: bytes
) -> Permit | Refusal:
    """May the key, being allowed these purposes, sign this content with this scheme?"""
    if claimed and claimed not in PURPOSES:
        return Refusal("any", f"there is no purpose {claimed[:40]!r}")
    if scheme.key_type is not key.key_type:
        return Refusal(claimed or "any", f"{scheme.name} is not for a key of type {key.kind}")
    found = readings(key, content)
    return (
        _check_allowed(found, allowed)
        or _check_claim(found, claimed)
        or _check_scheme(found, scheme)
        or Permit(_purpose(found, allowed, claimed))
    )


def decide_digest(key: PublicKey, allowed: Collection[str], claimed: str, scheme: Scheme) -> Permit | Refusal:
    """May the key sign a digest of the scheme's hash, of nobody knows what?"""
    if scheme.key_type is not key.key_type or not scheme.hash_name:
        return Refusal(claimed or "digest", f"{scheme.name} signs no digest with a key of type {key.kind}")
    size = DIGEST_SIZES[scheme.hash_name]
    if key.key_type is KeyType.EC and size not in _TLS_DIGESTS[key.curve]:
        what = f"only a digest arrives, of {size} bytes, which TLS has no key of type {key.kind} sign"
        return _decide_form(_OTHER_FORM, what, allowed, claimed)
    return _decide_form(_TLS_FORM, "only a digest arrives", allowed, claimed)


def decide_block(
    key: PublicKey, allowed: Collection[str], claimed: str, scheme: Scheme | None
) -> Permit | Refusal:
    """May the key be applied to a block that is encoded for this scheme, or (None) for none?"""
    if key.key_type is not KeyType.RSA:
        return Refusal(claimed or "digest", f"a key of type {key.kind} signs no block")
    if not signs_blocks(allowed):
        return _decide_form(_TLS_FORM, "only an encoded digest arrives", allowed, claimed)
    if scheme is None:
        # Anything else could be a ciphertext: a purpose for it would contain "decrypt".
        return Refusal("tls-digest", "a block arrives that is not encoded as RSASSA-PSS in TLS is")
    return _decide_form(_TLS_FORM, "only an encoded digest arrives", allowed, claimed)


def signs_blocks(allowed: Collection[str]) -> bool:
    """Does any of these purposes let blocks be signed?"""
    return any(name in allowed for name in _TLS_FORM)


def decide_decrypt(key: PublicKey, allowed: Collection[str]) -> Permit | Refusal:
    """May the key decrypt? Only if it was said in so many words, for decryption forges signatures too."""
    if key.key_type is not KeyType.RSA:
        return Refusal("decrypt", f"a key of type {key.kind} decrypts nothing")
    if "decrypt" not in allowed:
        return Refusal("decrypt", f"content is to be decrypted (decrypt), and {_may(allowed)}")
    return Permit("decrypt")


def decide_queue(key: PublicKey, allowed: Collection[str]) -> Permit | Refusal:
    """May the key seal and open queue files?"""
    if key.key_type is not KeyType.AES or QUEUE not in allowed:
        return Refusal(QUEUE, f"a key of type {key.kind} seals and opens no queue files (queue)")
    return Permit(QUEUE)


def _decide_form(
    form: tuple[str, ...], what: str, allowed: Collection[str], claimed: str
) -> Permit | Refusal:
    """Decide about what shows no content; `form` is the purposes that cover it."""
    if claimed and claimed not in form:
        return Refusal(form[0], f"{what} ({form[0]}), and the request calls it {claimed[:40]!r}")
    if claimed in allowed:
        return Permit(claimed)
    permitted = next((name for name in form if name in allowed), "")
    return Permit(permitted) if permitted else Refusal(form[0], f"{what} ({form[0]}), and {_may(allowed)}")


def _check_allowed(found: tuple[Reading, ...], allowed: Collection[str]) -> Refusal | None:
    if not _ANYTHING.isdisjoint(allowed):
        return None
    if not found:
        return Refusal("any", f"content is nothing that the agent knows (any), and {_may(allowed)}")
    for reading in found:
        purposes = ALLOWED_BY[reading.kind]
        if not any(name in allowed for name in purposes):
            purpose = purposes[0] if purposes else "any"
            verb = "is" if len(found) == 1 else "can be read as"
            return Refusal(purpose, f"content {verb} {reading.kind.value} ({purpose}), and {_may(allowed)}")
    return None


def _check_claim(found: tuple[Reading, ...], claimed: str) -> Refusal | None:
    if claimed in ("", *_ANYTHING) or any(claimed in ALLOWED_BY[reading.kind] for reading in found):
        return None
    kinds = " and ".join(reading.kind.value for reading in found) or "nothing that the agent knows"
    return Refusal(claimed, f"content is {kinds}, and the request calls it {claimed}")


def _check_scheme(found: tuple[Reading, ...], scheme: Scheme) -> Refusal | None:
    for reading in found:
        if scheme.code not in reading.schemes:
            purpose = next(iter(ALLOWED_BY[reading.kind]), "any")
            return Refusal(
                purpose, f"{scheme.name} does not fit the content, {reading.kind.value} ({purpose})"
            )
    return None


def _purpose(found: tuple[Reading, ...], allowed: Collection[str], claimed: str) -> str:
    """The purpose to count the signature under: the claimed one, else the narrowest that the key has."""
    if claimed and claimed in allowed:
        return claimed
    names = (name for reading in found for name in ALLOWED_BY[reading.kind])
    return next((name for name in (*names, "any") if name in allowed), "digest")


def _may(allowed: Collection[str]) -> str:
    names = [name for name in PURPOSES if name in allowed and name != "decrypt"]
    return f"the key may sign {_list(names)} only" if names else "the key may sign nothing"


def _list(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
