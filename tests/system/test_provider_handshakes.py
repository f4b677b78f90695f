"""Handshakes of `ssl` with keys behind handles: every key, protocol and role, and what surrounds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.agent.bare_rsa import declare as declare_bare_rsa
from kit.agent.provider import declare
from tests.system.provider_fixtures import scene  # noqa: F401 -- a fixture
from tests.system.provider_process import run
from tests.system.provider_scene import SIGNATURES

DEV = (sys.executable, "-X", "dev")
PLAIN = (sys.executable,)
either = pytest.mark.parametrize("python", [PLAIN, DEV], ids=["plain", "dev"])


def test_the_compiled_declarations_are_current() -> None:
    for room in (declare, declare_bare_rsa):
        package, _, module = room.MODULE.rpartition(".")
        written = Path(room.__file__).with_name(f"{module}.py").read_text()
        made = declare.source(room.MODULE, room.DECLARATIONS)
        assert made == written, f"run 'python -m {package}.declare' and check its output in"


@either
def test_every_key_signs_in_both_protocols_and_both_roles(scene: Path, python: tuple[str, ...]) -> None:  # noqa: F811
    (told,) = run("matrix", scene, python=python)
    assert told == {"signatures": SIGNATURES, "errors": []}


@pytest.mark.parametrize("program", ["together", "retry_request", "resumption"])
@either
def test_a_handshake_may_go_another_way(scene: Path, program: str, python: tuple[str, ...]) -> None:  # noqa: F811
    run(program, scene, python=python)


@pytest.mark.parametrize("program", ["threads", "forks", "loop", "ends_in_mid_handshake"])
@either
def test_a_program_may_be_of_any_shape(scene: Path, program: str, python: tuple[str, ...]) -> None:  # noqa: F811
    run(program, scene, python=python)
