"""What the client of one cell offers: a version, the signature algorithms of one kind of key, all groups."""

from __future__ import annotations

import ssl

from kit.core.frozen import frozen
from kit.tls import libssl
from kit.tls.cells import Authentication, Version

_SSL_VERSIONS = {Version.TLS_1_2: ssl.TLSVersion.TLSv1_2, Version.TLS_1_3: ssl.TLSVersion.TLSv1_3}
_SIGNATURE_ALGORITHMS = {
    Authentication.RSA: ":".join(
        f"{kind}_sha{bits}"
        for kind in ("rsa_pss_rsae", "rsa_pkcs1", "rsa_pss_pss")
        for bits in (256, 384, 512)
    ),
    Authentication.ECDSA: "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512",
    Authentication.ML_DSA: "mldsa65:mldsa44:mldsa87",
}
# No key transport (RFC 9325, section 4.1): with it the server's key would decrypt and sign nothing.
_TLS_1_2_CIPHERS = {
    Authentication.RSA: "ECDHE+aRSA:DHE+aRSA:!eNULL",
    Authentication.ECDSA: "ECDHE+aECDSA:!eNULL",
}
# In TLS 1.2 the curve of an ECDSA certificate must be among the groups (RFC 8422, section 5.1): offer all.
_GROUPS = "X25519:P-256:P-384:P-521"
# A share for each that has a star, so that a server without hybrid groups need not ask for another one.
_HYBRID_GROUPS = "*X25519MLKEM768:*X25519:SecP256r1MLKEM768:SecP384r1MLKEM1024:P-256:P-384:P-521"


@frozen
class Question:
    """What the client offers, and whether it insists on a certificate that verifies."""

    version: Version
    authentication: Authentication
    server_name: str
    ca_file: str | None = None
    verify: bool = True


def client_context(question: Question) -> tuple[ssl.SSLContext, bool]:
    """A context that offers what the question asks for, and whether it could be forced to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = _SSL_VERSIONS[question.version]
    is_tls_1_2 = question.version is Version.TLS_1_2
    ciphers = _TLS_1_2_CIPHERS[question.authentication] if is_tls_1_2 else "ALL"
    # The second attempt is made for the facts: a key that is too weak to trust is one of them.
    context.set_ciphers(ciphers if question.verify else f"{ciphers}:@SECLEVEL=0")
    if not question.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif question.ca_file:
        context.load_verify_locations(question.ca_file)
    else:
        context.load_default_certs()
    groups = _HYBRID_GROUPS if libssl.has_ml_dsa() and not is_tls_1_2 else _GROUPS
    forced = libssl.force(context, _SIGNATURE_ALGORITHMS[question.authentication], groups)
    return context, forced or is_tls_1_2
