"""Brings private keys from files into an agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from kit.agent.extension import KeyRecord
from kit.core.process import not_dumpable


class Keyring(Protocol):
    """What is needed of the client."""

    def add(
        self, name: str, der: bytearray | memoryview, purposes: tuple[str, ...], lifetime_s: int = 0
    ) -> KeyRecord: ...


def add_files(
    agent: Keyring,
    files: Iterable[tuple[str, str]],
    purposes: tuple[str, ...],
    lifetime_s: int,
    load: Callable[[str], AbstractContextManager[memoryview]],
) -> Iterator[KeyRecord]:
    """Add the key of each (name, path), one after the other; from now on nobody may dump this process."""
    not_dumpable()
    for name, path in files:
        with load(path) as der:
            record = agent.add(name, der, purposes, lifetime_s)
        yield record
