"""What became of each measure: here, where the system lacks or refuses it, and where it must not fail."""

from __future__ import annotations

import os

import pytest

from tests.core.confined import WORKER, ZYGOTE, Setting
from tests.core.sandbox_settings import NOBODY, PLAIN, ask, every, needs_root
from tests.peers import forbidden

_ALWAYS = ["user change", "not dumpable", "no new privileges"]
_CONFINED = [
    "no core dumps",
    "descriptor limit",
    "memory lock",
    "namespaces",
    "empty root directory",
    "bounding set",
    "user change",
    "capabilities",
    "not dumpable",
    "no new privileges",
    "file size limit",
    "no new executable memory",
    "landlock",
    "system calls",
]
_SEALED = ["not dumpable", "memory lock", "process limit", "file size limit", "system calls"]
_AS_ROOT = Setting(0, NOBODY, role=ZYGOTE)


def _status(text: str) -> dict[str, str]:
    return dict(line.split(":\t") for line in text.splitlines())


def _states(setting: Setting) -> dict[str, str]:
    return {measure["name"]: measure["state"] for measure in ask("measures", setting)}


@pytest.mark.parametrize("setting", every())
def test_each_measure_is_reported_in_the_order_in_which_it_is_taken(setting: Setting) -> None:
    measures = ask("measures", setting)
    expected = _CONFINED if setting.role == ZYGOTE else _CONFINED + _SEALED
    assert [measure["name"] for measure in measures] == expected
    assert {measure["state"] for measure in measures} <= {"applied", "unavailable", "refused"}
    taken = {measure["name"] for measure in measures if measure["state"] == "applied"}
    assert taken >= {"not dumpable", "no new privileges", "no core dumps", "descriptor limit"}


@pytest.mark.parametrize("setting", every(levels=("off",)))
def test_a_sandbox_that_is_off_still_changes_the_user_and_hides_its_memory(setting: Setting) -> None:
    states = _states(setting)
    assert states.pop("sandbox") == "off"
    assert set(states) == {"no core dumps", "descriptor limit", *_ALWAYS}
    expected = "unavailable" if setting.uid == setting.user == 0 else "applied"
    assert states.pop("user change") == expected
    assert set(states.values()) == {"applied"}


@pytest.mark.parametrize(
    ("call", "measure"),
    [
        ("landlock_create_ruleset", "landlock"),
        ("landlock_restrict_self", "landlock"),
        ("seccomp", "system calls"),
        ("unshare", "namespaces"),
        ("prctl 65", "no new executable memory"),
        ("prctl 24", "bounding set"),
    ],
)
def test_what_the_system_does_not_know_is_unavailable_and_what_it_forbids_refused(
    call: str, measure: str
) -> None:
    if os.geteuid() != 0 and measure == "bounding set":
        pytest.skip("takes root")
    uid = 0 if os.geteuid() == 0 else PLAIN
    assert _states(Setting(uid, role=ZYGOTE, lacking=(call,)))[measure] == "unavailable"
    assert _states(Setting(uid, role=ZYGOTE, refusing=(call,)))[measure] == "refused"


@pytest.mark.parametrize("setting", every(levels=("strict",)))
def test_each_process_locks_its_own_memory(setting: Setting) -> None:
    measure = next(m for m in ask("measures", setting) if m["name"] == "memory lock")
    if measure["state"] != "applied":
        forbidden("locked memory")
    assert ask("locked", setting) >= 1, "MiB"


@pytest.mark.parametrize("names", [("mlock2", "mlockall"), ("capget",)])
def test_memory_that_cannot_be_locked_is_no_reason_to_end(names: tuple[str, ...]) -> None:
    states = _states(Setting(PLAIN, role=WORKER, refusing=names))
    assert states["memory lock"] in ("refused", "applied")
    assert states["system calls"] != "refused"


@pytest.mark.parametrize("call", ["prctl", "prctl 4", "prctl 38", "prctl 39"])
@pytest.mark.parametrize("level", ["strict", "compat", "off"])
def test_without_the_two_measures_that_guard_a_key_nothing_goes_on(call: str, level: str) -> None:
    for denial in ({"lacking": (call,)}, {"refusing": (call,)}):
        answer = ask("measures", Setting(PLAIN, level=level, role=ZYGOTE, **denial))  # type: ignore[arg-type]
        assert isinstance(answer, str)
        assert answer.startswith("NotPermitted: ")


@needs_root
@pytest.mark.parametrize("call", ["capset", "capget", "prctl 8"])
def test_where_root_cannot_be_left_behind_nothing_goes_on(call: str) -> None:
    answer = ask("measures", Setting(0, NOBODY, role=ZYGOTE, refusing=(call,)))
    assert str(answer).startswith(f"NotPermitted: cannot go on as the user 'user{NOBODY}': ")


def test_only_root_can_go_on_as_somebody_else() -> None:
    answer = ask("measures", Setting(PLAIN, 4321, role=ZYGOTE))
    assert answer == "NotPermitted: only root can go on as the user 'user4321'"


def test_going_on_as_the_user_who_runs_it_already_is_no_change() -> None:
    measures = {m["name"]: m for m in ask("measures", Setting(PLAIN, PLAIN, role=ZYGOTE))}
    assert measures["user change"]["state"] == "applied"
    assert measures["user change"]["detail"] == f"it runs as uid {PLAIN} already"


@needs_root
def test_a_supervisor_keeps_of_root_that_it_may_read_every_file() -> None:
    found = ask("restrain", Setting(0, NOBODY))
    status = _status(found["status"])
    assert status["Uid"].split() == status["Gid"].split() == [str(NOBODY)] * 4
    assert status["Groups"].split() == []
    capabilities = {name: int(status[name], 16) for name in status if name.startswith("Cap")}
    assert capabilities == {"CapInh": 0, "CapPrm": 4, "CapEff": 4, "CapBnd": 0, "CapAmb": 0}
    assert (status["NoNewPrivs"], status["Seccomp"], found["umask"]) == ("1", "0", 0o077)
    outcomes = found["outcomes"]
    assert {name for name, how in outcomes.items() if how == "done"} == {"read a file of root", "child"}
    assert set(outcomes.values()) <= {"done", "EPERM", "EACCES"}
    states = {measure["state"] for measure in found["measures"]}
    assert states == {"applied"}


@needs_root
def test_a_program_that_the_supervisor_starts_has_no_capability() -> None:
    program = _status(ask("restrain", Setting(0, NOBODY))["program"])
    assert {int(program[name], 16) for name in program if name.startswith("Cap")} == {0}
    assert program["Uid"].split() == [str(NOBODY)] * 4


def test_a_plain_user_s_supervisor_has_nothing_to_give_up() -> None:
    found = ask("restrain", Setting(PLAIN))
    states = {measure["name"]: measure["state"] for measure in found["measures"]}
    assert states == dict.fromkeys(["no core dumps", "capabilities", *_ALWAYS], "applied")
    assert found["outcomes"]["child"] == "done"
    assert {found["outcomes"][name] for name in ("setuid", "seteuid", "chroot")} == {"EPERM"}


@needs_root
def test_root_without_a_user_to_become_says_so() -> None:
    for task in ("restrain", "measures"):
        found = ask(task, Setting(role=ZYGOTE))
        measures = {m["name"]: m for m in (found["measures"] if task == "restrain" else found)}
        assert measures["user change"] == {
            "name": "user change",
            "state": "unavailable",
            "detail": "no user was named: it stays root",
        }
