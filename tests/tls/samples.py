"""Cells as a probe would make them, for the pure functions that judge and show them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.tls.cells import Authentication, Cell, Certificate, Ending, Times, Version

RSA, ECDSA, ML_DSA = Authentication
RSA_CERTIFICATE = Certificate(
    "aa" * 32,
    authentication=RSA,
    key="RSA 2048",
    key_sha256="bb" * 32,
    subject="CN=mail.test",
    issuer="CN=Test Root",
    names=("mail.test",),
    not_before="2026-01-01T00:00:00+00:00",
    not_after="2027-01-01T00:00:00+00:00",
)
ECDSA_CERTIFICATE = replace(RSA_CERTIFICATE, sha256="cc" * 32, authentication=ECDSA, key="P-256")
ML_DSA_CERTIFICATE = replace(RSA_CERTIFICATE, sha256="dd" * 32, authentication=ML_DSA, key="ML-DSA-65")
# A server of today, and the cell that comes with ML-DSA.
ALL = tuple((version, authentication) for version in Version for authentication in (RSA, ECDSA))
POST_QUANTUM = (Version.TLS_1_3, ML_DSA)


def certificate(authentication: Authentication) -> Certificate:
    return {RSA: RSA_CERTIFICATE, ECDSA: ECDSA_CERTIFICATE, ML_DSA: ML_DSA_CERTIFICATE}[authentication]


def good(version: Version, authentication: Authentication, **changes: Any) -> Cell:
    cell = Cell(
        version,
        authentication,
        Ending.COMPLETED,
        address="127.0.0.1",
        cipher="TLS_AES_256_GCM_SHA384",
        group="x25519",
        scheme="rsa_pss_rsae_sha256" if authentication is RSA else "ecdsa_secp256r1_sha256",
        signed=True,
        chain=(certificate(authentication),),
        verified=True,
        times=Times(1.0, None, 2.0, 3.0),
    )
    return replace(cell, **changes)


def refused(version: Version, authentication: Authentication) -> Cell:
    return Cell(version, authentication, Ending.ALERT, error="alert handshake failure", alert=40)


def unsigned(version: Version, authentication: Authentication, **changes: Any) -> Cell:
    """A certificate is shown, and then the server gives up."""
    cell = Cell(
        version,
        authentication,
        Ending.ALERT,
        error="alert internal error",
        alert=80,
        chain=(certificate(authentication),),
        verified=True,
    )
    return replace(cell, **changes)
