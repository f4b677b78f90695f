"""A worker: forked from the zygote with its keys, it gives up what the zygote could still do, and serves.

It opens nothing, starts nothing and connects to nothing; clients come to it by its channel.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from kit.agent.channels import messages
from kit.agent.channels.channel import Channel, ChannelClosed
from kit.agent.channels.questions import Questions
from kit.agent.channels.recorder import Recorder
from kit.agent.channels.tallies import AUDIT_FAILING, CLOSED, PID, SERVED
from kit.agent.extension import Measure
from kit.agent.fault import place
from kit.agent.holding import Holding
from kit.agent.operations import Operations
from kit.agent.processes.settings import Shared
from kit.agent.server import Server, Surroundings, Wakes
from kit.agent.service import Service
from kit.agent.state import State
from kit.agent.uses import Client
from kit.core.errors import KitError
from kit.core.frozen import frozen
from kit.core.process import die_with_parent, name_process
from kit.core.sandbox.confine import seal


@frozen
class Ends:
    """A worker's ends of its channels, and the pipe for its audit records."""

    supervisor: Channel
    zygote: Channel
    audit: int


@frozen
class _Sealed:
    """What the worker waits with, made before it was sealed, and what became of its measures."""

    wakes: Wakes
    measures: tuple[Measure, ...]


def run(index: int, ends: Ends, holding: Holding, shared: Shared, measures: tuple[Measure, ...]) -> NoReturn:
    """Serve until told to stop; the process ends here."""
    status = 1
    try:
        name_process(f"kit-worker-{index}")
        # Not SIGTERM, which a process that is stopped would not get: it holds keys.
        die_with_parent(shared.zygote, signal.SIGKILL)
        wakes = Wakes()
        sealed = tuple(Measure(m.name, m.state, m.detail) for m in seal(shared.settings.plan))
        server = _server(index, ends, holding, shared, _Sealed(wakes, _merged(measures, sealed)))
        _catch_signals(server, wakes)
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it again
        ends.supervisor.send(messages.encode(messages.Ready(())))
        server.run()
        status = 0
    except KitError as error:
        failed = messages.Failed(str(error), error.hint or "", error.exit_status)
        with contextlib.suppress(ChannelClosed):
            ends.supervisor.send(messages.encode(failed))
    except ChannelClosed:
        status = 0  # alone, it is of no use
    except Exception as error:  # noqa: BLE001 - the process ends here; the error's text may hold content
        shared.log.event("bug", process="worker", error=type(error).__name__, at=place(error))
    finally:
        os._exit(status)


def _server(index: int, ends: Ends, holding: Holding, shared: Shared, sealed: _Sealed) -> Server:
    settings, tallies = shared.settings, shared.tallies
    row = tallies.row(index)
    row.cells[PID], row.cells[CLOSED], row.cells[AUDIT_FAILING] = os.getpid(), row.cells[SERVED], 0
    recorder = Recorder(ends.audit if settings.audit else None, strict=settings.audit_strict)
    state = State(
        tallies, shared.supervisor, shared.zygote, shared.started_s, settings.audit, sealed.measures
    )
    service = Service(Operations(holding, tallies, index, recorder, shared.log), state)
    questions = Questions(ends.zygote, ends.supervisor)
    around = Surroundings(sealed.wakes, questions, recorder, tallies, index, settings.limits, shared.log)
    server = Server(service, around)
    told = _Told(server, questions, holding, ends)
    server.watch(ends.supervisor.fileno(), told.reader(ends.supervisor, told.by_supervisor))
    server.watch(ends.zygote.fileno(), told.reader(ends.zygote, told.by_zygote))
    return server


class _Told:
    """What the worker does when another process tells it something."""

    def __init__(self, server: Server, questions: Questions, holding: Holding, ends: Ends) -> None:
        self._server, self._questions = server, questions
        self._holding, self._supervisor, self._zygote = holding, ends.supervisor, ends.zygote

    def reader(self, channel: Channel, take: Callable[[memoryview, list[int]], None]) -> Callable[[], None]:
        """Reads a channel whenever it is ready; without the process at its other end there is no use."""

        def read() -> None:
            try:
                while channel.receive(take):
                    pass
            except ChannelClosed:
                self._server.unwatch(channel.fileno())
                self._server.ask_to_stop()

        return read

    def by_supervisor(self, data: memoryview, descriptors: list[int]) -> None:
        message = messages.parse(data)
        if isinstance(message, messages.Client):
            self._server.serve(descriptors[0], Client(message.peer, message.slot, message.admin))
        elif isinstance(message, messages.Audited):
            self._server.audited(message.count, message.working)
        elif isinstance(message, messages.Alive):
            self._supervisor.send(messages.encode(message))
        elif isinstance(message, messages.Quit):
            self._server.ask_to_stop()
        else:
            self._questions.answered(message)

    def by_zygote(self, data: memoryview, _descriptors: list[int]) -> None:
        message: Any = messages.parse(data)
        if isinstance(message, messages.Reply):
            self._questions.answered(message)
        else:
            self._holding.apply(message)
            self._zygote.send(messages.encode(messages.Done()))


def _catch_signals(server: Server, wakes: Wakes) -> None:
    signal.set_wakeup_fd(wakes.write_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda _number, _frame: server.ask_to_stop())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _merged(measures: tuple[Measure, ...], later: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """A measure that was taken again counts as it came out last."""
    named = {measure.measure: measure for measure in (*measures, *later)}
    return tuple(named.values())
