"""sim: sources: chunks at their times, the end, the device that goes."""

from __future__ import annotations

import time

import pytest

from kit.core.errors import Unavailable, UsageError
from kit.eeg import p2
from kit.eeg.records import Chunk, Gone
from kit.eeg.simulator.source import SimulatedSource, open_simulated
from tests.eeg.simulator.sending import send


def _chunks(source: SimulatedSource) -> list[Chunk]:
    return [piece for piece in source.chunks() if isinstance(piece, Chunk)]


def test_a_device_in_real_time_gives_each_packet_a_chunk_at_its_time() -> None:
    source = open_simulated("sim:count=64")
    began_ns = time.monotonic_ns()
    chunks = _chunks(source)
    assert source.live
    assert b"".join(chunk.data for chunk in chunks) == send(count=64).data
    last = chunks[-1].monotonic_ns
    assert last is not None
    assert last - began_ns >= 63 * 10**9 // 256
    assert all(chunk.wall_ns is not None for chunk in chunks)


def test_a_device_as_quick_as_it_goes_has_no_times() -> None:
    source = open_simulated("sim:speed=max,count=10000,seed=3")
    chunks = _chunks(source)
    assert not source.live
    assert {(chunk.monotonic_ns, chunk.wall_ns) for chunk in chunks} == {(None, None)}
    assert len(p2.Decoder().feed(b"".join(chunk.data for chunk in chunks))) == 10000


def test_a_latency_timer_hands_over_what_came_since_its_last_tick() -> None:
    chunks = _chunks(open_simulated("sim:count=64,fault=stall:ms=16"))
    times = [chunk.monotonic_ns for chunk in chunks]
    assert b"".join(chunk.data for chunk in chunks) == send(count=64).data
    assert 8 <= len(chunks) <= 18
    assert None not in times
    # A tick brings 69 or 70 bytes (16 ms at 256 packets of 17 bytes a second), packets cut where it falls.
    assert any(len(chunk.data) % 17 for chunk in chunks)


def test_a_silent_device_gives_empty_chunks_so_that_its_reader_sees_the_time() -> None:
    chunks = _chunks(open_simulated("sim:count=20,fault=restart:at=0.04:pause=0.8"))
    assert sum(not chunk.data for chunk in chunks) >= 1


def test_a_device_that_is_unplugged_is_not_available() -> None:
    source = open_simulated("sim:fault=unplug:at=0.05")
    with pytest.raises(Unavailable, match="unplugged"):
        _chunks(source)


def test_with_reconnect_a_device_that_comes_back_is_waited_for() -> None:
    source = open_simulated("sim:count=40,fault=unplug:at=0.05:back=0.1", reconnect=True)
    pieces = list(source.chunks())
    gone = [piece for piece in pieces if isinstance(piece, Gone)]
    data = b"".join(piece.data for piece in pieces if isinstance(piece, Chunk))
    assert len(gone) == 1
    assert len(p2.Decoder().feed(data)) == 40


def test_closing_it_ends_its_chunks() -> None:
    source = open_simulated("sim:")
    began_s = time.monotonic()
    for number, _ in enumerate(source.chunks()):
        if number == 3:
            source.close()
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("sim:speed=fast", "speed=fast in 'sim:speed=fast' is not a number, or max"),
        ("sim:colour=red", "no 'colour' in 'sim:colour=red'"),
        ("sim:fault=lots", "no fault 'lots' in 'lots'"),
        ("sim:protocol=p2,channels=2", "P2 has six channels, not 2"),
        ("sim:rate=0", "rate=0 in 'sim:rate=0' is not a number of hertz from 1 to 100000"),
    ],
)
def test_what_a_spec_says_wrong_is_quoted(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        open_simulated(spec)
    assert str(error.value) == said
