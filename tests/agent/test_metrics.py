"""What the agent counts as OpenMetrics text, read by the reference parser and by the format's grammar."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_fd_to_metric_families
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from kit.agent import extension
from kit.agent.encoding import Reader
from kit.agent.extension import AgentMetrics, KeyMetrics, PeerList, PeerRecord
from kit.agent.metrics import families, records, render
from kit.core.errors import ProtocolError

BOUNDS_US = (50, 100, 500_000)
KEY_ID = bytes(range(32))
KEY = KeyMetrics(KEY_ID, "mail", "rsa-2048", 1_800_000_000, 4, 3, 2, 1_500_100, (1, 3, 2, 1))
METRICS = AgentMetrics("0.1.0", 7, 1_700_000_000, False, 1, 2, 3, 4, 5, 6, 7, 8, True, 9, BOUNDS_US, (KEY,))
PEERS = PeerList((PeerRecord(1000, 17, "nginx", 3, 1, 1_700_000_000, 12, 2),))
HOSTILE = (
    'a"b',
    "a\\b",
    "a\nb",
    "a\\nb",
    "}",
    "{",
    ',key="x"',
    "# EOF",
    "ключ",
    "🔑",
    "\x1b[2J",
    " ",
    "\r",
    "\u2028",
)
# OpenMetrics 1.0, ABNF: a sample's line without a timestamp and an exemplar, which do not occur here.
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^\n"\\]|\\[n"\\])*"'
_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?"
_SAMPLE = re.compile(rf"{_NAME}(?:\{{{_LABEL}(?:,{_LABEL})*\}})? {_NUMBER}")
_ABOUT = re.compile(
    rf"# (?:TYPE {_NAME} (?:gauge|counter|histogram)|UNIT {_NAME} seconds|HELP {_NAME} [^\n\\]+)"
)


def read(text: str) -> dict[str, Metric]:
    """The families, by the reference parser; and line by line, since it calls itself lax."""
    *lines, end, rest = text.split("\n")
    assert (end, rest) == ("# EOF", "")
    assert [line for line in lines if not (_SAMPLE if line[0] != "#" else _ABOUT).fullmatch(line)] == []
    return {family.name: family for family in text_fd_to_metric_families(io.StringIO(text, newline="\n"))}


def samples(metrics: AgentMetrics = METRICS) -> list[Sample]:
    return [sample for family in read(render(families(metrics))).values() for sample in family.samples]


def value(name: str, **labels: str) -> float:
    found = [s.value for s in samples() if s.name == f"kit_agent_{name}" and s.labels == labels]
    assert len(found) == 1
    return float(found[0])


def named(*names: str) -> AgentMetrics:
    return replace(METRICS, keys=len(names), by_key=tuple(replace(KEY, key_name=name) for name in names))


@pytest.mark.parametrize("message", [METRICS, replace(METRICS, by_key=()), PEERS])
def test_the_answers_survive_the_wire(message: AgentMetrics | PeerList) -> None:
    wire = b"".join(bytes(part) for part in extension.encode_answer(message))
    assert extension.parse_answer(type(message), Reader(wire)) == message
    for end in range(len(wire)):
        with pytest.raises(ProtocolError):
            extension.parse_answer(type(message), Reader(wire[:end]))


def test_a_row_of_counts_is_of_whole_words() -> None:
    wire = b"".join(bytes(part) for part in extension.encode_answer(replace(METRICS, by_key=())))
    bounds = b"\x00\x00\x00\x18" + b"".join(bound.to_bytes(8, "big") for bound in BOUNDS_US)
    assert bounds in wire
    with pytest.raises(ProtocolError, match="23 bytes"):
        short = wire.replace(bounds, b"\x00\x00\x00\x17" + bounds[4:-1])
        extension.parse_answer(AgentMetrics, Reader(short))


def test_the_metrics_of_256_keys_with_long_names_fit_in_a_message() -> None:
    keys = tuple(replace(KEY, key_name=f"{n:03}" + "ü" * 126, durations=(2**63,) * 13) for n in range(256))
    wire = extension.encode_answer(replace(METRICS, by_key=keys, bounds_us=tuple(range(1, 13))))
    assert sum(map(len, wire)) < 128 * 1024


def test_every_family_has_a_type_and_says_what_it_is() -> None:
    found = read(render(families(METRICS)))
    assert {name: family.type for name, family in found.items()} == {
        "kit_agent_build_info": "gauge",
        "kit_agent_start_time_seconds": "gauge",
        "kit_agent_locked": "gauge",
        "kit_agent_keys": "gauge",
        "kit_agent_workers": "gauge",
        "kit_agent_worker_restarts": "counter",
        "kit_agent_connections": "gauge",
        "kit_agent_connections_accepted": "counter",
        "kit_agent_connections_rejected": "counter",
        "kit_agent_malformed_messages": "counter",
        "kit_agent_failures": "counter",
        "kit_agent_audit_failing": "gauge",
        "kit_agent_audit_lost_lines": "counter",
        "kit_agent_operations": "counter",
        "kit_agent_refusals": "counter",
        "kit_agent_operation_duration_seconds": "histogram",
        "kit_agent_key_expiry_timestamp_seconds": "gauge",
    }
    assert all(family.documentation.endswith(".") for family in found.values())
    assert {name for name, family in found.items() if family.unit} == {
        name for name in found if name.endswith("_seconds")
    }


def test_each_number_stands_under_its_name() -> None:
    plain = {
        "start_time_seconds": 1_700_000_000,
        "locked": 0,
        "keys": 1,
        "workers": 2,
        "connections": 3,
        "connections_accepted_total": 4,
        "connections_rejected_total": 5,
        "malformed_messages_total": 6,
        "failures_total": 7,
        "worker_restarts_total": 8,
        "audit_failing": 1,
        "audit_lost_lines_total": 9,
    }
    assert {name: value(name) for name in plain} == plain
    key = {"key": "mail", "key_id": "0001020304050607", "kind": "rsa-2048"}
    assert value("build_info", version="0.1.0") == 1
    assert value("operations_total", **key, operation="sign") == 4
    assert value("operations_total", **key, operation="decrypt") == 3
    assert value("refusals_total", **key) == 2
    assert value("key_expiry_timestamp_seconds", **key) == 1_800_000_000


def test_a_bucket_counts_what_the_smaller_ones_do() -> None:
    key = {"key": "mail", "key_id": "0001020304050607", "kind": "rsa-2048"}
    buckets = [s for s in samples() if s.name.endswith("_bucket")]
    assert [(s.labels["le"], s.value) for s in buckets] == [
        ("5e-05", 1),
        ("0.0001", 4),
        ("0.5", 6),
        ("+Inf", 7),
    ]
    assert value("operation_duration_seconds_count", **key) == 7
    assert value("operation_duration_seconds_sum", **key) == 1.5001


def test_a_key_that_never_expires_has_no_expiry() -> None:
    metrics = replace(METRICS, by_key=(replace(KEY, expires_s=0),))
    assert [s for s in samples(metrics) if "expiry" in s.name] == []


def test_an_agent_without_keys_has_the_families_all_the_same() -> None:
    empty = read(render(families(named())))
    assert empty.keys() == read(render(families(METRICS))).keys()
    assert empty["kit_agent_operations"].samples == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_key_may_have_any_name(name: str) -> None:
    assert {s.labels["key"] for s in samples(named(name)) if "key" in s.labels} == {name}


# What a message can carry: no half of a surrogate pair.
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4, unique=True))
def test_names_come_back_as_they_were(names: list[str]) -> None:
    operations = [s for s in samples(named(*names)) if s.labels.get("operation") == "sign"]
    assert [s.labels["key"] for s in operations] == names


COUNTS = st.integers(0, 2**40)


@given(st.lists(st.tuples(*[COUNTS] * 4), min_size=1, max_size=3), COUNTS)
def test_sums_fit_whatever_was_counted(durations: list[tuple[int, ...]], microseconds: int) -> None:
    keys = tuple(
        replace(KEY, key_name=str(n), durations=row, microseconds=microseconds)
        for n, row in enumerate(durations)
    )
    found = samples(replace(METRICS, by_key=keys))  # the parser wants buckets that grow, and a fitting count
    for n, row in enumerate(durations):
        own = {s.name.rpartition("_")[2]: s.value for s in found if s.labels.get("key") == str(n)}
        assert own["count"] == sum(row)
        assert math.isclose(own["sum"], microseconds / 1e6)


def test_the_older_format_of_node_exporter_reads_it_too() -> None:
    """Its parser takes UNIT and EOF for comments, and knows no type "info"."""
    found = {family.name: family.type for family in text_string_to_metric_families(render(families(METRICS)))}
    assert found["kit_agent_operation_duration_seconds"] == "histogram"
    assert {"info", "stateset", "unknown"} & {family.kind for family in families(METRICS)} == set()


def test_a_record_has_a_sample() -> None:
    found = list(records(families(METRICS)))
    assert [(r["metric"], r["labels"], r["value"]) for r in found] == [
        (s.name, s.labels, s.value) for s in samples()
    ]
    assert found[-1] == {
        "metric": "kit_agent_key_expiry_timestamp_seconds",
        "type": "gauge",
        "labels": {"key": "mail", "key_id": "0001020304050607", "kind": "rsa-2048"},
        "value": 1_800_000_000,
    }


def test_keys_of_one_name_are_told_apart() -> None:
    twins = tuple(replace(KEY, key_id=bytes([n]) * 32) for n in (1, 2))
    found = [s for s in samples(replace(METRICS, by_key=twins)) if s.name == "kit_agent_refusals_total"]
    assert [s.labels["key_id"] for s in found] == ["01" * 8, "02" * 8]
