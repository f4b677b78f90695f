"""kit eeg ports, and the choice of a port, on machines with made ports and on this one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.machine import BOARD, OTHER, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_ports_of_a_machine_are_shown_as_a_table(machine: Machine, kit_program: str) -> None:
    machine.plug_in("ttyUSB0", BOARD)
    machine.plug_in("ttyUSB1", OTHER)
    status, out, err = machine.run(kit_program, "eeg", "ports")
    assert (status, err) == (0, "")
    head, board, other = out.splitlines()
    assert " ".join(head.split()) == "PORT EEG BOARD PRODUCT SERIAL NUMBER USB ID DRIVER WHY"
    assert board.startswith("/dev/ttyUSB0  yes        FT232R USB UART  A9014SQP       0403:6001  ftdi_sio")
    assert other.startswith("/dev/ttyUSB1  maybe      USB Serial       -              1a86:7523")


def test_json_has_every_field_of_a_port(machine: Machine, kit_program: str) -> None:
    machine.plug_in("ttyUSB0", BOARD)
    status, out, _ = machine.run(kit_program, "eeg", "ports", "--json")
    assert status == 0
    assert json.loads(out) == {
        "device": "/dev/ttyUSB0",
        "product": "FT232R USB UART",
        "manufacturer": "FTDI",
        "serial_number": "A9014SQP",
        "usb_id": "0403:6001",
        "interface": "00",
        "driver": "ftdi_sio",
        "likely": "yes",
        "why": "an FT232, as Olimex's EEG-SMT and most ModularEEG boards with USB have",
    }


def test_a_machine_without_ports_says_so(machine: Machine, kit_program: str) -> None:
    for options in ((), ("--json",), ("--all",)):
        assert machine.run(kit_program, "eeg", "ports", *options) == (
            69,
            "",
            "kit: error: no serial port is there\n"
            "kit: hint: plug the board in, or try 'sim:', a simulated one\n",
        )


def test_this_machine_answers_one_way_or_the_other(
    kit: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = kit("eeg", "ports", "--json")
    devices = [json.loads(line)["device"] for line in done.stdout.splitlines()]
    assert done.returncode == (0 if devices else 69)
    assert all(Path(device).is_char_device() for device in devices)


def test_without_a_source_the_one_plausible_port_is_read(machine: Machine, kit_program: str) -> None:
    board = machine.plug_in("ttyUSB3", BOARD)
    sent = b"".join(bytes([0xA5, 0x5A, 2, counter, *[1, 2] * 6, 15]) for counter in range(10))
    with machine.start(kit_program, "eeg", "read", "--format", "raw", "--count", "10") as reading:
        board.send(sent)
        out, err = reading.communicate(timeout=60)
    assert (reading.returncode, out) == (0, sent), err.decode()


def test_without_a_source_several_plausible_ports_are_listed(machine: Machine, kit_program: str) -> None:
    machine.plug_in("ttyUSB0", BOARD)
    machine.plug_in("ttyUSB1", OTHER)
    status, out, err = machine.run(kit_program, "eeg", "read")
    assert (status, out) == (2, "")
    assert err == (
        "kit: error: several ports may have the board: "
        "/dev/ttyUSB0 (FT232R USB UART), /dev/ttyUSB1 (USB Serial)\n"
        "kit: hint: name the one that you mean\n"
    )


def test_without_a_source_and_without_a_port_nothing_is_invented(machine: Machine, kit_program: str) -> None:
    status, out, err = machine.run(kit_program, "eeg", "read")
    assert (status, out) == (69, "")
    assert err.startswith("kit: error: no serial port is there\nkit: hint: ")


def test_a_name_that_is_not_there_lists_the_ports_that_are(machine: Machine, kit_program: str) -> None:
    machine.plug_in("ttyUSB0", BOARD)
    assert machine.run(kit_program, "eeg", "read", "/dev/ttyUSB7") == (
        69,
        "",
        "kit: error: no file or device '/dev/ttyUSB7'\n"
        "kit: hint: serial ports: /dev/ttyUSB0 (FT232R USB UART)\n",
    )
