"""kit agent: the commands around the key agent."""

from __future__ import annotations

import click


@click.group()
def agent() -> None:
    """Hold private keys in a process of their own."""
