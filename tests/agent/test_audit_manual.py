"""kit-agent-audit(5) cannot drift from the audit log."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kit.agent.audit import writer
from kit.agent.audit.act import EVENTS, RESULTS
from kit.agent.audit.codec import Decoder, encode
from kit.agent.audit.journal_entry import journal_entry
from kit.agent.audit.render import LINE_LIMIT, json_line, lost_line
from tests.agent.audit_samples import FIELDS, LINE, SIGNED, TEXTS

PAGE = (Path(__file__).parent.parent.parent / "man" / "kit-agent-audit.5").read_text()


def _section(heading: str) -> str:
    found = re.search(
        rf"^\.S[hs] {re.escape(heading)}\n(.*?)(?=^\.S[hs] |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found, f"no section {heading!r}"
    return found[1]


def _displays(heading: str) -> list[str]:
    found = re.findall(
        r"^\.Bd -literal -offset indent\n(.*?)^\.Ed$", _section(heading), re.DOTALL | re.MULTILINE
    )
    return [text.replace("\n", "") for text in found]


def test_the_line_of_the_page_is_what_the_agent_writes() -> None:
    assert _displays("Lines") == [LINE.decode()[:-1]]


def test_the_page_has_every_field_in_its_order() -> None:
    assert re.findall(r"^\.It Va (\w+)$", _section("Lines"), re.MULTILINE) == FIELDS


def test_the_page_has_every_event_and_result() -> None:
    assert tuple(re.findall(r"^\.It Cm (\S+)$", _section("Events"), re.MULTILINE)) == EVENTS
    assert tuple(re.findall(r"^\.It Cm (\S+)$", _section("Results"), re.MULTILINE)) == RESULTS


def test_the_page_shows_the_line_for_lost_ones() -> None:
    (shown,) = _displays("Events")
    line = json_line(SIGNED._replace(time_ns=1795489331_000412_000))
    assert lost_line(line, 1200).decode() == shown + "\n"


def test_the_page_has_the_limits() -> None:
    assert f"at most {LINE_LIMIT} bytes" in _section("Lines")
    (act,) = Decoder().feed(encode(SIGNED._replace(**dict.fromkeys(TEXTS, "x" * 300))))
    cuts = {name: len(getattr(act, name).encode()) for name in TEXTS}
    told: dict[str, int] = {}
    for limit, names in re.findall(
        r"^(\d+) for\n((?:\.Va \w+ ?[,.]?\n(?:and\n)?)+)", _section("Lines"), re.MULTILINE
    ):
        told |= dict.fromkeys(re.findall(r"\.Va (\w+)", names), int(limit))
    assert told == cuts
    assert f"up to 100000 lines, or {writer._WAITING_BYTES >> 20} MiB" in _section("Strict mode")


def test_the_page_has_every_field_of_the_journal() -> None:
    named = set(re.findall(r"KIT_[A-Z]+", _section("THE JOURNAL")))
    entries = journal_entry(LINE) + journal_entry(lost_line(LINE, 1))
    assert named == {name.decode() for name in re.findall(rb"^(KIT_[A-Z]+)=", entries, re.MULTILINE)}
    assert {*json.loads(LINE)} == {name[4:].lower() for name in named} - {"lines"}
