"""kit tls serve: joins the server, which knows no agent, with the agent's keys, which know no server."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.endings import ended_by_sigterm
from kit.core.errors import Unavailable, UsageError
from kit.core.frozen import frozen
from kit.core.output import Output
from kit.tls import certificates, contexts, conversation, mailserver, pages, serve
from kit.tls.certificates import Pair
from kit.tls.handshakes import Handshake, Signed

if TYPE_CHECKING:
    from kit.agent.provider import SignatureMade

_AGENT = "agent:"
_SIGNATURE_S = 5.0
_BEGINNINGS: dict[str, conversation.Beginning] = {
    "echo": conversation.Echo,
    "https": pages.StatusPage,
    "smtp": mailserver.MailServer,
}
MODES = tuple(_BEGINNINGS)


@frozen
class Wish:
    """What the command line asks for."""

    certificates: tuple[str, ...]
    keys: tuple[str, ...]
    self_signed: bool
    host: str
    port: int
    mode: str
    socket: str | None
    count: int
    timeout_s: float


def serve_tls(wish: Wish, output: Output) -> None:
    """Serve until the count is reached or a signal comes."""
    with ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="kit-") as directory:
        pairs, signed = _pairs(wish, Path(directory))
        shown = contexts.Contexts(pairs, ["http/1.1"] if wish.mode == "https" else [], _ask)
    service = serve.Service(
        shown,
        _BEGINNINGS[wish.mode],
        _reporter(output),
        signed,
        serve.Limits(handshake_s=wish.timeout_s),
    )
    with ended_by_sigterm(), serve.listen(wish.host, wish.port) as listener:
        _announce(output, listener.getsockname(), shown)
        serve.Server(listener, service).run(wish.count)


def _pairs(wish: Wish, directory: Path) -> tuple[list[Pair], Callable[[], Signed | None]]:
    """The files to load, and who tells what an agent signed."""
    if wish.self_signed:
        if wish.certificates or wish.keys:
            raise UsageError("--self-signed makes its own keys and goes with neither --cert nor --key")
        return certificates.throw_away(directory), serve.nothing_signed
    if not wish.certificates or len(wish.certificates) != len(wish.keys):
        raise UsageError(
            f"{len(wish.certificates)} --cert and {len(wish.keys)} --key, where each needs the other",
            hint="give them in pairs, or --self-signed for a test certificate",
        )
    keys = [_key_file(key, wish.socket, directory / f"{at}.handle") for at, key in enumerate(wish.keys)]
    pairs = [Pair(Path(name), key) for name, key in zip(wish.certificates, keys, strict=True)]
    in_agent = [pair for pair in pairs if _is_handle(pair.key)]
    return pairs, _watch_agent(min(wish.timeout_s, _SIGNATURE_S)) if in_agent else serve.nothing_signed


def _key_file(key: str, socket: str | None, handle: Path) -> Path:
    """A key file as it is; for the name of an agent's key, a handle written to `handle`."""
    if not key.startswith(_AGENT) and Path(key).exists():
        return Path(key)
    if os.sep in key:
        raise Unavailable(f"no key file '{key}'")
    from kit.agent.client import AgentClient
    from kit.agent.handle import Handle, encode
    from kit.core.paths import running_agent_socket

    path = running_agent_socket(socket)
    with AgentClient(path) as client:
        record = client.find(key.removeprefix(_AGENT))
    handle.write_text(encode(Handle(record.spki, record.key_name, path)))
    return handle


def _ask(key: Path) -> bytearray:
    from kit.agent.passphrase import source

    try:
        return source(None).ask(f"passphrase of '{key}'")
    except UsageError:
        hint = "add it to an agent with 'kit agent add', and name it"
        raise UsageError(f"'{key}' is encrypted, and there is no terminal to ask on", hint=hint) from None


def _is_handle(path: Path) -> bool:
    from kit.agent.handle import decode

    try:
        return decode(path.read_bytes()) is not None
    except OSError:
        return False  # loading it will say so


def _watch_agent(timeout_s: float) -> Callable[[], Signed | None]:
    """Let `ssl` take handles, and remember for each thread what the agent did for it last."""
    from kit.agent import provider

    here = threading.local()

    def note(made: SignatureMade) -> None:
        here.signed = Signed(made.key_name, made.seconds, made.error)

    def signed() -> Signed | None:
        last: Signed | None = getattr(here, "signed", None)
        here.signed = None
        return last

    provider.install(timeout_s=timeout_s)
    provider.observe(note)
    return signed


def _reporter(output: Output) -> Callable[[Handshake], None]:
    if output.as_json:
        return lambda handshake: output.record(handshake.record())
    return lambda handshake: output.line(handshake.line())


def _announce(output: Output, address: tuple[str, int], shown: contexts.Contexts) -> None:
    """Say where it listens, once it does: whoever waits for it reads this."""
    host, port = address[:2]
    labels = [leaf.label for leaf in shown.leaves.values()]
    if output.as_json:
        output.record({"kind": "listening", "host": host, "port": port, "certificates": labels})
    else:
        output.note(f"kit: listening on {host} port {port} with {', '.join(labels)}")
