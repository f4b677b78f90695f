"""kit agent: the commands about keys."""

from __future__ import annotations

import click

from kit.cli.agent.options import allow_option, key_argument, key_files, lifetime_option, passphrase_option
from kit.cli.agent.views import show_key, show_keys
from kit.cli.files import output_option, write_result
from kit.cli.options import json_option, socket_option
from kit.core.errors import UsageError
from kit.core.output import Output


@click.command("list")
@socket_option
@json_option
def list_keys(socket: str | None, output: Output) -> None:
    """List the keys that the agent holds, and what they did."""
    from kit.agent.client import AgentClient

    with AgentClient(socket) as client:
        show_keys(client.list_keys(), output)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="NAME=PEM…", callback=key_files)
@allow_option("tls-server,csr")
@lifetime_option
@passphrase_option
@socket_option
@json_option
def add(
    files: list[tuple[str, str]],
    allow: tuple[str, ...] | None,
    lifetime_s: int,
    passphrase_fd: int | None,
    socket: str | None,
    output: Output,
) -> None:
    """Add private keys from files, in any of the usual forms."""
    from kit.agent.adding import add_files
    from kit.agent.client import AgentClient
    from kit.agent.loader import loader

    load = loader(passphrase_fd, output.note, allow or ())
    with AgentClient(socket) as client:
        client.status()  # before a passphrase is typed for nothing
        for record in add_files(client, files, allow or (), lifetime_s, load):
            show_key(record, output)


@click.command()
@click.argument("name")
@click.option("--type", "kind", metavar="TYPE", required=True, help="rsa-2048, p-256, ed25519 and so on.")
@allow_option("tls-server,csr,self-signed")
@lifetime_option
@socket_option
@json_option
def generate(
    name: str,
    kind: str,
    allow: tuple[str, ...] | None,
    lifetime_s: int,
    socket: str | None,
    output: Output,
) -> None:
    """Make a key inside the agent; it never leaves it."""
    from kit.agent.client import AgentClient

    if not name:
        raise UsageError("a key needs a name")
    with AgentClient(socket) as client:
        show_key(client.generate(name, kind, allow or (), lifetime_s), output)


@click.command()
@click.argument("keys", nargs=-1, metavar="KEY…")
@click.option("--all", "every", is_flag=True, help="Remove every key.")
@socket_option
def remove(keys: tuple[str, ...], every: bool, socket: str | None) -> None:
    """Make the agent forget keys."""
    from kit.agent.client import AgentClient

    if bool(keys) == every:
        raise UsageError("which keys?", hint="name them, or give --all")
    with AgentClient(socket) as client:
        for record in client.list_keys() if every else [client.find(key) for key in keys]:
            client.remove(record.key_id)


@click.command()
@key_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "ssh"]),
    default="pem",
    show_default=True,
    help="PEM, or a line for authorized_keys.",
)
@output_option
@socket_option
def public(key: str, form: str, path: str, socket: str | None) -> None:
    """Print the public half of a key."""
    from kit.agent import forms
    from kit.agent.client import AgentClient
    from kit.agent.selection import with_public_half

    with AgentClient(socket) as client:
        found = with_public_half(client.find(key))
    if form == "ssh":
        text = forms.ssh_line(found.ssh_blob, found.key_name) + "\n"
    else:
        text = forms.pem("PUBLIC KEY", found.spki)
    write_result(path, text)


@click.command()
@key_argument
@click.option("--any-agent", is_flag=True, help="Leave the socket out: whoever uses it says which agent.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["kit", "pkcs11-uri"]),
    default="kit",
    show_default=True,
    help="For programs with kit's provider, or with pkcs11-provider.",
)
@output_option
@socket_option
def handle(key: str, any_agent: bool, form: str, path: str, socket: str | None) -> None:
    """Write the handle of a key: a file to name where a private key file is wanted."""
    from kit.agent.client import AgentClient
    from kit.agent.naming import handle_of, uri_file

    if any_agent and form != "kit":
        raise UsageError("a PKCS#11 URI names no agent", hint="leave --any-agent out")
    with AgentClient(socket) as client:
        text = handle_of(client, key, socket, any_agent) if form == "kit" else uri_file(client, key)
    write_result(path, text)


_subject = click.option("--subject", metavar="NAME", help="The subject, e.g. CN=mail.example.org,O=Example.")
_dns = click.option("--dns", multiple=True, metavar="NAME", help="A DNS name of the server; repeatable.")
_ip = click.option("--ip", multiple=True, metavar="ADDRESS", help="An IP address; repeatable.")


@click.command()
@key_argument
@_subject
@_dns
@_ip
@output_option
@socket_option
def csr(
    key: str,
    subject: str | None,
    dns: tuple[str, ...],
    ip: tuple[str, ...],
    path: str,
    socket: str | None,
) -> None:
    """Make a certificate request for a TLS server, signed by the key."""
    from kit.agent.client import AgentClient
    from kit.agent.keys import private_key
    from kit.agent.request import parse_names, signing_request
    from kit.agent.selection import with_public_half

    names = parse_names(subject, dns, ip)
    with AgentClient(socket) as client:
        text = signing_request(private_key(client, with_public_half(client.find(key))), names)
    write_result(path, text)


@click.command()
@key_argument
@_subject
@_dns
@_ip
@click.option("--days", type=int, default=90, show_default=True, metavar="N", help="How long it is valid.")
@output_option
@socket_option
def selfsign(
    key: str,
    subject: str | None,
    dns: tuple[str, ...],
    ip: tuple[str, ...],
    days: int,
    path: str,
    socket: str | None,
) -> None:
    """Make a certificate for a TLS server that the key signs for itself."""
    from kit.agent.client import AgentClient
    from kit.agent.keys import private_key
    from kit.agent.request import now, parse_names, self_signed
    from kit.agent.selection import with_public_half

    names = parse_names(subject, dns, ip)
    with AgentClient(socket) as client:
        text = self_signed(private_key(client, with_public_half(client.find(key))), names, days, now())
    write_result(path, text)


COMMANDS = (list_keys, add, generate, remove, public, handle, csr, selfsign)
