"""Which mechanisms there are, what arrives with each, and what the agent is asked for it.

Where the whole content arrives, the agent is sent it and finds out what it is, so that the key's purposes
hold. Where a digest arrives, the agent can only look at its shape, and signs if the key allows that by name.
A digest of a shape that no purpose covers (MD5 and SHA-1, raw padding) ends here. Nothing here decides
anything else: what a key may not do is for the agent to refuse, where it is counted and written down.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from kit.agent.pkcs11.codes import CallError, Code, Mechanism
from kit.agent.pkcs11.values import NULL, Arguments, numbers
from kit.agent.schemes import BY_NAME, RSA_BITS_MAX, RSA_BITS_MIN, KeyType


class Whole(NamedTuple):
    """The whole content arrives, for this TLS SignatureScheme."""

    scheme: int
    hash_name: str


class Digest(NamedTuple):
    """A digest arrives; `read` gives the TLS SignatureScheme and the bare digest."""

    read: Callable[[bytes], tuple[int, bytes]]


Means = Whole | Digest

# RFC 8017, section 9.2, note 1: the DigestInfo up to the digest.
_DIGEST_INFO = {
    bytes.fromhex("3031300d060960864801650304020105000420"): ("rsa_pkcs1_sha256", 32),
    bytes.fromhex("3041300d060960864801650304020205000430"): ("rsa_pkcs1_sha384", 48),
    bytes.fromhex("3051300d060960864801650304020305000440"): ("rsa_pkcs1_sha512", 64),
}
_DIGEST_INFO_SIZE = 19
# For ECDSA the code tells the hash alone, whatever the key's curve, as in TLS 1.2.
_ECDSA = {
    32: BY_NAME["ecdsa_secp256r1_sha256"].code,
    48: BY_NAME["ecdsa_secp384r1_sha384"].code,
    64: BY_NAME["ecdsa_secp521r1_sha512"].code,
}


def _digest_info(data: bytes) -> tuple[int, bytes]:
    name, size = _DIGEST_INFO.get(data[:_DIGEST_INFO_SIZE], ("", 0))
    if not name or len(data) != _DIGEST_INFO_SIZE + size:
        raise CallError(Code.DATA_INVALID)
    return BY_NAME[name].code, data[_DIGEST_INFO_SIZE:]


def _by_length(data: bytes) -> tuple[int, bytes]:
    scheme = _ECDSA.get(len(data))
    if scheme is None:
        raise CallError(Code.DATA_LEN_RANGE)
    return scheme, data


def _of_length(scheme: int, size: int, data: bytes) -> tuple[int, bytes]:
    if len(data) != size:
        raise CallError(Code.DATA_LEN_RANGE)
    return scheme, data


def _whole(name: str) -> Whole:
    return Whole(BY_NAME[name].code, BY_NAME[name].hash_name)


# CK_RSA_PKCS_PSS_PARAMS as TLS wants them: CKM_SHAnnn, CKG_MGF1_SHAnnn of the same hash, a salt as long.
_PSS = (
    (numbers(0x250, 2, 32), Mechanism.SHA256_RSA_PKCS_PSS, "rsa_pss_rsae_sha256", 32),
    (numbers(0x260, 3, 48), Mechanism.SHA384_RSA_PKCS_PSS, "rsa_pss_rsae_sha384", 48),
    (numbers(0x270, 4, 64), Mechanism.SHA512_RSA_PKCS_PSS, "rsa_pss_rsae_sha512", 64),
)

# The mechanism, and its parameters on the wire (b"" for none), to what is done.
_MEANS: dict[tuple[int, bytes], Means] = {
    (Mechanism.RSA_PKCS, b""): Digest(_digest_info),
    (Mechanism.SHA256_RSA_PKCS, b""): _whole("rsa_pkcs1_sha256"),
    (Mechanism.SHA384_RSA_PKCS, b""): _whole("rsa_pkcs1_sha384"),
    (Mechanism.SHA512_RSA_PKCS, b""): _whole("rsa_pkcs1_sha512"),
    **{(m, parameters): _whole(name) for parameters, m, name, _ in _PSS},
    **{
        (Mechanism.RSA_PKCS_PSS, parameters): Digest(partial(_of_length, BY_NAME[name].code, size))
        for parameters, _, name, size in _PSS
    },
    (Mechanism.ECDSA, b""): Digest(_by_length),
    (Mechanism.ECDSA_SHA256, b""): _whole("ecdsa_secp256r1_sha256"),
    (Mechanism.ECDSA_SHA384, b""): _whole("ecdsa_secp384r1_sha384"),
    (Mechanism.ECDSA_SHA512, b""): _whole("ecdsa_secp521r1_sha512"),
}
_PSS_MECHANISMS = frozenset({Mechanism.RSA_PKCS_PSS, *(m for _, m, _, _ in _PSS)})
_PSS_SIZE = 24

# Those that only take a digest are listed, although most keys will not do it: pkcs11-provider looks for them
# before it uses the others.
MECHANISMS: dict[int, KeyType] = {m: KeyType.EC if "ECDSA" in m.name else KeyType.RSA for m in Mechanism}
# p11-kit 0.24 takes those that it does not know off the list after it told the length, and its caller reads
# what stands behind the rest.
OLD_CLIENTS = (
    Mechanism.RSA_PKCS,
    Mechanism.RSA_PKCS_PSS,
    Mechanism.SHA256_RSA_PKCS,
    Mechanism.SHA384_RSA_PKCS,
    Mechanism.SHA512_RSA_PKCS,
    Mechanism.ECDSA,
)

_SIGN, _EC_F_P, _EC_NAMED_CURVE, _EC_UNCOMPRESS = 0x800, 0x100000, 0x800000, 0x1000000  # CKF_…
_INFO = {
    KeyType.RSA: (RSA_BITS_MIN, RSA_BITS_MAX, _SIGN),
    KeyType.EC: (256, 521, _SIGN | _EC_F_P | _EC_NAMED_CURVE | _EC_UNCOMPRESS),
}


def information(mechanism: int) -> tuple[int, int, int]:
    """CK_MECHANISM_INFO: the least and the greatest size of a key, and flags."""
    if mechanism not in MECHANISMS:
        raise CallError(Code.MECHANISM_INVALID)
    return _INFO[MECHANISMS[mechanism]]


def read(arguments: Arguments) -> tuple[int, bytes] | None:
    """`M`: a mechanism that there is, and its parameters; None for none, which cancels (p11-kit 0.25).

    How parameters are written depends on the mechanism: those of PSS are three u64, bare, where any other has
    a blob. So behind an unknown one nothing can be read.
    """
    mechanism = arguments.count()
    if mechanism == NULL:
        return None
    if mechanism not in MECHANISMS:
        raise CallError(Code.MECHANISM_INVALID)
    if mechanism in _PSS_MECHANISMS:
        return mechanism, numbers(*(arguments.number() for _ in range(3)))
    return mechanism, arguments.blob() or b""


def means(mechanism: int, parameters: bytes, key_type: KeyType) -> Means:
    """What is done with what arrives."""
    if MECHANISMS[mechanism] is not key_type:
        raise CallError(Code.KEY_TYPE_INCONSISTENT)
    found = _MEANS.get((mechanism, parameters))
    if found is None:
        raise CallError(Code.MECHANISM_PARAM_INVALID)
    return found
