"""What smtpd takes for itself when it starts a process: the entry point of `kit-smtpd`.

For the process `ca` it is the bridge; for every other one it becomes the real smtpd. It begins as root, with
descriptor 3 a channel to smtpd's parent process. What it has to know stands in the environment, where nothing
secret is.
"""

from __future__ import annotations

import getopt
import os
import pwd
import signal
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from kit.core.errors import KitError, Unavailable, UsageError
from kit.core.sandbox.plan import User

PROGRAM, USER, SOCKET = "KIT_SMTPD", "KIT_SMTPD_USER", "KIT_AGENT_SOCK"
# What Debian, OpenBSD and others call the user of smtpd's network processes.
USERS = ("opensmtpd", "_smtpd", "smtpd")
_OPTIONS = "B:dD:hnP:f:FT:vx:"
_DESCRIPTORS = 64


def main() -> NoReturn:
    """The entry point."""
    try:
        program = os.environ.get(PROGRAM, "")
        process, debugs = read_arguments(sys.argv[1:])
        if not program or not process:
            raise UsageError("kit-smtpd is started by smtpd", hint="see 'kit agent smtpd --help'")
        if process != "ca":
            execute(program, [program, *sys.argv[1:]])
        be_ca(to_stderr=debugs)
    except KitError as error:
        sys.stderr.write(f"kit: error: {error}\n" + (f"kit: hint: {error.hint}\n" if error.hint else ""))
        sys.exit(error.exit_status)


def read_arguments(arguments: Sequence[str]) -> tuple[str, bool]:
    """The process that is wanted ("" for the parent), and whether it is to log to standard error."""
    options = _options(arguments)
    return dict(options).get("-x", ""), any(name == "-d" for name, _ in options)


def smtpd_options(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The configuration that smtpd is told to read ("" for its usual one), and the macros."""
    options = _options(arguments)
    macros = (value.partition("=") for name, value in options if name == "-D")
    return dict(options).get("-f", ""), {name: value for name, _, value in macros}


def _options(arguments: Sequence[str]) -> list[tuple[str, str]]:
    try:
        return getopt.getopt(list(arguments), _OPTIONS)[0]
    except getopt.GetoptError as error:
        raise UsageError(f"smtpd would not take this: {error}") from None


def execute(program: str, arguments: list[str]) -> NoReturn:
    """Become the program, with the signals as they were before Python."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(program, arguments)  # noqa: S606 - this is what smtpd does itself
    except OSError as error:
        raise Unavailable(f"cannot run {program!r}: {(error.strerror or 'failed').lower()}") from None


def find_user(name: str) -> User:
    """The account of this name, by default smtpd's own one, with the groups by which it reaches the agent."""
    for candidate in [name] if name else USERS:
        try:
            found = pwd.getpwnam(candidate)
        except KeyError:
            continue
        groups = {*os.getgrouplist(candidate, found.pw_gid)} - {found.pw_gid}
        return User(found.pw_uid, found.pw_gid, candidate, tuple(sorted(groups)))
    missing = repr(name) if name else f"called {', '.join(USERS)}"
    raise Unavailable(f"there is no user {missing}", hint="name the one that smtpd runs as with --user")


def be_ca(*, to_stderr: bool) -> NoReturn:
    """The check-list of the bridge; the process ends here."""
    from kit.agent.client import AgentClient
    from kit.agent.smtpd.bridge import Bridge, ignore_signals
    from kit.agent.smtpd.keys import PATIENCE_S, Keys
    from kit.agent.smtpd.log import Log
    from kit.core.paths import running_agent_socket
    from kit.core.process import APPLIED, name_process
    from kit.core.sandbox.confine import isolate
    from kit.core.sandbox.plan import Plan

    name_process("kit-smtpd-ca")
    ignore_signals()
    log, user = Log(to_stderr=to_stderr), find_user(os.environ.get(USER, ""))
    client = AgentClient(running_agent_socket(os.environ.get(SOCKET)), timeout_s=PATIENCE_S)
    bridge = Bridge(Keys(client, time.monotonic), log)
    measures = isolate(Plan(user=user, descriptors=_DESCRIPTORS))
    log.info(f"keys of the agent on {client.socket_path}, as the user {user.name}")
    for measure in measures:
        if measure.state != APPLIED:
            log.warn(f"this system does not protect the bridge by {measure.name}: {measure.detail}")
    status = 0
    try:
        bridge.run()
    except KitError as error:
        log.warn(str(error))
        status = error.exit_status
    sys.exit(status)
