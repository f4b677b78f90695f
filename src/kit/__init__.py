"""kit: a key agent, TLS handshake tests and OpenEEG capture, one command on one core."""

__version__ = "0.1.0"
