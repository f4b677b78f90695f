"""Whoever takes over a confined process gets nothing: each attack of the list, in each role, for real."""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import cache

import pytest

from tests.core.attacks import ATTACKS, DEADLY, HARMLESS, WORKER_ATTACKS
from tests.core.confined import CALLER, FREE, WORKER, ZYGOTE, Setting
from tests.core.sandbox_settings import NOBODY, PLAIN, ask, every, needs_root
from tests.peers import forbidden

# ValueError is how Python says that a limit may not be raised, RuntimeError that no thread can be started.
_REFUSED = {"EPERM", "EACCES", "ENOSYS", "ENOENT", "ENOTTY", "EFBIG", "ValueError", "RuntimeError", "SIGSYS"}
_NOT_ALLOWED = {"EPERM", "EACCES"}
# What the own network namespace answers.
_NOBODY_THERE = {"ENETUNREACH", "ECONNREFUSED"}
_LANDLOCKS = {
    *("open", "create", "unlink", "own memory", "open by an inherited directory"),
    "own memory by an inherited /proc",
    *("signal a bystander", "signal the parent", "inet", "abstract unix"),
}


@cache
def _attacked(setting: Setting) -> dict[str, str]:
    return dict(ask("attacks", setting))


@pytest.fixture(autouse=True)
def _machine_with_filters() -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        forbidden(f"filters of system calls on {platform.machine()}")


@pytest.mark.parametrize("setting", every())
def test_no_attack_succeeds(setting: Setting) -> None:
    found = _attacked(setting)
    tried = {*ATTACKS, *WORKER_ATTACKS} if setting.role == WORKER else {*ATTACKS}
    assert set(found) == tried
    succeeded = {name: how for name, how in found.items() if how not in _REFUSED}
    left = HARMLESS if setting.level == "compat" and setting.role == WORKER else set()
    assert set(succeeded) == left, succeeded


@pytest.mark.parametrize("setting", every())
def test_what_only_an_attacker_calls_ends_the_process(setting: Setting) -> None:
    found = _attacked(setting)
    assert {name for name, how in found.items() if how == "SIGSYS"} == DEADLY


# What a caller is for; what it keeps: a log that may be a file, and a root directory, of which can be seen
# whether a file is there, not what is in it.
_CALLERS = {"unix", "write to an inherited file", "stat with an empty path's flag"}


@pytest.mark.parametrize("setting", every(CALLER))
def test_a_caller_reaches_sockets_in_the_file_system_and_nothing_else(setting: Setting) -> None:
    found = _attacked(setting)
    succeeded = {name for name, how in found.items() if how not in _REFUSED | _NOBODY_THERE}
    assert succeeded == _CALLERS | (HARMLESS if setting.level == "compat" else set()), found


@needs_root
def test_each_attack_reaches_its_aim_where_nothing_is_confined() -> None:
    found = _attacked(Setting(role=FREE))
    beyond = {name: how for name, how in found.items() if how in _NOT_ALLOWED}
    assert beyond == {}, "these prove nothing"


def test_without_landlock_and_namespaces_the_filter_alone_stops_a_worker() -> None:
    lacking = ("landlock_create_ruleset", "unshare")
    found = _attacked(Setting(PLAIN, role=WORKER, lacking=lacking))
    succeeded = {name for name, how in found.items() if how not in _REFUSED}
    # No chroot without a namespace: whether a file is there can be seen, what is in it cannot.
    assert succeeded <= {"stat with an empty path's flag"}


@pytest.mark.parametrize("setting", every(levels=("strict",)))
def test_no_attack_succeeds_from_a_process_that_an_already_restrained_one_forked(setting: Setting) -> None:
    found = _attacked(replace(setting, late=True))
    succeeded = {name for name, how in found.items() if how not in _REFUSED}
    assert succeeded <= {"stat with an empty path's flag"}


# What each of the other measures stops where there are neither filters nor Landlock.
_ALONE = {
    "root to a user": {
        *("become root", "become root for a while", "root's group", "take a capability", "chroot"),
        *("enter an inherited namespace", "open", "unlink", "unix", "abstract unix", "inet", "raise a limit"),
        *("write to an inherited file", "fork", "thread", "make written memory executable"),
    },
    "root": {
        *("root's group", "take a capability", "chroot", "enter an inherited namespace", "open"),
        *("unlink", "unix", "abstract unix", "inet", "raise a limit", "write to an inherited file"),
        "make written memory executable",
    },
}


@needs_root
@pytest.mark.parametrize(("start", "user"), [("root to a user", NOBODY), ("root", 0)])
def test_without_filters_and_landlock_the_other_measures_hold(start: str, user: int) -> None:
    found = _attacked(Setting(user=user, lacking=("seccomp", "landlock_create_ruleset")))
    answers = {name: found[name] for name in _ALONE[start]}
    assert set(answers.values()) <= _REFUSED | _NOBODY_THERE | {"EAGAIN"}, answers


def test_without_filters_landlock_keeps_a_process_from_files_and_foreign_processes() -> None:
    found = _attacked(Setting(PLAIN, role=ZYGOTE, lacking=("seccomp",)))
    if found["open"] == "done":
        forbidden("Landlock")
    answers = {name: found[name] for name in _LANDLOCKS}
    assert set(answers.values()) <= _REFUSED | _NOBODY_THERE, answers
