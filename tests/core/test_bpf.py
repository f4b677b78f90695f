"""The filters' programs, run by an interpreter: they say what the tables say, for any call at all."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.sandbox import bpf, filters
from kit.core.sandbox.bpf import Do, Jump, Label, Step, assemble
from kit.core.sandbox.compiler import compiled
from kit.core.sandbox.filters import ALLOW, KILL, Check, Family, Policy, Relation, Role, policy
from kit.core.sandbox.plan import Level
from kit.core.sandbox.syscalls import ARCHITECTURES, NUMBERS
from tests.peers import missing

_FAMILY = Family(pid=4321, parent=1234)
_MACHINES = sorted(NUMBERS)
_ROLES = [(role, level) for role in Role for level in (Level.STRICT, Level.COMPAT)]
_LOWER = 0xFFFFFFFF


@dataclass(frozen=True)
class Call:
    """A system call as the kernel shows it to a filter."""

    number: int
    arguments: tuple[int, ...] = (0,) * 6
    architecture: int = 0

    def data(self) -> bytes:
        return struct.pack("=IIQ6Q", self.number, self.architecture, 0, *self.arguments)


def run(program: bytes, data: bytes) -> int:
    """Classic BPF as far as the assembler goes; a verdict, or an error for what the kernel would not take."""
    instructions = list(struct.iter_unpack("=HBBI", program))
    at = loaded = 0
    while True:
        code, then, otherwise, value = instructions[at]
        at += 1
        match code:
            case bpf.LOAD:
                assert value % 4 == 0
                (loaded,) = struct.unpack_from("=I", data, value)
            case bpf.RETURN:
                return int(value)
            case _:
                at += then if _holds(code, loaded, value) else otherwise


def _holds(code: int, loaded: int, value: int) -> bool:
    return {
        bpf.IF_EQUAL: loaded == value,
        bpf.IF_ABOVE: loaded > value,
        bpf.IF_AT_LEAST: loaded >= value,
        bpf.IF_ANY_BIT: bool(loaded & value),
    }[code]


def judged(tables: Policy, numbers: Mapping[str, int], native: int, call: Call) -> int:
    """What the tables say, read without the compiler."""
    if call.architecture != native or call.number >= 0x40000000:
        return KILL
    for rule in tables.rules:
        if call.number in [numbers.get(name) for name in rule.names]:
            if all(_met(check, call.arguments[check.argument]) for check in rule.checks):
                return rule.verdict
            if rule.otherwise is not None:
                return rule.otherwise
    return filters.ENOSYS if call.number > filters.LAST_KNOWN else tables.default


def _met(check: Check, argument: int) -> bool:
    low = argument & _LOWER
    match check.relation:
        case Relation.ONE_OF:
            return low in check.values
        case Relation.NONE_OF:
            return low not in check.values
        case Relation.WITHOUT:
            return not low & check.values[0]
        case Relation.WITH:
            return bool(low & check.values[0])
        case Relation.NULL:
            return argument == 0


@cache
def _program(role: Role, level: Level, machine: str) -> bytes:
    return compiled(policy(role, level, _FAMILY), machine)


def _verdict(role: Role, level: Level, machine: str, name: str, *arguments: int) -> int:
    whole = (*arguments, *(0,) * (6 - len(arguments)))
    call = Call(NUMBERS[machine][name], whole, ARCHITECTURES[machine])
    return run(_program(role, level, machine), call.data())


def _near(checks: Iterable[Check]) -> list[int]:
    """What the checks compare with, its neighbours, their complements, and all with something above."""
    values = {value for check in checks for value in check.values or (0,)}
    near = {(value + step) & _LOWER for value in values for step in (-1, 0, 1)}
    near |= {~value & _LOWER for value in values}
    return sorted(near | {value | 1 << 32 for value in near})


def _checks() -> list[Check]:
    rules = (rule for role, level in _ROLES for rule in policy(role, level, _FAMILY).rules)
    return [check for rule in rules for check in rule.checks]


_ARGUMENT = st.sampled_from(_near(_checks())) | st.integers(0, 2**64 - 1)
_NUMBER = st.integers(0, 600) | st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize(("role", "level"), _ROLES)
@given(data=st.data())
def test_a_program_says_what_its_tables_say(
    role: Role, level: Level, machine: str, data: st.DataObject
) -> None:
    numbers, native = NUMBERS[machine], ARCHITECTURES[machine]
    call = Call(
        data.draw(st.sampled_from(sorted(numbers.values())) | _NUMBER),
        data.draw(st.tuples(*[_ARGUMENT] * 6)),
        data.draw(st.sampled_from([native, native, native, *ARCHITECTURES.values(), 0x40000003])),
    )
    expected = judged(policy(role, level, _FAMILY), numbers, native, call)
    assert run(_program(role, level, machine), call.data()) == expected


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize(("role", "level"), _ROLES)
def test_each_check_is_made_at_its_edges(role: Role, level: Level, machine: str) -> None:
    tables, numbers, native = policy(role, level, _FAMILY), NUMBERS[machine], ARCHITECTURES[machine]
    program = _program(role, level, machine)
    checked = {name for rule in tables.rules if rule.checks for name in rule.names} & numbers.keys()
    assert checked >= {"sendto", "mmap", "prctl"}
    for name in checked:
        checks = [check for rule in tables.rules if name in rule.names for check in rule.checks]
        places = sorted({check.argument for check in checks})
        near = (_near(check for check in checks if check.argument == place) for place in places)
        for values in product(*near):
            arguments = dict(zip(places, values, strict=True))
            call = Call(numbers[name], tuple(arguments.get(place, 0) for place in range(6)), native)
            assert run(program, call.data()) == judged(tables, numbers, native, call), (name, arguments)


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize(("role", "level"), _ROLES)
def test_a_program_has_a_verdict_on_every_number(role: Role, level: Level, machine: str) -> None:
    numbers, native = NUMBERS[machine], ARCHITECTURES[machine]
    tables = policy(role, level, _FAMILY)
    for number in range(700):
        for call in (Call(number, architecture=native), Call(number, (2**64 - 1,) * 6, native)):
            assert run(_program(role, level, machine), call.data()) == judged(tables, numbers, native, call)


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize("level", [Level.STRICT, Level.COMPAT])
def test_a_worker_neither_forks_nor_starts_nor_opens_nor_connects(machine: str, level: Level) -> None:
    names = (
        "fork vfork clone clone3 execve execveat open openat openat2 socket connect bind listen kill ptrace"
    )
    for name in names.split():
        if name in NUMBERS[machine]:
            assert _verdict(Role.WORKER, level, machine, name) != ALLOW, name


@pytest.mark.parametrize("machine", _MACHINES)
@pytest.mark.parametrize(("role", "level"), _ROLES)
def test_another_architecture_and_x32_end_the_process(role: Role, level: Level, machine: str) -> None:
    program, native = _program(role, level, machine), ARCHITECTURES[machine]
    read = NUMBERS[machine]["read"]
    assert run(program, Call(read, architecture=native).data()) == ALLOW
    assert run(program, Call(read, architecture=0x40000003).data()) == KILL
    assert run(program, Call(0x40000000 + read, architecture=native).data()) == KILL
    assert run(program, Call(0xFFFFFFFF, architecture=native).data()) == KILL


@pytest.mark.parametrize("machine", _MACHINES)
def test_the_zygote_forks_but_makes_no_thread_and_no_namespace(machine: str) -> None:
    glibc_fork = 0x01200011  # CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD
    assert _verdict(Role.ZYGOTE, Level.STRICT, machine, "clone", glibc_fork) == ALLOW
    assert _verdict(Role.ZYGOTE, Level.STRICT, machine, "clone", glibc_fork | 0x100) == filters.EPERM
    for namespace in (0x20000, 0x02000000, *(1 << bit for bit in range(26, 31))):
        assert _verdict(Role.ZYGOTE, Level.COMPAT, machine, "clone", glibc_fork | namespace) == filters.EPERM


@pytest.mark.parametrize("machine", _MACHINES)
def test_the_zygote_signals_no_group_and_not_its_parent(machine: str) -> None:
    def kill(pid: int, number: int = 9) -> int:
        return _verdict(Role.ZYGOTE, Level.STRICT, machine, "kill", pid, number)

    assert kill(5000) == kill(5000, 15) == kill(5000, 0) == ALLOW
    assert kill(5000, 19) == filters.EPERM
    for pid in (0, 1, _FAMILY.parent, -1 & _LOWER, -5000 & _LOWER, -1 & 2**64 - 1, _FAMILY.parent | 1 << 32):
        assert kill(pid) == filters.EPERM, pid


def test_no_call_stands_in_two_lists_with_two_verdicts() -> None:
    for role, level in _ROLES:
        decided: dict[str, int] = {}
        for rule in policy(role, level, _FAMILY).rules:
            for name in rule.names:
                if not rule.checks:
                    assert decided.setdefault(name, rule.verdict) == rule.verdict, name


def test_every_name_has_a_number_somewhere() -> None:
    known = {name for numbers in NUMBERS.values() for name in numbers}
    rules = (rule for role, level in _ROLES for rule in policy(role, level, _FAMILY).rules)
    named = {name for rule in rules for name in rule.names}
    assert named - known == set()


@pytest.mark.parametrize(
    ("machine", "header"),
    [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")],
)
def test_the_numbers_are_those_of_the_kernel_s_headers(machine: str, header: str) -> None:
    path = Path("/usr/include", header)
    if not path.exists():
        missing(f"no {path} (.ci/setup installs what the tests need)")
    there = {name: int(number) for name, number in re.findall(_DEFINITION, path.read_text())}
    # What the generic header calls it before a name is chosen by the size of a word.
    there.setdefault("newfstatat", there.pop("fstatat", 79))
    ours = NUMBERS[machine]
    common = ours.keys() & there.keys()
    assert len(common) > 200
    assert {name: ours[name] for name in common} == {name: there[name] for name in common}


_DEFINITION = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"


def test_a_label_takes_no_room_and_a_jump_counts_instructions() -> None:
    program = assemble(
        [Do(bpf.LOAD, 0), Jump(bpf.IF_EQUAL, 7, "", "no"), Do(bpf.RETURN, 1), Label("no"), Do(bpf.RETURN, 2)]
    )
    assert [run(program, struct.pack("=I", number)) for number in (7, 8)] == [1, 2]


def test_what_the_kernel_would_not_take_is_not_assembled() -> None:
    far: list[Step] = [
        Jump(bpf.IF_EQUAL, 1, "end"),
        *[Do(bpf.RETURN, 0)] * 256,
        Label("end"),
        Do(bpf.RETURN, 1),
    ]
    with pytest.raises(ValueError, match="256 instructions"):
        assemble(far)
    with pytest.raises(ValueError, match="-1 instructions"):
        assemble([Label("start"), Jump(bpf.IF_EQUAL, 1, "start")])
    with pytest.raises(ValueError, match="4097 instructions"):
        assemble([Do(bpf.RETURN, 0)] * 4097)
