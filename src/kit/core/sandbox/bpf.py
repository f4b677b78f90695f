"""An assembler for classic BPF, as much as a seccomp filter takes: load, compare, return.

A jump names a label further down, or nothing for the next instruction. linux/filter.h: an instruction is
code (16 bits), two distances (8 bits each) and a constant (32 bits), in the machine's order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from kit.core.frozen import frozen

_INSTRUCTION = struct.Struct("=HBBI")
_LONGEST_JUMP, _LONGEST_PROGRAM = 255, 4096

# linux/bpf_common.h: class, size or operation, source
LOAD, RETURN = 0x20, 0x06
IF_EQUAL, IF_ABOVE, IF_AT_LEAST, IF_ANY_BIT = 0x15, 0x25, 0x35, 0x45


@frozen
class Do:
    """Load the word at an offset, or return a verdict."""

    code: int
    value: int


@frozen
class Jump:
    """Compare what was loaded with a value, and go on at one label or the other."""

    code: int
    value: int
    then: str = ""
    otherwise: str = ""


@frozen
class Label:
    """A place; it takes no room."""

    name: str


Step = Do | Jump | Label


def assemble(steps: Sequence[Step]) -> bytes:
    """The program as the kernel takes it; ValueError when it, or a jump in it, is too long."""
    places: dict[str, int] = {}
    at = 0
    for step in steps:
        if isinstance(step, Label):
            places[step.name] = at
        else:
            at += 1
    if at > _LONGEST_PROGRAM:
        raise ValueError(f"{at} instructions are more than the kernel takes")
    program = bytearray()
    for step in steps:
        here = len(program) // _INSTRUCTION.size + 1
        if isinstance(step, Do):
            program += _INSTRUCTION.pack(step.code, 0, 0, step.value)
        elif isinstance(step, Jump):
            distances = (_distance(name, places, here) for name in (step.then, step.otherwise))
            program += _INSTRUCTION.pack(step.code, *distances, step.value)
    return bytes(program)


def _distance(name: str, places: dict[str, int], here: int) -> int:
    distance = places[name] - here if name else 0
    if not 0 <= distance <= _LONGEST_JUMP:
        raise ValueError(f"it is {distance} instructions to {name!r}")
    return distance
