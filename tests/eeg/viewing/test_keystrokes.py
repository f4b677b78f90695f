"""From what a terminal sends to keys, in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg.viewing.keystrokes import Keystrokes

SENT = {
    b"q": ["q"],
    b" ": [" "],
    b"\r": ["enter"],
    b"\x7f": ["backspace"],
    b"\x1b[A": ["up"],
    b"\x1bOB": ["down"],
    b"\x1b[1;5C": ["right"],
    b"\x1b[D": ["left"],
    b"\x1b[5~": ["pageup"],
    b"\x1b[6~": ["pagedown"],
    b"\x1b[H": ["home"],
    b"\x1b[4~": ["end"],
    b"\x1b[200~": [],
    b"\x1b[<0;3;4M": [],
    b"\x0c": ["refresh"],
    "é".encode(): ["é"],
    b"\x1bx": [],
    b"\x00\x01": [],
}


@pytest.mark.parametrize("data", SENT)
def test_each_key_has_its_name(data: bytes) -> None:
    assert Keystrokes().feed(data) == SENT[data]


@given(st.lists(st.sampled_from(sorted(SENT))), st.integers(1, 4))
def test_pieces_make_no_difference(keys: list[bytes], size: int) -> None:
    data = b"".join(keys)
    keystrokes = Keystrokes()
    typed = [key for at in range(0, len(data), size) for key in keystrokes.feed(data[at : at + size])]
    assert typed == [name for key in keys for name in SENT[key]]


def test_escape_by_itself_is_a_key_when_nothing_follows() -> None:
    keystrokes = Keystrokes()
    assert keystrokes.feed(b"\x1b") == []
    assert keystrokes.feed(b"") == ["escape"]
    assert keystrokes.feed(b"") == []
    assert keystrokes.feed(b"\x1bq") == []
    assert keystrokes.feed(b"\x1b\x1b[A") == ["escape", "up"]


@given(st.binary())
def test_no_garbage_makes_it_fail_or_keep_much(data: bytes) -> None:
    keystrokes = Keystrokes()
    keystrokes.feed(data)
    keystrokes.feed(b"")
    assert keystrokes.feed(b"") == []
    assert keystrokes.feed(b"q") == ["q"]
