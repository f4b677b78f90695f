"""`python -m tests.eeg.streaming.scene`, in a network namespace of its own: kit streams, and others read it.

What was seen comes as one JSON object: what an inlet in this process got, and what a neighbour over a network
got from each port.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SOURCE = "sim:seed=7,count=2000,speed=4,fault=lost:every=150:burst=3"
HERE, NEIGHBOUR = "192.0.2.1", "192.0.2.2"
_KIT = [str(Path(sys.executable).parent / "kit"), "eeg", "stream", "--json"]
_TRIES = """
import json, socket, sys
answers = []
for port, transport in json.loads(sys.argv[2]):
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as tried:
        tried.settimeout(20)
        try:
            tried.connect((sys.argv[1], port))
            query = f"LSL:shortinfo\\r\\nsession_id='default'\\r\\n{tried.getsockname()[1]} 1\\r\\n"
            tried.send(query.encode())
            answers.append("answered" if tried.recv(10) else "closed")
        except OSError as error:
            answers.append(type(error).__name__)
print(json.dumps(answers))
"""


def main() -> None:
    _run("ip", "link", "set", "lo", "up")
    seen = {"inlet": _read()}
    with _neighbour() as enter:
        seen["closed"] = _tried(enter)
        seen["lan"] = _tried(enter, "--lan")
    print(json.dumps(seen))


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def _streaming(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Kit, and what it says when its streams are there."""
    with subprocess.Popen(
        [*_KIT, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as kit:
        assert kit.stdout and kit.stderr
        line = kit.stdout.readline()
        assert line, kit.stderr.read()
        yield kit, json.loads(line)
        kit.send_signal(signal.SIGTERM)
        kit.communicate(timeout=30)


def _read() -> dict[str, Any]:
    """All that an inlet gets, up to the last sample."""
    import pylsl
    from pylsl.util import LostError

    with _streaming("--units", "adc", SOURCE) as (kit, opened):
        eeg, markers = (
            pylsl.StreamInlet(pylsl.resolve_byprop("name", name, timeout=20)[0], recover=False)
            for name in (opened["name"], opened["markers"])
        )
        markers.open_stream(20)
        eeg.open_stream(20)
        info = eeg.info()
        rows, stamps, texts, text_stamps = [], [], [], []
        while True:
            ended = kit.poll() is not None
            try:
                some, at = eeg.pull_chunk(timeout=0.05)
                words, when = markers.pull_chunk(timeout=0.0)
            except LostError:
                break
            rows += [list(map(int, row)) for row in some]
            stamps += at
            texts += [word for (word,) in words]
            text_stamps += when
            if ended and not len(some):
                break
        return {
            "opened": opened,
            "status": kit.wait(20),
            "xml": info.as_xml(),
            "rows": rows,
            "stamps": stamps,
            "markers": list(zip(text_stamps, texts, strict=True)),
        }


@contextmanager
def _neighbour() -> Iterator[list[str]]:
    """What runs a command in another network namespace, which a cable leads to."""
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as other:
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{other.pid}/ns/net").readlink() == own:
            time.sleep(0.001)
        enter = ["nsenter", "--target", str(other.pid), "--net"]
        _run("ip", "link", "add", "kit0", "type", "veth", "peer", "name", "kit1", "netns", str(other.pid))
        for prefix, device, address in (([], "kit0", HERE), (enter, "kit1", NEIGHBOUR)):
            _run(*prefix, "ip", "address", "add", f"{address}/24", "dev", device)
            _run(*prefix, "ip", "link", "set", device, "up")
        yield enter
        other.kill()


def _tried(enter: Sequence[str], *options: str) -> dict[str, Any]:
    """What the neighbour gets from each port that kit told of."""
    with _streaming(*options, "sim:seed=7") as (kit, opened):
        ports = [(port["port"], port["transport"]) for port in opened["ports"]]
        answers = json.loads(_run(*enter, sys.executable, "-c", _TRIES, HERE, json.dumps(ports)))
    answered = dict(zip((f"{transport} {port}" for port, transport in ports), answers, strict=True))
    return {"reach": opened["reach"], "answers": answered, "status": kit.returncode}


if __name__ == "__main__":
    os.environ.pop("LSLAPICFG", None)
    main()
