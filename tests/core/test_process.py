"""The hardening measures, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

_HARDENED = """
import json, os, resource
from kit.core.sandbox.confine import restrain
from kit.core.sandbox.plan import Plan
measures = {m.name: (m.state, m.detail) for m in restrain(Plan())}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "measures": measures,
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "no_new_privs": status["NoNewPrivs"].strip(),
    "umask": os.umask(0),
    "owner": os.stat("/proc/self/maps").st_uid,
}))
"""


def _run(code: str, uid: int | None = None) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False, user=uid
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_hardened_process_dumps_no_core_and_gains_no_privileges() -> None:
    found = _run(_HARDENED)
    assert found["core"] == [0, 0]
    assert found["no_new_privs"] == "1"
    assert found["umask"] == 0o077
    assert found["owner"] == 0, "what is not dumpable belongs to root"


def test_each_measure_says_what_became_of_it() -> None:
    measures = _run(_HARDENED)["measures"]
    assert {state for state, _ in measures.values()} <= {"applied", "unavailable", "refused"}
    for name in ("not dumpable", "no new privileges", "no core dumps"):
        assert measures[name][0] == "applied"


def test_a_process_that_cannot_be_made_undumpable_does_not_go_on() -> None:
    code = """
import json
from kit.core.errors import NotPermitted
from kit.core.sandbox import linux
from kit.core.sandbox.confine import restrain
from kit.core.sandbox.plan import Plan
def stays_dumpable(name, *arguments):
    if name != "prctl":
        return linux.call(name, *arguments)
    return int(arguments[0] == linux.PR_GET_DUMPABLE)
try:
    restrain(Plan(), stays_dumpable)
except NotPermitted as error:
    print(json.dumps(str(error)))
"""
    assert "not dumpable" in _run(code)


@pytest.mark.parametrize("wanted", [64, 2000])
def test_the_limit_of_descriptors_is_raised_but_never_lowered(wanted: int) -> None:
    code = f"""
import json, resource
from kit.core.process import raise_descriptor_limit
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
allowed = raise_descriptor_limit({wanted})
print(json.dumps([soft, hard, allowed, resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))
"""
    soft, hard, allowed, now = _run(code)
    assert allowed == (min(wanted, hard) if hard > 0 else wanted)
    assert now >= max(soft, allowed) or soft < 0


def test_a_process_tied_to_a_parent_that_is_gone_ends() -> None:
    code = "from kit.core.process import die_with_parent; die_with_parent(1); print('alive')"
    assert os.getpid() != 1
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
