"""When numpy pays: its import takes as long as 250,000 packets without it. Pure."""

from __future__ import annotations

# A batch below this is done as quickly without: a live line gives a handful of packets at a time.
LONG_BATCH = 512
# So many packets in long batches, two reads of a file, say that more are to come.
MUCH = 30_000


class Acceleration:
    """Told of each batch, says whether `kit.eeg.fast` is to do it: if it is long, one of many, and can be."""

    def __init__(self) -> None:
        self._seen = 0
        self._installed: bool | None = None

    def pays(self, packets: int) -> bool:
        """Is the next batch, of so many packets, one for numpy?"""
        if packets < LONG_BATCH:
            return False
        if self._installed is None:
            self._seen += packets
            if self._seen < MUCH:
                return False
            self._installed = _is_installed()
        return self._installed


def _is_installed() -> bool:
    try:
        import kit.eeg.fast  # noqa: F401
    except ImportError:
        return False
    return True
