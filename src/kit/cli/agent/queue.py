"""kit agent: the commands about OpenSMTPD's encrypted queue files."""

from __future__ import annotations

import click

from kit.cli.files import output_option
from kit.cli.options import socket_option

_file = click.argument("file", default="-", metavar="[FILE]")


@click.command()
@_file
@click.option("--key", metavar="KEY", help="Seal with this key. [default: the only one for queue files]")
@output_option
@socket_option
def seal(file: str, key: str | None, path: str, socket: str | None) -> None:
    """Encrypt a file as OpenSMTPD encrypts its queue. [default: standard input]

    The agent holds the key, and must have been given it with --allow queue.
    """
    from kit.agent.client import AgentClient
    from kit.cli.agent.queue_files import seal_file

    with AgentClient(socket) as client:
        seal_file(client, file, path, key)


@click.command("open")
@_file
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Try this key; repeatable. [default: all keys for queue files]",
)
@output_option
@socket_option
def open_file(file: str, keys: tuple[str, ...], path: str, socket: str | None) -> None:
    """Decrypt a file of OpenSMTPD's encrypted queue. [default: standard input]

    Nothing is written before the whole file has proved to be unchanged.
    """
    from kit.agent.client import AgentClient
    from kit.cli.agent.queue_files import open_sealed

    with AgentClient(socket) as client:
        open_sealed(client, file, path, keys)


COMMANDS = (seal, open_file)
