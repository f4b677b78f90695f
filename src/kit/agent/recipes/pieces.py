"""What several recipes are made of."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import quote

from kit.agent.pkcs11_uri import named
from kit.agent.recipes.machine import MODULES, PROGRAMS, Key, Machine
from kit.agent.recipes.recipe import Missing, Step

# The purposes of which one is needed: where the whole content reaches the agent, and where a digest does.
SERVER = ("tls-server", "any", "digest")
CLIENT = ("tls-client", "any", "digest")
TLS_DIGEST = ("tls-digest", "digest")
LOGIN = ("ssh", "any", "digest")
HOST = ("any", "digest")
# The first OpenSSL with which pkcs11-provider loads a key from a PEM file with its URI.
PROVIDER_SINCE = (3, 2)

OPENSSL_CONFIGURATION = "/etc/kit/openssl-pkcs11.cnf"
_OPENSSL = """\
.include /etc/ssl/openssl.cnf

[openssl_init]
providers = provider_sect

[provider_sect]
default = default_sect
pkcs11 = pkcs11_sect

[default_sect]
activate = 1

[pkcs11_sect]
module = {provider}
{more}activate = 1
"""
_LIBRARIES = "/usr/lib/x86_64-linux-gnu"
_USUAL = {
    "p11-kit-client": f"{_LIBRARIES}/pkcs11/p11-kit-client.so",
    "pkcs11-provider": f"{_LIBRARIES}/ossl-modules/pkcs11.so",
}
_MODULE_FILE = "/etc/pkcs11/modules/kit.module"


def by_provider(machine: Machine) -> bool:
    """Does this machine's OpenSSL load a key by its URI? If not, an engine may, where a program takes one."""
    return machine.openssl >= PROVIDER_SINCE


def module(machine: Machine, name: str) -> str:
    """Where it is, or would be on most machines."""
    return machine.modules.get(name) or _USUAL[name]


def uri(key: Key) -> str:
    """The key's URI; without an agent that knows better, by its name."""
    return key.uri or named(key.name)


def pem(key: Key) -> str:
    """Where the PEM file with the key's URI is to be."""
    return f"/etc/kit/{key.file_name}.pem"


def kit(machine: Machine, *words: str) -> str:
    """A command line of kit that asks this agent."""
    return shlex.join([machine.kit, *words, "--socket", machine.socket])


def address(machine: Machine) -> str:
    """How p11-kit writes the bridge's socket."""
    return f"unix:path={quote(machine.bridge)}"


def write_pem(machine: Machine, key: Key) -> Step:
    command = kit(machine, "agent", "handle", key.name, "--format", "pkcs11-uri", "--output", pem(key))
    return Step(
        "Write the file that stands where the key file stood; it holds no secret.",
        f"mkdir -p /etc/kit\n{command}\nchmod 644 {pem(key)}\n",
    )


def module_file(machine: Machine, *programs: str) -> Step:
    """Found by the programs of these names, without a variable in their environment, which servers clean."""
    return Step(
        "Tell p11-kit where the agent answers. A file that is there gets another name behind enable-in.",
        f"remote: {address(machine)}\nenable-in: {', '.join(programs)}\n",
        _MODULE_FILE,
    )


def openssl_configuration(machine: Machine, *, straight: bool = False) -> Step:
    """`straight`: the provider asks p11-kit's client, which needs a variable, and no module file."""
    more = f"pkcs11-module-path = {module(machine, 'p11-kit-client')}\n" if straight else ""
    return Step(
        "A configuration of OpenSSL with the provider; programs without it go on as before.",
        _OPENSSL.format(provider=module(machine, "pkcs11-provider"), more=more),
        OPENSSL_CONFIGURATION,
    )


def unit(service: str, *settings: str) -> Step:
    """The drop-in of a server's unit."""
    lines = "".join(f"{setting}\n" for setting in settings).replace("%", "%%")
    return Step(
        "Start it behind the agent: what is not there then, it does not look for later.",
        "[Unit]\nWants=kit-agent.service\nAfter=kit-agent.service\n"
        + (f"\n[Service]\n{lines}" if lines else ""),
        f"/etc/systemd/system/{service}.service.d/kit.conf",
    )


def restart(service: str) -> Step:
    return Step(
        "Have it take effect; a reload is not enough.",
        f"systemctl daemon-reload\nsystemctl restart {service}\n",
    )


def missing(machine: Machine, *needed: str) -> list[Missing]:
    """Of these programs and modules, those that are not installed."""
    there = {**machine.modules, **machine.programs}
    packages = {**PROGRAMS, **MODULES}
    return [Missing(name, f"apt install {packages[name]}") for name in needed if name not in there]


def missing_key(machine: Machine, key: Key, purposes: Sequence[str]) -> list[Missing]:
    """What the agent lacks: an answer, or a purpose of the key."""
    if machine.no_agent:
        return [Missing(machine.no_agent, "kit agent start, or systemctl start kit-agent")]
    if not set(purposes) & set(key.purposes):
        has = ",".join(key.purposes) or "nothing"
        what = f"the purpose {purposes[0]} of the key {key.name!r}, which has {has}"
        return [Missing(what, f"add or generate it with --allow {purposes[0]}")]
    return []


def missing_bridge(machine: Machine, key: Key) -> list[Missing]:
    """What PKCS#11 programs lack."""
    found = []
    if not machine.bridge_there:
        cure = "kit agent start --pkcs11, or [pkcs11] in the configuration of the agent"
        found.append(Missing(f"a socket for PKCS#11 programs at {machine.bridge}", cure))
    if key.kind and not key.uri:
        what = f"a key of RSA or ECDSA, which PKCS#11 programs are shown; {key.name!r} is {key.kind}"
        found.append(Missing(what, "kit agent generate --type p-256"))
    return found
