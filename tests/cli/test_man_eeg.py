"""kit-eeg(1) and kit-eeg(5) name every JSON field, column, finding and fault that there is."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.eeg.doctor import findings, port_rules, stream_rules
from kit.eeg.doctor.facts import Counters
from kit.eeg.doctor.finding import Finding
from kit.eeg.formats import READ, WRITTEN
from kit.eeg.processing.bands import BANDS
from kit.eeg.simulator import faults
from kit.eeg.sources.ports import Port
from kit.eeg.stats import diagnosis, loss_rules, other_rules
from kit.eeg.watching import grammar, quantities, telling
from tests.cli.test_man_pages import _section
from tests.eeg.calibrating.calibrator import counts, sent, sine

_KIT = str(Path(sys.executable).parent / "kit")
_FAULTS = ("lost:rate=0.1", "flip:rate=0.05:byte=4:bit=7", "garbage:rate=0.05", "stall:rate=0.01")


def _named(page: str, heading: str) -> set[str]:
    """The fields in a section: what stands behind each `Va`."""
    found = re.findall(r"\bVa (\w+(?: , \w+)*)", _section(page, heading))
    return {name for names in found for name in names.split(" , ")}


def _output(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        [_KIT, "eeg", *arguments], input=stdin, capture_output=True, check=False, timeout=60
    )
    assert b"Traceback" not in done.stderr
    return done.stdout or done.stderr


def _names(value: Any) -> Iterator[str]:
    """The keys of an object and of those in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _fields(lines: bytes) -> set[str]:
    return {name for line in lines.splitlines() for name in _names(json.loads(line))}


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("truth") / "truth"


@pytest.fixture(scope="module")
def damaged(truth: Path) -> bytes:
    options = [word for fault in (*_FAULTS, "restart:at=1.2", "lost-bytes") for word in ("--fault", fault)]
    return _output(
        "simulate", "--stdout", "--speed", "max", "--count", "3000", "--truth", str(truth), *options
    )


def test_every_field_of_a_port_is_named() -> None:
    assert _named("kit-eeg.1", "kit eeg ports") == {field.name for field in dataclasses.fields(Port)}


def test_every_field_of_the_statistics_is_named(damaged: bytes) -> None:
    with_times = _output("read", "sim:speed=20,fault=lost", "--count", "3000", "-f", "csv")
    fields = _fields(_output("stats", "--json", stdin=damaged))
    fields |= _fields(_output("stats", "--json", stdin=with_times))
    assert _named("kit-eeg.1", "kit eeg stats") == fields


def test_every_field_of_a_conversion_is_named(damaged: bytes, tmp_path: Path) -> None:
    fields = _fields(_output("convert", "--json", "-", str(tmp_path / "out.csv"), stdin=damaged))
    assert _named("kit-eeg.1", "kit eeg convert") == fields


def test_every_field_of_a_calibration_is_named() -> None:
    data = sent([counts(sine(300)), counts(sine(1200))])
    fields = _fields(_output("calibrate", "-", "--peak-to-peak", "250", "--json", stdin=data))
    assert _named("kit-eeg.1", "kit eeg calibrate") == fields


def test_every_field_of_a_recording_is_named(tmp_path: Path) -> None:
    fields = _fields(_output("record", "--json", str(tmp_path / "out.csv"), "sim:speed=max,count=300"))
    assert _named("kit-eeg.1", "kit eeg record") == fields


def test_every_field_of_the_doctor_is_named(tmp_path: Path) -> None:
    fields = _fields(_output("doctor", "--json", "--duration", "1", f"sim:fault={_FAULTS[0]},fault=flip"))
    recording = tmp_path / "out.csv"
    _output("record", str(recording), "sim:speed=max,count=300")
    fields |= _fields(_output("doctor", "--json", str(recording)))
    fields |= {field.name for kind in (Counters, Finding) for field in dataclasses.fields(kind)}
    # What a simulated device does not show.
    fields |= {"why", "runs", "offset", "length_ms", "late_ms"}
    assert _named("kit-eeg.1", "kit eeg doctor") == fields


def test_every_field_of_a_stream_is_named() -> None:
    fields = _fields(_output("stream", "--json", "sim:speed=max,count=300").splitlines()[0])
    assert _named("kit-eeg.1", "kit eeg stream") == fields


def test_every_field_of_watching_is_named() -> None:
    fields = {name for names in telling.FIELDS.values() for name in names} | {"event", "time_us", "sequence"}
    assert _named("kit-eeg.1", "kit eeg watch") == fields | {"latency_ms"}


def test_every_event_of_watching_is_explained() -> None:
    section = _section("kit-eeg.1", "kit eeg watch")
    named = {
        name for line in re.findall(r"^\.It Qq (.*)$", section, re.MULTILINE) for name in line.split(" , ")
    }
    names = {name.removeprefix("Qq ") for name in named}
    assert names == {
        "on",
        "off",
        "blink",
        "button",
        "artefact",
        "baseline",
        "lost",
        "restarted",
        "away",
        "back",
    }


def test_every_name_of_an_expression_is_explained() -> None:
    section = _section("kit-eeg.1", "EXPRESSIONS")
    named = set(re.findall(r"\bCm ([a-z_]+)", section))
    assert named >= {*BANDS, *quantities.PLAIN, *quantities.FLAGS}
    assert named >= {f"{prefix}alpha" for prefix in quantities.PREFIXES}
    limits = f"at most {grammar.LENGTH_LIMIT} characters and is nested at most {grammar.DEPTH_LIMIT} deep"
    assert limits in " ".join(section.split())
    assert all(f'"{function}("' in section for function in quantities.FUNCTIONS)


def test_every_field_of_ndjson_is_named(damaged: bytes) -> None:
    fields = _fields(_output("read", "-", "-f", "ndjson", stdin=damaged))
    fields |= _fields(_output("read", "-", "-f", "ndjson", "--units", "uv", "-n", "1", stdin=damaged))
    assert _named("kit-eeg.5", "ndjson") - {"repeated"} == fields


def test_every_column_of_csv_is_named(damaged: bytes) -> None:
    columns = _output("read", "-", "-f", "csv", stdin=damaged).decode().splitlines()[0].split(",")
    assert _named("kit-eeg.5", "csv and tsv") == {*columns, "ch1_uv"}


def test_every_field_of_the_truth_is_named(damaged: bytes, truth: Path) -> None:
    assert damaged
    named = _named("kit-eeg.5", "The truth of a simulated device")
    assert named - {"back_s", "button"} == _fields(truth.read_bytes()) - {"button"}


def test_every_format_has_a_section() -> None:
    headings = " ".join(_section("kit-eeg.5", "DESCRIPTION").split())
    page = (Path(__file__).parent.parent.parent / "man" / "kit-eeg.5").read_text()
    sections = " ".join(re.findall(r"^\.Ss (.*)$", page, re.MULTILINE)).split()
    assert headings
    assert {*READ, *WRITTEN} <= {*sections}


def _kinds(*modules: Any) -> set[str]:
    """The first word of every finding that these modules make."""
    sources = [Path(module.__file__).read_text() for module in modules]
    return {kind for text in sources for kind in re.findall(r'Finding\(\s*"([a-z-]+)"', text)}


def test_every_finding_of_the_statistics_is_explained() -> None:
    found = re.findall(r"^\.It Qq (.*)$", _section("kit-eeg.1", "kit eeg stats"), re.MULTILINE)
    named = {name for line in found for name in line.split(" , ")}
    assert named == _kinds(diagnosis, loss_rules, other_rules)


def test_the_doctor_makes_findings() -> None:
    assert _kinds(findings, port_rules, stream_rules) >= {"late", "overrun", "silent"}


def test_every_kind_of_fault_and_each_of_its_names_is_explained() -> None:
    section = _section("kit-eeg.1", "FAULTS")
    assert set(re.findall(r"^\.It Cm ([a-z-]+)$", section, re.MULTILINE)) == set(faults.KINDS)
    words = {name for names in faults.KINDS.values() for name in names} | {"rate", "every", "at"}
    assert words <= set(re.findall(r"\bCm (\w+)", section))
