"""What smtpd.conf(5) says of certificates and keys; the rest of it is smtpd's to judge (`smtpd -n`).

Read as smtpd's own lexer does it: words, strings in quotes, `$macro`, comments, lines that go on behind a
backslash, files that are included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from kit.core.errors import UsageError
from kit.core.frozen import frozen

_INCLUDES_LIMIT = 100
_TOKEN = re.compile(
    r"""(?P<skip>[ \t]+|\\\n|\#(?:\\\n|[^\n])*)
    |(?P<end>\n)
    |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |\$(?P<macro>[A-Za-z0-9_]*)
    |(?P<word>[A-Za-z0-9:_/-](?:\\\n|[^\s(){}<>!=\#,])*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(\n|.)", re.DOTALL)


@frozen
class Pki:
    """A certificate and its key's file, under the name that listeners use."""

    name: str
    certificate: str = ""
    key: str = ""


class Configuration:
    """Collects from a file and those that it includes; `open_text` reads a file."""

    def __init__(self, open_text: Callable[[str], str], macros: Mapping[str, str]) -> None:
        self._open_text, self._given = open_text, dict(macros)
        self._macros: dict[str, str] = {}
        self._pkis: dict[str, Pki] = {}
        self._files = 0

    def read(self, path: str) -> tuple[Pki, ...]:
        """Every pki, in the order of its first line; raises KitError."""
        self._read(path)
        return tuple(self._pkis.values())

    def _read(self, path: str) -> None:
        self._files += 1
        if self._files > _INCLUDES_LIMIT:
            raise UsageError(f"more than {_INCLUDES_LIMIT} files are included, {path!r} among them")
        for words in self._statements(self._open_text(path)):
            if words[0] == "include" and len(words) > 1:
                self._read(words[1])
            elif words[0] == "pki" and len(words) > 1:
                self._note(words[1].lower(), words[2:])
            elif words[1:2] == ["="] and len(words) > 2:
                self._macros[words[0]] = words[2]

    def _note(self, name: str, words: list[str]) -> None:
        pki = self._pkis.get(name, Pki(name))
        for option, value in pairwise(words):
            if option == "cert":
                pki = replace(pki, certificate=value)
            elif option == "key":
                pki = replace(pki, key=value)
        self._pkis[name] = pki

    def _statements(self, text: str) -> Iterator[list[str]]:
        words: list[str] = []
        for word in self._words(text, expands=True):
            if word is not None:
                words.append(word)
            elif words:
                yield words
                words = []
        if words:
            yield words

    def _words(self, text: str, *, expands: bool) -> Iterator[str | None]:
        """Words and, for a line's end, None. What a macro stands for is read once more, without macros."""
        for found in _TOKEN.finditer(text):
            kind, token = found.lastgroup, found[0]
            if kind == "end":
                yield None
            elif kind == "macro" and expands:
                yield from self._words(self._value(found["macro"]), expands=False)
            elif kind == "quoted":
                yield _ESCAPE.sub(_unescaped, token[1:-1])
            elif kind != "skip":
                yield token.replace("\\\n", "")

    def _value(self, name: str) -> str:
        value = self._given.get(name, self._macros.get(name))
        if value is None:
            raise UsageError(f"the macro {name!r} is not defined")
        return value


def _unescaped(found: re.Match[str]) -> str:
    """A backslash before a quote or a blank, or at a line's end, goes away; before anything else it stays."""
    if found[1] == "\n":
        return ""
    return found[1] if found[1] in "\"' \t" else found[0]
