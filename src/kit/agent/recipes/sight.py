"""Looks at this machine: what is installed, who answers, what the key is."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from kit.agent.client import AgentClient
from kit.agent.naming import uri
from kit.agent.recipes.machine import PROGRAMS, Key, Machine
from kit.agent.selection import select
from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.core.paths import running_agent_socket

# Below a directory of libraries, the first that is there.
_MODULE_FILES = {
    "p11-kit-client": ("pkcs11/p11-kit-client.so",),
    "p11-kit-proxy": ("p11-kit-proxy.so",),
    "pkcs11-engine": ("engines-3/pkcs11.so", "engines-3/libpkcs11.so"),
    "pkcs11-provider": ("ossl-modules/pkcs11.so",),
}
_LIBRARIES = (f"/usr/lib/{platform.machine()}-linux-gnu", "/usr/lib64", "/usr/lib")
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_ADDRESS = "unix:path="


def machine(socket: str | None, bridge: str | None) -> Machine:
    """What there is; an agent that does not answer is told of, and no error."""
    agent = running_agent_socket(socket)
    place = os.path.abspath(bridge) if bridge else _usual_bridge(agent)  # noqa: PTH100 - keeps ".." as given
    there = Path(place).exists()
    return Machine(_kit(), agent, place, _modules(), _programs(), _openssl(), _no_agent(agent), there)


def key(machine: Machine, name: str, certificate: str) -> Key:
    """The key as the agent tells of it; without an agent, what the user says."""
    plain = Key(name, certificate)
    if machine.no_agent:
        return plain
    with AgentClient(machine.socket) as client:
        records = client.list_keys()
    found = select(records, name)
    try:
        where = uri(found, records)
    except UsageError:
        where = ""
    return Key(found.key_name or name, certificate, found.kind, found.purposes, where)


def _no_agent(socket: str) -> str:
    try:
        with AgentClient(socket) as client:
            client.list_keys()
    except (Unavailable, NotPermitted) as error:
        return str(error)
    return ""


def _usual_bridge(agent: str) -> str:
    address = os.environ.get("P11_KIT_SERVER_ADDRESS", "")
    if address.startswith(_ADDRESS):
        return unquote(address.removeprefix(_ADDRESS))
    return str(Path(agent).parent / "pkcs11.sock")


def _modules() -> dict[str, str]:
    found = {}
    for name, files in _MODULE_FILES.items():
        places = (Path(directory, file) for directory in _LIBRARIES for file in files)
        if path := next(filter(Path.exists, places), None):
            found[name] = str(path)
    return found


def _programs() -> dict[str, str]:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])
    return {name: found for name in PROGRAMS if (found := shutil.which(name, path=path))}


def _kit() -> str:
    """As this command was called, for commands that are copied from here."""
    beside = Path(sys.executable).parent / "kit"
    return str(beside) if beside.exists() else "kit"


def _openssl() -> tuple[int, int]:
    """The system's version, which need not be that of this Python; (0, 0) where nobody can say."""
    try:
        done = subprocess.run(["openssl", "version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0, 0
    found = re.match(r"OpenSSL (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
