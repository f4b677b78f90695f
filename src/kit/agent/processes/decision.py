"""Joins the command line with the configuration file: how this agent runs. The command line wins."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace

from kit.agent.config.settings import DEFAULT_USER, STANDARD_OUTPUT, Door
from kit.agent.config.settings import Settings as File
from kit.agent.config.values import FOR_AGENTS, SOCKET_PATH_LIMIT
from kit.agent.listener import Place
from kit.agent.processes.settings import Settings
from kit.agent.startup import Configuration, Limits
from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.core.sandbox.plan import Level, Plan, User

_ROOT = 0
# What a worker has open beside its clients: channels, pipes, the loop's own.
_DESCRIPTORS_BESIDE_CLIENTS = 32
_WORKERS_LIMIT = 64
_PKCS11 = "pkcs11.sock"
_NAMED = {level.value: level for level in Level}


def decide(asked: Configuration, file: File, descriptors: int) -> Settings:
    """The settings, given how many descriptors a process may have open; raises for what cannot be."""
    level = _level(asked.sandbox or file.sandbox, confirmed=file.sandbox_off_confirmed)
    limits = _limits(asked.limits, descriptors)
    audit = asked.audit or file.audit
    if audit == STANDARD_OUTPUT and asked.detach:
        raise UsageError(
            "an agent in the background has no standard output for its audit log",
            hint="start it with --foreground, or give --audit a file",
        )
    strict = asked.audit_strict or file.audit_strict
    if strict and not audit:
        raise UsageError(
            "a strict audit log has to go somewhere",
            hint="say where by --audit, or 'audit' in the configuration",
        )
    return Settings(
        plan=Plan(level, _user(asked.user or file.user), limits.connections + _DESCRIPTORS_BESIDE_CLIENTS),
        limits=limits,
        workers=_workers(asked.workers or file.workers),
        audit=audit,
        audit_strict=strict,
    )


def place(asked: Configuration, file: File) -> Place:
    """The socket; other users reach it only where the configuration says so."""
    path = asked.socket_path or file.socket or asked.usual_socket
    if not path:
        raise Unavailable(
            "there is no good place for the agent's socket",
            hint="say where by --socket, or in the configuration",
        )
    return Place(path, file.socket_mode, file.socket_group)


def bridge_place(asked: Configuration, file: File, agent: Place) -> Place | None:
    """Where programs find PKCS#11, None for nowhere: beside the agent's socket, and for the same users, if
    nothing else is said.
    """
    if asked.pkcs11 is None and file.pkcs11 is None:
        return None
    door = file.pkcs11 or Door()
    path = asked.pkcs11 or door.path or os.path.join(os.path.dirname(agent.path), _PKCS11)  # noqa: PTH118, PTH120
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT - len(FOR_AGENTS):
        raise UsageError(f"the path {path!r} is too long for a bridge", hint="choose a shorter --pkcs11")
    mode = agent.mode if door.mode is None else door.mode
    return Place(path, mode, agent.group if door.group is None else door.group)


def _level(name: str, *, confirmed: bool) -> Level:
    level = _NAMED.get(name)
    if level is None:
        raise UsageError(f"there is no sandbox {name!r}", hint="there are strict, compat and off")
    if level is Level.OFF and not confirmed:
        raise NotPermitted(
            "the configuration does not confirm an agent without a sandbox",
            hint="write i-know-that-keys-are-less-protected = true into its [agent] table",
        )
    return level


def _limits(limits: Limits, descriptors: int) -> Limits:
    return replace(limits, connections=min(limits.connections, descriptors - _DESCRIPTORS_BESIDE_CLIENTS))


def _workers(wanted: int) -> int:
    return min(wanted or len(os.sched_getaffinity(0)), _WORKERS_LIMIT)


def _user(name: str) -> User | None:
    """Whom to become; None for nobody else."""
    if os.geteuid() != _ROOT:
        if name and _uid(name) != os.geteuid():
            raise NotPermitted(f"only root can start an agent as {name!r}")
        return None
    try:
        found = pwd.getpwnam(name or DEFAULT_USER)
    except KeyError:
        if not name:
            return None
        raise UsageError(f"there is no user {name!r}") from None
    if found.pw_uid == _ROOT:
        return None
    return User(found.pw_uid, found.pw_gid, found.pw_name)


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageError(f"there is no user {name!r}") from None
