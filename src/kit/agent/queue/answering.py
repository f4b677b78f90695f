"""A worker's answers to the messages about queue files.

Whether a key may be used is asked once a file, at its begin, and written into the audit log then. To check
which key fits shows no plaintext and takes no such line; that none fits does.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from kit.agent import answers
from kit.agent.keystore import Entry
from kit.agent.later import Later, Wait, then
from kit.agent.operations import Operations
from kit.agent.queue.cipher import Opening, Sealing, UnderWay
from kit.agent.queue.messages import (
    BeginOpening,
    BeginSealing,
    Continue,
    EndStream,
    OpeningBegun,
    SealingBegun,
    StreamEnded,
)
from kit.agent.uses import Client
from kit.core.errors import KitError, UsageError


class Answering(Protocol):
    """What is needed of the service."""

    @property
    def operations(self) -> Operations: ...


def begin_sealing(service: Answering, request: BeginSealing, client: Client) -> Any:
    operations = service.operations
    _check_free(client)
    entry = _find(operations, client, request.key_id, "seal")
    keeper = operations.holding.keeper
    use = operations.permit_queue(client, entry, "seal", lambda _: keeper.seal(entry.public.key_id))
    return then(operations.perform(use, b""), partial(_sealing_begun, request, client))


def begin_opening(service: Answering, request: BeginOpening, client: Client) -> Any:
    operations = service.operations
    _check_free(client)
    key_ids = [candidate.key_id for candidate in request.candidates]
    entries = [_find(operations, client, key_id, "open") for key_id in dict.fromkeys(key_ids)]
    run = partial(operations.holding.keeper.open, key_ids, request.iv, wanted=request.wanted)
    uses = [operations.permit_queue(client, entry, "open", lambda _: run()) for entry in entries]
    if request.wanted and len(uses) == 1:
        return then(operations.perform(uses[0], b""), partial(_opening_begun, request, client))
    operations.check_working()
    return _opening_begun(request, client, run())


def continue_stream(service: Answering, request: Continue, client: Client) -> Any:
    """One piece; it takes its turn, as a signature does."""
    step = partial(_feed, service.operations, _under_way(client), request)
    return Later(Wait.TURN, partial(_or_ended, client, step), lambda get: answers.piece(get()))


def end_stream(service: Answering, request: EndStream, client: Client) -> Any:
    under_way, client.under_way = _under_way(client), None
    _check_keys(service.operations, under_way)
    ended = under_way.end(request.tag)
    if isinstance(under_way, Opening) and not ended.key_id:
        service.operations.not_opened(client)
    return answers.done(request, StreamEnded(ended.tag, ended.key_id))


def _find(operations: Operations, client: Client, key_id: bytes, event: str) -> Entry:
    return operations.find(client, partial(operations.holding.by_id, key_id), event)


def _sealing_begun(request: BeginSealing, client: Client, sealing: Sealing) -> Any:
    client.under_way = sealing
    return answers.done(request, SealingBegun(sealing.iv))


def _opening_begun(request: BeginOpening, client: Client, opening: Opening) -> Any:
    client.under_way = opening
    return answers.done(request, OpeningBegun())


def _feed(operations: Operations, under_way: UnderWay, request: Continue) -> bytearray:
    _check_keys(operations, under_way)
    return under_way.feed(request.piece)


def _or_ended(client: Client, step: Any) -> Any:
    """After an error nothing of the file can be used."""
    try:
        return step()
    except KitError:
        client.under_way = None
        raise


def _check_keys(operations: Operations, under_way: UnderWay) -> None:
    """A key whose time is over is not used, be it swept out already or not."""
    for key_id in under_way.key_ids:
        operations.holding.known(key_id)


def _check_free(client: Client) -> None:
    if client.under_way is not None:
        raise UsageError("another file is under way on this connection")


def _under_way(client: Client) -> UnderWay:
    if client.under_way is None:
        raise UsageError("no file is under way on this connection")
    return client.under_way
