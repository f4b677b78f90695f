"""kit agent: the commands about the agent as a whole; those about keys are in `agent_keys`."""

from __future__ import annotations

import click

from kit.cli import agent_keys
from kit.cli.agent_options import passphrase_option
from kit.cli.agent_views import show_status
from kit.cli.options import json_option, socket_option
from kit.core.errors import NegativeAnswer
from kit.core.output import Output


@click.group()
def agent() -> None:
    """Hold private keys in a process of their own.

    KEY is a key's name, its SHA256: fingerprint, or the beginning of its key id.
    """


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
    from kit.core.paths import agent_socket

    with AgentClient(socket) as client:
        show_status(client.status(), agent_socket(socket), output)


@agent.command()
@passphrase_option
@socket_option
def lock(passphrase_fd: int | None, socket: str | None) -> None:
    """Refuse to use, show or change keys until the same passphrase unlocks the agent."""
    from kit.agent.client import AgentClient
    from kit.agent.passphrase import chosen, source

    with AgentClient(socket) as client, chosen(source(passphrase_fd)) as passphrase:
        if not client.lock(passphrase):
            raise NegativeAnswer("the agent is locked already")


@agent.command()
@passphrase_option
@socket_option
def unlock(passphrase_fd: int | None, socket: str | None) -> None:
    """Let the agent work again."""
    from kit.agent.client import AgentClient
    from kit.agent.passphrase import asked, source

    with AgentClient(socket) as client, asked(source(passphrase_fd), "passphrase") as passphrase:
        if not client.unlock(passphrase):
            raise NegativeAnswer("the passphrase does not unlock the agent, or it is not locked")


for _command in agent_keys.COMMANDS:
    agent.add_command(_command)
