"""A configuration from its text: what is in it, or everything that is wrong with it. Pure.

tomllib says what stands there, `lines` where, and the two tables below what may stand there: a key of the
file, the field of the record that it becomes, and the reader of its value.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from typing import Any

from kit.agent.config import values
from kit.agent.config.lines import key_lines, line_of
from kit.agent.config.problems import ConfigurationError, Path, Problem, dotted, quoted, shown
from kit.agent.config.settings import Door, KeyRule, Settings
from kit.agent.config.values import Mismatch, Names, Reader
from kit.agent.extension import KEYS_LIMIT
from kit.agent.keystore import NAME_LIMIT
from kit.agent.queue.format import QUEUE
from kit.core.sandbox.plan import Level
from kit.core.text import printable

CONFIRMATION = "i-know-that-keys-are-less-protected"

AGENT: dict[str, tuple[str, Reader]] = {
    "socket": ("socket", values.socket_path),
    "mode": ("socket_mode", values.mode),
    "group": ("socket_group", values.group),
    "user": ("user", values.user),
    "workers": ("workers", values.whole(0, values.WORKERS_LIMIT)),
    "sandbox": ("sandbox", values.sandbox),
    CONFIRMATION: ("sandbox_off_confirmed", values.boolean),
    "admins": ("admins", values.peers),
    "log": ("log", values.path),
    "audit": ("audit", values.audit),
    "audit-strict": ("audit_strict", values.boolean),
}
PKCS11: dict[str, tuple[str, Reader]] = {
    "path": ("path", values.bridge_path),
    "mode": ("mode", values.mode),
    "group": ("group", values.group),
}
KEY: dict[str, tuple[str, Reader]] = {
    "file": ("file", values.path),
    "certificate": ("certificate", values.path),
    "purposes": ("purposes", values.purposes),
    "peers": ("peers", values.peers),
    "lifetime": ("lifetime_s", values.lifetime),
    "rate": ("rate", values.rate),
    "burst": ("burst", values.whole(1, values.RATE_MAX)),
    "confirm": ("confirm", values.command),
}

_TABLES = ("agent", "pkcs11", "keys")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def parse(text: str, path: str, names: Names) -> Settings:
    """What the text says; raises ConfigurationError with every problem. `path` is for messages only."""
    document, lines = _read_toml(text, path)
    reading = _Reading(lines, names)
    settings = reading.settings(document)
    if reading.problems:
        raise ConfigurationError(path, reading.problems)
    return settings


def _read_toml(text: str, path: str) -> tuple[dict[str, object], dict[Path, int]]:
    try:
        return tomllib.loads(text), key_lines(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        problem = _syntax_problem(str(error), text)
    except ValueError:
        problem = Problem(1, "", "TOML", "a number of too many digits")
    except RecursionError:
        problem = Problem(1, "", "TOML", "arrays or tables nested too deeply")
    raise ConfigurationError(path, [problem])


def _syntax_problem(message: str, text: str) -> Problem:
    """tomllib's message with its place taken out of it."""
    place = _PLACE.search(message)
    what = _PLACE.sub("", message)
    if place and place[1]:
        line, where = int(place[1]), f"in column {place[2]}"
    else:
        line, where = len(text.rstrip("\n").split("\n")), "at the end of the file"
    return Problem(line, "", "TOML", f"an error {where} ({printable(what[:1].lower() + what[1:])})")


class _Reading:
    """One walk through a document, with what was found to be wrong."""

    def __init__(self, lines: dict[Path, int], names: Names) -> None:
        self.problems: list[Problem] = []
        self._lines, self._names = lines, names

    def settings(self, document: dict[str, object]) -> Settings:
        for name in document:
            if name not in _TABLES:
                self._unknown((name,), _TABLES, "[agent], [pkcs11] or [keys.NAME]")
        agent = self._fields(("agent",), document.get("agent", {}), AGENT)
        if agent.get("sandbox") is Level.OFF and not agent.get("sandbox_off_confirmed"):
            self._add(("agent", "sandbox"), f'"off" only beside {CONFIRMATION} = true', "'off' without it")
        pkcs11 = None
        if "pkcs11" in document:
            pkcs11 = Door(**self._fields(("pkcs11",), document["pkcs11"], PKCS11))
        return Settings(**agent, pkcs11=pkcs11, keys=self._keys(document.get("keys", {})))

    def _keys(self, table: object) -> tuple[KeyRule, ...]:
        if not isinstance(table, dict):
            self._add(("keys",), "tables [keys.NAME]", shown(table))
            return ()
        if len(table) > KEYS_LIMIT:
            self._add(("keys",), f"at most {KEYS_LIMIT} keys", f"{len(table)} keys")
        rules = [self._key(name, value) for name, value in table.items()]
        held = tuple(rule for rule in rules if rule)
        self._check_files(held)
        return held

    def _key(self, name: str, table: object) -> KeyRule | None:
        path: Path = ("keys", name)
        length = len(name.encode(errors="replace"))
        if not 1 <= length <= NAME_LIMIT:
            self._add(path, f"a name of 1 to {NAME_LIMIT} bytes", f"{length} bytes")
        if not isinstance(table, dict):
            self._add(path, "a table [keys.NAME]", shown(table))
            return None
        fields = self._fields(path, table, KEY)
        if "burst" in fields and "rate" not in table:
            self._add((*path, "burst"), "a rate beside it", "none")
        if "certificate" in fields and QUEUE in fields.get("purposes", ()):
            self._add((*path, "certificate"), "none: a key for queue files has no public half", "one")
        if "file" not in table:
            self._add(path, "the key file", "no 'file'")
        return KeyRule(name=name, **_with_burst(fields)) if "file" in fields else None

    def _fields(self, path: Path, table: object, known: dict[str, tuple[str, Reader]]) -> dict[str, Any]:
        """The values of a table by the fields of its record; what is wrong is missing."""
        if not isinstance(table, dict):
            self._add(path, f"a table [{path[-1]}]", shown(table))
            return {}
        fields: dict[str, Any] = {}
        for name, value in table.items():
            if name not in known:
                self._unknown((*path, name), known, f"one of {', '.join(known)}")
                continue
            field, read = known[name]
            try:
                fields[field] = read(value, self._names)
            except Mismatch as wrong:
                for fault in wrong.faults:
                    self._add((*path, name, *fault.inside), fault.expected, fault.found)
        return fields

    def _check_files(self, rules: Iterable[KeyRule]) -> None:
        """A key is held once, under one name; and who reads its certificate must not have it."""
        first: dict[str, str] = {}
        for rule in rules:
            place = ("keys", rule.name, "file")
            if rule.file in first:
                expected = f"another file than {dotted(('keys', first[rule.file]))} has"
                self._add(place, expected, quoted(rule.file))
            if rule.certificate == rule.file:
                self._add(
                    ("keys", rule.name, "certificate"), "another file than the key's", quoted(rule.file)
                )
            first.setdefault(rule.file, rule.name)

    def _unknown(self, path: Path, known: Iterable[str], otherwise: str) -> None:
        import difflib  # large, and for mistakes only

        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        expected = f"{quoted(near[0])} perhaps" if near else otherwise
        self._add(path, expected, "an unknown key")

    def _add(self, path: Path, expected: str, found: str) -> None:
        self.problems.append(Problem(line_of(self._lines, path), dotted(path), expected, found))


def _with_burst(fields: dict[str, Any]) -> dict[str, Any]:
    """A burst that is not said is what one second gives, or one signature."""
    return {"burst": max(1, math.ceil(fields["rate"])), **fields} if "rate" in fields else fields
