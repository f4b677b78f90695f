"""Every command of kit with its options, read off the click tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from kit.cli.main import root


@dataclass(frozen=True)
class Command:
    """A command: the words that lead to it, and each spelling of each of its options."""

    path: tuple[str, ...]
    options: frozenset[str]
    click_command: click.Command

    def __str__(self) -> str:
        return " ".join(self.path)


GROUPS = {
    name: root.get_command(click.Context(root), name) for name in root.list_commands(click.Context(root))
}


def options_of(command: click.Command) -> frozenset[str]:
    """Each spelling of each option, --help among them."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    options = [p for p in command.get_params(context) if isinstance(p, click.Option) and not p.hidden]
    return frozenset(name for option in options for name in (*option.opts, *option.secondary_opts))


def _walk(group: click.Group, path: tuple[str, ...]) -> Iterator[Command]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _walk(command, (*path, name))
        elif not command.hidden:
            yield Command((*path, name), options_of(command), command)


COMMANDS = tuple(_walk(root, ()))
