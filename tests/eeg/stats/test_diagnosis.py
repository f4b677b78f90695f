"""What is said of a loss, and what is not said where chance could have done it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from kit.eeg import p2
from kit.eeg.clock import Rate
from kit.eeg.records import Duplicate, Interrupted, Item, Lost, Restarted, Run, Skipped
from kit.eeg.stats.diagnosis import diagnose
from kit.eeg.stats.findings import Finding, ordinal
from kit.eeg.stats.gathering import Statistics
from tests.eeg.stats.streams import run_of, timed, with_gaps


def _found(items: Iterable[Item], form: str = "raw", rate: Rate | None = None) -> dict[str, Finding]:
    statistics = Statistics(format=form)
    statistics.add(items)
    return {finding.kind: finding for finding in diagnose(statistics.report(rate))}


def _kinds(items: Iterable[Item], form: str = "raw") -> set[str]:
    return set(_found(items, form))


def _by_chance(share: float, end: int, seed: int = 1) -> list[tuple[int, int]]:
    draw = random.Random(seed)
    return [(at, 1) for at in range(1, end - 1, 2) if draw.random() < 2 * share]


def _damaged(items: Sequence[Item]) -> list[Item]:
    """The bytes of each lost packet are there, and no packets."""
    out: list[Item] = []
    for item in items:
        if isinstance(item, Lost):
            out.append(Skipped(item.sequence * p2.SIZE, bytes(item.count * p2.SIZE)))
        out.append(item)
    return out


def test_without_times_it_is_no_loss_that_the_counter_shows() -> None:
    found = _found([run_of(300)])
    assert set(found) == {"none-shown"}
    assert "256 packets in a row" in found["none-shown"].text
    assert "has no times" in found["none-shown"].evidence


def test_with_measured_times_it_is_no_loss() -> None:
    assert _kinds(timed([run_of(300)], lambda number: number % 7 * 100)) == {"no-loss"}


def test_times_that_follow_from_the_counter_are_no_proof() -> None:
    found = _found(timed([run_of(300)], lambda number: 0))
    assert set(found) == {"none-shown"}
    assert "follow from the counter" in found["none-shown"].evidence


def test_single_packets_whose_bytes_are_damaged_point_to_noise() -> None:
    finding = _found(_damaged(with_gaps(_by_chance(0.01, 8000), 8000)))["single-packets"]
    assert "noise on the line" in finding.text


def test_single_packets_without_a_trace_do_not() -> None:
    finding = _found(with_gaps(_by_chance(0.01, 8000), 8000))["single-packets"]
    assert "without a trace" in finding.text


def test_of_a_text_that_keeps_no_bytes_both_is_said() -> None:
    finding = _found(with_gaps(_by_chance(0.01, 8000), 8000), "eegreader")["single-packets"]
    assert "only raw bytes tell" in finding.text


def test_every_50th_packet_is_named_with_its_bytes() -> None:
    found = _found(with_gaps([(at, 1) for at in range(49, 3000, 50)], 3000))
    assert set(found) == {"every-nth"}
    assert "every 50th packet" in found["every-nth"].text
    assert "850 bytes" in found["every-nth"].text


def test_every_other_packet_is_named_too() -> None:
    assert "every 2nd" in _found(with_gaps([(at, 1) for at in range(1, 60, 2)], 60))["every-nth"].text


def test_runs_of_one_length_name_the_buffer() -> None:
    draw = random.Random(2)
    gaps = [(500 * k + draw.randrange(300), 8) for k in range(1, 12)]
    found = _found(with_gaps(gaps, 7000))
    assert "a buffer of 136 bytes" in found["equal-runs"].text
    assert "11 of 11 gaps are 8 packets" in found["equal-runs"].evidence


def test_a_buffer_that_is_no_multiple_of_a_packet_is_named_to_the_byte() -> None:
    """4096 bytes are 240 packets and 16 bytes: what is left of the packets at both ends is skipped."""
    items: list[Item] = []
    for item in with_gaps([(700 * k, 242 - (k % 3 == 0)) for k in range(1, 9)], 6500):
        if isinstance(item, Lost):
            items.append(Skipped(item.offset, bytes(item.count * p2.SIZE - 4096)))
        items.append(item)
    found = _found(items)
    assert "a buffer of 4096 bytes" in found["equal-runs"].text


def _late(number: int) -> int:
    """Each 500th packet comes 0.3 s late, and what is behind it in one go."""
    behind = number % 500
    return max(0, 300_000 - behind * 3906) if number >= 500 else 0


def test_losses_behind_long_pauses_point_to_a_late_reader() -> None:
    gaps = [(500 * k + 20 + k, 3 + k) for k in range(1, 9)]
    found = _found(timed(with_gaps(gaps, 5000), _late), "csv")
    assert "the reader or the USB stack was late" in found["late-reader"].text
    assert found["late-reader"].evidence.startswith("8 of 8 gaps come within 0.1 s of one of 9 pauses")


def test_losses_elsewhere_do_not() -> None:
    gaps = [(500 * k + 200 + k, 3 + k) for k in range(1, 9)]
    assert _kinds(timed(with_gaps(gaps, 5000), _late), "csv") == {"too-few"}


def test_the_time_of_the_lost_packets_is_no_pause() -> None:
    gaps = [(500 * k + k, 40 + 7 * k) for k in range(1, 9)]
    assert "late-reader" not in _kinds(timed(with_gaps(gaps, 5000), lambda number: number % 5), "csv")


def test_losses_that_crowd_are_bouts() -> None:
    draw = random.Random(4)
    gaps = [(at, 1) for at in range(1, 8000) if 3000 < at < 3400 and draw.random() < 0.15]
    found = _found(with_gaps(gaps, 8000))
    assert "bouts" in found
    assert "single-packets" not in found


@pytest.mark.parametrize("seed", range(6))
def test_losses_by_chance_have_no_other_pattern(seed: int) -> None:
    kinds = _kinds(with_gaps(_by_chance(0.02, 6000, seed), 6000))
    assert kinds == {"single-packets"}


def test_bursts_of_any_length_have_no_pattern() -> None:
    draw = random.Random(9)
    gaps = [(200 * k + draw.randrange(100), 1 + int(draw.expovariate(1 / 6))) for k in range(1, 40)]
    assert _kinds(with_gaps(gaps, 9000)) == {"no-pattern"}


def test_the_blogs_sample_is_too_few_to_tell() -> None:
    missing = (0x53, 0x56, 0x58, 0x5A, 0x5C)
    found = _found(with_gaps([(counter - 0x52, 1) for counter in missing], 12))
    assert set(found) == {"too-few"}
    assert "5 gaps, each of 1 packet" in found["too-few"].evidence


def test_a_restart_is_told_with_what_it_could_be_instead() -> None:
    items: list[Item] = [run_of(100), Restarted(100, 0, 1700, 155), run_of(10, 100)]
    found = _found(items)
    assert set(found) == {"restart"}
    assert "155 packets were lost" in found["restart"].text


def _gap_to_zero(sequence: int, count: int) -> Lost:
    return Lost(sequence, count, 0, low=count, high=count, may_be_restart=True)


def test_one_gap_that_ends_at_zero_may_be_a_restart() -> None:
    found = _found([run_of(100), _gap_to_zero(100, 20), run_of(10, 120)])
    assert set(found) == {"too-few", "maybe-restart"}


def test_many_that_do_are_restarts() -> None:
    items: list[Item] = [run_of(100)]
    for at in range(100, 1000, 100):
        items += [_gap_to_zero(at, 20 + at // 50), run_of(60, at + 40)]
    assert "likely-restart" in _kinds(items)


def test_a_flipped_counter_is_no_loss() -> None:
    """A packet whose counter jumps away, and the next one whose counter is where it should be."""
    found = _found(with_gaps([(100, 63), (164, 193)], 500))
    assert set(found) == {"flipped-counter"}
    assert "256 of the packets that are counted as lost were not" in found["flipped-counter"].text


def test_bytes_between_packets_of_which_none_is_lost_are_inserted() -> None:
    found = _found([run_of(100), Skipped(1700, b"xyz"), run_of(100, 100)])
    assert found["inserted"].evidence == "3 bytes"


def test_a_stream_that_is_cut_into_is_not_suspicious() -> None:
    assert _kinds([Skipped(0, b"\x01\xff\x02\x00\x0f"), run_of(100)]) == {"none-shown"}


_BAD_VERSION = b"\xa5\x5a\x03" + bytes(14)
_BAD_HIGH = b"\xa5\x5a\x02" + b"\x00\x07" * 7
_CUT = b"\xa5\x5a\x02\x07\x01"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (_BAD_VERSION, "a version that kit does not know"),
        (_BAD_HIGH, "bytes were lost or added inside packets"),
        (_CUT, "packets are cut short"),
        (b"temperature is 21 degrees\r\n", "writes text between the packets"),
        (bytes(20), "stands still at one value"),
    ],
)
def test_skipped_bytes_point_to_what_they_look_like(data: bytes, text: str) -> None:
    items: list[Item] = []
    for at in range(0, 2000, 100):
        items += [run_of(95, at), Skipped(at, data), Lost(at + 95, 5, 0, low=5, high=5)]
    assert text in _found(items)["skipped"].text


def test_a_line_of_noise_is_called_so() -> None:
    noise = bytes(random.Random(1).randrange(256) for _ in range(5000))
    assert "mostly-skipped" in _kinds([run_of(50), Skipped(850, noise), run_of(50, 50)])


def test_bytes_without_a_packet_are_not_openeeg() -> None:
    found = _found([Skipped(0, b"hello, this is something else\n")])
    assert set(found) == {"not-openeeg"}
    assert "look like: text" in found["not-openeeg"].evidence


def test_packets_whose_counters_are_no_sequence_are_not_openeeg() -> None:
    draw = random.Random(6)
    gaps, at = [], 1
    for _ in range(100):
        gaps.append((at, draw.randrange(256)))
        at += gaps[-1][1] + 1
    assert _kinds(with_gaps(gaps, at)) == {"not-openeeg"}


def test_a_device_that_was_away_and_one_that_repeats_are_told() -> None:
    again = replace(run_of(1, 99), repeated=True)
    items: list[Item] = [run_of(100), Duplicate(99, 1700), again]
    items += [Interrupted(1717, 5, "unplugged"), Lost(100, 300, 1717, "time", 290, 310), run_of(10, 400)]
    found = _found(items)
    assert found["order"].evidence == "1 came twice, 0 late"
    assert "300 packets lost meanwhile" in found["away"].evidence
    assert "no-loss" not in found
    assert "none-shown" not in found


def test_a_rate_that_is_not_the_nominal_one_is_told() -> None:
    items: list[Item] = timed([run_of(300)], lambda number: number % 7 * 100)
    assert "rate" in _found(items, rate=Rate(250.0, -23437.5, 40.0))
    assert "rate" not in _found(items, rate=Rate(256.01, 39.0, 10.0))
    assert "rate" not in _found(items, rate=Rate(250.0, -23437.5, 20000.0))


def test_no_answer_is_given_twice_and_each_has_its_evidence() -> None:
    for items in ([run_of(9)], with_gaps(_by_chance(0.02, 3000), 3000), with_gaps([(5, 2)], 10)):
        statistics = Statistics()
        statistics.add(items)
        findings = diagnose(statistics.report())
        assert len({finding.kind for finding in findings}) == len(findings)
        assert all(finding.text and finding.evidence for finding in findings)


def test_ordinals_are_english() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 102)
    assert " ".join(map(ordinal, numbers)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd"


def test_nothing_at_all_is_no_finding() -> None:
    assert _found([]) == {}


def test_runs_are_what_the_helpers_say() -> None:
    """The helper of these tests leaves out exactly what it says."""
    runs = [item for item in with_gaps([(3, 2)], 10) if isinstance(item, Run)]
    assert [(run.sequence, list(run.stretch.counters)) for run in runs] == [
        (0, [0, 1, 2]),
        (5, [5, 6, 7, 8, 9]),
    ]
