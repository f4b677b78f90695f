"""The report as a person reads it, and as a program does."""

from __future__ import annotations

import json
from typing import Any

from kit.eeg.clock import Rate
from kit.eeg.records import Lost, Skipped
from kit.eeg.scale import Scale
from kit.eeg.stats.diagnosis import diagnose
from kit.eeg.stats.gathering import Statistics
from kit.eeg.stats.live import INTERVAL_NS, Refresh, view
from kit.eeg.stats.record import record
from kit.eeg.stats.report import Report
from kit.eeg.stats.timeline import Bucket
from kit.eeg.stats.words import bars, channel_notes, channel_table, facts
from tests.eeg.stats.streams import run_of, timed, with_gaps


def _report(*items: Any, rate: Rate | None = None) -> Report:
    statistics = Statistics()
    statistics.add(items)
    return statistics.report(rate)


def _facts(report: Report, as_bars: bool = False) -> dict[str, str]:
    return dict(facts(report, as_bars))


def test_what_was_lost_is_told_with_its_bounds() -> None:
    found = _facts(_report(*with_gaps([(20, 3), (40, 1), (60, 1)], 100)))
    assert found["stream"].startswith("raw, P2 (17 bytes a packet), 6 channels, 256 packets a second")
    assert found["packets"] == "95 received, 100 expected, in 0.4 s"
    assert found["lost"] == "5 (5 %; 95 % bounds 1.5 to 16 %)"
    assert found["gaps"] == "3: 2x1, 1x3 (gaps x packets)"


def test_the_course_is_bars_for_a_person_and_numbers_in_a_pipe() -> None:
    report = _report(*with_gaps([(20, 3), (40, 1)], 64))
    assert _facts(report)["course"] == "0 0 0 0 0 3 0 0 0 0 1 0 0 0 0 0 (lost in each 0.0156 s)"
    assert _facts(report, True)["course"].startswith("▁" * 20 + "███" + "▁" * 17 + "█" + "▁" * 23)


def test_a_little_loss_is_higher_than_none() -> None:
    assert bars([Bucket(99, 1, 1), Bucket(0, 100, 1), Bucket(100, 0, 0)]) == "▂█▁"
    assert bars([Bucket(5, 0, 0)] * 3) == "▁▁▁"


def test_what_is_not_known_is_not_told() -> None:
    found = _facts(_report(run_of(10)))
    assert not {"gaps", "course", "rate", "arrival", "jitter"} & set(found)
    assert "lost" not in _facts(_report(Skipped(0, b"xyz")))


def test_times_are_told_where_they_were_measured() -> None:
    items = timed([run_of(300)], lambda number: number % 7 * 100)
    found = _facts(_report(*items, rate=Rate(255.98, -78.1, 12.0)))
    assert found["rate"] == "255.980 packets a second, -78 ± 12 ppm from nominal"
    assert found["arrival"] == ("from packet to packet 4.00 (half), 4.00 (95 %), 4.00 (99 %), 4.01 ms (all)")
    made = _facts(_report(*timed([run_of(300)], lambda _: 0), rate=Rate(256.0, 0.0, 1.0)))
    assert not {"rate", "arrival"} & set(made)


def test_skipped_bytes_are_shown() -> None:
    statistics = Statistics()
    statistics.add([run_of(5), Skipped(85, b"\xa5\x5a\x02\x07"), Lost(5, 1, 89, low=1, high=1), run_of(5, 6)])
    shown = [text for label, text in facts(statistics.report(), bars=False) if label == "skipped"]
    assert shown == [
        "4 bytes in 1 run",
        "cut short: 4 bytes in 1 run, the first at byte 85: a5 5a 02 07",
    ]


def test_the_microvolts_say_where_they_come_from() -> None:
    report = _report(run_of(300, value=612))
    head, rows = channel_table(report, Scale())
    cells = dict(zip(head, rows[0], strict=True))
    assert (cells["mean"], cells["mean µV"], cells["sd µV"], cells["flat"]) == ("612.0", "50.0", "0.0", "300")
    assert "nominal" in channel_notes(report, Scale())[-1]
    assert "as given" in channel_notes(report, Scale(0.25, 500, "given"))[-1]


def test_hum_without_a_whole_block_is_not_zero_but_unknown() -> None:
    head, rows = channel_table(_report(run_of(200)), Scale())
    assert dict(zip(head, rows[0], strict=True))["50 Hz"] == "-"
    assert record(_report(run_of(200)), (), Scale())["channels"][0]["hum"] == []


def test_the_record_is_json_with_null_for_what_is_not_known() -> None:
    report = _report(*with_gaps([(20, 3)], 100))
    found = json.loads(json.dumps(record(report, diagnose(report), Scale())))
    assert (found["packets"], found["lost"], found["loss_percent"]) == (97, 3, 3.0)
    assert found["loss_percent_low"] < 3 < found["loss_percent_high"]
    assert found["gap_lengths"] == [{"from": 3, "to": 3, "gaps": 1}]
    assert found["rate_hz"] is found["arrival"] is None
    assert found["findings"][0]["kind"] == "too-few"
    nothing = record(_report(Skipped(0, b"xyz")), (), Scale())
    assert nothing["loss_percent"] is nothing["loss_percent_high"] is nothing["protocol"] is None


def test_the_view_has_a_line_a_fact_and_aligned_channels() -> None:
    lines = view(_report(run_of(300)), Scale())
    assert lines[1].startswith("packets  300 received")
    table = lines[lines.index("") + 1 :]
    assert len(table) == 7
    assert len({len(line) for line in table}) == 1
    assert view(_report(), Scale())[1] == "packets  none"


def test_a_view_is_due_four_times_a_second_and_not_at_once() -> None:
    refresh = Refresh(0)
    due = [at for at in range(0, 3_000_000_000, 10_000_000) if refresh.is_due(at)]
    assert due[0] == 2 * INTERVAL_NS
    assert len(due) == 10
