"""When numpy pays: its import takes as long as 250,000 packets without it. Pure."""

from __future__ import annotations

# From a hundred packets on lines are quicker with numpy, from seven hundred on the measures of channels.
# A live line gives a handful at a time, a read of a file four thousand.
LONG_BATCH = 512
# So many packets in long batches, a recording of two minutes, say that more are to come.
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
