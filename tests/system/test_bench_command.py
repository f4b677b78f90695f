"""`kit tls bench`: figures for both sides of each case."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from kit.tls.bench import AGENT, LOCAL, Case, Comparison, Round, rows

Kit = Callable[..., subprocess.CompletedProcess[str]]
SHORT = ("--rounds", "1", "--round-time", "0.15", "-n", "3")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_each_key_is_compared_at_one_and_at_several_connections(kit: Kit, version: str) -> None:
    done = kit("tls", "bench", "--json", "--tls", version, *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["key"], each["connections"]) for each in found] == [
        (key, count) for key in ("rsa-2048", "p-256") for count in (1, 3)
    ]
    for each in found:
        assert (each["kind"], each["tls"], each["rounds"]) == ("comparison", version, 1)
        for side in (each["local"], each["agent"]):
            assert side["handshakes"] > 0
            assert side["failed"] == 0
            assert 0 < side["p50_ms"] <= side["p99_ms"]


def test_people_read_a_table_with_the_ratio(kit: Kit) -> None:
    done = kit("tls", "bench", *SHORT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    head, *lines = done.stdout.splitlines()[1:]
    assert head.split()[-1] == "RATIO"
    assert [line.split()[2] for line in lines] == 4 * [LOCAL, AGENT]


def test_the_ratio_is_the_median_of_neighbouring_rounds() -> None:
    def rounds(*counts: int) -> tuple[Round, ...]:
        return tuple(Round((0.001,) * count, 0, 1.0) for count in counts)

    comparison = Comparison(Case("p-256", 1), rounds(100, 10, 50), rounds(90, 8, 50))
    assert comparison.ratio == pytest.approx(0.9)
    assert rows(comparison)[1][-1] == "0.90"


def test_a_side_without_a_single_handshake_has_no_figures_and_breaks_nothing() -> None:
    nothing = (Round((), 7, 1.0),)
    comparison = Comparison(Case("p-256", 1), nothing, nothing)
    assert comparison.ratio == 0
    assert comparison.failed == 14
    assert rows(comparison)[0][-2] == "7"
