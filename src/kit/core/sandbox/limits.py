"""What setrlimit(2) takes away for good: soft and hard limits alike."""

from __future__ import annotations

import resource


def descriptors(wanted: int) -> str:
    """So many may be open, if the system gives as many; how many that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    return f"{allowed}"


def file_size() -> str:
    """No file grows; pipes and sockets do not count."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return "files cannot grow"


def processes() -> str:
    """No child and no thread, for a user who is not root."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return "no child"
