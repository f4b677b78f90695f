"""kit eeg simulate as a process: pty, link, TCP port, signals, readers that come late and go."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.eeg import p2
from kit.eeg.records import Skipped, Stretch
from tests import peers

Wait = Callable[..., None]
Kit = Callable[..., "subprocess.CompletedProcess[str]"]


class Running:
    """A simulator that runs: its first line is where it serves."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().decode().rstrip("\n")

    def signal(self, number: signal.Signals) -> tuple[int, str]:
        self._process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """The exit status, and what it said on stderr."""
        assert self._process.stderr
        said = self._process.stderr.read().decode()
        return self._process.wait(20), said

    @property
    def runs(self) -> bool:
        return self._process.poll() is None


Start = Callable[..., contextlib.AbstractContextManager[Running]]


@pytest.fixture
def start(kit_program: str) -> Start:
    @contextmanager
    def run(*arguments: str) -> Iterator[Running]:
        command = [kit_program, "eeg", "simulate", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                yield Running(process)
            finally:
                process.kill()

    return run


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOCTTY)


def _read(descriptor: int, enough: int = 1 << 40) -> bytes:
    """Until there is enough, or the device is gone."""
    data = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(data) < enough:
        assert poll.poll(20_000), f"nothing came after {len(data)} bytes"
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            break
        if not piece:
            break
        data += piece
    return data


def _spans(data: bytes) -> tuple[int, int]:
    """How many packets, and how many bytes that are none."""
    decoder = p2.Decoder()
    spans = decoder.scan(data) + decoder.scan_rest()
    packets = sum(len(span) for span in spans if isinstance(span, Stretch))
    return packets, sum(span.count for span in spans if isinstance(span, Skipped))


def _truth(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_serves_on_a_pty_and_says_which_at_once(start: Start) -> None:
    with start("--count", "100") as device:
        path = device.line()
        assert path.startswith("/dev/")
        descriptor = _open(path)
        assert _spans(_read(descriptor)) == (100, 0)
        os.close(descriptor)
        assert device.end() == (0, "kit: 100 packets made, 100 delivered whole\n")


def test_its_link_is_there_before_the_path_is_said_and_gone_at_the_end(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "eeg"
    with start("--link", str(link)) as device:
        path = device.line()
        assert str(link.readlink()) == path
        status, said = device.signal(signal.SIGINT)
    assert (status, os.path.lexists(link)) == (130, False)
    assert "packets made" in said


def test_a_stale_link_is_replaced(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "eeg"
    link.symlink_to("/dev/pts/4095")
    with start("--link", str(link)) as device:
        assert device.line() == str(link.readlink())


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_stale_link_is_left_alone(kit: Kit, tmp_path: Path, kind: str) -> None:
    link, other = tmp_path / "eeg", tmp_path / "other"
    other.write_text("precious")
    {"file": link.touch, "directory": link.mkdir, "link": lambda: link.symlink_to(other)}[kind]()
    done = kit("eeg", "simulate", "--link", str(link))
    assert done.returncode == 69
    said = f"kit: error: '{link}' is there, and it is no link to a terminal that is gone\n"
    assert done.stderr == said + "kit: hint: remove it, or choose another --link\n"
    assert os.path.lexists(link)
    assert other.read_text() == "precious"


def test_sigterm_ends_it_with_the_truth_written_and_the_link_removed(start: Start, tmp_path: Path) -> None:
    link, truth = tmp_path / "eeg", tmp_path / "truth"
    with start("--link", str(link), "--truth", str(truth), "--fault", "lost:every=10") as device:
        descriptor = _open(device.line())
        data = _read(descriptor, 60 * 17)
        status, _ = device.signal(signal.SIGTERM)
        os.close(descriptor)
    *faults, end = _truth(truth)
    assert (status, os.path.lexists(link)) == (143, False)
    assert end["event"] == "end"
    assert end["bytes"] >= len(data)
    assert end["lost"] == len(faults) >= 6


def test_nobody_who_reads_does_not_stop_it_and_what_is_lost_is_told(start: Start, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    with start("--speed", "50", "--count", "20000", "--truth", str(truth)) as device:
        device.line()
        status, said = device.end()
    *told, end = _truth(truth)
    faults = [one for one in told if one["event"] not in ("blink", "press")]  # those are in the signal
    assert status == 0
    assert f"{end['bytes_lost']} bytes that nobody read were lost" in said
    assert end["bytes"] + end["bytes_lost"] == 20_000 * 17
    assert end["bytes_lost"] > 200_000
    assert {fault["event"] for fault in faults} == {"overflow"}
    assert sum(fault["bytes"] for fault in faults) == end["bytes_lost"]


def test_a_reader_that_comes_late_hears_what_the_truth_says(
    start: Start, tmp_path: Path, wait_until: Wait
) -> None:
    truth = tmp_path / "truth"
    with start("--speed", "20", "--truth", str(truth)) as device:
        path = device.line()
        wait_until(truth.read_text, "the first byte that did not fit", 20)
        descriptor = _open(path)
        data = _read(descriptor, 60_000)
        os.kill(device._process.pid, signal.SIGTERM)
        data += _read(descriptor)
        assert device.end()[0] == 143
        os.close(descriptor)
    seen = _truth(truth)[-1]["seen"]
    packets, skipped = _spans(data)
    # What was still on its way when the terminal went is in the truth, and was never heard.
    assert 0 <= seen["packets"] - packets < 2000
    assert 0 <= seen["skipped"] - skipped < 17 * 8


def test_readers_come_and_go(start: Start) -> None:
    with start() as device:
        path = device.line()
        for _ in range(3):
            descriptor = _open(path)
            assert _spans(_read(descriptor, 500))[0] >= 20
            os.close(descriptor)
        assert device.runs


def test_what_a_reader_says_to_the_device_is_not_echoed_and_blocks_nobody(start: Start) -> None:
    with start("--count", "200") as device:
        descriptor = os.open(device.line(), os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, b"x" * 3000)
        assert _spans(_read(descriptor)) == (200, 0)
        os.close(descriptor)


def test_an_unplugged_pty_goes_and_comes_back_as_another_one(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "eeg"
    with start("--link", str(link), "--fault", "unplug:at=0.2:back=0.3", "--count", "150") as device:
        first = device.line()
        descriptor = _open(str(link))
        before = _read(descriptor)
        second = device.line()
        other = _open(str(link))
        assert second != first
        assert str(link.readlink()) == second
        after = _read(other)
        os.close(descriptor)
        os.close(other)
        assert device.end()[0] == 0
    assert (_spans(before)[0], _spans(before + after)) == (52, (150, 0))
    assert after[3] == 0
    assert not os.path.lexists(link)


def test_unplugged_for_good_it_ends(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "eeg"
    with start("--link", str(link), "--fault", "unplug:at=0.2") as device:
        descriptor = _open(device.line())
        assert _spans(_read(descriptor)) == (52, 0)
        os.close(descriptor)
        assert device.end()[0] == 0
    assert not os.path.lexists(link)


def _connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("socket://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_on_a_tcp_port_the_first_client_hears_the_first_packet(start: Start) -> None:
    with start("--tcp", "0", "--count", "100") as device:
        url = device.line()
        assert url.startswith("socket://127.0.0.1:")
        with _connect(url) as client:
            data = _read(client.fileno())
        assert device.end()[0] == 0
    assert (_spans(data), data[3]) == ((100, 0), 0)


def test_it_serves_one_client_after_another(start: Start, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    with start("--tcp", "127.0.0.1:0", "--truth", str(truth)) as device:
        url = device.line()
        for _ in range(2):
            with _connect(url) as client:
                assert _spans(_read(client.fileno(), 500))[0] >= 28
        assert device.signal(signal.SIGTERM)[0] == 143
    assert _truth(truth)[-1]["event"] == "end"


def test_an_unplugged_server_hangs_up_and_comes_back_on_its_port(start: Start, wait_until: Wait) -> None:
    with start("--tcp", "0", "--fault", "unplug:at=0.2:back=1:kept=1", "--count", "600") as device:
        url = device.line()
        with _connect(url) as client:
            assert _spans(_read(client.fileno())) == (52, 0)
        with pytest.raises(ConnectionRefusedError):
            _connect(url)
        again: list[socket.socket] = []

        def connected() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                again.append(_connect(url))
            return bool(again)

        wait_until(connected, "the port")
        with again[0] as client:
            data = _read(client.fileno())
    packets, skipped = _spans(data)
    assert (packets > 200, skipped) == (True, 0)


def test_a_port_that_is_taken_is_said(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = kit("eeg", "simulate", "--tcp", str(port))
    assert (done.returncode, done.stdout) == (69, "")
    assert f"cannot listen on '127.0.0.1' port {port}: address already in use" in done.stderr


@pytest.mark.parametrize(("option", "key"), [((), "pty"), (("--tcp", "0"), "url")], ids=["pty", "tcp"])
def test_json_says_where_it_serves(start: Start, option: tuple[str, ...], key: str) -> None:
    with start("--json", *option) as device:
        place = json.loads(device.line())
    assert place["kind"] == "serving"
    assert place[key].startswith(("/dev/", "socket://127.0.0.1:"))


def test_as_quick_as_it_goes_it_waits_for_the_reader_of_its_pty(start: Start) -> None:
    with start("--speed", "max", "--count", "50000") as device:
        descriptor = _open(device.line())
        assert _spans(_read(descriptor)) == (50_000, 0)
        os.close(descriptor)


def test_a_pipe_that_is_closed_ends_it(kit_program: str, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    command = [kit_program, "eeg", "simulate", "--stdout", "--speed", "max", "--truth", str(truth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.read(17)
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr.read().startswith(b"kit: ")
    assert _truth(truth)[-1]["event"] == "end"


def test_on_standard_output_the_truth_is_right_even_at_ctrl_c(kit_program: str, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    command = [kit_program, "eeg", "simulate", "--stdout", "--speed", "max", "--truth", str(truth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        data = process.stdout.read(1_000_000)
        process.send_signal(signal.SIGINT)
        data += process.stdout.read()
        assert process.wait(20) == 130
    assert _truth(truth)[-1]["bytes"] == len(data)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stdout", "--tcp", "0"], "--stdout and --tcp, where one can be"),
        (["--stdout", "--link", "x"], "--link 'x' is a name for a pty, and there is none"),
        (["--stdout", "--json"], "--json says on standard output where the device is"),
        (["--tcp", "host:port"], "'host:port' is not a port, nor HOST:PORT"),
        (["--fault", "lots"], "no fault 'lots' in 'lots'"),
        (["--fault", "flip:byte=12", "--protocol", "p3", "--stdout"], "no byte 12 in a packet of 11 bytes"),
        (["--channels", "2", "--stdout"], "P2 has six channels, not 2"),
        (["--speed", "0"], "speed=0 in '--speed 0' is not a number, or max"),
    ],
)
def test_what_cannot_be_is_a_usage_error(kit: Kit, arguments: list[str], said: str) -> None:
    done = kit("eeg", "simulate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_truth_that_cannot_be_written_is_said_before_anything_is_sent(kit: Kit, tmp_path: Path) -> None:
    done = kit("eeg", "simulate", "--stdout", "--truth", str(tmp_path / "no" / "truth"))
    assert (done.returncode, done.stdout) == (69, "")
    assert "no such file or directory" in done.stderr


def test_socat_reads_the_same_bytes(start: Start, tmp_path: Path) -> None:
    socat = peers.find("socat")
    with start("--count", "300", "--speed", "5") as device:
        command = [socat, "-u", f"{device.line()},rawer", "-"]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert _spans(done.stdout) == (300, 0)
