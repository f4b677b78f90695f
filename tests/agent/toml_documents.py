"""TOML documents for tests, made with the line of each key and element known."""

from __future__ import annotations

import string
from dataclasses import dataclass, field

from hypothesis import strategies as st

from kit.agent.config.problems import Path

SCALARS = (
    "1",
    "-0x1F".replace("-", ""),
    "1_000.5e3",
    "inf",
    "true",
    "1979-05-27 07:32:00",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    '""',
    "''",
    '"a # b"',
    '"[x] = {"',
    '"\\" \\\\"',
    "'\\'",
    "'#]}'",
    '"""x"""',
    '"""\n[a]\nb = 1 # "" \\"""\n"""',
    '"""a"""""',
    '"""\\\n   x"""',
    "'''\n'' ]\n'''",
    "'''y'''''",
)
COMMENTS = ("", " # remark", '\t# [x] = \'y\' """')


@dataclass
class Document:
    """A text that grows, and the lines of what is in it."""

    text: str = ""
    lines: dict[Path, int] = field(default_factory=dict)

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def mark(self, path: Path) -> None:
        """The path stands here."""
        self.lines.setdefault(path, self.line)


_BARE = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=1, max_size=3)
_ANY = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=3)


def written(key: str, quote: str) -> str:
    """A key as TOML may write it."""
    if quote == "bare" and key and all(c in string.ascii_letters + string.digits + "-_" for c in key):
        return key
    if quote == "literal" and "'" not in key:
        return f"'{key}'"
    return '"' + "".join(f"\\U{ord(c):08X}" if c in '"\\' or quote == "escaped" else c for c in key) + '"'


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A whole document: keys, tables, arrays of tables."""
    document = Document()
    _pairs(draw, document, ())
    for name in draw(st.lists(_ANY, unique=True, max_size=4)):
        _blank(draw, document)
        if draw(st.booleans()):
            _table(draw, document, name)
        else:
            _array_of_tables(draw, document, name)
    return document


def _table(draw: st.DrawFn, document: Document, name: str) -> None:
    path: Path = ("table " + name,)
    inner = draw(st.lists(_ANY, max_size=2))
    for part in inner:
        document.mark(path)
        path = (*path, part)
    document.mark(path)
    document.text += (
        f"{_space(draw)}[{_dotted(draw, ('table ' + name, *inner))}]{draw(st.sampled_from(COMMENTS))}\n"
    )
    _pairs(draw, document, path)


def _array_of_tables(draw: st.DrawFn, document: Document, name: str) -> None:
    for number in range(draw(st.integers(1, 3))):
        _blank(draw, document)
        document.mark(("array " + name,))
        document.mark(("array " + name, number))
        document.text += f"[[{_dotted(draw, ('array ' + name,))}]]\n"
        _pairs(draw, document, ("array " + name, number))
        if draw(st.booleans()):
            document.mark(("array " + name, number, "inner table"))
            document.text += f"[{_dotted(draw, ('array ' + name, 'inner table'))}]\n"
            _pairs(draw, document, ("array " + name, number, "inner table"))


def _pairs(draw: st.DrawFn, document: Document, table: Path) -> None:
    for key in draw(st.lists(_BARE | _ANY, unique=True, max_size=3)):
        _blank(draw, document)
        _pair(draw, document, table, key)
        document.text += draw(st.sampled_from(COMMENTS)) + "\n"


def _pair(draw: st.DrawFn, document: Document, table: Path, key: str, depth: int = 0) -> None:
    parts = (key, *draw(st.lists(_BARE, max_size=2)))
    for end in range(1, len(parts) + 1):
        document.mark((*table, *parts[:end]))
    document.text += f"{_dotted(draw, parts)}{_space(draw)}={_space(draw)}"
    _value(draw, document, (*table, *parts), depth)


def _value(draw: st.DrawFn, document: Document, path: Path, depth: int) -> None:
    kind = draw(st.integers(0, 5)) if depth < 3 else 0
    if kind == 4:
        _array(draw, document, path, depth)
    elif kind == 5:
        _inline_table(draw, document, path, depth)
    else:
        document.text += draw(st.sampled_from(SCALARS))


def _array(draw: st.DrawFn, document: Document, path: Path, depth: int) -> None:
    document.text += "["
    for number in range(draw(st.integers(0, 3))):
        _blank(draw, document)
        document.mark((*path, number))
        _value(draw, document, (*path, number), depth + 1)
        _blank(draw, document)
        document.text += ","
    _blank(draw, document)
    document.text += "]"


def _inline_table(draw: st.DrawFn, document: Document, path: Path, depth: int) -> None:
    document.text += "{" + _space(draw)
    for number, key in enumerate(draw(st.lists(_BARE, unique=True, max_size=2))):
        document.text += ", " if number else ""
        _pair(draw, document, path, key, depth + 1)
    document.text += _space(draw) + "}"


def _dotted(draw: st.DrawFn, parts: tuple[str, ...]) -> str:
    quotes = st.sampled_from(["bare", "literal", "basic", "escaped"])
    dot = _space(draw) + "." + _space(draw)
    return dot.join(written(part, draw(quotes)) for part in parts)


def _space(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["", " ", "\t "]))


def _blank(draw: st.DrawFn, document: Document) -> None:
    """Blank lines and remarks; never between two things that need no line end between them."""
    document.text += draw(st.sampled_from(["", " ", "\n", "# '[\n", "\n\t# {\n\n"]))
