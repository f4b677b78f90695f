"""What kit agent top shows of an agent's rates."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.extension import AgentMetrics, KeyMetrics, PeerRecord
from kit.agent.rates import KeyRates, Reading, compare
from kit.cli.agent.top_views import Away, View, blocks, fields
from kit.core.output import Table

KEY = KeyMetrics(b"m" * 32, "mail", "rsa-2048", 0, 100, 10, 5, 9000, (110, 0, 0, 0))
METRICS = AgentMetrics(
    "0.1.0", 7, 1000, False, 1, 2, 3, 4, 5, 6, 7, 1, False, 0, (100, 1000, 500_000), (KEY,)
)
PEER = PeerRecord(4_000_000_000, 17, "nginx", 3, 1, 1000, 100, 5)


def view(keys: tuple[KeyMetrics, ...], peers: int = 1, audit: str = "", **changed: object) -> View:
    """After an interval of a second in which nothing was done before."""
    metrics = replace(METRICS, by_key=keys, **changed)  # type: ignore[arg-type]
    records = tuple(replace(PEER, connection=number) for number in range(peers))
    before = Reading(1.0, replace(metrics, locked=False, by_key=(KEY,)), (), audit)
    after = Reading(2.0, metrics, records, audit)
    return View(after, compare(before, after), 4600.0)


def rows(shown: View, lines: int | None = None) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    keys, peers = (block for block in blocks(shown, lines) if isinstance(block, Table))
    return [tuple(row) for row in keys.rows], [tuple(row) for row in peers.rows]


def test_the_head_says_how_the_agent_is() -> None:
    shown = view((KEY,), locked=True, workers=1, audit="/var/log/kit.json (cannot be written)")
    assert blocks(shown, None)[:2] == [
        "kit agent 0.1.0, pid 7, up 1h0m, 1 worker, 3 connections, 1 key, locked",
        "0.0 operations/s, 0.0 refused/s, 1 restart, audit log /var/log/kit.json (cannot be written)",
    ]


def test_a_key_and_a_client_have_a_row() -> None:
    key = replace(KEY, signed=350, refused=6, durations=(360, 0, 0, 0), expires_s=4600 + 60)
    assert rows(view((key,))) == (
        [("mail", "rsa-2048", "250", "360", "6", "50 µs", "99 µs", "1m0s")],
        [("4000000000", "17", "nginx", "1", "100", "100", "5", "1h0m")],
    )


@pytest.mark.parametrize(
    ("durations", "said"),
    [
        ((111, 0, 0, 0), "99 µs"),
        ((110, 1, 0, 0), "991 µs"),
        ((110, 0, 1, 0), "495 ms"),
        ((110, 0, 0, 1), ">500 ms"),
        ((110, 0, 0, 0), "-"),
    ],
)
def test_a_latency_is_said_in_its_unit(durations: tuple[int, ...], said: str) -> None:
    assert rows(view((replace(KEY, durations=durations),)))[0][0][6] == said


def test_beyond_all_bounds_json_has_the_largest() -> None:
    shown = view((replace(KEY, durations=(110, 0, 0, 1)),))
    assert shown.rates.keys[0].p99_s == math.inf
    assert fields(shown)["keys"][0]["p99_s"] == 0.5


def test_names_are_made_fit_to_be_shown() -> None:
    name = "\x1b[2J" + "n" * 300
    shown = view((replace(KEY, key_name=name),), audit="\x1b")
    assert rows(shown)[0][0][0] == r"\x1b[2J" + "n" * 35 + "…"
    assert not any("\x1b" in block for block in blocks(shown, None) if isinstance(block, str))
    assert fields(shown)["keys"][0]["name"] == name
    assert blocks(Away("\x1b", 1.0), None)[1] == r"\x1b"


@given(st.integers(0, 300), st.integers(0, 300), st.integers(12, 200))
def test_what_is_shown_fits_and_what_is_not_is_counted(keys: int, peers: int, lines: int) -> None:
    shown = view(tuple(replace(KEY, key_id=bytes([n // 256, n % 256])) for n in range(keys)), peers)
    found = blocks(shown, lines)
    heights = [1 if isinstance(block, str) else 1 + len(block.rows) for block in found]
    assert sum(heights) <= lines
    key_rows, peer_rows = rows(shown, lines)
    hidden = [int(block.split()[1]) for block in found if isinstance(block, str) and block.startswith("and ")]
    assert len(key_rows) + len(peer_rows) + sum(hidden) == keys + peers
    assert not hidden or sum(heights) == lines


def test_without_a_screen_everything_is_shown() -> None:
    key_rows, peer_rows = rows(view(tuple(replace(KEY, key_id=bytes([n])) for n in range(99)), 99))
    assert (len(key_rows), len(peer_rows)) == (99, 99)


def test_who_is_away_has_few_words() -> None:
    assert fields(Away("no agent", 5.0)) == {"time_s": 5.0, "answers": False, "why": "no agent"}


def test_rates_that_are_not_known_are_null() -> None:
    first = view((KEY,))
    unknown = View(first.reading, compare(None, first.reading), 4600.0)
    found = fields(unknown)
    assert (found["interval_s"], found["operations_per_s"], found["keys"][0]["p50_s"]) == (None, None, None)
    assert isinstance(unknown.rates.keys[0], KeyRates)
    assert rows(unknown)[0][0][2] == "-"
