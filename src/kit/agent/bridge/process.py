"""A bridge's process, forked from a supervisor: `run` is its check-list.

It is its own session's, and no signal tells it of its parent's end: it goes on without. It holds no key and
sees none; what takes it over has the connections of the programs that use it, and can ask in their names.
"""

from __future__ import annotations

import gc
import os
import select
import signal
from typing import NoReturn

from kit.agent.bridge.customer import Patience
from kit.agent.bridge.patron import Patron
from kit.agent.bridge.server import Bridge
from kit.agent.channels.channel import adopt
from kit.agent.channels.messages import Noted, encode
from kit.agent.fault import place
from kit.agent.startup import Limits
from kit.core.process import close_others, name_process
from kit.core.sandbox.confine import confine, seal
from kit.core.sandbox.plan import Plan

# Each client may have a connection to a worker beside its own.
_DESCRIPTORS_BESIDE_CLIENTS, _CLIENTS_LIMIT = 32, 512


def run(lasting: tuple[int, ...], supervisor: int, plan: Plan, limits: Limits) -> NoReturn:
    """Serve with what it listens on (`Rendezvous.descriptors`); the process ends here."""
    status = 1
    channel = None
    try:
        os.setsid()
        os.chdir("/")
        name_process("kit-bridge")
        _forget_signals()
        _redirect()
        close_others({*lasting, supervisor})
        channel = adopt(supervisor)
        epoll = select.epoll()
        confine(plan)
        seal(plan)
        gc.collect()
        gc.freeze()
        limit = min(_CLIENTS_LIMIT, (plan.descriptors - _DESCRIPTORS_BESIDE_CLIENTS) // 2)
        Bridge(epoll, lasting, Patron(channel), limit, Patience.within(limits)).run()
        status = 0
    except Exception as error:  # noqa: BLE001 - the process ends here; the error's text may hold content
        if channel:
            channel.send(encode(Noted("bug", 0, os.getpid(), f"{type(error).__name__} {place(error)}")))
    finally:
        os._exit(status)


def _forget_signals() -> None:
    """What the supervisor does at a signal is not for this process."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


def _redirect() -> None:
    """Whoever reads what the agent prints waits for its end, and not for this one's."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
