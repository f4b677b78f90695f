"""kit agent: the commands about the agent as a whole; those about keys are in `keys`."""

from __future__ import annotations

import os
from typing import Any

import click

from kit.cli.agent import keys, queue
from kit.cli.agent.check import check_config
from kit.cli.agent.metrics import metrics
from kit.cli.agent.options import (
    allow_option,
    key_files,
    lifetime_option,
    passphrase_option,
    running_options,
)
from kit.cli.agent.recipe import recipe
from kit.cli.agent.smtpd import smtpd
from kit.cli.agent.top import top
from kit.cli.agent.views import show_reload, show_status
from kit.cli.options import json_option, socket_option
from kit.core.errors import NegativeAnswer
from kit.core.output import Output


@click.group()
def agent() -> None:
    """Hold private keys in a process of their own.

    KEY is a key's name, its SHA256: fingerprint, or the beginning of its key id.
    """


@agent.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
@click.option(
    "--key", "files", multiple=True, metavar="NAME=PEM", callback=key_files, help="Add this key; repeatable."
)
@allow_option("tls-server,csr")
@lifetime_option
@passphrase_option
@click.option("--foreground", is_flag=True, help="Stay, and log to standard error.")
@click.option("--log", default="", metavar="FILE", help="Append the log to this file.")
@running_options
@click.option("-c", "--csh", is_flag=True, help="Print commands for csh. [default: as $SHELL says]")
@socket_option
@json_option
def start(output: Output, csh: bool, allow: tuple[str, ...] | None, **options: Any) -> int:
    """Start an agent, in the background or around a command.

    Prints shell commands that set its environment: eval "$(kit agent start)". With a command, the agent
    lives as long as the command, and kit ends with its exit status.
    """
    from kit.cli.agent import starting

    csh = csh or os.environ.get("SHELL", "").endswith("csh")
    return starting.start(starting.Wish(purposes=allow or (), csh=csh, **options), output)


@agent.command()
@socket_option
def stop(socket: str | None) -> None:
    """End the agent; its keys are gone."""
    from kit.agent.client import AgentClient

    with AgentClient(socket) as client:
        client.stop()


@agent.command()
@socket_option
@json_option
def status(socket: str | None, output: Output) -> None:
    """Show the agent's state, and how it is protected."""
    from kit.agent.client import AgentClient
    from kit.core.paths import running_agent_socket

    with AgentClient(socket) as client:
        show_status(client.status(), running_agent_socket(socket), output)


@agent.command()
@socket_option
@json_option
def reload(socket: str | None, output: Output) -> int:
    """Have the agent read its configuration and key files again."""
    from kit.agent.client import AgentClient

    with AgentClient(socket) as client:
        return show_reload(client.reload(), output)


@agent.command()
@passphrase_option
@socket_option
def lock(passphrase_fd: int | None, socket: str | None) -> None:
    """Refuse to use, show or change keys until the same passphrase unlocks the agent."""
    from kit.agent.client import AgentClient
    from kit.agent.passphrase import chosen, source

    with AgentClient(socket) as client:
        # Asked first: nobody wants to type a passphrase for nothing.
        if client.status().locked:
            raise NegativeAnswer("the agent is locked already")
        with chosen(source(passphrase_fd)) as passphrase:
            if not client.lock(passphrase):
                raise NegativeAnswer("the agent refuses to be locked")


@agent.command()
@passphrase_option
@socket_option
def unlock(passphrase_fd: int | None, socket: str | None) -> None:
    """Let the agent work again."""
    from kit.agent.client import AgentClient
    from kit.agent.passphrase import asked, source

    with AgentClient(socket) as client:
        if not client.status().locked:
            raise NegativeAnswer("the agent is not locked")
        with asked(source(passphrase_fd), "passphrase") as passphrase:
            if not client.unlock(passphrase):
                raise NegativeAnswer("the passphrase does not unlock the agent")


for _command in (check_config, metrics, recipe, smtpd, top, *keys.COMMANDS, *queue.COMMANDS):
    agent.add_command(_command)
