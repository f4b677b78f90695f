"""The ledger: what goes out in which pieces, what does not fit, what a receiver can see of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.eeg import p2, p3
from kit.eeg.records import Skipped, Stretch
from kit.eeg.sending.passages import Sending
from kit.eeg.simulator.faults import parse
from kit.eeg.simulator.seen import lookalikes
from kit.eeg.simulator.signal import PERIOD
from kit.eeg.simulator.simulation import simulate
from kit.eeg.simulator.wish import Wish
from tests.eeg.simulator.sending import send


def _send_some(taken: list[int], *specs: str, count: int = 60) -> tuple[bytes, list[Mapping[str, Any]]]:
    """A device whose line takes so many bytes of each write, in turn."""
    truth: list[Mapping[str, Any]] = []
    simulation = simulate(Wish(count=count, faults=tuple(map(parse, specs))), truth.append)
    out = bytearray()
    for number, passage in enumerate(simulation.line.passages(7)):
        if isinstance(passage, Sending):
            fits = min(taken[number % len(taken)], len(passage.data))
            simulation.ledger.sent(passage.data[:fits])
            simulation.ledger.dropped(len(passage.data) - fits)
            out += passage.data[:fits]
    simulation.ledger.close()
    return bytes(out), truth


@given(st.lists(st.integers(0, 130), min_size=1, max_size=8), st.booleans())
def test_what_does_not_fit_is_in_the_truth(taken: list[int], faulty: bool) -> None:
    specs = ("lost:every=5", "garbage:every=9", "flip:every=11:byte=0") if faulty else ()
    data, truth = _send_some(taken, *specs)
    end = truth[-1]
    assert end["bytes"] == len(data)
    assert end["packets"] == 60 == end["delivered"] + end["damaged"] + end["lost"]
    assert end["bytes_lost"] == sum(one["bytes"] for one in truth if one["event"] == "overflow")
    if not end["exact"]:
        return
    decoder = p2.Decoder()
    spans = decoder.scan(data) + decoder.scan_rest()
    assert end["seen"]["packets"] == sum(len(span) for span in spans if isinstance(span, Stretch))
    assert end["seen"]["skipped"] == sum(span.count for span in spans if isinstance(span, Skipped))


@pytest.mark.parametrize("size", [1, 5, 17, 100, 10_000])
@pytest.mark.parametrize("ahead", [True, False])
def test_bytes_may_go_out_late_and_in_pieces_of_any_size(size: int, ahead: bool) -> None:
    specs = ("flip:every=7", "lost:every=9", "garbage:every=10", "restart:at=0.1", "stall:at=0.15")
    wish = Wish(count=50, faults=tuple(map(parse, specs)))
    truths: list[list[Mapping[str, Any]]] = [[], []]
    plain, pieces = (simulate(wish, truth.append) for truth in truths)
    for passage in plain.line.passages(4):
        assert isinstance(passage, Sending)
        plain.ledger.sent(passage.data)
    passages = pieces.line.passages(4)
    for passage in list(passages) if ahead else passages:
        assert isinstance(passage, Sending)
        for at in range(0, len(passage.data), size):
            pieces.ledger.sent(passage.data[at : at + size])
    plain.ledger.close()
    pieces.ledger.close()
    assert truths[0] == truths[1]
    assert [one["event"] for one in truths[0]].count("lost") == 5


def test_a_packet_that_was_cut_at_the_end_is_damaged() -> None:
    truth: list[Mapping[str, Any]] = []
    simulation = simulate(Wish(count=3), truth.append)
    (passage,) = simulation.line.passages(3)
    assert isinstance(passage, Sending)
    simulation.ledger.sent(passage.data[:40])
    simulation.ledger.close()
    end = truth[-1]
    assert (end["packets"], end["delivered"], end["damaged"]) == (3, 2, 1)
    assert end["seen"] == {"packets": 2, "lost": 0, "skipped": 6}


def test_what_was_made_and_not_yet_sent_does_not_count() -> None:
    truth: list[Mapping[str, Any]] = []
    simulation = simulate(Wish(), truth.append)
    passages = simulation.line.passages(10)
    first, _ = next(passages), next(passages)
    assert isinstance(first, Sending)
    simulation.ledger.sent(first.data)
    simulation.ledger.close()
    assert truth[-1]["packets"] == 10


def test_packets_lost_in_a_row_are_one_record() -> None:
    _, truth = _send_some([200], "lost:every=10:burst=4")
    gaps = [(one["sequence"], one["count"]) for one in truth[:-1]]
    assert gaps == [*((at, 4) for at in range(9, 59, 10)), (59, 1)]


@pytest.mark.parametrize(
    ("layout", "data", "counters"),
    [
        (p2.LAYOUT, b"\xa5\x5a\x02\x07" + b"\x03\xff" * 6 + b"\x0f", [7]),
        (p2.LAYOUT, b"\xa5\x5a\x02\x07" + b"\x03\xff" * 5 + b"\x04\xff\x0f", []),
        (p2.LAYOUT, b"\xa5\x5a\x02\x07" + b"\x03\xff" * 6, []),
        (p2.LAYOUT, b"\xa5\xa5\x5a\x02\x07" + b"\x00\xa5" * 6 + b"\x0f" + b"\xa5\x5a\x02", [7]),
        (p2.LAYOUT, b"\xa5\x5a\x02\x07" + b"\x03\xff" * 6 + b"\xa5", [-1]),
        (p3.layout(2), b"\x0e\x00\x01\x02\xb4", [7]),
        (p3.layout(2), b"\x7f\x7f\x0e\x00\x01\x02\xb4\x80", [7]),
        (p3.layout(2), b"\x0e\x00\x01\x02\xbc", []),
        (p3.layout(0), b"\x0e\x80", [7]),
        (p3.layout(2), b"", []),
    ],
)
def test_a_lookalike_is_what_the_protocol_calls_a_packet(
    layout: Any, data: bytes, counters: list[int]
) -> None:
    assert lookalikes(layout, data) == counters


def test_what_is_in_the_signal_is_in_the_truth_whatever_becomes_of_its_packets() -> None:
    wish = Wish(bursts=True)
    clean = send(wish=wish, count=20_000)
    assert {record["event"] for record in clean.happened} == {"blink", "press", "burst"}
    assert clean.happened == send(wish=wish, count=20_000, block=7).happened
    lost = send("lost:rate=0.5", wish=wish, count=20_000)
    assert lost.happened == clean.happened
    sequences = [record["sequence"] for record in clean.happened]
    assert sequences == sorted(sequences)
    assert sequences[-1] > PERIOD  # it goes on as it began


def test_a_press_is_where_the_truth_says() -> None:
    sent = send(count=20_000)
    spans = p2.Decoder().scan(sent.data)
    switches = [packet.buttons for span in spans if isinstance(span, Stretch) for packet in span.packets()]
    pressed = {at for at, state in enumerate(switches) if state != 15}
    expected = set()
    for press in (record for record in sent.happened if record["event"] == "press"):
        expected |= set(range(press["sequence"], min(press["sequence"] + press["count"], 20_000)))
        assert switches[press["sequence"]] == 15 ^ 1 << (press["button"] - 1)
    assert pressed == expected
