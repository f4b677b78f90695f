"""What the commands of `kit agent` take: key files, purposes, lifetimes, passphrases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kit.core.duration import parse_duration

_F = TypeVar("_F", bound=Callable[..., Any])


key_argument = click.argument("key", metavar="KEY")


def key_files(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, str]]:
    """The callback of a parameter whose values are NAME=PEM: names and paths."""
    return [_key_file(value) for value in values]


def _key_file(value: str) -> tuple[str, str]:
    name, _, path = value.partition("=")
    if not (name and path):
        raise click.BadParameter(f"{value!r} is not of the form NAME=PEM, e.g. mail=/etc/ssl/mail.pem")
    return name, path


def _purposes(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    if value is None:
        return None
    from kit.agent.policy import parse_purposes

    return parse_purposes(part.strip() for part in value.split(","))


def _lifetime(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int:
    if value is None:
        return 0
    seconds = parse_duration(value)
    if seconds is None:
        raise click.BadParameter(f"{value!r} is no time like 90s, 30m, 8h or 1h30m")
    return seconds


def allow_option(default: str) -> Callable[[_F], _F]:
    """--allow, handed to the command as `allow`: the purposes, or None for the default."""
    return click.option(
        "--allow",
        metavar="PURPOSE,…",
        callback=_purposes,
        help=f"What the key may sign. [default: {default}]",
    )


def lifetime_option(function: _F) -> _F:
    """--lifetime, handed to the command as `lifetime_s`; 0 is for ever."""
    return click.option(
        "--lifetime",
        "lifetime_s",
        metavar="TIME",
        callback=_lifetime,
        help="Forget the key after this time, e.g. 8h. [default: never]",
    )(function)


def passphrase_option(function: _F) -> _F:
    """--passphrase-fd, handed to the command as `passphrase_fd`."""
    return click.option(
        "--passphrase-fd",
        type=click.IntRange(min=0),
        metavar="N",
        help="Read passphrases from this descriptor, a line each. [default: ask on the terminal]",
    )(function)


def running_options(function: _F) -> _F:
    """How an agent is to run: --config, --user, --workers, --sandbox, --audit and so on."""
    for option in reversed(_RUNNING):
        function = option(function)
    return function


_RUNNING: tuple[Callable[[Any], Any], ...] = (
    click.option("--config", default="", metavar="FILE", help="Read the configuration, and its keys."),
    click.option(
        "--user", default="", metavar="NAME", help="Become this user. [default: _kit, if root starts it]"
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1, max=64),
        metavar="N",
        help="How many processes serve. [default: one per core]",
    ),
    click.option(
        "--sandbox",
        type=click.Choice(["strict", "compat", "off"]),
        help="How much the processes with keys give up. [default: strict]",
    ),
    click.option(
        "--audit", default="", metavar="FILE", help="Write the audit log to FILE, stdout or journal."
    ),
    click.option("--audit-strict", is_flag=True, help="Use no key while the audit log cannot be written."),
    click.option(
        "--pkcs11",
        is_flag=False,
        flag_value="",
        default=None,
        metavar="[PATH]",
        help="Serve PKCS#11 programs, too. [default: pkcs11.sock beside the agent's socket]",
    ),
    click.option("--wipe-memory", is_flag=True, help="Overwrite memory as soon as it is free; slower."),
)
