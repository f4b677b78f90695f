"""Who confines himself how: the settings of the sandbox's tests, and the program that runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.core.confined import WORKER, ZYGOTE, Setting

REPOSITORY = Path(__file__).parent.parent.parent
NOBODY = 65534
_STARTS = {"root to a user": (0, NOBODY), "root": (0, 0), "a plain user": (NOBODY, 0)}
_LEVELS = ("strict", "compat")


def ask(task: str, setting: Setting, cwd: Path = REPOSITORY, python: str = sys.executable) -> Any:
    """The program's answer; it must come."""
    done = subprocess.run(
        [python, "-m", "tests.core.confined", task, json.dumps(asdict(setting))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def every(*roles: str, levels: tuple[str, ...] = _LEVELS) -> list[Any]:
    """A parameter for each start, level and role; whoever is not root can start as himself only."""
    return [
        pytest.param(Setting(uid, user, level, role), id=f"{name}, {level}, {role}", marks=_marks(name))
        for name, (uid, user) in _starts().items()
        for level in levels
        for role in roles or (ZYGOTE, WORKER)
    ]


def _starts() -> dict[str, tuple[int, int]]:
    me = os.geteuid()
    return _STARTS if me == 0 else {**_STARTS, "a plain user": (me, 0)}


def _marks(name: str) -> tuple[pytest.MarkDecorator, ...]:
    return (needs_root,) if name.startswith("root") else ()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
PLAIN = NOBODY if os.geteuid() == 0 else os.geteuid()
