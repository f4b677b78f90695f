"""A configuration file: who may have written it, and what is read of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.agent.config import ConfigurationError, read
from kit.agent.config.reading import SIZE_LIMIT
from kit.agent.peers import Allowed
from kit.core.errors import KitError, NotPermitted, Unavailable, UsageError

TEXT = b'[keys.a]\nfile = "/a"\npeers = ["user:root", "group:root"]\n'
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


def save(path: Path, data: bytes = TEXT, mode: int = 0o644) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def refusal(path: str) -> KitError:
    with pytest.raises(KitError) as caught:
        read(path)
    return caught.value


def test_names_are_those_of_the_system(tmp_path: Path) -> None:
    (rule,) = read(save(tmp_path / "a")).keys
    assert rule.peers == Allowed(frozenset({0}), frozenset({0}))


@pytest.mark.parametrize("form", ["user", "group"])
@pytest.mark.parametrize("name", ["no-such-name", "a\\u0000b", "é", "x" * 5000])
def test_a_name_that_the_system_does_not_know_is_an_error(tmp_path: Path, form: str, name: str) -> None:
    error = refusal(save(tmp_path / "a", f'[agent]\nadmins = ["{form}:{name}"]'.encode()))
    assert f"agent.admins[1]: expected the name of a {form} of this system" in str(error)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o644])
def test_what_only_its_owner_may_write_is_read(tmp_path: Path, mode: int) -> None:
    assert read(save(tmp_path / "a", mode=mode)).keys


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_what_others_may_write_is_refused_with_its_mode(tmp_path: Path, mode: int) -> None:
    error = refusal(save(tmp_path / "a", mode=mode))
    assert isinstance(error, NotPermitted)
    assert f"(mode {mode:04o})" in str(error)
    assert "chmod go-w" in (error.hint or "")


@as_root
def test_what_another_user_owns_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a")
    os.chown(path, 65534, 0)
    error = refusal(path)
    assert isinstance(error, NotPermitted)
    assert "(uid 65534)" in str(error)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    save(tmp_path / "a")
    (tmp_path / "b").symlink_to("a")
    assert read(str(tmp_path / "b")).keys


def test_a_link_to_what_others_may_write_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a", mode=0o646)
    (tmp_path / "b").symlink_to("a")
    assert isinstance(refusal(str(tmp_path / "b")), NotPermitted)


def test_a_missing_file_is_unavailable_and_says_where_to_look(tmp_path: Path) -> None:
    error = refusal(str(tmp_path / "a"))
    assert isinstance(error, Unavailable)
    assert "kit-agent.toml(5)" in (error.hint or "")


def test_a_pipe_or_a_directory_is_no_configuration_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/null")):
        error = refusal(str(path))
        assert isinstance(error, UsageError)
        assert "is no regular file" in str(error)


def test_a_null_character_in_the_path_is_an_error() -> None:
    assert isinstance(refusal("/etc/\0"), UsageError)


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    rest = b"#" * (SIZE_LIMIT - len(TEXT))
    assert read(save(tmp_path / "a", TEXT + rest)).keys
    assert f"larger than {SIZE_LIMIT} bytes" in str(refusal(save(tmp_path / "a", TEXT + rest + b"#")))


def test_a_byte_that_is_no_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = save(tmp_path / "a", TEXT + b"# M\xfcller\n")
    error = refusal(path)
    assert isinstance(error, ConfigurationError)
    assert str(error) == f"{path}:4: expected UTF-8, found the byte fc, which is none"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda tail: TEXT + tail))
def test_any_bytes_are_a_configuration_or_an_error_that_a_user_can_read(tmp_path: Path, data: bytes) -> None:
    try:
        read(save(tmp_path / "a", data))
    except KitError as error:
        assert str(error)
