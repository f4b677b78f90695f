"""`python -m tests.bench [NAME]...`: agent, flood, handshakes, costs, pkcs11, nginx, start, memory,
soak, smtpd, pq, eeg, view, watch, window.

Without a name all of them but the soak, which takes ten minutes, smtpd, which takes one that can sign under
OpenSSL 3, as Debian 13's, and `pq`, which takes OpenSSL 3.5; `eeg` stands for a group. Where the machine has
other work, `echo -15 >/proc/self/autogroup` by root in the same shell keeps most of it away; `nice` does not,
since each session gets its share (sched(7)).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from tests.bench import bridging, eeg, lasting, mail, nginx, pq, signing, streaming, viewing, watching, window
from tests.bench.agents import KIT
from tests.bench.goal import Goal, Shown, in_turn


def start() -> Iterator[Goal]:
    """How long `kit --help` takes, in units of a Python that does nothing."""
    help_s, bare_s, ratio = in_turn(
        15, lambda: _seconds(KIT, "--help"), lambda: _seconds(sys.executable, "-c", "pass")
    )
    figures = f"kit --help {help_s * 1000:.0f} ms, python3 -c pass {bare_s * 1000:.0f} ms"
    yield Goal("start", figures, ratio, 8, at_least=False)


def _seconds(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


BENCHES: dict[str, Callable[[], Iterator[Goal | Shown]]] = {
    **signing.BENCHES,
    **bridging.BENCHES,
    **nginx.BENCHES,
    "start": start,
    **lasting.BENCHES,
    **mail.BENCHES,
    **pq.BENCHES,
    **eeg.BENCHES,
    **streaming.BENCHES,
    **viewing.BENCHES,
    **window.BENCHES,
    **watching.BENCHES,
}
GROUPS = {"eeg": [*eeg.BENCHES, *streaming.BENCHES, *viewing.BENCHES, *window.BENCHES, *watching.BENCHES]}
_ONLY_BY_NAME = ("soak", "smtpd", "pq")


def main(names: list[str]) -> int:
    """Run the named benches; 1 if a goal is missed."""
    names = [bench for name in names for bench in GROUPS.get(name, [name])]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or [name for name in BENCHES if name not in _ONLY_BY_NAME]:
        for found in BENCHES[name]():
            print(found, flush=True)
            missed += not found.reached
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
