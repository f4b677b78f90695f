"""What the kernel is asked: layouts as its own headers have them, answers and the lack of them."""

from __future__ import annotations

import os
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.eeg.doctor.facts import Counters, Kind, Unknown, risen
from kit.eeg.doctor.kernel import (
    PortAtKernel,
    baud_in,
    counters_in,
    kind_of,
    latency_ms,
    low_latency_in,
)
from tests.eeg.sources.ptys import Pty, kept_open
from tests.eeg.sources.sysfs import Adapter, Tree
from tests.peers import find

# Fills the kernel's structs by the names of their fields, and writes them as they lie in memory.
PROGRAM = """
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/serial.h>
#include <stdio.h>
int main(void) {
    struct serial_icounter_struct counters = {
        .cts = 90, .dsr = 91, .rng = 92, .dcd = 93, .rx = 1, .tx = 94,
        .frame = 2, .overrun = 3, .parity = 4, .brk = 5, .buf_overrun = 6 };
    struct serial_struct plain = { .flags = ~ASYNC_LOW_LATENCY }, quick = { .flags = ASYNC_LOW_LATENCY };
    struct termios2 speed = { .c_ispeed = 57692, .c_ospeed = 9600 };
    unsigned numbers[3] = { TCGETS2, TIOCGICOUNT, TIOCGSERIAL };
    fwrite(numbers, sizeof numbers, 1, stdout);
    fwrite(&counters, sizeof counters, 1, stdout);
    fwrite(&speed, sizeof speed, 1, stdout);
    fwrite(&plain, sizeof plain, 1, stdout);
    fwrite(&quick, sizeof quick, 1, stdout);
    return 0;
}
"""


def test_the_layouts_are_those_of_the_kernels_headers(tmp_path: Path) -> None:
    source, program = tmp_path / "layouts.c", tmp_path / "layouts"
    source.write_text(PROGRAM)
    subprocess.run([find("cc"), "-o", program, source], check=True)
    data = subprocess.run([program], check=True, capture_output=True).stdout
    numbers, counters, speed, flags = data[:12], data[12:92], data[92:136], data[136:]
    assert memoryview(numbers).cast("I").tolist() == [0x802C542A, termios.TIOCGICOUNT, termios.TIOCGSERIAL]
    assert counters_in(counters) == Counters(1, 2, 3, 4, 5, 6)
    assert baud_in(speed) == 57692
    half = len(flags) // 2
    assert not low_latency_in(flags[:half])
    assert low_latency_in(flags[half:])


def test_counters_rise_across_their_wrap() -> None:
    before, after = Counters(2**32 - 5, 1, 0, 0, 0, 0), Counters(12, 3, 0, 0, 0, 0)
    assert risen(before, after) == Counters(17, 2, 0, 0, 0, 0)


def test_counters_of_a_port_that_went_away_have_not_risen() -> None:
    known, gone = Counters(1, 0, 0, 0, 0, 0), Unknown("input/output error")
    assert risen(known, gone) == risen(gone, known) == gone


def test_a_pty_has_none_of_it(wait_until: Callable[..., None]) -> None:
    pty = Pty()
    with kept_open(pty.path) as descriptor:
        kernel = PortAtKernel("pty", descriptor, None)
        why = Unknown("a pty has no hardware behind it")
        assert (kernel.counters(), kernel.low_latency(), kernel.baud()) == (why, why, why)
        pty.send(b"abc")
        wait_until(lambda: kernel.waiting() == 3, "the three bytes")
    pty.unplug()


def test_a_port_without_counters_says_whose_fault_it_is() -> None:
    """A pty gives the answer of a driver that has none."""
    pty = Pty()
    with kept_open(pty.path) as descriptor:
        kernel = PortAtKernel("port", descriptor, "ch341")
        assert kernel.counters() == Unknown("the driver ch341 keeps no counters")
        assert kernel.low_latency() == Unknown("the driver ch341 has no low-latency flag")
        assert kernel.baud() == 38400
    pty.unplug()


def test_a_port_that_went_away_answers_nothing() -> None:
    pty = Pty()
    with kept_open(pty.path) as descriptor:
        pty.unplug()
        assert PortAtKernel("port", descriptor, None).counters() == Unknown("input/output error")


def test_what_is_not_open_is_not_asked() -> None:
    kernel = PortAtKernel("url", None, None)
    assert isinstance(kernel.counters(), Unknown)
    assert kernel.waiting() == 0


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("-", "pipe"),
        ("sim:", "simulated"),
        ("socket://localhost:1", "url"),
        ("sim://x", "url"),
        ("/dev/no-such-port", "port"),
        ("/dev/null", "port"),
        ("a\0b", "port"),
        ("{file}", "file"),
        ("{fifo}", "pipe"),
        ("{pty}", "pty"),
    ],
)
def test_a_source_is_told_by_its_name(spec: str, kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    pty = Pty()
    places = {"file": tmp_path / "file", "fifo": tmp_path / "fifo", "pty": pty.path}
    assert kind_of(spec.format(**places)) == kind
    pty.unplug()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An FTDI adapter as Linux 6 shows it: latency_timer lies beside event_char in the port's directory."""
    made = Tree(tmp_path)
    made.add_usb_serial("ttyUSB0", Adapter("0403", "6001", "FT232R USB UART"), "ftdi_sio")
    devices = tmp_path / "sys/bus/usb-serial/devices"
    devices.mkdir()
    (devices / "ttyUSB0").symlink_to(next(tmp_path.glob("sys/devices/pci*/**/ttyUSB0")))
    return made


@pytest.mark.parametrize(("text", "value"), [("16\n", 16), ("1\n", 1)])
def test_the_latency_timer_is_read_off_the_port(tree: Tree, text: str, value: int) -> None:
    (tree.root / "sys/bus/usb-serial/devices/ttyUSB0/latency_timer").write_text(text)
    assert latency_ms("port", "ttyUSB0", "ftdi_sio", tree.root) == value


def test_an_adapter_without_a_timer_has_none(tree: Tree) -> None:
    assert latency_ms("port", "ttyUSB0", "cp210x", tree.root) == Unknown(
        "the driver cp210x has no latency timer"
    )


def test_a_timer_that_says_nothing_is_not_guessed(tree: Tree) -> None:
    path = tree.root / "sys/bus/usb-serial/devices/ttyUSB0/latency_timer"
    path.write_text("soon\n")
    assert latency_ms("port", "ttyUSB0", None, tree.root) == Unknown(f"{path}: it holds no number")


def test_only_a_port_has_a_timer(tree: Tree) -> None:
    assert latency_ms("file", None, None, tree.root) == Unknown("a file has no line behind it")
