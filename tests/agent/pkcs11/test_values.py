"""Values and attributes are read whole or not at all, and no room is made for what is only announced."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.pkcs11 import mechanisms
from kit.agent.pkcs11.attributes import ATTRIBUTES_LIMIT, read_template, read_wanted, write
from kit.agent.pkcs11.codes import Attribute, CallError, Code
from kit.agent.pkcs11.values import Arguments, numbers_into, octets_into, text
from tests.agent.pkcs11.client import NULL, attribute, ay, blob, mechanism, template, u, u32, wanted

Read = Callable[[Arguments], object]
# How a value is read, its bytes, and what it is.
VALUES: dict[str, tuple[Read, bytes, object]] = {
    "y": (Arguments.byte, b"\x07", 7),
    "u": (Arguments.number, u(2**64 - 1), 2**64 - 1),
    "fy": (Arguments.count, u32(0x80000000), 0x80000000),
    "ay": (Arguments.octets, ay(b"data"), b"data"),
    "empty ay": (Arguments.octets, ay(b""), b""),
    "ay of NULL": (Arguments.octets, b"\x01" + u32(NULL), b""),
    "no ay": (Arguments.octets, ay(None, 1 << 31), b""),
    "blob": (Arguments.blob, blob(b"data"), b"data"),
    "NULL": (Arguments.blob, blob(None), None),
    "fA": (read_wanted, wanted([0x3, 0x102], 99), [(0x3, 99), (0x102, 99)]),
    "aA": (
        read_template,
        template({0x0: 3, 0x3: b"mail", 0x108: 1, 0x172: b"\x01", 0x11: None}),
        [(0x0, u(3)), (0x3, blob(b"mail")), (0x108, b"\x01"), (0x172, blob(b"\x01")), (0x11, None)],
    ),
    "aA of mechanisms": (
        read_template,
        u32(1) + u32(0x40000600) + b"\x01" + u32(8) + u32(1) + u(0x1041),
        [(0x40000600, u32(1) + u(0x1041))],
    ),
    "M": (mechanisms.read, mechanism(0x1041), (0x1041, b"")),
    "M with a parameter": (mechanisms.read, u32(0x40) + blob(b"par"), (0x40, b"par")),
    "M of PSS": (mechanisms.read, mechanism(0x43, 0x250, 2, 32), (0x43, u(0x250) + u(2) + u(32))),
    "M that cancels": (mechanisms.read, u32(NULL), None),
}
by_text = pytest.mark.parametrize("name", VALUES)


def bad(run: Callable[[], object]) -> Code:
    with pytest.raises(CallError) as caught:
        run()
    return caught.value.code


@by_text
def test_a_value_is_read_whole(name: str) -> None:
    read, data, value = VALUES[name]
    arguments = Arguments(b"before" + data, 6)
    assert read(arguments) == value
    arguments.end()


@by_text
def test_a_value_that_ends_too_early_is_refused(name: str) -> None:
    read, data, _ = VALUES[name]
    for end in range(len(data)):
        assert bad(lambda end=end: read(Arguments(data[:end], 0))) is Code.ARGUMENTS_BAD  # type: ignore[misc]


@by_text
def test_bytes_behind_the_last_value_are_refused(name: str) -> None:
    read, data, value = VALUES[name]
    arguments = Arguments(data + b"\x00", 0)
    assert read(arguments) == value
    assert bad(arguments.end) is Code.ARGUMENTS_BAD


@given(st.binary(max_size=200), st.sampled_from(list(VALUES)))
def test_garbage_is_read_or_refused(data: bytes, name: str) -> None:
    read, arguments = VALUES[name][0], Arguments(data, 0)
    try:
        read(arguments)
        arguments.end()
    except CallError as error:
        assert error.code in (Code.ARGUMENTS_BAD, Code.MECHANISM_INVALID)


def test_presence_is_0_or_1() -> None:
    for value in range(2, 256):
        assert bad(lambda: Arguments(bytes([value]) + blob(b""), 0).octets()) is Code.ARGUMENTS_BAD  # noqa: B023


def test_attributes_are_bounded_and_no_room_is_made_for_more() -> None:
    most = [0x3] * ATTRIBUTES_LIMIT
    assert len(read_wanted(Arguments(wanted(most, 0xFFFFFFFF), 0))) == ATTRIBUTES_LIMIT
    for read in (read_wanted, read_template):
        for count in (ATTRIBUTES_LIMIT + 1, NULL):
            assert bad(lambda: read(Arguments(u32(count) + bytes(4096), 0))) is Code.ARGUMENTS_BAD  # noqa: B023
    listed = u32(1) + u32(0x40000600) + b"\x01" + u32(8) + u32(ATTRIBUTES_LIMIT + 1) + bytes(4096)
    assert bad(lambda: read_template(Arguments(listed, 0))) is Code.ARGUMENTS_BAD


@pytest.mark.parametrize("kind", [0x40000211, 0x40000212, 0x40000213])
def test_templates_inside_templates_are_refused(kind: int) -> None:
    nested = u32(1) + u32(kind) + b"\x01" + u32(24) + template({0x0: 3})
    assert bad(lambda: read_template(Arguments(nested, 0))) is Code.ARGUMENTS_BAD


def test_a_true_flag_is_true_whatever_its_byte() -> None:
    odd = u32(1) + u32(0x108) + b"\x01" + u32(1) + b"\xff"
    assert read_template(Arguments(odd, 0)) == [(0x108, write(Attribute.SIGN, True).wire)]


def test_a_program_of_32_bits_says_another_length_of_its_numbers() -> None:
    odd = u32(1) + u32(0x0) + b"\x01" + u32(4) + u(3)
    assert read_template(Arguments(odd, 0)) == [(0x0, write(Attribute.CLASS, 3).wire)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Attribute.SIGN, 1), (Attribute.CLASS, 2), (Attribute.LABEL, b"mail"), (Attribute.START_DATE, b"")],
)
def test_what_is_written_reads_as_p11_kit_writes_it(kind: Attribute, value: int | bytes) -> None:
    written = write(kind, value)
    assert u32(kind) + b"\x01" + u32(written.length) + written.wire == attribute(kind, value)


def test_a_flag_that_p11_kit_does_not_know_is_bytes() -> None:
    assert write(Attribute.DESTROYABLE, False) == (1, blob(b"\x00"))


def test_the_list_of_mechanisms_is_counted_in_items_and_long_in_bytes() -> None:
    assert write(Attribute.ALLOWED_MECHANISMS, (1, 13)) == (16, u32(2) + u(1) + u(13))


def test_a_text_is_as_wide_as_the_field() -> None:
    assert text("kit", 5) == blob(b"kit  ")
    assert text("kit agent", 5) == blob(b"kit a")


def test_a_length_query_of_numbers_is_absent_and_a_count() -> None:
    assert numbers_into((1, 2), 0) == b"\x00" + u32(2)
    assert numbers_into((1, 2), 1) == b"\x00" + u32(2)
    assert numbers_into((1, 2), 2) == b"\x01" + u32(2) + u(1) + u(2)


def test_octets_that_do_not_fit_are_absent_and_a_count() -> None:
    assert octets_into(b"abc", 2) == b"\x00" + u32(3)
    assert octets_into(b"abc", 3) == b"\x01" + blob(b"abc")
