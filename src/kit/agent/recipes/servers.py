"""Servers that load a key file by OpenSSL: a file with the key's URI stands there, or an engine helps."""

from __future__ import annotations

from kit.agent.recipes import pieces
from kit.agent.recipes.machine import Key, Machine
from kit.agent.recipes.recipe import Missing, Recipe, Step

PROVIDER, ENGINE = "OpenSSL's pkcs11-provider", "the PKCS#11 engine of OpenSSL"
_ENVIRONMENT = f"Environment=OPENSSL_CONF={pieces.OPENSSL_CONFIGURATION}"
_WORKERS = "Each worker connects as its own user: both root and www-data need the agent's socket and the key."


def nginx(machine: Machine, key: Key) -> Recipe:
    return _nginx_provider(machine, key) if pieces.by_provider(machine) else _nginx_engine(machine, key)


def _nginx_provider(machine: Machine, key: Key) -> Recipe:
    return Recipe(
        "nginx",
        PROVIDER,
        "nginx 1.26 and pkcs11-provider 1.0 on Debian 13",
        (
            *pieces.missing(machine, "nginx", "pkcs11-provider", "p11-kit-proxy"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.SERVER),
        ),
        (
            pieces.write_pem(machine, key),
            pieces.module_file(machine, "nginx"),
            pieces.openssl_configuration(machine),
            _snippet(key, pieces.pem(key)),
            pieces.unit("nginx", _ENVIRONMENT),
            pieces.restart("nginx"),
        ),
        (_WORKERS,),
    )


def _nginx_engine(machine: Machine, key: Key) -> Recipe:
    return Recipe(
        "nginx",
        ENGINE,
        "nginx 1.22 and libp11 0.4.12 on Debian 12",
        (
            *pieces.missing(machine, "nginx", "pkcs11-engine", "p11-kit-proxy"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.TLS_DIGEST),
        ),
        (
            pieces.module_file(machine, "nginx"),
            Step("Load the engine.", "ssl_engine pkcs11;\n", "/etc/nginx/modules-enabled/90-kit.conf"),
            _snippet(key, f'"engine:pkcs11:{pieces.uri(key)}"'),
            pieces.unit("nginx"),
            pieces.restart("nginx"),
        ),
        (
            _WORKERS,
            "A worker that may not connect hangs at its first handshake.",
        ),
    )


def _snippet(key: Key, where: str) -> Step:
    name = f"kit-{key.file_name}.conf"
    return Step(
        f"Put 'include snippets/{name};' into the server's block, where certificate and key stood.",
        f"ssl_certificate {key.certificate};\nssl_certificate_key {where};\n",
        f"/etc/nginx/snippets/{name}",
    )


def postfix(machine: Machine, key: Key) -> Recipe:
    kind = "ec" if key.kind.startswith("p-") else ""
    settings = (
        "smtpd_tls_security_level=may",
        "smtpd_tls_chain_files=",
        f"smtpd_tls_{kind}cert_file={key.certificate}",
        f"smtpd_tls_{kind}key_file={pieces.pem(key)}",
        f"tls_config_file={pieces.OPENSSL_CONFIGURATION}",
    )
    lines = "".join(f"postconf -e {setting}\n" for setting in settings)
    return Recipe(
        "postfix",
        PROVIDER,
        "Postfix 3.10 and pkcs11-provider 1.0 on Debian 13",
        (
            *_too_old(machine),
            *pieces.missing(machine, "postfix", "pkcs11-provider", "p11-kit-proxy"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.SERVER),
        ),
        (
            pieces.write_pem(machine, key),
            pieces.module_file(machine, "smtpd"),
            pieces.openssl_configuration(machine),
            Step("Name the files; smtpd_tls_chain_files takes no file with a URI.", lines),
            pieces.unit("postfix"),
            pieces.restart("postfix"),
        ),
        ("smtpd connects as root or postfix: both need the agent's socket and the key.",),
    )


def haproxy(machine: Machine, key: Key) -> Recipe:
    certificate = f"/etc/haproxy/kit-{key.file_name}.pem"
    inside = machine.bridge.rpartition("/")[0]
    return Recipe(
        "haproxy",
        PROVIDER,
        "",
        (
            *_too_old(machine),
            *pieces.missing(machine, "haproxy", "pkcs11-provider", "p11-kit-client"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.SERVER),
        ),
        (
            pieces.write_pem(machine, key),
            pieces.openssl_configuration(machine, straight=True),
            Step(
                "The key stands in a file of its own beside the certificate; "
                f"in haproxy.cfg it is 'bind :443 ssl crt {certificate}'.",
                f"cp {key.certificate} {certificate}\ncp {pieces.pem(key)} {certificate}.key\n",
            ),
            pieces.unit(
                "haproxy",
                _ENVIRONMENT,
                f"Environment=P11_KIT_SERVER_ADDRESS={pieces.address(machine)}",
                f"BindReadOnlyPaths={inside}:/var/lib/haproxy{inside}",
            ),
            pieces.restart("haproxy"),
        ),
        (
            "Its workers connect from their chroot, hence the bind mount; root and haproxy need the socket.",
            "HAProxy 3.0 with p11-kit 0.25 (Debian 13) was seen to serve so, and to crash as it loads a key.",
            "Try 'haproxy -c' in the same environment, and let nginx serve TLS where it crashes.",
        ),
    )


def _too_old(machine: Machine) -> list[Missing]:
    if pieces.by_provider(machine):
        return []
    found = ".".join(map(str, machine.openssl))
    return [Missing(f"OpenSSL 3.2 or later, here it is {found}", "Debian 13")]
