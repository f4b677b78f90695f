"""Clients that make one signature after the other, each in a thread with a connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from kit.core.errors import KitError
from tests.agent.samples import TLS_1_3_HEAD

CONTENT = TLS_1_3_HEAD + bytes(32)
RSA_PSS_SHA256, ECDSA_P256 = 0x0804, 0x0403
_JOIN_S = 40.0


class Signers:
    """A client for each of the names of keys, from entering the `with` to leaving it.

    A client whose call fails notes why and goes on; `patience_s` is its time limit.
    """

    def __init__(self, socket_path: str, names: Sequence[str], patience_s: float = 20) -> None:
        self._path, self._patience_s = socket_path, patience_s
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(name,), daemon=True) for name in names]
        self.errors: list[str] = []
        self.seconds: dict[str, list[float]] = {name: [] for name in names}

    @property
    def count(self) -> int:
        """How many signatures there are."""
        return sum(len(seconds) for seconds in self.seconds.values())

    def rate(self, over_s: float = 1.0) -> float:
        """Signatures a second, from now on."""
        before, begin_s = self.count, time.monotonic()
        self._ended.wait(over_s)
        return (self.count - before) / (time.monotonic() - begin_s)

    def __enter__(self) -> Signers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _run(self, name: str) -> None:
        with AgentClient(self._path, timeout_s=self._patience_s) as client:
            record = client.find(name)
            scheme = RSA_PSS_SHA256 if record.kind.startswith("rsa") else ECDSA_P256
            wanted = key_id(record.spki)
            while not self._ended.is_set():
                begin_s = time.perf_counter()
                try:
                    client.sign(wanted, scheme, CONTENT)
                except KitError as error:
                    self.errors.append(str(error))
                    self._ended.wait(0.01)  # an agent that is gone is not asked ten thousand times
                else:
                    self.seconds[name].append(time.perf_counter() - begin_s)
