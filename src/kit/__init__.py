"""kit: a key agent and TLS handshake tests, one command on one core."""

__version__ = "0.1.0"
