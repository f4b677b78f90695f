"""Serial ports, on ptys: the kernel's own, with nobody in between."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.core.errors import Unavailable, UsageError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources import DeviceGone, Source, open_source
from kit.eeg.sources.holders import Holder, holders
from tests.eeg.sources.ptys import Pty, kept_open
from tests.peers import forbidden, missing


@pytest.fixture
def pty() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.unplug()


@pytest.fixture
def source(pty: Pty) -> Iterator[Source]:
    with contextlib.closing(open_source(pty.path)) as opened:
        yield opened


def _data(chunk: Chunk | Gone) -> bytes:
    assert isinstance(chunk, Chunk)
    return chunk.data


def test_what_is_there_comes_with_the_times_of_its_read(pty: Pty, source: Source) -> None:
    assert source.live
    assert source.name == pty.path
    chunks = source.chunks()
    for data in (b"\xa5\x5a\x02", bytes(range(256))):
        pty.send(data)
        before = time.monotonic_ns(), time.time_ns()
        chunk = next(chunks)
        after = time.monotonic_ns(), time.time_ns()
        assert isinstance(chunk, Chunk)
        assert chunk.data == data
        assert chunk.monotonic_ns and before[0] <= chunk.monotonic_ns <= after[0]
        assert chunk.wall_ns and before[1] <= chunk.wall_ns <= after[1]


def test_a_port_stays_open_as_long_as_it_is_read(pty: Pty) -> None:
    chunks = open_source(pty.path).chunks()
    gc.collect()
    pty.send(b"still there")
    assert _data(next(chunks)) == b"still there"


def test_a_silent_port_gives_empty_chunks_four_times_a_second(source: Source) -> None:
    chunks = source.chunks()
    begun = time.monotonic()
    for _ in range(3):
        chunk = next(chunks)
        assert isinstance(chunk, Chunk)
        assert (chunk.data, chunk.monotonic_ns is None) == (b"", False)
    assert 0.7 < time.monotonic() - begun < 2


def test_what_a_pty_holds_before_it_is_opened_is_kept(pty: Pty) -> None:
    with kept_open(pty.path):
        pty.send(b"before")
        with contextlib.closing(open_source(pty.path)) as source:
            assert _data(next(source.chunks())) == b"before"


def test_every_byte_passes_as_it_is_whatever_the_terminal_was_set_to() -> None:
    main, terminal = os.openpty()  # cooked: echo, line ends, signals, flow control
    with contextlib.closing(open_source(os.ttyname(terminal))) as source:
        every = bytes(range(256))
        os.write(main, every)
        assert _data(next(source.chunks())) == every
        os.set_blocking(main, False)
        with pytest.raises(BlockingIOError):
            os.read(main, 1)  # nothing was echoed
    os.close(main)
    os.close(terminal)


def test_the_port_is_set_to_eight_bits_no_parity_no_flow_control(pty: Pty) -> None:
    with kept_open(pty.path):
        subprocess.run(["stty", "-F", pty.path, "sane", "brkint", "ixoff", "istrip", "crtscts"], check=True)
        with contextlib.closing(open_source(pty.path)):
            stty = ["stty", "-a", "-F", pty.path]
            done = subprocess.run(stty, capture_output=True, text=True, check=True)
    shown = done.stdout.replace(";", "").split()
    assert shown[:3] == ["speed", "57600", "baud"]
    assert {"cs8", "-parenb", "-cstopb", "-crtscts", "-ixon", "-ixoff", "-icanon", "-echo"} <= {*shown}
    assert {"-isig", "-opost", "-icrnl", "-istrip", "-brkint", "cread", "clocal"} <= {*shown}
    # With 0 a read that comes too late, because somebody else was quicker, would look like a hang-up.
    assert "min = 1; time = 0;" in done.stdout


@pytest.mark.parametrize("baud", [57600, 115200, 12345, 3_000_000])
def test_the_port_has_the_speed_that_was_asked_for(pty: Pty, baud: int) -> None:
    with contextlib.closing(open_source(pty.path, baud=baud)), kept_open(pty.path) as port:
        # TCGETS2 and struct termios2 of asm-generic/termbits.h: stty does not know every speed.
        settings = fcntl.ioctl(port, 0x802C542A, bytes(44))
    assert struct.unpack("4I20s2I", settings)[-2:] == (baud, baud)


def test_a_port_whose_other_end_closes_is_gone(pty: Pty, source: Source) -> None:
    chunks = source.chunks()
    next(chunks)
    pty.unplug()
    with pytest.raises(DeviceGone) as caught:
        next(chunks)
    assert str(caught.value).startswith(f"{pty.path!r}: the device is gone")
    assert caught.value.exit_status == 69
    assert caught.value.hint == "--reconnect waits until it is back"


_HANG_UP = """
import ctypes, fcntl, os, signal, sys, termios
os.setsid()
signal.signal(signal.SIGHUP, signal.SIG_IGN)
fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), termios.TIOCSCTTY, 1)
sys.exit(ctypes.CDLL(None).vhangup())
"""


def test_a_port_that_hangs_up_is_gone(pty: Pty, source: Source) -> None:
    """A hang-up is what the kernel makes of a USB adapter that was pulled out: reads come back empty."""
    _needs_root()
    chunks = source.chunks()
    next(chunks)
    if subprocess.run([sys.executable, "-c", _HANG_UP, pty.path], check=False).returncode:
        forbidden("vhangup")
    with pytest.raises(DeviceGone):
        next(chunks)


def test_a_port_that_is_open_already_is_in_use_and_by_whom_is_said(pty: Pty, source: Source) -> None:
    with pytest.raises(Unavailable) as caught:
        open_source(pty.path)
    name = Path("/proc/self/comm").read_text().strip()
    assert str(caught.value) == f"{pty.path!r} is in use by {name} (process {os.getpid()})"
    assert caught.value.hint == "end that program: both would get a part of the bytes"


def test_a_port_that_was_let_go_can_be_opened_again(pty: Pty) -> None:
    for _ in range(3):
        open_source(pty.path).close()


def test_closing_twice_does_nothing(source: Source) -> None:
    source.close()


def test_the_holders_of_a_device_are_found_by_the_device_not_its_name(tmp_path: Path, pty: Pty) -> None:
    (tmp_path / "link").symlink_to(pty.path)
    assert holders(pty.path) == []
    with subprocess.Popen(["sleep", "60"], stdin=os.open(pty.path, os.O_RDWR | os.O_NOCTTY)) as other:
        found = holders(str(tmp_path / "link"))
        other.kill()
    assert Holder("sleep", other.pid) in found


def test_nobody_holds_what_is_not_there() -> None:
    assert holders("/dev/no-such-device") == []


_OPEN = """
import grp, os, pwd, sys
import kit.eeg.sources.serial
from kit.core.errors import KitError
from kit.eeg.sources import open_source

os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    open_source(sys.argv[1])
except KitError as error:
    print(error.exit_status, error, error.hint, sep="|")
"""


def _needs_root() -> None:
    if os.geteuid() != 0:
        missing("only root can hang up a terminal or become another user")


def _open_as_nobody(path: str) -> list[str]:
    """What a user without rights is told, as status, message and hint."""
    _needs_root()
    program = [sys.executable, "-c", _OPEN, path]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.rstrip("\n").split("|")


def test_a_port_that_only_its_group_may_open_says_how_to_join_it(pty: Pty) -> None:
    os.chown(pty.path, 0, 20)  # dialout on Debian
    Path(pty.path).chmod(0o660)
    assert _open_as_nobody(pty.path) == [
        "77",
        f"no permission to open {pty.path!r}",
        "join its group with 'sudo usermod -aG dialout $USER', then log in anew",
    ]


def test_a_port_that_its_group_may_not_open_either_says_so(pty: Pty) -> None:
    os.chown(pty.path, 0, 20)
    Path(pty.path).chmod(0o600)
    status, _, hint = _open_as_nobody(pty.path)
    assert status == "77"
    assert hint == "its group 'dialout' may not open it either: a udev rule for the board can change that"


def test_a_file_that_may_not_be_read_is_said(short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    path = short_tmp / "capture"
    path.write_bytes(b"x")
    path.chmod(0o600)
    assert _open_as_nobody(str(path))[:2] == ["77", f"no permission to read '{path}'"]


def test_a_port_that_another_claimed_is_in_use_for_a_plain_user(pty: Pty) -> None:
    Path(pty.path).chmod(0o666)
    with kept_open(pty.path) as keeper:
        fcntl.ioctl(keeper, termios.TIOCEXCL)
        status, message, hint = _open_as_nobody(pty.path)
    assert (status, message) == ("69", f"{pty.path!r} is in use")
    assert hint == f"'sudo fuser -v {pty.path}' says by whom"


@pytest.mark.parametrize("baud", [0, -1])
def test_a_speed_that_is_none_is_refused(pty: Pty, baud: int) -> None:
    with pytest.raises(UsageError, match="is no speed"):
        open_source(pty.path, baud=baud)


def test_a_speed_beyond_what_the_system_can_say_is_refused(pty: Pty) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(pty.path, baud=2**40)
    assert str(caught.value) == f"{pty.path!r} does not know the speed of {2**40} baud"
    assert caught.value.hint == "OpenEEG boards send at 57600 baud"


@pytest.mark.parametrize("spec", ["/dev/null", "spy:///dev/null", "alt:///dev/null"])
def test_what_is_no_serial_port_is_said(spec: str) -> None:
    with pytest.raises(UsageError, match=r"^cannot read '/dev/null': it is not a serial port$"):
        open_source(spec)
