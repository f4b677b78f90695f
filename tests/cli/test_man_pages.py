"""The manual cannot drift from the commands, nor the page of the protocol from the codec."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from kit.agent import extension, wire
from kit.agent.policy import PURPOSES
from kit.agent.schemes import KINDS, SCHEMES
from kit.cli.main import root
from kit.core import errors
from kit.tls import verdict
from kit.tls.cells import Cell, Certificate, Times
from kit.tls.handshakes import Handshake
from kit.tls.verdict import Finding
from tests.cli.tree import COMMANDS, Command
from tests.peers import find

MAN = Path(__file__).parent.parent.parent / "man"
PAGES = sorted(MAN.iterdir())
COMMON = {"-h", "--help"}


def _text(page: str) -> str:
    return (MAN / page).read_text()


def _section(page: str, heading: str) -> str:
    """What stands under `.Sh` or `.Ss` heading, up to the next one of its rank or above."""
    rank = ".Ss" if re.search(rf"^\.Ss {re.escape(heading)}$", _text(page), re.MULTILINE) else ".Sh"
    end = r"^\.S[hs] " if rank == ".Ss" else r"^\.Sh "
    found = re.search(
        rf"^\{rank} {re.escape(heading)}\n(.*?)(?={end}|\Z)", _text(page), re.DOTALL | re.MULTILINE
    )
    assert found, f"{page} has no section {heading!r}"
    return found[1]


def _items(text: str) -> set[str]:
    """The options that `.It Fl` lines explain."""
    lines = [line for line in text.splitlines() if line.startswith(".It ")]
    return {f"-{name}" for line in lines for name in re.findall(r"\bFl (-?[A-Za-z0-9][A-Za-z0-9-]*)", line)}


def _page(command: Command) -> str:
    return f"kit-{command.path[0]}.1"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_groff_has_nothing_to_warn_of(page: Path) -> None:
    done = subprocess.run(
        [find("groff"), "-mdoc", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_nothing_to_warn_of(page: Path) -> None:
    done = subprocess.run(
        [find("mandoc"), "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_page_explains_exactly_the_options_of_the_command(command: Command) -> None:
    common = _items(_section(_page(command), "COMMON OPTIONS"))
    section = _section(_page(command), " ".join(["kit", *command.path]))
    assert _items(section) | (command.options & common) == command.options - COMMON


@pytest.mark.parametrize("group", ["agent", "tls"])
def test_the_page_has_no_command_that_kit_lacks(group: str) -> None:
    named = set(re.findall(rf"^\.Ss (kit {group}\b.*)$", _text(f"kit-{group}.1"), re.MULTILINE))
    assert named == {" ".join(["kit", *command.path]) for command in COMMANDS if command.path[0] == group}


@pytest.mark.parametrize("group", ["agent", "tls"])
def test_every_common_option_belongs_to_some_command(group: str) -> None:
    common = _items(_section(f"kit-{group}.1", "COMMON OPTIONS"))
    of_commands = {option for c in COMMANDS if c.path[0] == group for option in c.options}
    assert common <= of_commands


def test_kit_1_names_every_group() -> None:
    assert set(re.findall(r"^\.It Ic (\w+)$", _text("kit.1"), re.MULTILINE)) == set(root.commands)


@pytest.mark.parametrize("page", ["kit.1", "kit-agent.1", "kit-tls.1"])
def test_every_exit_status_is_explained(page: str) -> None:
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    named = {
        int(number) for number in re.findall(r"^\.It (\d+)$", _section(page, "EXIT STATUS"), re.MULTILINE)
    }
    assert known <= named <= known | {128 + 13}


def _protocol(heading: str) -> str:
    return _section("kit-agent-protocol.7", heading)


@pytest.mark.parametrize("name", extension.NAMES)
def test_the_protocol_page_has_every_extension(name: str) -> None:
    assert _protocol(name)


def test_the_protocol_page_has_no_extension_that_the_agent_lacks() -> None:
    named = re.findall(r"^\.Ss (\S+@kit)$", _text("kit-agent-protocol.7"), re.MULTILINE)
    assert named == list(extension.NAMES)


def test_the_protocol_page_has_every_status() -> None:
    rows = re.findall(r"^\.It (\d) Ta ([A-Z_]+) Ta", _protocol("Answers of kit's extensions"), re.MULTILINE)
    assert [(int(number), name) for number, name in rows] == [(s.value, s.name) for s in extension.Status]


def test_the_protocol_page_has_every_scheme_with_its_code_point() -> None:
    rows = re.findall(r"(\w+) Ta 0x([0-9a-f]{4})", _protocol("sign@kit"))
    assert {int(code, 16): name for name, code in rows} == {s.code: s.name for s in SCHEMES.values()}


def test_the_protocol_page_has_every_purpose() -> None:
    assert re.findall(r"^\.It Cm (\S+)$", _protocol("PURPOSES"), re.MULTILINE) == list(PURPOSES)


def test_the_protocol_page_has_every_kind_of_key() -> None:
    assert re.findall(r'"((?:rsa|p|ed)[-\d]+)"', _protocol("generate@kit")) == list(KINDS)


def test_the_protocol_page_has_the_limits_of_the_codec() -> None:
    limits = _protocol("LIMITS")
    assert f"Message Ta {wire.MESSAGE_LIMIT} bytes" in limits
    assert f"Keys Ta {extension.KEYS_LIMIT}" in limits


def _variables(page: str, heading: str) -> set[str]:
    """The JSON fields that a section names (`.Va` and, in columns, `It Va`)."""
    found = re.findall(r"^\.(?:It )?Va (\w+(?: , \w+)*)", _section(page, heading), re.MULTILINE)
    return {name for names in found for name in names.split(" , ")}


def test_every_field_of_a_probe_is_named() -> None:
    fields = {f.name for kind in (Cell, Times, Certificate, Finding) for f in dataclasses.fields(kind)}
    shown = {"kind", "host", "port", "outcome"} | fields - {"times"}
    assert _variables("kit-tls.1", "kit tls probe") == shown


def test_every_finding_of_a_probe_is_explained() -> None:
    named = re.findall(r"^\.It Qq (\w+)$", _section("kit-tls.1", "kit tls probe"), re.MULTILINE)
    source = Path(verdict.__file__).read_text()
    made = re.findall(r'(?:_grouped\(\s*cells,|Finding\()\s*"(\w+)"', source)
    assert set(named) == set(made)


def test_every_field_of_a_served_handshake_is_named() -> None:
    record = Handshake("127.0.0.1:1", 0.0).record()
    listening = {"event", "host", "port", "certificates"}
    assert _variables("kit-tls.1", "kit tls serve") == record.keys() | listening
