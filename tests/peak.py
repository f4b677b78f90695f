"""How much memory a command takes at most."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

# A process begins with the peak of the one that forked it, so a small one does.
_MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def peak(command: Sequence[str], data: bytes = b"", **place: Any) -> tuple[int, int]:
    """KiB, and the exit status; `data` is piped in, `place` may be `env` and `cwd`."""
    measure = [sys.executable, "-c", _MEASURE, *command]
    done = subprocess.run(measure, input=data, capture_output=True, check=True, timeout=300, **place)
    peak_kib, status = map(int, done.stdout.split())
    return peak_kib, status
