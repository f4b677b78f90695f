"""kit agent top: what the agent does, drawn anew every second."""

from __future__ import annotations

import time
from itertools import count as count_from
from typing import TYPE_CHECKING

import click

from kit.cli.agent.top_views import Away, View, blocks, fields
from kit.cli.endings import ended_by_sigterm
from kit.cli.options import Seconds, json_option, socket_option
from kit.core.errors import Unavailable
from kit.core.output import Output, Screen

if TYPE_CHECKING:
    from kit.agent.client import AgentClient
    from kit.agent.rates import Reading

# How soon a screen of another size is drawn anew.
_LOOK_S = 0.25


@click.command()
@click.option(
    "-n",
    "--interval",
    "interval_s",
    type=Seconds(min=0.1, max=86400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Draw this often.",
)
@click.option(
    "--count", type=click.IntRange(min=1), metavar="N", help="End after so many drawings. [default: never]"
)
@socket_option
@json_option
def top(output: Output, socket: str | None, interval_s: float, count: int | None) -> None:
    """Show who uses which key, and how much, as it happens."""
    from kit.agent.client import AgentClient

    with ended_by_sigterm(), AgentClient(socket) as client, output.screen() as screen:
        _watch(client, _Show(output, screen), interval_s, count)


class _Show:
    """Where views go."""

    def __init__(self, output: Output, screen: Screen) -> None:
        self._output, self._screen = output, screen
        self._size = screen.size
        self.watched = bool(screen.size) and not output.as_json

    def view(self, view: View | Away) -> None:
        self._size = self._screen.size
        if self._output.as_json:
            self._output.record(fields(view))
        else:
            self._screen.draw(blocks(view, self._size.lines if self._size else None))

    def wait(self, until_s: float, view: View | Away) -> None:
        """Till then; whoever gives the screen another size sees the view at once."""
        while (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _LOOK_S))
            if self.watched and self._size != self._screen.size:
                self.view(view)


def _watch(client: AgentClient, show: _Show, interval_s: float, count: int | None) -> None:
    """An agent that is not there at the beginning is an error; one that goes is waited for."""
    first = _read(client)
    before: Reading | None = first
    view: View | Away = _compared(None, first)
    if show.watched:
        show.view(view)  # a person should not look at nothing for an interval
    next_s = first.at_s
    for _ in range(count) if count else count_from():
        next_s = max(next_s + interval_s, time.monotonic())
        show.wait(next_s, view)
        view = _look(client, before)
        before = view.reading if isinstance(view, View) else None
        show.view(view)


def _look(client: AgentClient, before: Reading | None) -> View | Away:
    try:
        return _compared(before, _read(client))
    except Unavailable as error:
        return Away(str(error), time.time())


def _compared(before: Reading | None, after: Reading) -> View:
    from kit.agent.rates import compare

    return View(after, compare(before, after), time.time())


def _read(client: AgentClient) -> Reading:
    from kit.agent.rates import Reading

    metrics = client.metrics()
    return Reading(time.monotonic(), metrics, client.peers(), client.status().audit)
