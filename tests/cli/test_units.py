"""What systemd is given, as its own programs see it: the units, the user and the directory of the service."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from kit.core.paths import agent_socket
from tests.cli.tree import COMMANDS
from tests.peers import find

REPOSITORY = Path(__file__).parent.parent.parent
SYSTEMD = REPOSITORY / "systemd"
UNITS = sorted(SYSTEMD.rglob("kit-agent.*"))
SYSTEM, USER = SYSTEMD / "kit-agent.service", SYSTEMD / "user" / "kit-agent.service"
SERVICES = [SYSTEM, USER]

# Where the units expect the command of the system's service.
_COMMAND = "/usr/local/bin/kit"


def _name(path: Path) -> str:
    return str(path.relative_to(SYSTEMD))


def _settings(unit: Path) -> dict[str, list[str]]:
    """Each setting with its values; a name means the same in whichever section it stands here."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def _socket_of(service: Path) -> dict[str, list[str]]:
    return _settings(service.with_suffix(".socket"))


def _copy(unit: Path, directory: Path, program: str) -> Path:
    """The unit for a machine that has the kit command of this test run."""
    copy = directory / unit.name
    copy.write_text(unit.read_text().replace(_COMMAND, program))
    return copy


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_systemd_understands_every_line(service: Path, kit_program: str, home: Path) -> None:
    units = [_copy(unit, home, kit_program) for unit in (service, service.with_suffix(".socket"))]
    manager = "--user" if service == USER else "--system"
    command = [find("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", manager, *units]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_line_that_systemd_does_not_know_would_be_told(kit_program: str, home: Path) -> None:
    units = [_copy(unit, home, kit_program) for unit in (SYSTEM, SYSTEM.with_suffix(".socket"))]
    units[0].write_text(units[0].read_text().replace("PrivateTmp=", "PrivateTemp="))
    command = [find("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "PrivateTemp" in done.stderr


def test_the_service_is_little_exposed() -> None:
    # 2.6 with systemd 252; what is left is how it becomes _kit, and its namespaces.
    command = [find("systemd-analyze"), "security", "--offline=true", "--threshold=26", SYSTEM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_socket_is_where_a_user_s_commands_look_for_it(home: Path) -> None:
    (path,) = _socket_of(USER)["ListenStream"]
    assert path.replace("%t", os.environ["XDG_RUNTIME_DIR"]) == agent_socket(None)


def test_a_user_s_socket_is_nobody_else_s() -> None:
    settings = _socket_of(USER)
    assert (settings["SocketMode"], settings["DirectoryMode"]) == (["0600"], ["0700"])


def test_only_root_and_the_group_reach_the_socket_of_the_system() -> None:
    settings = _socket_of(SYSTEM)
    assert (settings["SocketUser"], settings["SocketGroup"]) == (["root"], ["kit"])
    assert settings["SocketMode"] == ["0660"]


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_a_socket_that_systemd_holds_outlives_the_service(service: Path) -> None:
    settings = _settings(service)
    assert settings["Requires"] == settings["After"] == settings["Also"] == ["kit-agent.socket"]
    assert settings["StartLimitIntervalSec"] == ["0"], "a limit on starts stops the socket"
    assert "RuntimeDirectory" not in settings, "it goes with the service, and what lies in it"
    assert "Accept" not in _socket_of(service)


@pytest.mark.parametrize("service", SERVICES, ids=_name)
@pytest.mark.parametrize("setting", ["ExecStart", "ExecReload"])
def test_kit_knows_the_command_and_its_options(service: Path, setting: str) -> None:
    (line,) = _settings(service)[setting]
    program, *words = line.removeprefix("/usr/bin/env ").split()
    assert program == (_COMMAND if service == SYSTEM else "kit")
    known = {command.path: command.options for command in COMMANDS}
    assert {word for word in words if word.startswith("-")} <= known[tuple(words[:2])]


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_a_reload_goes_to_the_socket_of_the_unit(service: Path) -> None:
    (command,) = _settings(service)["ExecReload"]
    assert command.endswith(f" agent reload --socket {_socket_of(service)['ListenStream'][0]}")


@pytest.mark.parametrize("unit", UNITS, ids=_name)
def test_the_pages_that_a_unit_names_are_shipped(unit: Path) -> None:
    pages = re.findall(r"man:([\w-]+)\((\d)\)", " ".join(_settings(unit)["Documentation"]))
    assert pages
    assert [
        f"{name}.{section}"
        for name, section in pages
        if not (REPOSITORY / "man" / f"{name}.{section}").exists()
    ] == []


@pytest.mark.parametrize("service", SERVICES, ids=_name)
def test_what_the_agent_needs_to_lock_itself_up_is_not_taken_away(service: Path) -> None:
    settings = _settings(service)
    assert {"net", "ipc", "mnt", "uts"} <= {*settings["RestrictNamespaces"][0].split()}
    calls = {call for line in settings["SystemCallFilter"] for call in line.split()}
    assert {"@system-service", "chroot", "seccomp", "landlock_restrict_self"} <= calls
    assert settings["RestrictAddressFamilies"] == ["AF_UNIX"]


def test_root_may_do_what_the_comments_say_and_no_more() -> None:
    allowed = " ".join(_settings(SYSTEM)["CapabilityBoundingSet"]).split()
    assert sorted(allowed) == [
        "CAP_DAC_READ_SEARCH",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_ADMIN",
        "CAP_SYS_CHROOT",
    ]


def _make_accounts(root: Path) -> None:
    """The users and groups of the service, on a machine that lies under `root`."""
    (root / "etc").mkdir()
    command = [find("systemd-sysusers"), f"--root={root}", SYSTEMD / "sysusers.d" / "kit.conf"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _accounts(file: Path) -> dict[str, list[str]]:
    """The lines of passwd(5) or group(5) by name."""
    return {line.split(":")[0]: line.split(":") for line in file.read_text().splitlines()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes users")
def test_the_agent_s_user_logs_in_nowhere_and_is_not_in_the_group_of_the_clients(short_tmp: Path) -> None:
    _make_accounts(short_tmp)
    users, groups = (_accounts(short_tmp / "etc" / name) for name in ("passwd", "group"))
    assert users["_kit"][6].endswith("nologin")
    assert groups["kit"][3] == ""
    assert users["_kit"][3] == groups["_kit"][2] != groups["kit"][2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_the_agent_s_user_alone_writes_where_the_audit_log_is(short_tmp: Path) -> None:
    _make_accounts(short_tmp)
    command = [
        find("systemd-tmpfiles"),
        "--create",
        f"--root={short_tmp}",
        SYSTEMD / "tmpfiles.d" / "kit.conf",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    path, _ = _settings(SYSTEM)["ReadWritePaths"]
    found = (short_tmp / path.lstrip("-/")).stat()
    owner = _accounts(short_tmp / "etc" / "passwd")["_kit"][2]
    assert (str(found.st_uid), stat.S_IMODE(found.st_mode)) == (owner, 0o750)
