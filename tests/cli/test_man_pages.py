"""The manual cannot drift from the commands, nor the page of the protocol from the codec."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kit.agent import extension, wire
from kit.agent.config.checking import CheckedKey
from kit.agent.config.settings import KeyRule
from kit.agent.policy import PURPOSES
from kit.agent.queue import messages as queue
from kit.agent.schemes import KINDS, SCHEMES
from kit.agent.startup import Limits
from kit.cli.agent import check, views
from kit.core import errors
from kit.core.output import Output
from kit.tls import bench, proof, verdict
from kit.tls.cells import Cell, Certificate, Times
from kit.tls.handshakes import Handshake
from kit.tls.memscan import Verdict
from kit.tls.report import groups_record
from kit.tls.target import Target
from kit.tls.verdict import Finding
from tests.cli.tree import COMMANDS, GROUPS, Command
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
    # Not of lines which a long name leaves short: groff 1.23 tells those, too.
    strict = ("-ww", "-W", "break")
    done = subprocess.run(
        [find("groff"), "-mdoc", "-Tutf8", *strict, "-z", page], capture_output=True, text=True, check=False
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


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_synopsis_shows_each_option_once(command: Command) -> None:
    name = " ".join(["kit", *command.path])
    synopsis = _section(_page(command), "SYNOPSIS") + ".Nm\n"
    shown = re.search(rf"^\.Nm {name}\n(.*?)(?=^\.Nm)", synopsis, re.DOTALL | re.MULTILINE)
    assert shown
    flags = {f"-{flag}" for flag in re.findall(r"\bFl (-?[A-Za-z0-9][A-Za-z0-9-]*)", shown[1])}
    assert flags <= command.options
    spellings = [{*p.opts} for p in command.click_command.params if isinstance(p, click.Option)]
    assert [both for both in spellings if len(both & flags) != 1] == []


@pytest.mark.parametrize("group", ["agent", "eeg", "tls"])
def test_the_page_has_no_command_that_kit_lacks(group: str) -> None:
    named = set(re.findall(rf"^\.Ss (kit {group}\b.*)$", _text(f"kit-{group}.1"), re.MULTILINE))
    assert named == {" ".join(["kit", *command.path]) for command in COMMANDS if command.path[0] == group}


@pytest.mark.parametrize("group", ["agent", "eeg", "tls"])
def test_every_common_option_belongs_to_some_command(group: str) -> None:
    common = _items(_section(f"kit-{group}.1", "COMMON OPTIONS"))
    of_commands = {option for c in COMMANDS if c.path[0] == group for option in c.options}
    assert common <= of_commands


def test_kit_1_names_every_group() -> None:
    assert set(re.findall(r"^\.It Ic (\w+)$", _text("kit.1"), re.MULTILINE)) == set(GROUPS)


@pytest.mark.parametrize("page", ["kit.1", "kit-agent.1", "kit-eeg.1", "kit-tls.1"])
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


# How the page calls the field of a message, by its Python type; integers tell by their reader.
_WIRE_NAMES = {
    "bytes": "string",
    "memoryview": "string",
    "tuple[int, ...]": "string",
    "str": "text",
    "bool": "boolean",
}


def _fields_of(kind: type, indent: str = "") -> Iterator[str]:
    """The fields of a message as the page writes them, the rows of a list indented."""
    for field in dataclasses.fields(kind):
        name = str(field.type)
        if name.startswith("tuple[") and name not in ("tuple[str, ...]", "tuple[int, ...]"):
            yield f"{indent}uint32"
            row = name[6:].split(",", maxsplit=1)[0]
            yield from _fields_of(getattr(extension, row, None) or getattr(queue, row), "  ")
        elif name == "int":
            yield indent + field.metadata["type"].read.__name__
        else:
            yield indent + _WIRE_NAMES.get(name, "name-list")


_ANSWERS = {
    extension.Sign: extension.Signature,
    extension.Decrypt: extension.Plaintext,
    extension.List: extension.KeyList,
    extension.GetStatus: extension.AgentStatus,
    extension.Reload: extension.ReloadReport,
    extension.GetMetrics: extension.AgentMetrics,
    extension.GetPeers: extension.PeerList,
    extension.GetCertificates: extension.CertificateList,
    queue.BeginSealing: queue.SealingBegun,
    queue.Continue: queue.Piece,
    queue.EndStream: queue.StreamEnded,
}


@pytest.mark.parametrize("request_type", extension._REQUESTS.values(), ids=lambda kind: kind.name)
def test_the_protocol_page_shows_the_fields_in_wire_order(request_type: type) -> None:
    section = _protocol(request_type.name)  # type: ignore[attr-defined]
    displays = re.findall(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed$", section, re.DOTALL | re.MULTILINE)
    shown = [re.findall(r"^ {0,2}[a-z][a-z0-9-]+(?=  ?\S| {2,})", text, re.MULTILINE) for text in displays]
    answers = [_ANSWERS[request_type]] if request_type in _ANSWERS else []
    expected = [list(_fields_of(kind)) for kind in (request_type, *answers)]
    assert shown == [fields for fields in expected if fields]


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
    assert re.findall(r'"((?:rsa|p|ed|ml-dsa)[-\d]+)"', _protocol("generate@kit")) == list(KINDS)


def test_the_protocol_page_has_the_limits_of_the_codec() -> None:
    limits = _protocol("LIMITS")
    assert f"Message Ta {wire.MESSAGE_LIMIT} bytes" in limits
    assert f"Keys Ta {extension.KEYS_LIMIT}" in limits
    of_agent = Limits()
    assert f"Connections Ta {of_agent.connections}\n" in limits
    assert f"To send a message once begun Ta {of_agent.message_s:g} seconds" in limits
    assert f"To take an answer Ta {of_agent.unread_s:g} seconds" in limits
    assert (of_agent.message_bytes, of_agent.keys) == (wire.MESSAGE_LIMIT, extension.KEYS_LIMIT)


def _variables(page: str, heading: str) -> set[str]:
    """The JSON fields that a section names (`.Va` and, in columns, `It Va`)."""
    found = re.findall(r"^\.(?:It )?Va (\w+(?: , \w+)*)", _section(page, heading), re.MULTILINE)
    return {name for names in found for name in names.split(" , ")}


def test_every_field_of_a_probe_is_named() -> None:
    fields = {f.name for kind in (Cell, Times, Certificate, Finding) for f in dataclasses.fields(kind)}
    shown = {"kind", "host", "port", "outcome"} | fields - {"times"} | set(groups_record(Target("", 0), ()))
    assert _variables("kit-tls.1", "kit tls probe") == shown


def test_every_finding_of_a_probe_is_explained() -> None:
    named = re.findall(r"^\.It Qq (\w+)$", _section("kit-tls.1", "kit tls probe"), re.MULTILINE)
    source = Path(verdict.__file__).read_text()
    made = re.findall(r'(?:_grouped\(\s*cells,|Finding\()\s*"(\w+)"', source)
    assert set(named) == set(made)


def test_every_field_of_a_served_handshake_is_named() -> None:
    record = Handshake("127.0.0.1:1", 0.0).record()
    listening = {"kind", "host", "port", "certificates"}
    assert _variables("kit-tls.1", "kit tls serve") == record.keys() | listening


def test_every_field_of_a_comparison_is_named() -> None:
    round_ = bench.Round((0.001,), 0, 1.0)
    record = bench.record(bench.Comparison(bench.Case("p-256", 1), (round_,), (round_,)), "1.3")
    assert _variables("kit-tls.1", "kit tls bench") == record.keys() | record["local"].keys()


def test_every_field_of_the_demonstration_is_named() -> None:
    scan = proof.Scan("server", 1, "clean", 1, 0, 1, 1, (Verdict("RSA", "clean", "", ()),))
    records = proof.records(proof.Proof((), (proof.KeyUse("a", "p-256", "", 0, 0),), (scan,)))
    fields = {name for record in records for name in record}
    assert _variables("kit-tls.1", "The demonstration") == fields


def test_every_field_of_a_key_is_named() -> None:
    record = extension.KeyRecord("a", "p-256", b"", b"", (), 0, 0, 0, 0, 0, (), "")
    assert _variables("kit-agent.1", "kit agent list") == views.key_fields(record).keys()


def test_every_field_of_the_status_is_named() -> None:
    measures, processes = (extension.Measure("a", "applied", ""),), (extension.Process("worker", 1, 0),)
    counters = [0] * (len(dataclasses.fields(extension.AgentStatus)) - 4)
    fields = views._status_fields(extension.AgentStatus("", *counters, "", processes, measures), "")
    rows = fields["measures"][0].keys() | fields["processes"][0].keys()
    assert _variables("kit-agent.1", "kit agent status") == fields.keys() | rows


def test_every_field_of_a_reload_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    views.show_reload([extension.Reloaded("a", "kept", "")], Output(as_json=True))
    assert _variables("kit-agent.1", "kit agent reload") == json.loads(capsys.readouterr().out).keys()


def test_every_field_of_a_checked_configuration_is_named() -> None:
    key = check.key_fields(CheckedKey(KeyRule("a", "/a"), None, None))
    finding = check.finding_fields("error", "", 1, "", "", None)
    # `confirm` stands there as a key of the configuration and as a field
    assert _variables("kit-agent.1", "kit agent check-config") == key.keys() | finding.keys()
