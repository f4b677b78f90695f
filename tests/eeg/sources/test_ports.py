"""Ports, read off made trees as Linux lays them out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kit.core.errors import Unavailable, UsageError
from kit.eeg.sources.ports import Port, choose, list_ports
from tests.eeg.sources.sysfs import Adapter, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def _only(tree: Tree) -> Port:
    (port,) = list_ports(root=tree.root)
    return port


def test_an_adapter_is_described_by_what_it_says_and_by_its_driver(tree: Tree) -> None:
    tree.add_usb_serial("ttyUSB0", Adapter("0403", "6001", "FT232R USB UART", "FTDI", "A9014SQP"), "ftdi_sio")
    assert _only(tree) == Port(
        device="/dev/ttyUSB0",
        product="FT232R USB UART",
        manufacturer="FTDI",
        serial_number="A9014SQP",
        usb_id="0403:6001",
        interface="00",
        driver="ftdi_sio",
        likely="yes",
        why="an FT232, as Olimex's EEG-SMT and most ModularEEG boards with USB have",
    )


@pytest.mark.parametrize(
    ("vendor", "model", "product", "likely"),
    [
        ("0403", "6001", "FT232R USB UART", "yes"),
        ("0403", "6015", "FT231X USB UART", "maybe"),
        ("067b", "2303", "USB-Serial Controller", "maybe"),
        ("1a86", "7523", "USB Serial", "maybe"),
        ("10c4", "ea60", "CP2102 USB to UART Bridge Controller", "maybe"),
        ("2341", "0043", "Arduino Uno", "maybe"),
        ("15ba", "0044", "OLIMEX board", "maybe"),
        ("1546", "01a8", "u-blox GNSS receiver", "no"),
        ("1546", "01a8", "My OpenEEG", "yes"),
    ],
)
def test_a_port_is_judged_by_its_adapter(
    tree: Tree, vendor: str, model: str, product: str, likely: str
) -> None:
    tree.add_usb_serial("ttyUSB0", Adapter(vendor, model, product), "some_driver")
    assert _only(tree).likely == likely
    assert _only(tree).why


def test_a_board_with_an_interface_of_its_own_is_found(tree: Tree) -> None:
    tree.add_acm("ttyACM0", Adapter("2341", "0043", "Arduino Uno"))
    port = _only(tree)
    assert (port.device, port.driver, port.usb_id) == ("/dev/ttyACM0", "cdc_acm", "2341:0043")


def test_a_serial_line_over_bluetooth_may_have_a_board(tree: Tree) -> None:
    tree.add_virtual("rfcomm0")
    assert (_only(tree).device, _only(tree).likely) == ("/dev/rfcomm0", "maybe")


def test_a_built_in_port_is_shown_and_not_taken_for_a_board(tree: Tree) -> None:
    tree.add_built_in("ttyS0", kind=4)
    port = _only(tree)
    assert (port.driver, port.likely) == ("serial", "no")
    assert port.why == "a built-in port: name it if the board is on it"


def test_the_console_is_called_one(tree: Tree) -> None:
    tree.add_built_in("ttyS0", kind=4, console=True)
    assert _only(tree).why == "the console of this machine"


def test_a_built_in_port_without_hardware_is_shown_only_on_request(tree: Tree) -> None:
    tree.add_built_in("ttyS1", kind=0)
    assert list_ports(root=tree.root) == []
    (port,) = list_ports(everything=True, root=tree.root)
    assert (port.device, port.likely, port.why) == ("/dev/ttyS1", "no", "there is no hardware behind it")


def test_consoles_and_ports_that_this_container_does_not_have_are_left_out(tree: Tree) -> None:
    tree.add_virtual("tty1")
    tree.add_virtual("console")
    tree.add_usb_serial("ttyUSB0", Adapter("0403", "6001", "FT232R USB UART"), "ftdi_sio")
    (tree.root / "dev/ttyUSB0").unlink()
    assert list_ports(everything=True, root=tree.root) == []


def test_ports_come_in_the_order_of_their_numbers(tree: Tree) -> None:
    for number in (10, 9, 0):
        tree.add_usb_serial(f"ttyUSB{number}", Adapter("1a86", "7523", "USB Serial"), "ch341")
    tree.add_built_in("ttyS0", kind=4)
    assert [port.device for port in list_ports(root=tree.root)] == [
        "/dev/ttyS0",
        "/dev/ttyUSB0",
        "/dev/ttyUSB9",
        "/dev/ttyUSB10",
    ]


def test_what_a_device_says_of_itself_cannot_disturb_a_terminal(tree: Tree) -> None:
    tree.add_usb_serial(
        "ttyUSB0", Adapter("0403", "6001", "EEG\x1b[2J\x07", "\u202eevil", "a\tb"), "ftdi_sio"
    )
    port = _only(tree)
    assert port.product == "EEG\\x1b[2J\\x07"
    assert port.manufacturer == "\\u202eevil"
    assert port.serial_number == "a\\tb"


def test_a_machine_without_ports_has_none(tmp_path: Path) -> None:
    assert list_ports(root=tmp_path) == []


def test_an_adapter_is_known_by_its_serial_number_wherever_it_is(tree: Tree) -> None:
    tree.add_usb_serial("ttyUSB0", Adapter("0403", "6001", "FT232R USB UART", None, "A9014SQP"), "ftdi_sio")
    tree.add_usb_serial("ttyUSB1", Adapter("1a86", "7523", "USB Serial"), "ch341")
    first, second = list_ports(root=tree.root)
    assert first.identity == ("0403:6001", "A9014SQP", "00")
    assert second.identity is None


PORT = Port("/dev/ttyUSB0", "FT232R USB UART", None, None, "0403:6001", "00", "ftdi_sio", "yes", "")
OTHER = replace(PORT, device="/dev/ttyUSB1", product=None, likely="maybe")
CONSOLE = replace(PORT, device="/dev/ttyS0", product=None, usb_id=None, likely="no")


@pytest.mark.parametrize("ports", [[PORT], [CONSOLE, PORT], [OTHER, CONSOLE]])
def test_the_one_plausible_port_is_the_one_that_is_meant(ports: list[Port]) -> None:
    assert choose(ports).likely != "no"


def test_of_several_plausible_ports_none_is_taken_and_all_are_listed() -> None:
    with pytest.raises(UsageError) as caught:
        choose([CONSOLE, PORT, OTHER])
    assert str(caught.value) == (
        "several ports may have the board: /dev/ttyUSB0 (FT232R USB UART), /dev/ttyUSB1"
    )
    assert caught.value.hint == "name the one that you mean"


def test_where_no_port_is_plausible_those_that_are_there_are_listed() -> None:
    with pytest.raises(Unavailable, match="no port looks like an EEG board") as caught:
        choose([CONSOLE])
    assert caught.value.hint == "serial ports: /dev/ttyS0"


def test_where_no_port_is_at_all_it_is_said() -> None:
    with pytest.raises(Unavailable, match="no serial port is there") as caught:
        choose([])
    assert caught.value.hint == "plug the board in, or try 'sim:', a simulated one"
