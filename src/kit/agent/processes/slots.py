"""Who is connected: a slot for each client, with the worker that serves it."""

from __future__ import annotations

from collections.abc import Callable

from kit.agent.channels.tallies import GONE, OPERATIONS, REFUSALS, Tallies
from kit.agent.extension import PeerRecord
from kit.agent.peers import Peer
from kit.core.frozen import frozen


@frozen
class Slot:
    """A client."""

    peer: Peer
    worker: int
    since_s: int
    admin: bool


class Slots:
    """As many as there may be clients; a worker says in the shared counters when one is gone."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        self._used: dict[int, Slot] = {}
        self._admins: set[int] = set()
        self.dismissed: Callable[[int], None] = lambda _slot: None  # told of each administrator who is gone
        self._free = list(range(tallies.slots))

    def take(self, peer: Peer, worker: int, now_s: float, *, admin: bool) -> int | None:
        """A slot for a new client; None where there is none left."""
        for number in tuple(self._admins):
            # Soon, since what an administrator may do is not to be done in his name when he is gone.
            self._sweep_one(number)
        if not self._free:
            self.sweep()
        if not self._free:
            return None
        number = self._free.pop()
        self._tallies.client(number)[:] = memoryview(bytes(24)).cast("Q")
        self._used[number] = Slot(peer, worker, int(now_s), admin)
        if admin:
            self._admins.add(number)
        return number

    @property
    def free(self) -> int:
        """How many more clients there may be, as far as was looked."""
        return len(self._free)

    def sweep(self) -> None:
        """Free the slots of those who are gone."""
        for number in tuple(self._used):
            self._sweep_one(number)

    def _sweep_one(self, number: int) -> None:
        if self._tallies.client(number)[GONE]:
            self._let_go(number)

    def lose(self, worker: int) -> None:
        """The worker ended, and all its clients lost their connections."""
        for number, slot in tuple(self._used.items()):
            if slot.worker == worker:
                self._let_go(number)

    def get(self, number: int) -> Slot | None:
        """Who has this slot."""
        return self._used.get(number)

    def records(self) -> tuple[PeerRecord, ...]:
        """Everybody who is here."""
        self.sweep()
        return tuple(self._record(number, slot) for number, slot in sorted(self._used.items()))

    def _record(self, number: int, slot: Slot) -> PeerRecord:
        columns = self._tallies.client(number)
        peer = slot.peer
        return PeerRecord(
            peer.uid,
            peer.pid,
            peer.name,
            number,
            slot.worker,
            slot.since_s,
            columns[OPERATIONS],
            columns[REFUSALS],
        )

    def _let_go(self, number: int) -> None:
        del self._used[number]
        if number in self._admins:
            self._admins.remove(number)
            self.dismissed(number)
        self._free.append(number)
