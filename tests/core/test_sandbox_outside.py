"""What another process of the same user, a crash, and the end of its parent do to a confined process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.attacks import FROM_OUTSIDE
from tests.core.confined import FREE, ZYGOTE, Setting
from tests.core.sandbox_settings import PLAIN, ask, every
from tests.peers import forbidden

_NOT_AS_ROOT = [
    parameter for parameter in every(levels=("strict", "compat", "off")) if "root," not in str(parameter.id)
]


@pytest.mark.parametrize("setting", _NOT_AS_ROOT)
def test_the_same_user_cannot_look_into_it(setting: Setting) -> None:
    found = ask("outside", setting)
    assert set(found) == set(FROM_OUTSIDE)
    assert set(found.values()) <= {"EACCES", "EPERM"}, found


def test_the_same_user_can_look_into_what_is_not_confined() -> None:
    found = ask("outside", Setting(PLAIN, role=FREE))
    if found["ptrace"] == "EPERM":
        forbidden("ptrace among processes of one user")
    assert set(found.values()) == {"done"}, found


@pytest.mark.parametrize("setting", every(ZYGOTE, levels=("strict", "off")))
def test_it_ends_with_its_parent_though_it_changed_its_user(setting: Setting) -> None:
    assert ask("orphan", setting) == "SIGTERM"


@pytest.mark.parametrize("setting", every(ZYGOTE, levels=("strict", "compat", "off")))
def test_a_crash_leaves_no_core(setting: Setting) -> None:
    assert ask("crash", setting) is False


def test_a_crash_of_what_is_not_confined_leaves_one(short_tmp: Path) -> None:
    short_tmp.chmod(0o777)
    if not ask("crash", Setting(PLAIN, role=FREE), cwd=short_tmp):
        forbidden("core dumps")
