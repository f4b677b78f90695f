"""kit agent smtpd: OpenSMTPD with the agent in the place of its key process."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit.cli.options import json_option, socket_option
from kit.core.errors import UsageError
from kit.core.output import Output
from kit.core.text import printable

if TYPE_CHECKING:
    from kit.agent.smtpd.checking import Check, CheckedPki

_HEAD = ("PKI", "CERTIFICATE", "KEY", "KIND", "STATE")
_UNITS = ("opensmtpd.service", "smtpd.service")
_UNIT_PLACES = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- SMTPD ARGUMENT…]")
@click.option("--user", default="", metavar="NAME", help="Who asks the agent. [default: smtpd's own user]")
@click.option(
    "--check", "checks", is_flag=True, help="Start nothing; tell what is there and what is missing."
)
@click.option("--make-dummy", default="", metavar="FILE", help="Write the key file that smtpd is to read.")
@socket_option
@json_option
def smtpd(
    command: tuple[str, ...], user: str, checks: bool, make_dummy: str, socket: str | None, output: Output
) -> int:
    """Start OpenSMTPD with its private keys in the agent.

    The program is the distribution's, unchanged; the agent takes the place of its process "ca". Its
    configuration names a dummy where the key files were.
    """
    from kit.agent.smtpd import launch

    if make_dummy:
        if command or checks:
            raise UsageError("'--make-dummy' goes with nothing else")
        launch.make_dummy(make_dummy)
        return 0
    command = command or ("smtpd",)
    return _check(command, user, socket, output) if checks else launch.start(command, socket, user)


def _check(command: tuple[str, ...], user: str, socket: str | None, output: Output) -> int:
    from kit.agent.smtpd import checking, launch
    from kit.agent.smtpd.stand_in import find_user
    from kit.core.paths import running_agent_socket

    program, account = launch.find_program(command[0]), find_user(user)
    found = checking.check(program, command[1:], running_agent_socket(socket), account)
    if output.as_json:
        _as_json(found, output)
    else:
        _for_people(found, output)
        output.line()
        output.line(_drop_in([program, *command[1:]], user, socket))
    return found.exit_status


def _for_people(found: Check, output: Output) -> None:
    output.line(f"{found.version or 'no OpenSMTPD'} at {found.program}, configuration {found.configuration}")
    output.line(f"the agent on {found.socket}, asked by the user {found.user}")
    output.line()
    if found.pkis:
        output.table(_HEAD, [tuple(map(printable, _row(each))) for each in found.pkis])
    for problem in found.problems:
        output.note(f"kit: error: {printable(problem, 1000)}")
    for each in found.pkis:
        if each.problem:
            output.note(f"kit: error: pki {each.pki.name}: {printable(each.problem, 1000)}")
        if each.hint:
            output.note(f"kit: hint: {printable(each.hint, 1000)}")


def _row(each: CheckedPki) -> tuple[str, ...]:
    state = "not ready" if each.problem else "ready"
    return each.pki.name, each.pki.certificate or "-", each.key_name or "-", each.kind or "-", state


def _as_json(found: Check, output: Output) -> None:
    output.record(
        {
            "type": "smtpd",
            "program": found.program,
            "version": found.version or None,
            "configuration": found.configuration,
            "user": found.user,
            "socket": found.socket,
            "problems": list(found.problems),
        }
    )
    for each in found.pkis:
        output.record(_pki_fields(each))


def _pki_fields(each: CheckedPki) -> dict[str, Any]:
    return {
        "type": "pki",
        "name": each.pki.name,
        "certificate": each.pki.certificate or None,
        "key_file": each.pki.key or None,
        "key": each.key_name or None,
        "kind": each.kind or None,
        "ready": not each.problem,
        "problem": each.problem or None,
        "hint": each.hint or None,
    }


def _drop_in(command: list[str], user: str, socket: str | None) -> str:
    """What makes it permanent, for the unit that is there."""
    unit = next((unit for unit in _UNITS for place in _UNIT_PLACES if Path(place, unit).exists()), _UNITS[0])
    options = [*(("--socket", socket) if socket else ()), *(("--user", user) if user else ())]
    kit = str(Path(sys.argv[0]).absolute())
    start = shlex.join([kit, "agent", "smtpd", *options, "--", *command])
    lines = [
        f"# /etc/systemd/system/{unit}.d/kit.conf",
        "[Unit]",
        "Wants=kit-agent.service",
        "After=kit-agent.service",
        "[Service]",
        "ExecStart=",
        f"ExecStart={start}",
    ]
    return "\n".join(lines)
