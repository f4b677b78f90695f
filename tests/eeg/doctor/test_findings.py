"""The table of findings: what was measured, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kit.eeg.doctor.facts import Counters, Facts, Pause, Unknown
from kit.eeg.doctor.findings import findings, unknowns
from kit.eeg.stats.skipped import Look
from tests.eeg.doctor.facts_of import COUNTERS, FACTS, LINE, SEEN

NO_COUNTERS = Unknown("a pty has no hardware behind it")
SHORT = Look("cut short", 2, 31, 1700, b"")
NOISE = Look("noise", 1, 9000, 0, b"")
NONE_CAME: dict[str, Any] = {"packets": 0, "packet_size": 0, "protocol": None}


def facts(
    seen: dict[str, Any] | None = None,
    line: dict[str, Any] | None = None,
    counters: dict[str, int] | Unknown | None = None,
    waiting: int = 0,
) -> Facts:
    what_came = replace(SEEN, **(seen or {}))
    risen: Counters | Unknown
    if isinstance(counters, Unknown):
        risen = counters
    else:
        risen = replace(COUNTERS, **{"received": what_came.bytes, **(counters or {})})
    return Facts(replace(LINE, **(line or {})), risen, waiting, what_came)


@dataclass(frozen=True)
class Case:
    """Facts, and what has to be found: kind, does it cost packets, how sure, a part of the command."""

    name: str
    facts: Facts
    kind: str
    costs: bool
    certainty: str
    command: str | None
    others: set[str] = field(default_factory=set)


CASES = [
    Case("unplugged", facts({"gone": "it is gone"}), "gone", True, "sure", "sudo dmesg | tail -n 20"),
    Case("a pty hung up", facts({"gone": "x"}, {"kind": "pty"}), "gone", True, "sure", None),
    Case("silent port", facts({**NONE_CAME, "bytes": 0}), "silent", True, "sure", "kit eeg ports"),
    Case("silent pty", facts({**NONE_CAME, "bytes": 0}, {"kind": "pty"}), "silent", True, "sure", None),
    Case(
        "a wrong speed, with framing errors",
        facts(
            {**NONE_CAME, "bytes": 9000, "looks": (NOISE,)}, None, {"framing_errors": 70, "received": 9000}
        ),
        "foreign",
        True,
        "likely",
        "kit eeg doctor --baud 115200 /dev/ttyUSB0",
    ),
    Case(
        "noise at another speed",
        facts(
            {**NONE_CAME, "bytes": 9000, "looks": (NOISE,)}, {"asked_baud": 9600, "baud": 9600}, NO_COUNTERS
        ),
        "foreign",
        True,
        "possible",
        "--baud 57600",
    ),
    Case(
        "noise in a file",
        facts({**NONE_CAME, "bytes": 9000, "looks": (NOISE,)}, {"kind": "file"}, NO_COUNTERS),
        "foreign",
        True,
        "likely",
        None,
    ),
    Case(
        "P3, where P2 was asked for",
        facts(
            {**NONE_CAME, "bytes": 99, "asked_protocol": "p2", "looks": (Look("P3 packets", 1, 99, 0, b""),)}
        ),
        "foreign",
        True,
        "likely",
        "kit eeg doctor --protocol p3 /dev/ttyUSB0",
    ),
    Case(
        "a terminal server's greeting",
        facts({**NONE_CAME, "bytes": 99, "looks": (Look("text", 1, 99, 0, b""),)}),
        "foreign",
        True,
        "likely",
        None,
    ),
    Case("another speed", facts(line={"baud": 55_000}), "speed", False, "sure", "stty -F /dev/ttyUSB0 57600"),
    Case("another speed, and losses", facts({"lost": 9}, {"baud": 9600}), "speed", True, "sure", "stty -F"),
    Case(
        "the adapter ran over",
        facts({"lost": 3}, None, {"overruns": 2}),
        "overrun",
        True,
        "sure",
        "sudo setserial /dev/ttyUSB0 low_latency",
    ),
    Case(
        "a built-in port ran over",
        facts({"lost": 3}, {"driver": "serial", "tty": "ttyS1"}, {"overruns": 1}),
        "overrun",
        True,
        "sure",
        "echo 1 | sudo tee /sys/class/tty/ttyS1/rx_trig_bytes",
    ),
    Case(
        "the kernel's buffer was full",
        facts({"lost": 30}, None, {"buffer_overruns": 500}),
        "buffer-overrun",
        True,
        "sure",
        "sudo chrt --rr 50 kit eeg read /dev/ttyUSB0",
    ),
    Case(
        "somebody else read",
        facts({"lost": 30}, None, {"received": 44_100}, waiting=17),
        "withheld",
        True,
        "likely",
        "sudo fuser -v /dev/ttyUSB0",
    ),
    Case(
        "a disturbed line",
        facts({"lost": 1}, None, {"framing_errors": 1}),
        "disturbed",
        True,
        "likely",
        "kit eeg stats --duration 60 /dev/ttyUSB0",
    ),
    Case("a break, and nothing lost", facts(None, None, {"breaks": 1}), "disturbed", False, "likely", None),
    Case(
        "kit was stopped, and packets are missing behind",
        facts({"lost": 40, "pauses": (Pause(1700, 900_000, 890_000, 40),), "worst_late_us": 890_000}),
        "late",
        True,
        "sure",
        "sudo chrt",
    ),
    Case(
        "kit was stopped, and the kernel kept the bytes",
        facts({"pauses": (Pause(1700, 900_000, 890_000, 0),), "worst_late_us": 890_000}),
        "late",
        False,
        "sure",
        "sudo chrt",
    ),
    Case("a busy machine", facts({"worst_late_us": 60_000}), "late", False, "sure", "sudo chrt"),
    Case(
        "the line stalled, and packets are missing behind",
        facts({"lost": 40, "pauses": (Pause(1700, 900_000, 3_000, 40),)}),
        "stall",
        True,
        "likely",
        "sudo dmesg --follow",
    ),
    Case(
        "the line stalled",
        facts({"pauses": (Pause(1700, 900_000, 0, 0),)}),
        "stall",
        False,
        "likely",
        "dmesg",
    ),
    Case(
        "packets were cut short",
        facts({"lost": 2, "skipped": 31, "looks": (SHORT,)}),
        "damaged",
        True,
        "likely",
        "kit eeg stats",
    ),
    Case(
        "the device began anew",
        facts({"restarts": 1}),
        "restart",
        True,
        "likely",
        "stty -F /dev/ttyUSB0 -hupcl",
    ),
    Case("a network repeats", facts({"duplicates": 2}, {"kind": "url"}), "duplicates", False, "likely", None),
    Case(
        "the timer is slow",
        facts(line={"latency_before_ms": 16, "latency_ms": 16}),
        "latency",
        False,
        "sure",
        "echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB0/latency_timer",
    ),
    Case(
        "the timer is slow unless kit reads",
        facts(line={"latency_before_ms": 16, "latency_ms": 1}),
        "latency",
        False,
        "sure",
        "latency_timer",
    ),
    Case(
        "the flag is off, and the timer not to be seen",
        facts(line={"low_latency": False, "latency_ms": Unknown("x"), "latency_before_ms": Unknown("x")}),
        "low-latency",
        False,
        "sure",
        "sudo setserial /dev/ttyUSB0 low_latency",
    ),
    Case("lost on the way to the kernel", facts({"lost": 5}), "lost-before", True, "likely", "kit eeg stats"),
    Case(
        "lost, and nobody counts",
        facts({"lost": 5}, {"kind": "pty"}, NO_COUNTERS),
        "lost",
        True,
        "possible",
        None,
    ),
    Case(
        "more lost than the stall explains",
        facts({"lost": 90, "pauses": (Pause(1700, 900_000, 0, 40),)}),
        "lost-before",
        True,
        "likely",
        "kit eeg stats",
        {"stall"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_facts_mean_this(case: Case) -> None:
    found = {finding.kind: finding for finding in findings(case.facts)}
    assert set(found) == {case.kind} | case.others
    finding = found[case.kind]
    assert (finding.costs_packets, finding.certainty) == (case.costs, case.certainty)
    if case.command is not None:
        assert finding.command and case.command in finding.command
    assert finding.what and finding.evidence and finding.cure


def test_where_nothing_is_wrong_nothing_is_found() -> None:
    assert findings(FACTS) == []
    assert unknowns(FACTS) == []


@pytest.mark.parametrize(
    "harmless",
    [
        facts({"skipped": 9, "skipped_at_first": 9}),  # the stream was cut into
        facts(line={"baud": 57_692}),  # what a divisor of 3 MHz makes of it
        facts(None, None, {"received": 43_700}, waiting=17),  # on its way
        facts(None, None, {"received": 0}),  # a driver that does not count
        facts({"worst_late_us": 20_000}),
        facts(line={"latency_before_ms": Unknown("x"), "latency_ms": Unknown("x")}),
    ],
)
def test_what_is_harmless_is_not_found(harmless: Facts) -> None:
    assert findings(harmless) == []


def test_what_costs_packets_is_told_first() -> None:
    both = facts({"lost": 5}, {"latency_ms": 16, "latency_before_ms": 16})
    assert [finding.kind for finding in findings(both)] == ["lost-before", "latency"]


def test_a_name_stands_in_a_command_as_a_shell_takes_it() -> None:
    odd = facts({"restarts": 1}, {"name": "/dev/my board; rm -rf"})
    [finding] = findings(odd)
    assert finding.command == "stty -F '/dev/my board; rm -rf' -hupcl"


def test_what_nobody_can_tell_is_told_with_the_reason() -> None:
    blind = Facts(
        replace(LINE, kind="pty", baud=NO_COUNTERS, latency_ms=NO_COUNTERS, low_latency=NO_COUNTERS),
        NO_COUNTERS,
        0,
        replace(SEEN, worst_late_us=Unknown("no times")),
    )
    assert unknowns(blind) == [
        ("what the driver counted", NO_COUNTERS.why),
        ("the speed that is really set", NO_COUNTERS.why),
        ("the adapter's latency timer", NO_COUNTERS.why),
        ("the low-latency flag", NO_COUNTERS.why),
        ("whether kit was late", "no times"),
    ]
    assert findings(blind) == []
