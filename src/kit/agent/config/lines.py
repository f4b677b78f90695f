"""On which line of a TOML document each key and each element of an array stands.

tomllib reads the document and forgets the lines. This walks the same text once more, after tomllib has found
it to be TOML, and so needs to know only where things begin and end, not whether they are right.
"""

from __future__ import annotations

import re
import tomllib

from kit.agent.config.problems import Path

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BASIC, _LITERAL = r'"(?:[^"\\\n]|\\.)*"', r"'[^'\n]*'"
_KEY = re.compile(rf"[A-Za-z0-9_-]+|{_BASIC}|{_LITERAL}")
# Three quotes may be preceded by two more that belong to the text. A date may have a space in it.
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?""""{0,2}' rf"|'''.*?''''{{0,2}}|{_BASIC}|{_LITERAL}" r"|[^,\[\]{}#\n]*", re.DOTALL
)


def key_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of each table, key and element of an array; `text` must be TOML."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest thing that holds it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0
        self._elements: dict[Path, int] = {}  # of an array of tables: how many there are so far

    def scan(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._next("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line, of_array = self._here(), self._next("[")
        path = self._enter((), self._keys(), line)
        self._at += 2 if of_array else 1
        if of_array:
            self.lines.setdefault(path, line)
            self._elements[path] = self._elements.get(path, 0) + 1
        path = self._current(path)
        self.lines[path] = line
        return path

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = self._enter(table, self._keys(), line)
        self.lines[path] = line
        self._at += 1  # "="
        self._skip(_SPACE)
        self._value(path)

    def _enter(self, table: Path, keys: list[str], line: int) -> Path:
        """The path of dotted keys in a table; what they pass through is there from this line on."""
        for key in keys[:-1]:
            table = self._current((*table, key))
            self.lines.setdefault(table, line)
        return (*table, keys[-1])

    def _current(self, path: Path) -> Path:
        """In an array of tables, its last one is meant."""
        return (*path, self._elements[path] - 1) if path in self._elements else path

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while not keys or self._next("."):
            self._skip(_SPACE)
            keys.append(_unquoted(self._take(_KEY)))
            self._skip(_SPACE)
        return keys

    def _value(self, path: Path) -> None:
        if self._next("["):
            self._array(path)
        elif self._next("{"):
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        number = 0
        while self._skip(_BLANK) < len(self._text) and not self._next("]"):
            self.lines[(*path, number)] = self._here()
            self._value((*path, number))
            self._skip(_BLANK)
            self._next(",")
            number += 1

    def _inline_table(self, path: Path) -> None:
        while self._skip(_BLANK) < len(self._text) and not self._next("}"):
            self._pair(path)
            self._skip(_BLANK)
            self._next(",")

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._take(pattern)
        return self._at

    def _next(self, character: str) -> bool:
        """Is this the next character? Then it is behind us."""
        here = self._text.startswith(character, self._at)
        self._at += here
        return here

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        taken = found[0] if found else ""
        self._at += len(taken)
        return taken


def _unquoted(key: str) -> str:
    if key[0] == '"':
        text: str = tomllib.loads(f"key = {key}")["key"]
        return text
    return key[1:-1] if key[0] == "'" else key
