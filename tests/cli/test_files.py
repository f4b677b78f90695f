"""Files that a command was asked to write: an interruption at any instant leaves nothing beside them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kit.cli import files


@contextmanager
def _interrupted_at(step: int) -> Iterator[None]:
    """Ctrl-C before one of the steps that Python makes in the module."""
    made = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal made
        if frame.f_code.co_filename != files.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            made += 1
            if made == step:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


# What is interrupted between an open and its `with` is closed when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("private", [True, False])
def test_an_interruption_leaves_a_whole_file_or_none(private: bool, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    for step in itertools.count(1):
        target.unlink(missing_ok=True)
        try:
            with _interrupted_at(step), files.result_file(str(target), private=private) as file:
                file.write(b"all of it\n")
        except KeyboardInterrupt:
            assert [*tmp_path.iterdir()] in ([], [target])
            assert not target.exists() or target.read_bytes() == b"all of it\n"
        else:
            break
    assert step > 50
    assert target.read_bytes() == b"all of it\n"


def test_a_long_name_has_room_beside_it(tmp_path: Path) -> None:
    target = tmp_path / ("\N{SNOWMAN}" * 84 + ".p2")
    with files.result_file(str(target)) as file:
        file.write(b"1")
    assert target.read_bytes() == b"1"
