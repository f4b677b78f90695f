"""The report, in words and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from kit.eeg.doctor.facts import Facts, Pause, Unknown
from kit.eeg.doctor.findings import findings, unknowns
from kit.eeg.doctor.record import records
from kit.eeg.doctor.words import lines
from kit.eeg.stats.skipped import Look
from tests.eeg.doctor.facts_of import COUNTERS, FACTS, LINE, SEEN

WHY = "a pty has no hardware behind it"
BLIND = Facts(
    replace(
        LINE,
        name="/dev/pts/7",
        kind="pty",
        tty=None,
        product=None,
        driver=None,
        baud=Unknown(WHY),
        latency_before_ms=Unknown(WHY),
        latency_ms=Unknown(WHY),
        low_latency=Unknown(WHY),
    ),
    Unknown(WHY),
    0,
    SEEN,
)
LOSSY = Facts(
    LINE,
    replace(COUNTERS, overruns=2),
    0,
    replace(
        SEEN,
        lost=40,
        lost_low=40,
        lost_high=296,
        skipped=9,
        looks=(Look("cut short", 1, 9, 34, b""),),
        pauses=(Pause(1700, 900_000, 890_000, 39),),
        worst_late_us=890_000,
    ),
)


def told(facts: Facts) -> list[str]:
    return list(lines(facts, findings(facts), unknowns(facts)))


def objects(facts: Facts) -> list[dict[str, object]]:
    texts = [json.dumps(each) for each in records(facts, findings(facts), unknowns(facts))]
    return [json.loads(text) for text in texts]


def test_a_healthy_port_is_told_in_figures() -> None:
    assert told(FACTS) == [
        "source    /dev/ttyUSB0 (FT232R USB UART, driver ftdi_sio)",
        "watched   10.0 s, 43520 bytes in 2500 reads",
        "packets   2560 of P2, none lost by the counter",
        "speed     57600 baud",
        "driver    counted 43520 bytes, 0 framing errors, 0 overruns, 0 parity errors, 0 breaks, "
        "0 buffer overruns",
        "latency   the adapter's timer is 1 ms",
        "flag      low latency is on",
        "kit       its latest wake-up was 0.3 ms late",
        "",
        "nothing was lost",
    ]


def test_what_nobody_can_tell_stands_in_one_line_for_one_reason() -> None:
    assert told(BLIND)[-3:] == [
        "unknown   what the driver counted, the speed that is really set, the adapter's latency timer, "
        f"the low-latency flag: {WHY}",
        "",
        "nothing was lost, as far as it can be seen here",
    ]


def test_a_finding_is_told_with_evidence_cure_and_command() -> None:
    text = told(LOSSY)
    at = text.index(
        "problem   the adapter's memory was full: bytes were lost before the kernel took them (sure)"
    )
    assert text[at + 1] == "          2 overruns by the driver's count"
    assert text[at + 2].startswith("cure      plug it straight into the machine")
    assert text[at + 3] == "          $ sudo setserial /dev/ttyUSB0 low_latency"
    assert "packets   2560 of P2, 40 lost (1.54 %), at least 40 and at most 296" in text
    assert "skipped   9 bytes: 9 look like 'cut short'" in text
    assert "pauses    1 without a byte, the longest 900 ms" in text
    assert text[-1] == "3 findings that cost packets"


def test_json_has_the_figures_first_and_an_object_for_each_finding() -> None:
    watched, *others = objects(LOSSY)
    assert watched["event"] == "watched"
    assert (watched["packets"], watched["lost"], watched["latency_ms"]) == (2560, 40, 1)
    assert watched["counters"] == {
        "received": 43520,
        "framing_errors": 0,
        "overruns": 2,
        "parity_errors": 0,
        "breaks": 0,
        "buffer_overruns": 0,
    }
    assert watched["pauses"] == [{"offset": 1700, "length_ms": 900.0, "late_ms": 890.0, "lost": 39}]
    assert watched["worst_late_ms"] == 890.0
    assert [(each["event"], each["kind"]) for each in others] == [
        ("finding", "overrun"),
        ("finding", "late"),
        ("finding", "damaged"),
    ]
    assert others[0]["command"] == "sudo setserial /dev/ttyUSB0 low_latency"


def test_what_nobody_can_tell_is_null_in_json_and_has_a_reason() -> None:
    watched, *others = objects(BLIND)
    assert watched["counters"] is None
    assert watched["baud"] is None
    assert {each["event"] for each in others} == {"unknown"}
    assert others[0] == {"event": "unknown", "what": "what the driver counted", "why": WHY}
