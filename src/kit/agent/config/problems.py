"""What is wrong with a configuration: every problem at once, each where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kit.core.errors import UsageError
from kit.core.frozen import frozen
from kit.core.text import printable

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60


@frozen
class Problem:
    """One thing that is not as it has to be; `key` is empty where it is the file as a whole."""

    line: int
    key: str
    expected: str
    found: str

    @property
    def message(self) -> str:
        """Without the place."""
        return f"expected {self.expected}, found {self.found}"

    def at(self, path: str) -> str:
        """As compilers write it, so that editors jump there."""
        return place(path, self.line, self.key) + self.message


class ConfigurationError(UsageError):
    """The configuration does not say what is wanted; its text has a line for each problem."""

    def __init__(self, path: str, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(problem.at(path) for problem in self.problems))


def place(path: str, line: int, key: str) -> str:
    """Where something stands: "FILE:LINE: key: "."""
    return f"{printable(path)}:{line}: " + (f"{printable(key)}: " if key else "")


def dotted(path: Path) -> str:
    """A key's whole name as TOML writes it; an element of an array by its number, from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else quoted(part))
    return text


def quoted(text: str) -> str:
    """A text of the configuration in quotes, fit to be shown."""
    return f"'{printable(text, _SHOWN)}'"


def shown(value: object) -> str:
    """A value of the configuration as a person would call it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"  # Python refuses to write the longest ones
    return str(value)
