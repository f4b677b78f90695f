"""Sources of whole commands: real lines, real servers, unplugging, what it costs to wait."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.eeg.sources.ptys import Pty
from tests.peers import find
from tests.system.machine import BOARD, OTHER, Machine, running


def _packets(first: int, count: int) -> bytes:
    """P2 packets, as a device sends them one after the other."""
    return b"".join(
        bytes([0xA5, 0x5A, 2, number & 255, *[number >> 8 & 3, number & 255] * 6, 15])
        for number in range(first, first + count)
    )


def _read(
    process: subprocess.Popen[bytes], length: int, meanwhile: Callable[[], None] = lambda: None
) -> bytes:
    """So many bytes of its output as they come, and what is to be done while they do not."""
    assert process.stdout
    data, end = b"", time.monotonic() + 20
    while len(data) < length and time.monotonic() < end:
        meanwhile()
        if select.select([process.stdout], [], [], 0.02)[0]:
            data += os.read(process.stdout.fileno(), length - len(data)) or pytest.fail(f"it ended: {data!r}")
    return data


@pytest.fixture
def socat() -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts socat; gives what it says once it is ready."""
    program, started = find("socat"), []

    def start(*arguments: str, ready: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen([program, "-d", "-d", *arguments], stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stderr
        said = next((line for line in process.stderr if re.search(ready, line)), None)
        return process, said or pytest.fail(f"socat ended before it said {ready!r}")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_line_between_two_programs_is_read_until_it_is_cut(
    socat: Callable[..., tuple[subprocess.Popen[str], str]], kit_program: str, short_tmp: Path
) -> None:
    device, port = short_tmp / "device", short_tmp / "port"
    line, _ = socat(f"PTY,raw,echo=0,link={device}", f"PTY,raw,echo=0,link={port}", ready="starting data")
    sent = _packets(0, 100)
    with running(kit_program, "eeg", "read", "--format", "raw", str(port)) as reading:
        with device.open("wb", buffering=0) as into:
            into.write(sent)
            assert _read(reading, len(sent)) == sent
            line.terminate()
            _, err = reading.communicate(timeout=30)
    assert reading.returncode == 69
    assert f"kit: error: '{port}': the device is gone" in err.decode()
    assert "kit: hint: --reconnect waits until it is back\n" in err.decode()


def test_a_server_of_bytes_is_read_to_its_end(
    socat: Callable[..., tuple[subprocess.Popen[str], str]], kit_program: str, tmp_path: Path
) -> None:
    sent = _packets(0, 5000)
    (tmp_path / "sent").write_bytes(sent)
    listen = ("-u", f"FILE:{tmp_path / 'sent'}", "TCP-LISTEN:0,bind=127.0.0.1")
    _, said = socat(*listen, ready=r"listening on .*127\.0\.0\.1:\d+")
    port = said.rpartition(":")[2].strip()
    with running(kit_program, "eeg", "read", "--format", "raw", f"socket://127.0.0.1:{port}") as reading:
        out, err = reading.communicate(timeout=30)
    assert out == sent
    assert reading.returncode == 69, err.decode()
    assert "the device is gone" in err.decode()


def test_a_board_that_comes_back_under_another_name_is_read_on(tmp_path: Path, kit_program: str) -> None:
    machine = Machine(tmp_path)
    board = machine.plug_in("ttyUSB0", BOARD)
    command = (kit_program, "eeg", "read", "--reconnect", "--format", "raw", "/dev/ttyUSB0")
    with machine.start(*command) as reading:
        board.send(_packets(0, 50))
        assert _read(reading, 50 * 17) == _packets(0, 50)
        machine.unplug("ttyUSB0", board)
        # Another adapter gets the old name first: it is not ours, and its bytes are not either.
        machine.plug_in("ttyUSB0", OTHER).send(_packets(200, 10))
        board = machine.plug_in("ttyUSB1", BOARD)
        numbers = count(60)
        # The first ones are held until those that follow tell how many were lost.
        again = _read(reading, 50 * 17, lambda: board.send(_packets(next(numbers), 1)))
        assert again == _packets(60, 50)
        reading.send_signal(signal.SIGINT)
        reading.communicate(timeout=30)
    assert reading.returncode == 130


_CHUNKS = """
import sys
from kit.eeg.sources import open_source
print("open", flush=True)
for chunk in open_source(sys.argv[1]).chunks():
    if chunk.data:
        print(len(chunk.data), flush=True)
"""


# Of a core: 10 ms in a silent second and a half; and at 256 reads a second.
_SILENT, _SENDING, _SPANS = 0.01 / 1.5, 0.06, 4


def _processor_s(pid: int) -> float:
    """The time that a process has had of the processor so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _least_share(pid: int, span: Callable[[], None], bound: float) -> float:
    """Of a core, in the best of some spans: on a busy machine the same instructions take longer."""
    shares: list[float] = []
    while len(shares) < _SPANS and min(shares, default=bound) >= bound:
        begun_s, spent_s = time.monotonic(), _processor_s(pid)
        span()
        shares.append((_processor_s(pid) - spent_s) / (time.monotonic() - begun_s))
    return min(shares)


def test_a_source_takes_little_of_the_processor() -> None:
    """Measured: 1 to 2 % of a core at 256 reads a second, too little to measure where the line is silent."""
    pty = Pty()

    def silent() -> None:
        select.select([], [], [], 1.5)

    def sending() -> None:
        begun_s = time.monotonic()
        for number in range(512):
            # The device's own pace: nothing is waited for here.
            select.select([], [], [], max(0, begun_s + number / 256 - time.monotonic()))
            pty.send(_packets(number, 1))

    with running(sys.executable, "-c", _CHUNKS, pty.path) as reading:
        assert _read(reading, 5) == b"open\n"
        pty.send(_packets(0, 1))
        assert _read(reading, 3) == b"17\n"
        assert _least_share(reading.pid, silent, _SILENT) < _SILENT
        assert _least_share(reading.pid, sending, _SENDING) < _SENDING
    pty.unplug()
