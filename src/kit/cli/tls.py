"""kit tls: the commands that test TLS handshakes."""

from __future__ import annotations

import click


@click.group()
def tls() -> None:
    """Test TLS handshakes with RSA and ECDSA keys."""
