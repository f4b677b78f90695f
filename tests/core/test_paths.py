"""Where the agent's socket lies, and what directory it may lie in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.core.errors import NotPermitted, Unavailable, UsageError
from kit.core.paths import agent_socket, check_private, private_directory


def test_what_was_said_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_AGENT_SOCK", "/there/agent.sock")
    assert agent_socket("/here/agent.sock") == "/here/agent.sock"
    assert agent_socket(None) == "/there/agent.sock"


def test_the_usual_place_is_the_runtime_directory(home: Path) -> None:
    assert agent_socket(None) == f"{home}/run/kit/agent.sock"


def test_without_a_runtime_directory_the_place_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert str(os.geteuid()) in agent_socket(None)


def test_a_relative_path_becomes_absolute(monkeypatch: pytest.MonkeyPatch, short_tmp: Path) -> None:
    monkeypatch.chdir(short_tmp)
    assert agent_socket("x/../agent.sock") == f"{short_tmp}/agent.sock"


def test_a_path_too_long_for_a_socket_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="107"):
        agent_socket("/" + "x" * 107)


def test_the_directory_is_made_private(short_tmp: Path) -> None:
    private_directory(f"{short_tmp}/kit")
    assert (short_tmp / "kit").stat().st_mode & 0o777 == 0o700
    private_directory(f"{short_tmp}/kit")


def test_a_directory_that_others_reach_into_is_refused(short_tmp: Path) -> None:
    short_tmp.chmod(0o750)
    with pytest.raises(NotPermitted, match="0750"):
        check_private(str(short_tmp))


def test_a_link_to_a_private_directory_is_refused(short_tmp: Path) -> None:
    (short_tmp / "real").mkdir(mode=0o700)
    (short_tmp / "link").symlink_to("real")
    with pytest.raises(NotPermitted, match="not a directory"):
        private_directory(f"{short_tmp}/link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_another_users_directory_is_refused(short_tmp: Path) -> None:
    os.chown(short_tmp, 65534, 65534)
    with pytest.raises(NotPermitted, match="another user"):
        check_private(str(short_tmp))


def test_a_directory_whose_parent_is_missing_is_unavailable(short_tmp: Path) -> None:
    with pytest.raises(Unavailable):
        private_directory(f"{short_tmp}/no/kit")
