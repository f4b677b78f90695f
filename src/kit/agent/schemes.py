"""What a signature is made with: TLS SignatureScheme code points, key types, and SSH's names for both.

Sources: RFC 8446 section 4.2.3 and IANA's registry for the code points; RFC 4253, 5656, 8332 and 8709 for
SSH, which has no type for ML-DSA alone. SHA-1 and MD5 are in none of the tables: what is not here is not
signed.
"""

from __future__ import annotations

from enum import StrEnum

from kit.core.frozen import frozen


class KeyType(StrEnum):
    """The families of keys that the agent holds."""

    RSA = "RSA"
    EC = "EC"
    ED25519 = "ED25519"
    ML_DSA_44 = "ML-DSA-44"
    ML_DSA_65 = "ML-DSA-65"
    ML_DSA_87 = "ML-DSA-87"
    AES = "AES"  # the only one without a public half


ML_DSA = (KeyType.ML_DSA_44, KeyType.ML_DSA_65, KeyType.ML_DSA_87)


@frozen
class Scheme:
    """A TLS SignatureScheme. `curve` is the one that TLS 1.3 binds it to; TLS 1.2 binds the hash only."""

    code: int
    name: str
    key_type: KeyType
    hash_name: str
    pss: bool = False
    curve: str = ""


# rsa_pss_pss_* (0x0809 to 0x080b) sign with an RSASSA-PSS key (OID 1.2.840.113549.1.1.10), which the agent
# does not hold: an rsaEncryption key must not make them (RFC 8446, section 4.2.3).
_ALL = (
    Scheme(0x0401, "rsa_pkcs1_sha256", KeyType.RSA, "sha256"),
    Scheme(0x0501, "rsa_pkcs1_sha384", KeyType.RSA, "sha384"),
    Scheme(0x0601, "rsa_pkcs1_sha512", KeyType.RSA, "sha512"),
    Scheme(0x0804, "rsa_pss_rsae_sha256", KeyType.RSA, "sha256", pss=True),
    Scheme(0x0805, "rsa_pss_rsae_sha384", KeyType.RSA, "sha384", pss=True),
    Scheme(0x0806, "rsa_pss_rsae_sha512", KeyType.RSA, "sha512", pss=True),
    Scheme(0x0403, "ecdsa_secp256r1_sha256", KeyType.EC, "sha256", curve="secp256r1"),
    Scheme(0x0503, "ecdsa_secp384r1_sha384", KeyType.EC, "sha384", curve="secp384r1"),
    Scheme(0x0603, "ecdsa_secp521r1_sha512", KeyType.EC, "sha512", curve="secp521r1"),
    Scheme(0x0807, "ed25519", KeyType.ED25519, ""),
    Scheme(0x0904, "mldsa44", KeyType.ML_DSA_44, ""),
    Scheme(0x0905, "mldsa65", KeyType.ML_DSA_65, ""),
    Scheme(0x0906, "mldsa87", KeyType.ML_DSA_87, ""),
)
DIGEST_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}
SCHEMES: dict[int, Scheme] = {scheme.code: scheme for scheme in _ALL}
BY_NAME: dict[str, Scheme] = {scheme.name: scheme for scheme in _ALL}


@frozen
class Kind:
    """A key type with its size: what `generate --type` takes and what `list` shows.

    `ssh_name` is empty where SSH has no such key.
    """

    name: str
    key_type: KeyType
    bits: int
    curve: str = ""
    ssh_name: str = ""
    ssh_curve: str = ""


_EC_SSH = "ecdsa-sha2-"
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("rsa-2048", KeyType.RSA, 2048, ssh_name="ssh-rsa"),
        Kind("rsa-3072", KeyType.RSA, 3072, ssh_name="ssh-rsa"),
        Kind("rsa-4096", KeyType.RSA, 4096, ssh_name="ssh-rsa"),
        Kind("rsa-8192", KeyType.RSA, 8192, ssh_name="ssh-rsa"),
        Kind("p-256", KeyType.EC, 256, "secp256r1", _EC_SSH + "nistp256", "nistp256"),
        Kind("p-384", KeyType.EC, 384, "secp384r1", _EC_SSH + "nistp384", "nistp384"),
        Kind("p-521", KeyType.EC, 521, "secp521r1", _EC_SSH + "nistp521", "nistp521"),
        Kind("ed25519", KeyType.ED25519, 256, ssh_name="ssh-ed25519"),
        # As OpenSSL counts them, the public key's bits.
        Kind("ml-dsa-44", KeyType.ML_DSA_44, 10496),
        Kind("ml-dsa-65", KeyType.ML_DSA_65, 15616),
        Kind("ml-dsa-87", KeyType.ML_DSA_87, 20736),
    )
}
EC_KINDS: dict[str, Kind] = {kind.curve: kind for kind in KINDS.values() if kind.curve}
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192

# draft-ietf-sshm-ssh-agent, section 3.6.1: flags of a sign request for an RSA key. Without one it asks for
# a SHA-1 "ssh-rsa" signature, which is refused.
SSH_RSA_FLAGS: dict[int, tuple[str, Scheme]] = {
    2: ("rsa-sha2-256", BY_NAME["rsa_pkcs1_sha256"]),
    4: ("rsa-sha2-512", BY_NAME["rsa_pkcs1_sha512"]),
}
# RFC 5656, section 6.2.1: the hash follows from the curve's size, as in TLS 1.3.
SSH_EC_SCHEMES: dict[str, Scheme] = {scheme.curve: scheme for scheme in _ALL if scheme.curve}
