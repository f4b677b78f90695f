"""Compiles a policy into the filter that the kernel runs at each system call.

linux/seccomp.h, struct seccomp_data: the number (32 bits), the architecture (32), the instruction pointer
(64), six arguments (64 each). Both machines are little-endian: the lower half of an argument comes first.
"""

from __future__ import annotations

from collections.abc import Iterator

from kit.core.sandbox.bpf import (
    IF_ABOVE,
    IF_ANY_BIT,
    IF_AT_LEAST,
    IF_EQUAL,
    LOAD,
    RETURN,
    Do,
    Jump,
    Label,
    Step,
    assemble,
)
from kit.core.sandbox.filters import ENOSYS, KILL, LAST_KNOWN, Check, Policy, Relation, Rule
from kit.core.sandbox.syscalls import ARCHITECTURES, NUMBERS

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000  # asm/unistd.h: __X32_SYSCALL_BIT; no such number is a call of this machine's own


def compiled(policy: Policy, machine: str) -> bytes:
    """The filter for a machine that has a table."""
    numbers = NUMBERS[machine]
    steps: list[Step] = [
        Do(LOAD, _ARCHITECTURE),
        Jump(IF_EQUAL, ARCHITECTURES[machine], "native"),
        Do(RETURN, KILL),
        Label("native"),
        Do(LOAD, _NUMBER),
        Jump(IF_AT_LEAST, _X32, "", "known kind"),
        Do(RETURN, KILL),
        Label("known kind"),
    ]
    for index, rule in enumerate(policy.rules):
        named = [numbers[name] for name in rule.names if name in numbers]
        if named:
            steps += _rule(rule, named, str(index))
    steps += [
        Jump(IF_ABOVE, LAST_KNOWN, "", "old"),
        Do(RETURN, ENOSYS),
        Label("old"),
        Do(RETURN, policy.default),
    ]
    return assemble(steps)


def _rule(rule: Rule, numbers: list[int], label: str) -> Iterator[Step]:
    hit, other, after = f"{label} hit", f"{label} other", f"{label} after"
    *first, last = numbers
    for number in first:
        yield Jump(IF_EQUAL, number, hit)
    yield Jump(IF_EQUAL, last, "", after)
    yield Label(hit)
    for index, check in enumerate(rule.checks):
        yield from _check(check, f"{label} check {index}", other)
    yield Do(RETURN, rule.verdict)
    yield Label(other)
    if rule.checks:
        # What was loaded is an argument now; the next rule compares the number.
        yield Do(LOAD, _NUMBER) if rule.otherwise is None else Do(RETURN, rule.otherwise)
    yield Label(after)


def _check(check: Check, label: str, other: str) -> Iterator[Step]:
    """Go on behind it when the check holds, and at `other` when not."""
    low = _ARGUMENTS + 8 * check.argument
    yield Do(LOAD, low)
    match check.relation:
        case Relation.ONE_OF:
            *first, last = check.values
            for value in first:
                yield Jump(IF_EQUAL, value, label)
            yield Jump(IF_EQUAL, last, label, other)
        case Relation.NONE_OF:
            for value in check.values:
                yield Jump(IF_EQUAL, value, other)
        case Relation.WITHOUT:
            yield Jump(IF_ANY_BIT, check.values[0], other)
        case Relation.WITH:
            yield Jump(IF_ANY_BIT, check.values[0], "", other)
        case Relation.NULL:
            yield Jump(IF_EQUAL, 0, "", other)
            yield Do(LOAD, low + 4)
            yield Jump(IF_EQUAL, 0, "", other)
    yield Label(label)
