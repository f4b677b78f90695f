"""How an agent runs: the command line, then the configuration, then the default."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from typing import Any

import pytest

from kit.agent.config.settings import Settings as File
from kit.agent.listener import Place
from kit.agent.processes.decision import decide, place
from kit.agent.startup import Configuration, Limits
from kit.core.errors import KitError, NotPermitted, UsageError
from kit.core.sandbox.plan import Level

ASKED, FILE = Configuration(usual_socket="/usual/agent.sock"), File()
ROOT = os.geteuid() == 0
MANY = 10_000


def decided(asked: dict[str, Any], file: dict[str, Any], descriptors: int = MANY) -> Any:
    return decide(replace(ASKED, **asked), replace(FILE, **file), descriptors)


def test_without_a_word_each_has_its_default() -> None:
    settings = decided({}, {})
    assert settings.plan.level is Level.STRICT
    assert settings.workers == len(os.sched_getaffinity(0))
    assert (settings.audit, settings.audit_strict) == ("", False)
    assert settings.limits == Limits()


@pytest.mark.parametrize(
    ("asked", "file", "field", "expected"),
    [
        ({"workers": 3}, {"workers": 5}, "workers", 3),
        ({}, {"workers": 5}, "workers", 5),
        ({"workers": 1000}, {}, "workers", 64),
        ({"audit": "/a"}, {"audit": "/b"}, "audit", "/a"),
        ({}, {"audit": "/b"}, "audit", "/b"),
        ({"audit": "/a", "audit_strict": True}, {}, "audit_strict", True),
        ({}, {"audit": "/b", "audit_strict": True}, "audit_strict", True),
        ({"audit": "/a"}, {"audit_strict": True}, "audit_strict", True),
    ],
)
def test_the_command_line_wins(
    asked: dict[str, Any], file: dict[str, Any], field: str, expected: object
) -> None:
    assert getattr(decided(asked, file), field) == expected


@pytest.mark.parametrize(
    ("asked", "file", "level"),
    [
        ({"sandbox": "compat"}, {"sandbox": Level.STRICT}, Level.COMPAT),
        ({"sandbox": "strict"}, {"sandbox": Level.OFF, "sandbox_off_confirmed": True}, Level.STRICT),
        ({}, {"sandbox": Level.COMPAT}, Level.COMPAT),
        ({}, {"sandbox": Level.OFF, "sandbox_off_confirmed": True}, Level.OFF),
        ({"sandbox": "off"}, {"sandbox_off_confirmed": True}, Level.OFF),
    ],
)
def test_a_sandbox_is_the_one_that_was_said(
    asked: dict[str, Any], file: dict[str, Any], level: Level
) -> None:
    assert decided(asked, file).plan.level is level


@pytest.mark.parametrize(
    ("asked", "file", "kind", "words"),
    [
        ({"sandbox": "off"}, {}, NotPermitted, "without a sandbox"),
        ({}, {"sandbox": Level.OFF}, NotPermitted, "without a sandbox"),
        ({"sandbox": "Strict"}, {}, UsageError, "'Strict'"),
        ({"audit_strict": True}, {}, UsageError, "strict audit log"),
        ({}, {"audit_strict": True}, UsageError, "strict audit log"),
        ({"audit": "stdout", "detach": True}, {}, UsageError, "standard output"),
        ({"user": "nobody-at-all"}, {}, UsageError, "no user 'nobody-at-all'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(
    asked: dict[str, Any], file: dict[str, Any], kind: type[KitError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        decided(asked, file)


def test_an_unconfirmed_end_of_the_sandbox_tells_what_to_write() -> None:
    with pytest.raises(NotPermitted) as caught:
        decided({"sandbox": "off"}, {})
    assert "i-know-that-keys-are-less-protected = true" in str(caught.value.hint)


def test_no_more_clients_than_descriptors_are_promised() -> None:
    settings = decided({"limits": Limits(connections=1000)}, {}, descriptors=200)
    assert settings.limits.connections == 200 - 32
    assert settings.plan.descriptors == 200
    assert decided({"limits": Limits(connections=50)}, {}, descriptors=200).limits.connections == 50


@pytest.mark.skipif(not ROOT, reason="only root chooses")
def test_root_becomes_whom_the_command_line_or_the_configuration_names() -> None:
    daemon, nobody = pwd.getpwnam("daemon"), pwd.getpwnam("nobody")
    for asked, file, expected in (("daemon", "nobody", daemon), ("", "nobody", nobody)):
        user = decided({"user": asked}, {"user": file}).plan.user
        assert (user.uid, user.gid, user.name) == (expected.pw_uid, expected.pw_gid, expected.pw_name)
    assert decided({"user": "root"}, {"user": "nobody"}).plan.user is None


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_a_plain_user_stays_himself_and_becomes_nobody_else() -> None:
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setresuid(65534, 65534, 65534)
            assert decided({}, {}).plan.user is None
            assert decided({"user": "nobody"}, {}).plan.user is None
            with pytest.raises(NotPermitted, match="only root"):
                decided({"user": "daemon"}, {})
            with pytest.raises(NotPermitted, match="only root"):
                decided({}, {"user": "root"})
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    ("asked", "file", "expected"),
    [
        ({}, {}, Place("/usual/agent.sock", 0o600, None)),
        ({}, {"socket": "/file.sock"}, Place("/file.sock", 0o600, None)),
        ({"socket_path": "/asked.sock"}, {"socket": "/file.sock"}, Place("/asked.sock", 0o600, None)),
        (
            {"socket_path": "/asked.sock"},
            {"socket_mode": 0o660, "socket_group": 8},
            Place("/asked.sock", 0o660, 8),
        ),
    ],
)
def test_the_socket_is_where_it_was_said(
    asked: dict[str, Any], file: dict[str, Any], expected: Place
) -> None:
    assert place(replace(ASKED, **asked), replace(FILE, **file)) == expected
