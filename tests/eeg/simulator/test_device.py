"""The simulated firmware: packets that the codecs read, counters, the auxiliary channels, the known bytes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from kit.eeg import p2, p3
from kit.eeg.records import Packet, Skipped
from kit.eeg.simulator.wish import Wish
from tests.eeg.simulator.sending import send

P3 = Wish(protocol="p3")


def _decoded(data: bytes, protocol: str) -> list[Packet]:
    decoder = p2.Decoder() if protocol == "p2" else p3.Decoder()
    events = decoder.feed(data) + decoder.finish()
    packets = [event for event in events if not isinstance(event, Skipped)]
    assert len(packets) == len(events)
    return packets


def test_p2_packets_have_six_channels_and_a_counter_to_255() -> None:
    packets = _decoded(send(count=600).data, "p2")
    assert [packet.counter for packet in packets] == [number % 256 for number in range(600)]
    assert {packet.auxiliary for packet in packets} == {0}
    assert all(len(packet.channels) == 6 for packet in packets)


@pytest.mark.parametrize("channels", [0, 2, 4, 6])
def test_p3_packets_have_as_many_channels_as_wished_and_a_counter_to_63(channels: int) -> None:
    packets = _decoded(send(wish=replace(P3, channels=channels), count=600).data, "p3")
    assert [packet.counter for packet in packets] == [number % 64 for number in range(600)]
    assert all(len(packet.channels) == channels for packet in packets)


def test_both_protocols_say_the_same() -> None:
    two, three = _decoded(send(count=4000).data, "p2"), _decoded(send(wish=P3, count=4000).data, "p3")
    assert [packet.channels for packet in two] == [packet.channels for packet in three]
    told = [(a.buttons, b.buttons) for a, b in zip(two, three, strict=True) if b.buttons is not None]
    assert len(told) == 500
    assert all(a == b for a, b in told)
    assert len(set(told)) > 1


@pytest.mark.parametrize("channels", [0, 6])
def test_p3_spells_the_firmwares_name_on_the_first_auxiliary_channel(channels: int) -> None:
    packets = _decoded(send(wish=replace(P3, channels=channels), count=720).data, "p3")
    letters = bytes(packet.auxiliary for packet in packets if packet.counter & 7 == 0)
    assert letters == b"mEEGv1.0\0" * 10
    assert {packet.auxiliary for packet in packets if packet.counter & 7 not in (0, 4)} == {0}


def test_after_a_restart_the_name_begins_anew() -> None:
    packets = _decoded(send("restart:at=1.1:pause=0.1", wish=P3, count=400).data, "p3")
    again = next(at for at in range(1, 400) if packets[at].counter != (packets[at - 1].counter + 1) % 64)
    letters = bytes(packet.auxiliary for packet in packets[again : again + 72] if packet.counter & 7 == 0)
    assert (again, letters) == (282, b"mEEGv1.0\0")


@pytest.mark.parametrize("block", [1, 3, 7, 100, 256])
@pytest.mark.parametrize("protocol", ["p2", "p3"])
def test_the_size_of_the_writes_changes_nothing(protocol: str, block: int) -> None:
    specs = ("lost:rate=0.1", "flip:every=9", "garbage:rate=0.05", "lost-bytes:rate=0.02:length=30")
    times = ("restart:at=1.5", "lost:at=2:burst=40", "stall:ms=16")
    wish = Wish(protocol=protocol)  # type: ignore[arg-type]
    sent = [send(*specs, *times, wish=wish, count=900, block=size) for size in (256, block)]
    assert sent[0] == sent[1]


@pytest.mark.parametrize(
    ("wish", "digest"),
    [
        (Wish(), "a7f539ea8b2c6ddd"),
        (Wish(seed=2), "2174f8f0e2fe41ce"),
        (P3, "25e78546dec3786a"),
        (Wish(gain=Wish().gain / 3, mains_hz=60), "67ceefbde55121d8"),
    ],
    ids=["p2", "another seed", "p3", "gain"],
)
def test_the_same_wish_gives_the_same_bytes_on_every_machine(wish: Wish, digest: str) -> None:
    """The figures were made with Python 3.11 and glibc on x86-64."""
    sent = send("lost:rate=0.1", "flip:rate=0.01", "garbage", wish=wish, count=20_000)
    assert hashlib.sha256(sent.data).hexdigest()[:16] == digest
