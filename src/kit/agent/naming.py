"""Files that name a key of a running agent, where the file of a private key is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from kit.agent import handle, pkcs11_uri
from kit.agent.client import AgentClient
from kit.agent.extension import KeyRecord
from kit.agent.selection import select, with_public_half
from kit.core.errors import UsageError
from kit.core.paths import running_agent_socket

_SHOWN = ("rsa-", "p-")


def handle_of(client: AgentClient, key: str, socket: str | None, any_agent: bool) -> str:
    """kit's own handle, which also says where the agent answers unless any may."""
    found = with_public_half(client.find(key))
    place = "" if any_agent else running_agent_socket(socket)
    return handle.encode(handle.Handle(found.spki, found.key_name, place))


def uri_file(client: AgentClient, key: str) -> str:
    """The PEM file with the key's PKCS#11 URI."""
    records = client.list_keys()
    return pkcs11_uri.encode(uri(select(records, key), records))


def uri(record: KeyRecord, records: Sequence[KeyRecord]) -> str:
    """By name, so that it outlives a new key of that name; by id where the name would say too little."""
    if not record.kind.startswith(_SHOWN):
        raise UsageError(
            f"the key {record.key_name!r} is of type {record.kind}, which PKCS#11 clients are not shown",
            hint="they are shown RSA and ECDSA keys",
        )
    alike = [other for other in records if other.key_name == record.key_name]
    if record.key_name and len(alike) == 1:
        return pkcs11_uri.named(record.key_name)
    return pkcs11_uri.numbered(record.spki)
