"""Waiting for a descriptor so that no signal is overlooked."""

from __future__ import annotations

import select

AWAKE_S = 0.25
AWAKE_MS = round(AWAKE_S * 1000)


def await_readable(descriptor: int) -> None:
    """Wait as a blocking read does, but awake now and then.

    Python sees a signal that came right before a blocking call only after it: Ctrl-C would have to be typed
    twice, and a SIGTERM would be lost. One in ten was, on a busy machine, sent at the sight of a prompt.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    await_ready(poll)


def await_ready(poll: select.poll) -> list[tuple[int, int]]:
    """The same for several descriptors; what `poll` tells of them."""
    while True:
        ready = poll.poll(AWAKE_MS)
        if ready:
            return ready
