"""What is in a key file: its public side, found out in a forked process that ends with the secret.

The process tells its parent one line of JSON: the facts, or what KitError carries.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

from kit.core.errors import EXIT_UNAVAILABLE, KitError, UsageError
from kit.core.frozen import frozen

_LINE_LIMIT = 64 * 1024


@frozen
class KeyFacts:
    """The public side of a key in a file; a symmetric one is of a kind, and that is all."""

    kind: str
    fingerprint: str
    spki: str  # hexadecimal


@frozen
class NoKey:
    """Why there is no key in the file."""

    message: str
    hint: str | None
    exit_status: int


def key_facts(descriptor: int, path: str, purposes: tuple[str, ...] = ()) -> KeyFacts | NoKey:
    """Load the key from an open file in another process. The calling one must have a single thread."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _run_child(writing, lambda: _load(descriptor, path, purposes))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        line = pipe.read(_LINE_LIMIT)
    os.waitpid(child, 0)
    if not line:
        return NoKey("the process that loads keys ended without an answer", None, EXIT_UNAVAILABLE)
    fields = json.loads(line)
    return KeyFacts(**fields) if "kind" in fields else NoKey(**fields)


def _run_child(writing: int, load: Callable[[], dict[str, Any]]) -> NoReturn:
    try:
        line = json.dumps(load()).encode()
        while line:
            line = line[os.write(writing, line) :]
    except BaseException:  # noqa: BLE001 - the child must end here, whatever it met
        traceback.print_exc()
    finally:
        os._exit(0)


def _load(descriptor: int, path: str, purposes: tuple[str, ...] = ()) -> dict[str, Any]:
    from kit.agent import keeper
    from kit.agent.loader import key_from
    from kit.core.process import not_dumpable

    not_dumpable()
    try:
        with key_from(descriptor, path, purposes) as key:
            try:
                public = keeper.candidate(purposes, "", key).public
            except UsageError as error:
                raise UsageError(f"no key for the agent in {path!r}: {error}") from None
    except KitError as error:
        return {"message": str(error), "hint": error.hint, "exit_status": error.exit_status}
    return asdict(KeyFacts(public.kind, public.fingerprint, public.spki.hex()))
