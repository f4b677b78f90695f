"""What each key of a configuration takes: a reader a kind of value, which gives the value or raises Mismatch.

A reader is strict about types (a boolean is no number) and says in words what it takes, with an example where
the words alone would not do.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from kit.agent.config.problems import Path, quoted, shown
from kit.agent.config.settings import JOURNAL, STANDARD_OUTPUT
from kit.agent.peers import Allowed
from kit.agent.policy import PURPOSES, parse_purposes
from kit.agent.queue.format import QUEUE
from kit.core.duration import parse_duration
from kit.core.frozen import frozen
from kit.core.sandbox.plan import Level

SOCKET_PATH_LIMIT = 107  # unix(7): sun_path has 108 bytes, the last one is a null byte
PATH_LIMIT = 4095  # PATH_MAX without its null byte
FOR_AGENTS = ".agent"
WORKERS_LIMIT = 64
RATE_MIN, RATE_MAX = 0.001, 1_000_000
_MODE = re.compile(r"0?[0-7]{3}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_UID_LIMIT = 2**32 - 2  # the next one is -1, which means "no change" to the kernel
# A group says it better where there are more; a command line has room for them.
PEERS_LIMIT, ARGUMENTS_LIMIT = 256, 64
_PEER = '"user:NAME", "group:NAME" or "uid:NUMBER"'


class Names(Protocol):
    """The system's users and groups."""

    def uid(self, name: str) -> int | None: ...

    def gid(self, name: str) -> int | None: ...


@frozen
class Fault:
    """What was expected; where inside the value, and what was found if the value itself does not show it."""

    expected: str
    found: str
    inside: Path = ()


class Mismatch(Exception):
    """The value is not what the key takes."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.faults = faults


Reader = Callable[[object, Names], Any]


def text(expected: str) -> Callable[[object], str]:
    """Any text but an empty one, or one with a null character, which the system takes for its end."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not value or "\0" in value:
            raise Mismatch(Fault(expected, shown(value)))
        return value

    return read


def path(value: object, _names: Names) -> str:
    """An absolute path, since the agent's own directory is /; one thing has one path, so there is no ".."."""
    name = text("an absolute path")(value)
    if not name.startswith("/") or ".." in name.split("/"):
        raise Mismatch(Fault('an absolute path without ".."', shown(value)))
    return _short("a path", posixpath.normpath(name).replace("//", "/"), PATH_LIMIT)


def socket_path(value: object, names: Names) -> str:
    return _short("a path", path(value, names), SOCKET_PATH_LIMIT)


def bridge_path(value: object, names: Names) -> str:
    """A socket beside which another one has room, whose name is longer by ".agent" and its lock's."""
    return _short("a path", path(value, names), SOCKET_PATH_LIMIT - len(FOR_AGENTS))


def _short(what: str, value: str, limit: int) -> str:
    length = len(value.encode(errors="replace"))
    if length > limit:
        raise Mismatch(Fault(f"{what} of at most {limit} bytes", f"{length} bytes"))
    return value


def mode(value: object, _names: Names) -> int:
    """Connecting takes the right to write; to execute a socket means nothing."""
    digits = value if isinstance(value, str) and _MODE.fullmatch(value) else "0"
    bits = int(digits, 8)
    if bits & 0o600 != 0o600 or bits & 0o111:
        expected = 'a mode that lets the owner read and write and nobody execute, like "0660"'
        raise Mismatch(Fault(expected, shown(value)))
    return bits


def user(value: object, names: Names) -> str:
    """The user that the agent becomes, which cannot be root: that is what it gives up."""
    name = text("the name of a user")(value)
    uid = names.uid(name)
    if uid is None:
        raise Mismatch(Fault("the name of a user of this system", shown(value)))
    if not uid:
        raise Mismatch(Fault("a user that is not root", shown(value)))
    return name


def group(value: object, names: Names) -> int:
    gid = names.gid(text("the name of a group")(value))
    if gid is None:
        raise Mismatch(Fault("the name of a group of this system", shown(value)))
    return gid


def whole(low: int, high: int) -> Reader:
    """A whole number between these two."""

    def read(value: object, _names: Names) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Mismatch(Fault(f"a whole number from {low} to {high}", shown(value)))
        return value

    return read


def rate(value: object, _names: Names) -> float:
    """Signatures a second; no limit is said by leaving it out, not by 0 or inf."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not RATE_MIN <= number <= RATE_MAX:
        raise Mismatch(Fault(f"signatures a second, a number from {RATE_MIN:g} to {RATE_MAX}", shown(value)))
    return float(number)


def boolean(value: object, _names: Names) -> bool:
    if not isinstance(value, bool):
        raise Mismatch(Fault("true or false", shown(value)))
    return value


def sandbox(value: object, _names: Names) -> Level:
    if not isinstance(value, str) or value not in tuple(Level):
        raise Mismatch(Fault(_alternatives(Level), shown(value)))
    return Level(value)


def audit(value: object, names: Names) -> str:
    if isinstance(value, str) and (value in (STANDARD_OUTPUT, JOURNAL) or value.startswith("/")):
        return value if value in (STANDARD_OUTPUT, JOURNAL) else path(value, names)
    raise Mismatch(Fault(f'"{STANDARD_OUTPUT}", "{JOURNAL}" or an absolute path', shown(value)))


def lifetime(value: object, _names: Names) -> int:
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None:
        raise Mismatch(Fault('a time like "90s", "30m", "8h" or "1h30m"', shown(value)))
    return seconds


def purposes(value: object, _names: Names) -> tuple[str, ...]:
    expected = "an array of purposes: " + ", ".join(PURPOSES)

    def purpose(item: object) -> str:
        if not isinstance(item, str) or item not in PURPOSES:
            raise Mismatch(Fault("one of " + ", ".join(PURPOSES), shown(item)))
        return item

    if not value:
        raise Mismatch(Fault(expected, shown(value)))
    named = _each(value, expected, purpose, len(PURPOSES))
    if QUEUE in named and len(set(named)) > 1:
        raise Mismatch(Fault(f'"{QUEUE}" alone', "others beside it"))
    return parse_purposes(named)


def peers(value: object, names: Names) -> Allowed:
    """Users and groups by the three forms that there are; an empty array is nobody."""
    listed = _each(value, f"an array of peers, each {_PEER}", lambda item: _peer(item, names), PEERS_LIMIT)
    allowed = Allowed()
    for peer in listed:
        allowed |= peer
    return allowed


def _peer(item: object, names: Names) -> Allowed:
    form, _, name = item.partition(":") if isinstance(item, str) else ("", "", "")
    if form == "uid" and _NUMBER.fullmatch(name) and int(name) <= _UID_LIMIT:
        return Allowed(uids=frozenset({int(name)}))
    if form == "user" and name:
        return Allowed(uids=frozenset({_known(names.uid(name), "user", name)}))
    if form == "group" and name:
        return Allowed(gids=frozenset({_known(names.gid(name), "group", name)}))
    raise Mismatch(Fault(_PEER, shown(item)))


def _known(number: int | None, what: str, name: str) -> int:
    if number is None:
        raise Mismatch(Fault(f"the name of a {what} of this system", quoted(name)))
    return number


def command(value: object, names: Names) -> tuple[str, ...]:
    """A program by its path, alone or with arguments: no shell reads it, and a daemon has no PATH."""
    expected = "the absolute path of a program, or an array of it and its arguments"
    if isinstance(value, str):
        return (_program(value, names, expected),)
    words = _each(value, expected, lambda item: item if item == "" else text("a text")(item), ARGUMENTS_LIMIT)
    if not words:
        raise Mismatch(Fault(expected, shown(value)))
    return (_program(words[0], names, expected), *words[1:])


def _program(value: object, names: Names, expected: str) -> str:
    try:
        return path(value, names)
    except Mismatch:
        raise Mismatch(Fault(expected, shown(value))) from None


def _each(value: object, expected: str, read: Callable[[object], Any], limit: int) -> Sequence[Any]:
    """What `read` makes of each element; every element that it does not take is told."""
    if not isinstance(value, list):
        raise Mismatch(Fault(expected, shown(value)))
    if len(value) > limit:
        raise Mismatch(Fault(f"at most {limit} of them", str(len(value))))
    taken, faults = [], []
    for number, item in enumerate(value):
        try:
            taken.append(read(item))
        except Mismatch as wrong:
            faults += [Fault(f.expected, f.found, (number, *f.inside)) for f in wrong.faults]
    if faults:
        raise Mismatch(*faults)
    return taken


def _alternatives(words: Iterable[str]) -> str:
    *most, last = (f'"{word}"' for word in words)
    return f"{', '.join(most)} or {last}"
