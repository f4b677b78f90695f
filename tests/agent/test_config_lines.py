"""The line of each key and element of a TOML document, held against tomllib's own reading of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.config.lines import key_lines, line_of
from kit.agent.config.problems import Path
from tests.agent.toml_documents import Document, documents


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Every table, key and element of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield (*path, name)
        yield from paths(item, (*path, name))


@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_each_key_and_element_is_found_on_its_line(document: Document, line_end: str) -> None:
    text = document.text.replace("\n", line_end)
    assert {*paths(tomllib.loads(text))} == document.lines.keys()  # the generator knows what it wrote
    assert key_lines(text) == document.lines


@given(st.text(alphabet="ab.=[]{}\"'#\\\n ,1", max_size=40))
def test_whatever_tomllib_takes_is_found_whole(text: str) -> None:
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert {*paths(value)} == key_lines(text).keys()


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("\n\na = 1", ("a",), 3),
        ("a.b = 1\na.c = 2", ("a",), 1),
        ("a.b = 1\na.c = 2", ("a", "c"), 2),
        ("[a.b]\n[a]\n", ("a",), 2),
        ("x = [\n1,\n# ]\n2]\ny = 3", ("x", 1), 4),
        ("x = [\n1,\n# ]\n2]\ny = 3", ("y",), 5),
        ('x = """\n\n"""\ny = 3', ("y",), 4),
        ("[[a]]\n[[a]]\nb = 1", ("a", 1, "b"), 3),
        ("[[a]]\n[a.b]\n[[a]]\n[a.b]\nc = 1", ("a", 1, "b", "c"), 5),
        ('"\\u0061" = 1', ("a",), 1),
        ("x = {a = [\n1,\n2]}", ("x", "a", 1), 3),
    ],
)
def test_a_line_is_where_a_person_looks(text: str, path: Path, line: int) -> None:
    assert key_lines(text)[path] == line


def test_what_is_not_there_has_the_line_of_what_would_hold_it() -> None:
    lines = key_lines("\n[keys.a]\nfile = 1")
    assert line_of(lines, ("keys", "a", "peers")) == 2
    assert line_of(lines, ("agent", "mode")) == 1
