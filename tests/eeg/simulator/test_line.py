"""Each fault alone: what codec and accountant find is what the truth says, whenever the counter can tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from kit.eeg import p2, p3
from kit.eeg.loss import Accountant
from kit.eeg.records import Lost, Restarted, Run, Skipped, Stretch
from kit.eeg.sending.passages import Sending, Unplugged
from kit.eeg.simulator.faults import parse
from kit.eeg.simulator.simulation import simulate
from kit.eeg.simulator.wish import Wish
from tests.eeg.simulator.sending import Sent, send

P2, P3 = Wish(), Wish(protocol="p3")
PROTOCOLS = pytest.mark.parametrize(
    "wish", [P2, P3, replace(P3, channels=2)], ids=["p2", "p3", "p3 of 5 bytes"]
)


@dataclass(frozen=True)
class Received:
    """What a receiver without a clock makes of the bytes."""

    packets: int
    lost: int
    skipped: int
    gaps: tuple[tuple[int, int], ...]
    restarts: int


def _receive(sent: Sent, wish: Wish) -> Received:
    decoder = p2.Decoder() if wish.protocol == "p2" else p3.Decoder()
    accountant = Accountant(256 if wish.protocol == "p2" else 64, Fraction(256))
    spans = decoder.scan(sent.data) + decoder.scan_rest()
    items = [item for span in spans if isinstance(span, Stretch) for item in accountant.account(span)]
    items += accountant.settle()
    gaps = tuple((item.sequence, item.count) for item in items if isinstance(item, Lost))
    return Received(
        sum(len(item.stretch) for item in items if isinstance(item, Run)),
        sum(count for _, count in gaps),
        sum(span.count for span in spans if isinstance(span, Skipped)),
        gaps,
        sum(isinstance(item, Restarted) for item in items),
    )


def _check(sent: Sent, wish: Wish) -> Received:
    """The receiver's counts are the truth's, exactly."""
    found, seen = _receive(sent, wish), sent.end["seen"]
    assert {"packets": found.packets, "lost": found.lost, "skipped": found.skipped} == seen
    assert sent.end["exact"]
    return found


def _gaps(sent: Sent, *events: str) -> tuple[tuple[int, int], ...]:
    """What the faults took, packets in a row joined, without a beginning that no receiver knows of."""
    gaps: list[tuple[int, int]] = []
    for record in sent.faults:
        if record["event"] not in events or not record["detectable"]:
            continue
        sequence, count = record["sequence"], record["count"]
        if gaps and sum(gaps[-1]) == sequence:
            gaps[-1] = (gaps[-1][0], gaps[-1][1] + count)
        else:
            gaps.append((sequence, count))
    assert not gaps or gaps[0][0] > 0
    return tuple(gap for gap in gaps if sum(gap) < sent.end["packets"])


@PROTOCOLS
def test_without_a_fault_every_packet_comes(wish: Wish) -> None:
    found = _check(send(wish=wish, count=5000), wish)
    assert found == Received(5000, 0, 0, (), 0)


@PROTOCOLS
@pytest.mark.parametrize(
    "spec",
    [
        "lost:rate=0.01",
        "lost:rate=0.3",
        "lost:every=10",
        "lost:every=2",
        "lost:rate=0.01:burst=7",
        "lost:at=3:burst=30",
    ],
)
def test_lost_packets_are_found_one_by_one(wish: Wish, spec: str) -> None:
    sent = send(spec, wish=replace(wish, seed=5), count=5000)
    found = _check(sent, wish)
    assert found.gaps == _gaps(sent, "lost")
    assert found.lost > 0
    assert sent.end["lost"] + sent.end["delivered"] == 5000


@PROTOCOLS
@pytest.mark.parametrize("spec", ["lost-bytes:every=7", "lost-bytes:at=3:burst=1", "lost-bytes:rate=0.02"])
def test_a_packet_that_lost_a_byte_is_lost_and_its_bytes_are_skipped(wish: Wish, spec: str) -> None:
    """With this seed no two packets in a row lose a byte: they could look like one that did not."""
    sent = send(spec, wish=replace(wish, seed=8), count=2000)
    found = _check(sent, wish)
    assert found.gaps == _gaps(sent, "lost-bytes")
    assert found.lost == sent.end["damaged"] == len(sent.faults) > 0
    assert found.skipped == len(sent.faults) * (len(sent.data) + len(sent.faults)) // 2000 - len(sent.faults)


@PROTOCOLS
@pytest.mark.parametrize("length", [2, 4, 11, 16, 17, 18, 34, 40, 62, 64, 128])
def test_where_a_buffer_overran_two_packets_may_look_like_one(wish: Wish, length: int) -> None:
    sent = send(f"lost-bytes:rate=0.01:length={length}", wish=wish, count=5000)
    found, seen = _receive(sent, wish), sent.end["seen"]
    assert (found.packets, found.skipped) == (seen["packets"], seen["skipped"])
    assert found.lost == seen["lost"] or not sent.end["exact"]
    # A few more than by single faults: what two faults leave can look like a packet, too.
    assert 0 <= sent.end["disguised"] - sum(not record["detectable"] for record in sent.faults) <= 2


def test_a_buffer_of_whole_packets_that_overran_leaves_lookalikes_only() -> None:
    sent = send("lost-bytes:rate=0.01:length=17", count=5000)
    assert sent.end["disguised"] > 0.9 * len(sent.faults) > 10
    assert _check(sent, P2).skipped < 17 * len(sent.faults)


@PROTOCOLS
def test_a_flipped_bit_that_makes_a_packet_bad_costs_this_packet(wish: Wish) -> None:
    """The first byte of P2 is half of its sync, the last byte of P3 ends the packet."""
    byte, bit = (0, 3) if wish is P2 else ({6: 10, 2: 4}[wish.channels], 7)
    sent = send(f"flip:rate=0.03:byte={byte}:bit={bit}", wish=wish, count=5000)
    found = _check(sent, wish)
    assert found.gaps == _gaps(sent, "flip")
    assert found.lost == sent.end["damaged"] > 100


@PROTOCOLS
def test_a_flipped_bit_of_a_sample_is_not_to_be_seen(wish: Wish) -> None:
    sent = send(f"flip:rate=0.03:byte={5 if wish is P2 else 2}:bit=0", wish=wish, count=5000)
    assert _check(sent, wish).lost == 0
    assert not any(record["detectable"] for record in sent.faults)
    assert sent.end["disguised"] == sent.end["damaged"] == len(sent.faults) > 100


def test_a_flipped_bit_of_a_counter_makes_the_truth_inexact() -> None:
    sent = send("flip:at=1:byte=3", count=1000)
    assert [record["detectable"] for record in sent.faults] == [False]
    assert not sent.end["exact"]


@PROTOCOLS
def test_flipped_bits_anywhere_are_told_apart(wish: Wish) -> None:
    sent = send("flip:rate=0.02", wish=wish, count=5000)
    found, seen = _receive(sent, wish), sent.end["seen"]
    assert (found.packets, found.skipped) == (seen["packets"], seen["skipped"])
    assert {record["detectable"] for record in sent.faults} == {True, False}


@pytest.mark.parametrize("wish", [P2, P3], ids=["p2", "p3"])
@pytest.mark.parametrize(
    "spec", ["garbage:every=20", "garbage:rate=0.02:length=1", "garbage:rate=0.01:burst=3"]
)
def test_inserted_bytes_are_skipped_and_cost_no_packet(wish: Wish, spec: str) -> None:
    sent = send(spec, wish=wish, count=5000)
    found = _check(sent, wish)
    assert found.packets == 5000
    assert found.skipped == sum(record["bytes"] for record in sent.faults) > 0


@PROTOCOLS
def test_a_stall_changes_no_byte(wish: Wish) -> None:
    sent = send("stall:every=100:ms=300", "stall:ms=16", wish=wish)
    assert sent.data == send(wish=wish).data
    assert sent.end["stalls"] == 11
    assert [record["ms"] for record in sent.faults] == [16.0] + [300.0] * 10


def test_a_restart_is_found_where_the_counter_falls_by_less_than_half() -> None:
    sent = send("restart:at=1.1", count=1000)
    assert [(one["sequence"], one["counter"], one["detectable"]) for one in sent.faults] == [(282, 25, True)]
    assert _check(sent, P2).restarts == sent.end["restarts"] == 1


def test_a_restart_that_could_be_a_loss_makes_the_truth_inexact() -> None:
    sent = send("restart:at=0.7", count=1000)
    assert [(one["counter"], one["detectable"]) for one in sent.faults] == [(179, False)]
    assert not sent.end["exact"]


def test_a_gap_longer_than_the_period_makes_the_truth_inexact() -> None:
    exact = {burst: send(f"lost:at=1.1:burst={burst}", count=2000).end["exact"] for burst in (255, 256, 600)}
    assert exact == {255: True, 256: False, 600: False}
    assert _check(send("lost:at=1.1:burst=255", count=2000), P2).lost == 255


def test_packets_lost_before_the_first_and_after_the_last_nobody_can_count() -> None:
    sent = send("lost:at=0:burst=10", "lost:every=1000:burst=10", count=1000)
    assert (sent.end["lost"], sent.end["delivered"]) == (11, 989)
    assert _check(sent, P2).lost == 0


@pytest.mark.parametrize("wish", [P2, P3], ids=["p2", "p3"])
def test_all_faults_at_once_leave_the_packets_that_the_truth_says(wish: Wish) -> None:
    specs = (
        "lost:rate=0.05",
        "lost-bytes:rate=0.02",
        "flip:rate=0.02:byte=0:bit=7",
        "garbage:rate=0.02:length=5",
    )
    sent = send(*specs, wish=wish, count=20_000)
    found, seen = _receive(sent, wish), sent.end["seen"]
    assert (found.packets, found.skipped) == (seen["packets"], seen["skipped"])
    assert {record["event"] for record in sent.faults} == {"lost", "lost-bytes", "flip", "garbage"}


def test_the_offsets_are_those_in_the_stream_as_sent() -> None:
    noisy = send("garbage:rate=0.02", count=1000)
    skipped = [span.offset for span in p2.Decoder().scan(noisy.data) if isinstance(span, Skipped)]
    assert skipped == [record["offset"] for record in noisy.faults]
    holed = send("lost:rate=0.02", count=1000)
    assert len(holed.faults) > 10
    for record in holed.faults:
        counter = (record["counter"] + record["count"]) % 256
        assert holed.data.startswith(bytes([0xA5, 0x5A, 2, counter]), record["offset"])


@pytest.mark.parametrize("count", [1, 17, 999])
def test_it_makes_as_many_packets_as_wished(count: int) -> None:
    sent = send("lost-bytes:rate=0.5:length=40", "lost:rate=0.1", count=count)
    assert sent.end["packets"] == count


def test_a_duration_is_time_and_not_packets() -> None:
    wish = Wish(duration_s=Fraction(3))
    assert send(wish=wish, count=None).end["packets"] == 768
    assert send("restart:at=1:pause=1", wish=wish, count=None).end["packets"] == 512


def _passages(*specs: str, count: int = 600) -> list[Sending | Unplugged]:
    wish = Wish(count=count, faults=tuple(map(parse, specs)))
    return list(simulate(wish).line.passages(1))


def test_each_packet_has_its_time() -> None:
    ready_ns = [passage.ready_ns for passage in _passages(count=257)]
    assert ready_ns[256] - ready_ns[0] == 1_000_000_000
    assert ready_ns[0] // 1000 == 170 * 1_000_000 // 57_600


def test_a_stall_holds_back_what_comes_and_hands_it_over_at_once() -> None:
    passages = _passages("stall:at=1:ms=100")
    late = [passage for passage in passages if passage.ready_ns == 1_100_000_000]
    assert len(late) == 25
    assert [passage.ready_ns for passage in passages] == sorted(passage.ready_ns for passage in passages)


def test_a_latency_timer_cuts_where_it_ticks() -> None:
    passages = _passages("stall:ms=16")
    assert all(passage.ready_ns % 16_000_000 == 0 for passage in passages)
    data = b"".join(passage.data for passage in passages if isinstance(passage, Sending))
    assert data == send(count=600).data
    ticks = {passage.ready_ns for passage in passages}
    assert len(ticks) == max(ticks) // 16_000_000


def test_while_it_boots_a_device_sends_nothing() -> None:
    before, after = (passage.ready_ns for passage in _passages("restart:at=1:pause=0.25")[255:257])
    assert after - before == 250_000_000 + 1_000_000_000 // 256


def test_without_power_of_its_own_a_device_comes_back_with_counter_0() -> None:
    passages = _passages("unplug:at=0.5:back=0.25")
    gone = passages[128]
    assert isinstance(gone, Unplugged)
    assert gone.back_ns is not None and gone.back_ns - gone.ready_ns == 250_000_000
    after = passages[129]
    assert isinstance(after, Sending) and after.data[3] == 0
    assert after.ready_ns >= gone.back_ns


def test_with_power_of_its_own_it_goes_on_counting() -> None:
    sent = send("unplug:at=0.5:back=0.25:kept=1")
    assert [(one["sequence"], one["count"]) for one in sent.faults] == [(128, 64)]
    assert sent.data[128 * 17 + 3] == 192
    assert (sent.end["lost"], sent.end["unplugs"], sent.end["exact"]) == (64, 1, False)


def test_unplugged_for_good_it_sends_no_more() -> None:
    passages = _passages("unplug:at=0.5")
    assert isinstance(passages[-1], Unplugged)
    assert passages[-1].back_ns is None
    assert len(passages) == 129
