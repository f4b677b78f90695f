"""kit agent metrics: what the agent counts, for a monitoring system."""

from __future__ import annotations

import json
import sys

import click

from kit.cli.files import output_option, write_result
from kit.cli.options import json_option, socket_option
from kit.core.output import Output
from kit.core.text import printable


@click.command()
@output_option
@socket_option
@json_option
def metrics(socket: str | None, path: str, output: Output) -> None:
    """Print what the agent counts as OpenMetrics text.

    For node_exporter's textfile collector, or whatever serves it by HTTP.
    """
    from kit.agent.client import AgentClient
    from kit.agent.metrics import families, records, render

    with AgentClient(socket) as client:
        found = families(client.metrics())
    text = "".join(map(_json_line, records(found))) if output.as_json else render(found)
    write_result(path, _shown(text) if path == "-" and sys.stdout.isatty() else text)


def _json_line(fields: dict[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def _shown(text: str) -> str:
    """A key's name may hold what a terminal would obey; the format has no other escapes than its own."""
    return "".join(f"{printable(line, len(line))}\n" for line in text.removesuffix("\n").split("\n"))
