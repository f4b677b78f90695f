"""The agent's side of the questions, answered with keys in hand."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding

from kit.agent import extension
from kit.agent.extension import (
    CertificateList,
    CertificateRecord,
    Failure,
    GetCertificates,
    KeyList,
    KeyRecord,
    List,
    Sign,
    Signature,
    SignDigest,
    Status,
)
from kit.agent.public import describe
from kit.agent.schemes import SCHEMES, Scheme
from tests.agent.samples import PrivateKey, certificate, private_key, public_key

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def record(kind: str, name: str = "", which: int = 0) -> KeyRecord:
    """As the agent lists it."""
    public = public_key(kind, which)
    purposes = ("tls-server", "csr")
    return KeyRecord(name or kind, kind, public.spki, public.ssh_blob, purposes, 1, 0, 0, 0, 0, (), "")


def key_id(kind: str) -> bytes:
    return public_key(kind).key_id


class Holder:
    """Answers as an agent does that has these keys; `asked` is what it was asked."""

    def __init__(self, *kinds: str, certified: tuple[str, ...] = ()) -> None:
        self.records = tuple(record(kind) for kind in kinds)
        self.certificates = {public_key(kind).key_id: certificate(kind) for kind in certified}
        self.keys: dict[bytes, PrivateKey] = {public_key(kind).key_id: private_key(kind) for kind in kinds}
        self.asked: list[extension.Request] = []

    def answer(self, request: extension.Request) -> extension.Answer | Failure | None:
        self.asked.append(request)
        if isinstance(request, List):
            return KeyList(self.records)
        if isinstance(request, GetCertificates):
            rows = self.certificates.items()
            return CertificateList(
                tuple(CertificateRecord(key, one.public_bytes(Encoding.DER)) for key, one in rows)
            )
        assert isinstance(request, Sign | SignDigest)
        if request.key_id not in self.keys:
            return Failure(Status.UNKNOWN_KEY, "no such key")
        key, scheme = self.keys[request.key_id], SCHEMES[request.scheme]
        assert describe(key.public_key()).key_type is scheme.key_type
        return Signature(_signed(key, scheme, request))


def _signed(key: PrivateKey, scheme: Scheme, request: Sign | SignDigest) -> bytes:
    known = HASHES[scheme.hash_name]
    if isinstance(request, SignDigest):
        hash_: hashes.HashAlgorithm | utils.Prehashed = utils.Prehashed(known)
        content = request.digest
    else:
        hash_, content = known, request.content
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding_of(scheme), hash_)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(content, ec.ECDSA(hash_))


def padding_of(scheme: Scheme) -> padding.AsymmetricPadding:
    known = HASHES[scheme.hash_name]
    return padding.PSS(padding.MGF1(known), known.digest_size) if scheme.pss else padding.PKCS1v15()
