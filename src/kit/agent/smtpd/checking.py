"""Before anything is started: which smtpd, which certificates, and does the agent hold their keys for it?

The agent is asked as the user that the bridge will be, in a forked process: so its answer, and whether its
socket can be reached at all, is what the bridge will find.
"""

from __future__ import annotations

import grp
import json
import os
import re
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kit.agent.client import AgentClient
from kit.agent.config.certificate import from_pem, read_leaf
from kit.agent.config.key_facts import KeyFacts, key_facts
from kit.agent.extension import KeyRecord
from kit.agent.policy import signs_blocks
from kit.agent.smtpd.configuration import Configuration, Pki
from kit.agent.smtpd.stand_in import smtpd_options
from kit.core.errors import EXIT_NO, KitError, NotPermitted, ProtocolError, Unavailable
from kit.core.frozen import frozen
from kit.core.sandbox.plan import User

USUAL_CONFIGURATION = ("/etc/smtpd.conf", "/etc/mail/smtpd.conf", "/etc/opensmtpd/smtpd.conf")
# Before, its handshakes fail under OpenSSL 3 whoever has the key: its processes do not ask for it.
OLDEST = (7, 3)
_ANSWER_LIMIT_S = 10.0
_FILE_LIMIT = 1024 * 1024


@frozen
class CheckedPki:
    """A pki: the agent's key for it, if there is one, and what stands in the way ("" for nothing)."""

    pki: Pki
    key_name: str = ""
    kind: str = ""
    problem: str = ""
    hint: str = ""


@frozen
class Check:
    """All that was found; `problems` are those that are not of one pki."""

    program: str
    version: str
    configuration: str
    user: str
    socket: str
    pkis: tuple[CheckedPki, ...]
    problems: tuple[str, ...]

    @property
    def exit_status(self) -> int:
        return EXIT_NO if self.problems or any(each.problem for each in self.pkis) else 0


def check(program: str, arguments: Sequence[str], socket: str, user: User) -> Check:
    """Look at everything; raises KitError where there is nothing to look at."""
    path, macros = smtpd_options(arguments)
    path = path or _usual_path()
    pkis = Configuration(_read_text, macros).read(path)
    version, problems = _version(program)
    problems += _judged(program, arguments)
    seen, everything, why = _asked(socket, user)
    if why:
        problems.append(why)
    if not pkis:
        problems.append(f"{path!r} names no certificate: there is nothing for the agent to do")
    held = {record.spki: record for record in everything}
    mine = {record.spki for record in seen}
    checked = tuple(_checked(pki, held, mine, user.name) for pki in pkis)
    return Check(program, version, path, user.name, socket, checked, tuple(problems))


def _usual_path() -> str:
    found = next((path for path in USUAL_CONFIGURATION if Path(path).exists()), None)
    if found is None:
        raise Unavailable("smtpd has no configuration in a usual place", hint="name it: -- smtpd -f FILE")
    return found


def _read_text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_FILE_LIMIT).decode(errors="surrogateescape")
    except PermissionError:
        raise NotPermitted(f"no permission to read {path!r}") from None
    except OSError as error:
        raise Unavailable(f"cannot read {path!r}: {(error.strerror or 'failed').lower()}") from None


def _version(program: str) -> tuple[str, list[str]]:
    words = _output([program, "-h"])
    found = re.search(r"OpenSMTPD (\d+)\.(\d+)\S*", words)
    if found is None:
        return "", [f"{program!r} does not say that it is OpenSMTPD"]
    if (int(found[1]), int(found[2])) < OLDEST:
        return found[0], [
            f"{found[0]} makes no TLS handshake under OpenSSL 3, whoever has its keys: take 7.3 or newer"
        ]
    return found[0], []


def _judged(program: str, arguments: Sequence[str]) -> list[str]:
    """What smtpd itself says of its configuration; only root can ask, because of the key files."""
    if os.geteuid() != 0:
        return []
    words = _output([program, *arguments, "-n"])
    return [] if "configuration OK" in words else [line for line in words.splitlines() if line.strip()][-3:]


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ANSWER_LIMIT_S,
            check=False,
        )
    except OSError as error:
        raise Unavailable(f"cannot run {command[0]!r}: {(error.strerror or 'failed').lower()}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]!r} does not end") from None
    return done.stdout.decode(errors="replace")


def _asked(socket: str, user: User) -> tuple[tuple[KeyRecord, ...], tuple[KeyRecord, ...], str]:
    """The keys that the user sees, those that whoever checks sees, and why the user sees none."""
    everything: tuple[KeyRecord, ...] = ()
    try:
        with AgentClient(socket) as client:
            everything = client.list_keys()
    except KitError as error:
        if os.geteuid() != 0:
            return (), (), str(error)
    if os.geteuid() != 0:
        return everything, everything, "" if os.geteuid() == user.uid else _not_as(user)
    told = _in_child(user, lambda: _seen(socket))
    seen = {bytes.fromhex(spki) for spki in told["keys"]}
    why = f"as the user {user.name}: {told['why']}{_by_group(socket, user)}" if told["why"] else ""
    return tuple(record for record in everything if record.spki in seen), everything, why


def _by_group(socket: str, user: User) -> str:
    """Which group would let the user connect, if that is what is missing."""
    try:
        found = Path(socket).stat()
        group = grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):
        return ""
    if not found.st_mode & stat.S_IWGRP or found.st_gid in (user.gid, *user.groups):
        return ""
    return f" (the socket is for the group {group}: usermod -a -G {group} {user.name})"


def _not_as(user: User) -> str:
    return f"checked as uid {os.geteuid()}: only root can see what the user {user.name} will see"


def _seen(socket: str) -> dict[str, Any]:
    try:
        with AgentClient(socket) as client:
            return {"keys": [record.spki.hex() for record in client.list_keys()], "why": ""}
    except KitError as error:
        return {"keys": [], "why": str(error)}


def _in_child(user: User, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `act` gives in a process of this user."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups(user.groups)
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(json.dumps(act()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        line = pipe.read()
    os.waitpid(child, 0)
    return json.loads(line) if line else {"keys": [], "why": "the process that was to ask ended"}


def _checked(pki: Pki, held: dict[bytes, KeyRecord], mine: set[bytes], user: str) -> CheckedPki:
    if not pki.certificate or not pki.key:
        return CheckedPki(pki, problem="it has no certificate or no key file")
    try:
        spki = read_leaf(from_pem(_read_text(pki.certificate).encode(errors="surrogateescape"))).spki
    except ProtocolError as error:
        return CheckedPki(pki, problem=f"no certificate in {pki.certificate!r}: {error}")
    except KitError as error:
        return CheckedPki(pki, problem=str(error))
    record = held.get(spki)
    if record is None:
        return CheckedPki(pki, problem="the agent holds no key for its certificate")
    found = CheckedPki(pki, record.key_name, record.kind)
    problem, hint = _in_the_way(record, spki in mine, user) or _of_key_file(pki.key, spki)
    return CheckedPki(pki, found.key_name, found.kind, problem, hint)


def _in_the_way(record: KeyRecord, seen: bool, user: str) -> tuple[str, str] | None:
    if not record.kind.startswith(("rsa-", "p-")):
        return "smtpd signs with RSA and ECDSA keys only", ""
    if not seen:
        return f"smtpd's user {user} may not use the key", f'put "user:{user}" among its peers'
    if not signs_blocks(record.purposes):
        hint = "allow it tls-digest (kit-agent-security(7) says what that gives away)"
        return "the key signs no digests, and smtpd shows nothing else", hint
    return None


def _of_key_file(path: str, spki: bytes) -> tuple[str, str]:
    """The key file should be a dummy, and smtpd has to be able to read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except PermissionError:
        return "", ""  # smtpd is root
    except OSError as error:
        why = (error.strerror or "failed").lower()
        return f"cannot read {path!r}: {why}", f"make a dummy: kit agent smtpd --make-dummy {path}"
    try:
        facts = key_facts(descriptor, path)
    finally:
        os.close(descriptor)
    if isinstance(facts, KeyFacts) and bytes.fromhex(facts.spki) == spki:
        return (
            f"{path!r} holds the key itself, which smtpd still reads",
            "name a dummy there, once the agent reads the key from elsewhere",
        )
    return "", ""
