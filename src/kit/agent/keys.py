"""Private keys that stay in the agent, as objects that `cryptography` takes for private keys.

They implement its interfaces, so X.509 builders, PyJWT and the like sign with them unchanged. Each
signature is verified with the public key before it is handed out: whatever answers on the socket, a bad
signature goes no further. What the agent cannot do (Prehashed, OAEP, ECDH, handing out the key) raises
UnsupportedOperation; what the key's purposes do not allow raises the client's KeyRefused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from kit.agent import forms, mldsa
from kit.agent.public import load_spki
from kit.agent.schemes import BY_NAME, SCHEMES, KeyType, Scheme
from kit.core.errors import ProtocolError, UsageError

Buffer = bytes | bytearray | memoryview
_Self = TypeVar("_Self")
_HERE = "its private half is in the agent"


class UnsupportedOperation(UsageError):
    """A private operation of `cryptography` that the agent does not offer."""


class Signer(Protocol):
    """What is needed of the client."""

    def sign(self, key_id: bytes, scheme_code: int, content: bytes, purpose: str = "") -> bytes: ...

    def decrypt(self, key_id: bytes, ciphertext: bytes) -> Buffer: ...

    def close(self) -> None: ...


class KeyInAgent(Protocol):
    """What is needed of a key's record: `extension.KeyRecord` has it."""

    @property
    def key_name(self) -> str: ...

    @property
    def spki(self) -> bytes: ...


class _InAgent:
    """What all kinds share: the public key, the way to the agent, and what cannot be done."""

    def __init__(self, signer: Signer, record: KeyInAgent, public: Any, key_id: bytes) -> None:
        self._signer = signer
        self._name = record.key_name
        self._public = public
        self._key_id = key_id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"

    def __copy__(self: _Self) -> _Self:
        return self

    def __deepcopy__(self: _Self, memo: dict[Any, Any]) -> _Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise UnsupportedOperation(f"the key {self._name!r} cannot be pickled: {_HERE}")

    def public_key(self) -> Any:
        return self._public

    @property
    def key_size(self) -> int:
        return int(self._public.key_size)

    def private_numbers(self) -> NoReturn:
        raise UnsupportedOperation(f"the numbers of the key {self._name!r} cannot be had: {_HERE}")

    def private_bytes(
        self, encoding: object = None, format: object = None, encryption_algorithm: object = None
    ) -> NoReturn:
        raise UnsupportedOperation(f"the key {self._name!r} cannot be written out: {_HERE}")

    def _sign(self, scheme: Scheme, data: Buffer, *verifier: Any) -> bytes:
        content = bytes(data)
        signature = self._signer.sign(self._key_id, scheme.code, content)
        try:
            self._public.verify(signature, content, *verifier)
        except InvalidSignature:
            self._signer.close()
            raise ProtocolError(f"the agent's signature with {self._name!r} does not verify") from None
        return signature

    def _unsupported(self, what: str) -> UnsupportedOperation:
        return UnsupportedOperation(f"the key {self._name!r} is in an agent that offers no {what}")

    def _hash_name(self, algorithm: object) -> str:
        if isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
            return algorithm.name
        if isinstance(algorithm, hashes.HashAlgorithm):
            raise self._unsupported(f"signatures with {algorithm.name}")
        # The agent decides by the content what it signs; a digest tells nothing.
        raise self._unsupported(f"signatures of {type(algorithm).__name__} data: it wants the whole content")


class AgentRSAPrivateKey(_InAgent, rsa.RSAPrivateKey):
    """An RSA key in the agent: PKCS#1 v1.5 and PSS with SHA-2; decryption if the key allows it."""

    def sign(self, data: Buffer, padding: Any, algorithm: Any) -> bytes:
        scheme = self._scheme(padding, self._hash_name(algorithm))
        return self._sign(scheme, data, padding, algorithm)

    def decrypt(self, ciphertext: bytes, padding: Any) -> bytes:
        """PKCS#1 v1.5; a damaged ciphertext gives other bytes and no error, so that nothing can be learnt."""
        if not isinstance(padding, _PKCS1):
            raise self._unsupported(f"decryption with {type(padding).__name__}")
        return bytes(self._signer.decrypt(self._key_id, bytes(ciphertext)))

    def _scheme(self, padding: Any, hash_name: str) -> Scheme:
        if isinstance(padding, _PKCS1):
            return BY_NAME[f"rsa_pkcs1_{hash_name}"]
        if not isinstance(padding, _PSS):
            raise self._unsupported(f"padding {type(padding).__name__}")
        if getattr(padding.mgf, "_algorithm").name != hash_name:  # noqa: B009  no public name for it
            raise self._unsupported("PSS whose mask is made with another hash")
        digest_size = getattr(hashes, hash_name.upper()).digest_size
        if getattr(padding, "_salt_length") not in (digest_size, _PSS.DIGEST_LENGTH):  # noqa: B009  the same
            raise self._unsupported("PSS with a salt of another length than the digest's")
        return BY_NAME[f"rsa_pss_rsae_{hash_name}"]


# Parameters of the interface are called `padding` too.
_PKCS1, _PSS = padding.PKCS1v15, padding.PSS
_EC_SCHEMES = {scheme.hash_name: scheme for scheme in SCHEMES.values() if scheme.key_type is KeyType.EC}


class AgentEllipticCurvePrivateKey(_InAgent, ec.EllipticCurvePrivateKey):
    """A P-256, P-384 or P-521 key in the agent: ECDSA with SHA-2."""

    @property
    def curve(self) -> ec.EllipticCurve:
        curve: ec.EllipticCurve = self._public.curve
        return curve

    def sign(self, data: Buffer, signature_algorithm: Any) -> bytes:
        if getattr(signature_algorithm, "deterministic_signing", False):
            raise self._unsupported("deterministic ECDSA")
        scheme = _EC_SCHEMES[self._hash_name(signature_algorithm.algorithm)]
        return self._sign(scheme, data, signature_algorithm)

    def exchange(self, algorithm: object, peer_public_key: object) -> NoReturn:
        raise self._unsupported("key exchange")


class AgentEd25519PrivateKey(_InAgent, ed25519.Ed25519PrivateKey):
    """An Ed25519 key in the agent."""

    def sign(self, data: Buffer) -> bytes:
        return self._sign(BY_NAME["ed25519"], data)

    def private_bytes_raw(self) -> NoReturn:
        self.private_bytes()


class _AgentMLDSAPrivateKey(_InAgent):
    """An ML-DSA key in the agent: the pure form, with an empty context, which is TLS's and X.509's."""

    _scheme: Scheme

    def sign(self, data: Buffer, context: Buffer | None = None) -> bytes:
        if context:
            raise self._unsupported("signatures with a context")
        return self._sign(self._scheme, data)

    def sign_mu(self, mu: Buffer) -> NoReturn:
        raise self._unsupported("signatures of a precomputed mu: it wants the whole content")

    def private_bytes_raw(self) -> NoReturn:
        self.private_bytes()


def _mldsa_class(key_type: KeyType) -> type[_AgentMLDSAPrivateKey]:
    """The interface is there only where `cryptography` has it."""
    interface, scheme = mldsa.PRIVATE[key_type], BY_NAME[key_type.replace("-", "").lower()]
    name = f"Agent{interface.__name__}"
    return type(name, (_AgentMLDSAPrivateKey, interface), {"_scheme": scheme, "__module__": __name__})


_MLDSA_CLASSES = {key_type: _mldsa_class(key_type) for key_type in mldsa.PRIVATE}

if TYPE_CHECKING:
    from kit.agent.public import PublicKeyObject

    AgentPrivateKey = (
        AgentRSAPrivateKey | AgentEllipticCurvePrivateKey | AgentEd25519PrivateKey | mldsa.PrivateKeyObject
    )


def private_key(client: Signer, record: KeyInAgent) -> AgentPrivateKey:
    """The key of that record as an object of `cryptography`; it asks `client` for each operation."""
    if not record.spki:
        raise UnsupportedOperation(f"the key {record.key_name!r} is for queue files, and has no public half")
    public: PublicKeyObject = load_spki(record.spki)
    key_id = forms.key_id(record.spki)
    if isinstance(public, rsa.RSAPublicKey):
        return AgentRSAPrivateKey(client, record, public, key_id)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return AgentEllipticCurvePrivateKey(client, record, public, key_id)
    if mldsa.is_public(public):
        make: Any = _MLDSA_CLASSES[mldsa.type_of(public)]
        key: mldsa.PrivateKeyObject = make(client, record, public, key_id)
        return key
    return AgentEd25519PrivateKey(client, record, public, key_id)
