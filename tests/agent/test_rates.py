"""What two readings of the agent's counters say of the time between them."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kit.agent.extension import AgentMetrics, KeyMetrics, PeerRecord
from kit.agent.rates import Reading, compare

KEY = KeyMetrics(b"m" * 32, "mail", "rsa-2048", 0, 100, 10, 5, 9000, (10, 80, 20, 0))
METRICS = AgentMetrics(
    "0.1.0", 7, 1_700_000_000, False, 1, 2, 3, 4, 5, 6, 7, 0, False, 0, (100, 1000, 10_000), (KEY,)
)
PEER = PeerRecord(1000, 17, "nginx", 3, 1, 1_700_000_000, 100, 5)
BEFORE = Reading(50.0, METRICS, (PEER,), "")


def later(*keys: KeyMetrics, peers: tuple[PeerRecord, ...] = (), **changed: object) -> Reading:
    """Two seconds later."""
    return Reading(52.0, replace(METRICS, by_key=keys, **changed), peers, "")  # type: ignore[arg-type]


def test_a_rate_is_of_signatures_and_decryptions_in_the_interval() -> None:
    after = replace(KEY, signed=140, decrypted=20, refused=6, durations=(10, 80, 70, 0))
    rates = compare(BEFORE, later(after))
    assert rates.interval_s == 2
    assert (rates.operations_per_s, rates.refused_per_s) == (25, 0.5)
    assert (rates.keys[0].operations_per_s, rates.keys[0].refused_per_s) == (25, 0.5)
    assert (rates.keys[0].operations, rates.keys[0].refused) == (160, 6)


def test_a_latency_is_of_the_interval_alone() -> None:
    rates = compare(BEFORE, later(replace(KEY, signed=150, durations=(10, 80, 70, 0))))
    assert rates.keys[0].p50_s == 0.0055  # in the middle of what is above 1 ms and up to 10
    assert rates.keys[0].p99_s == 0.00991


def test_a_latency_beyond_all_bounds_is_known_to_be_no_more() -> None:
    assert compare(BEFORE, later(replace(KEY, durations=(10, 80, 20, 3)))).keys[0].p50_s == math.inf


def test_without_an_operation_there_is_no_latency() -> None:
    key = compare(BEFORE, later(KEY)).keys[0]
    assert (key.operations_per_s, key.p50_s, key.p99_s) == (0, None, None)


def test_a_first_reading_has_totals_and_no_rates() -> None:
    rates = compare(None, BEFORE)
    assert (rates.interval_s, rates.operations_per_s, rates.refused_per_s) == (None, None, None)
    key, peer = rates.keys[0], rates.peers[0]
    assert (key.operations, key.operations_per_s, key.refused_per_s, key.p50_s) == (110, None, None, None)
    assert (peer.operations_per_s, peer.refused_per_s) == (None, None)


def test_a_counter_that_went_down_began_again() -> None:
    rates = compare(BEFORE, later(replace(KEY, signed=6, decrypted=0, refused=2, durations=(6, 0, 0, 0))))
    assert (rates.keys[0].operations_per_s, rates.keys[0].refused_per_s) == (3, 1)
    assert rates.keys[0].p99_s == 0.000099


def test_a_new_key_and_a_new_client_count_from_nothing() -> None:
    new = replace(KEY, key_id=b"w", key_name="web", signed=4, decrypted=0, durations=(4, 0, 0, 0))
    again = replace(PEER, since_s=1_700_000_001, operations=120)
    rates = compare(BEFORE, later(new, KEY, peers=(again, PEER)))
    assert {key.name: key.operations_per_s for key in rates.keys} == {"web": 2, "mail": 0}
    assert [peer.operations_per_s for peer in rates.peers] == [60, 0]


def test_two_agents_have_no_difference() -> None:
    for changed in ({"pid": 8}, {"started_s": 1_700_000_001}, {"bounds_us": (1, 2, 3)}):
        rates = compare(BEFORE, later(replace(KEY, signed=900), **changed))
        assert (rates.interval_s, rates.operations_per_s) == (None, None)


def test_an_unlocked_agent_did_not_do_all_its_work_just_now() -> None:
    locked = Reading(50.0, replace(METRICS, locked=True, by_key=()), (PEER,), "")
    assert compare(locked, later(KEY)).operations_per_s is None
    assert compare(BEFORE, later(locked=True)).operations_per_s == 0


def test_the_busiest_come_first() -> None:
    keys = [replace(KEY, key_id=bytes([n]), key_name=str(n), signed=100 + n) for n in range(3)]
    peers = tuple(replace(PEER, connection=n, operations=n) for n in range(3))
    before = Reading(50.0, replace(METRICS, by_key=tuple(replace(key, signed=100) for key in keys)), (), "")
    rates = compare(before, later(*keys, peers=peers))
    assert [key.name for key in rates.keys] == ["2", "1", "0"]
    assert [peer.record.connection for peer in rates.peers] == [2, 1, 0]


def test_in_no_time_there_is_no_rate() -> None:
    assert compare(BEFORE, replace(later(replace(KEY, signed=900)), at_s=50.0)).operations_per_s == 0


COUNT = st.integers(0, 2**64 - 1)
KEYS = st.builds(
    replace,
    st.just(KEY),
    key_id=st.sampled_from([b"a", b"b"]),
    signed=COUNT,
    decrypted=COUNT,
    refused=COUNT,
    durations=st.tuples(COUNT, COUNT, COUNT, COUNT),
)


@given(st.lists(KEYS, max_size=3), st.lists(KEYS, max_size=3))
def test_whatever_is_counted_no_rate_is_negative(before: list[KeyMetrics], after: list[KeyMetrics]) -> None:
    rates = compare(replace(BEFORE, metrics=replace(METRICS, by_key=tuple(before))), later(*after))
    for key in rates.keys:
        for rate in (key.operations_per_s, key.refused_per_s, key.p50_s or 0, key.p99_s or 0):
            assert rate is not None
            assert rate >= 0
        assert (key.p50_s or 0) <= (key.p99_s or 0)
