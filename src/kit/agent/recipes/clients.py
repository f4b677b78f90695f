"""Command-line programs and languages: clients of TLS, and test servers that nobody runs for long."""

from __future__ import annotations

import shlex

from kit.agent.recipes import pieces
from kit.agent.recipes.machine import Key, Machine
from kit.agent.recipes.recipe import Recipe, Step
from kit.agent.recipes.servers import ENGINE, PROVIDER


def openssl(machine: Machine, key: Key) -> Recipe:
    server = ("openssl", "s_server", "-www", "-cert", key.certificate, "-cert_chain", key.certificate)
    if pieces.by_provider(machine):
        tested = "OpenSSL 3.5 and pkcs11-provider 1.0 on Debian 13"
        return _by_provider(machine, key, tested, pieces.SERVER, (*server, "-key", pieces.pem(key)))
    options = ("-engine", "pkcs11", "-keyform", "engine", "-key", pieces.uri(key))
    return _by_engine(machine, key, "OpenSSL 3.0 and libp11 0.4.12 on Debian 12", (*server, *options))


def curl(machine: Machine, key: Key) -> Recipe:
    if pieces.by_provider(machine):
        command = ("curl", "--cert", key.certificate, "--key", pieces.pem(key), "https://localhost/")
        tested = "curl 8.14 and pkcs11-provider 1.0 on Debian 13"
        return _by_provider(machine, key, tested, pieces.CLIENT, command)
    options = ("--engine", "pkcs11", "--key-type", "ENG", "--key", pieces.uri(key), "--cert", key.certificate)
    tested = "curl 7.88 and libp11 0.4.12 on Debian 12"
    return _by_engine(machine, key, tested, ("curl", *options, "https://localhost/"))


def _by_provider(
    machine: Machine, key: Key, tested: str, purposes: tuple[str, ...], command: tuple[str, ...]
) -> Recipe:
    name = command[0]
    return Recipe(
        name,
        PROVIDER,
        tested,
        (
            *pieces.missing(machine, name, "pkcs11-provider", "p11-kit-client"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, purposes),
        ),
        (
            pieces.write_pem(machine, key),
            pieces.openssl_configuration(machine, straight=True),
            _run(machine, command, f"OPENSSL_CONF={pieces.OPENSSL_CONFIGURATION}"),
        ),
    )


def _by_engine(machine: Machine, key: Key, tested: str, command: tuple[str, ...]) -> Recipe:
    name = command[0]
    client = pieces.module(machine, "p11-kit-client")
    return Recipe(
        name,
        ENGINE,
        tested,
        (
            *pieces.missing(machine, name, "pkcs11-engine", "p11-kit-client"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.TLS_DIGEST),
        ),
        (_run(machine, command, f"PKCS11_MODULE_PATH={client}"),),
    )


def gnutls(machine: Machine, key: Key) -> Recipe:
    module = pieces.module(machine, "p11-kit-client")
    options = ("--x509certfile", key.certificate, "--x509keyfile", pieces.uri(key))
    return Recipe(
        "gnutls",
        "GnuTLS's own PKCS#11",
        "GnuTLS 3.7 on Debian 12 and 3.8 on Debian 13",
        (
            *pieces.missing(machine, "gnutls-serv", "p11-kit-client"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.TLS_DIGEST),
        ),
        (_run(machine, ("gnutls-serv", "--provider", module, *options)),),
        ("gnutls-cli takes the same options. A module file of p11-kit serves instead of --provider.",),
    )


def java(machine: Machine, key: Key) -> Recipe:
    module = pieces.module(machine, "p11-kit-client")
    path = "/etc/kit/java-pkcs11.cfg"
    options = ("-storetype", "PKCS11", "-keystore", "NONE", "-storepass", "none")
    listing = ("keytool", "-list", *options, "-addprovider", "SunPKCS11", "-providerarg", path)
    return Recipe(
        "java",
        "the provider SunPKCS11",
        "OpenJDK 17 on Debian 12",
        (
            *pieces.missing(machine, "java", "p11-kit-client"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.TLS_DIGEST),
        ),
        (
            Step("Name the module.", f"name = kit\nlibrary = {module}\nslotListIndex = 0\n", path),
            _run(machine, listing),
        ),
        (
            "Java shows keys with certificates: the configuration of the agent has to name the certificate.",
            "RSA keys do with tls-server; Java refuses RSASSA-PSS, so TLS 1.3 takes an ECDSA key.",
        ),
    )


def nss(machine: Machine, key: Key) -> Recipe:
    module = pieces.module(machine, "p11-kit-client")
    database = "sql:$HOME/.pki/nssdb"
    commands = (
        "mkdir -p $HOME/.pki/nssdb\n"
        f"modutil -force -dbdir {database} -add kit -libfile {module}\n"
        f"P11_KIT_SERVER_ADDRESS={shlex.quote(pieces.address(machine))} modutil -dbdir {database} -list kit\n"
    )
    return Recipe(
        "nss",
        "a module in NSS's database",
        "NSS 3.87 on Debian 12",
        (
            *pieces.missing(machine, "modutil", "p11-kit-client"),
            *pieces.missing_bridge(machine, key),
            *pieces.missing_key(machine, key, pieces.TLS_DIGEST),
        ),
        (Step("Add the module; it needs its variable whenever it is loaded.", commands),),
        ("NSS shows keys with certificates: the configuration of the agent has to name the certificate.",),
    )


def _run(machine: Machine, command: tuple[str, ...], *variables: str) -> Step:
    words = [*variables, f"P11_KIT_SERVER_ADDRESS={pieces.address(machine)}"]
    return Step("Run it.", " ".join(map(shlex.quote, [*words, *command])) + "\n")
