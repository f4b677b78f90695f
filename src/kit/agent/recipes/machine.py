"""What a recipe has to know of the machine and of the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from kit.core.frozen import frozen

# Where programs that nobody changed find a key by PKCS#11, and Debian's package of each.
MODULES = {
    "p11-kit-client": "p11-kit-modules",
    "p11-kit-proxy": "p11-kit-modules",
    "pkcs11-engine": "libengine-pkcs11-openssl",
    "pkcs11-provider": "pkcs11-provider",
}
PROGRAMS = {
    "nginx": "nginx",
    "haproxy": "haproxy",
    "postfix": "postfix",
    "curl": "curl",
    "openssl": "openssl",
    "gnutls-serv": "gnutls-bin",
    "java": "default-jre-headless",
    "modutil": "libnss3-tools",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "smtpd": "opensmtpd",
}


@frozen
class Key:
    """The key that is to be used; what only a running agent knows is empty without one."""

    name: str
    certificate: str  # the path of its certificate's file
    kind: str = ""
    purposes: tuple[str, ...] = ()
    uri: str = ""

    @property
    def file_name(self) -> str:
        """A name for the key's files in which no shell and no configuration reads anything else."""
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.name) or "key"


@frozen
class Machine:
    """What is installed, by the names of MODULES and PROGRAMS, and who answers at which socket."""

    kit: str
    socket: str
    bridge: str  # the socket for PKCS#11 programs
    modules: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    openssl: tuple[int, int] = (0, 0)
    no_agent: str = ""  # why none answers
    bridge_there: bool = False
