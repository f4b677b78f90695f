"""The journal gets each line with its fields, from a parser by the documentation and from systemd's own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from kit.agent.audit.act import Act
from kit.agent.audit.journal_entry import journal_entry
from kit.agent.audit.render import json_line, lost_line
from kit.agent.audit.sinks import JournalSink
from kit.agent.audit.writer import AuditWriter
from tests.agent.audit_samples import LINE, SIGNED, WILD_ACTS, numbered
from tests.peers import forbidden, needs

JOURNALD = Path("/lib/systemd/systemd-journald")


def _parse(datagram: bytes) -> dict[str, str]:
    """The fields of a native entry, by https://systemd.io/JOURNAL_NATIVE_PROTOCOL."""
    fields, at = {}, 0
    while at < len(datagram):
        end = datagram.index(b"\n", at)
        name, equals, value = datagram[at:end].partition(b"=")
        if not equals:
            size = int.from_bytes(datagram[end + 1 : end + 9], "little")
            value, end = datagram[end + 9 : end + 9 + size], end + 9 + size
            assert datagram[end : end + 1] == b"\n"
        assert name.decode() not in fields
        fields[name.decode()] = value.decode()
        at = end + 1
    return fields


@pytest.fixture
def journal(short_tmp: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(short_tmp / "socket"))
        server.setblocking(False)
        yield server


EXPECTED = {
    "SYSLOG_IDENTIFIER": "kit-agent",
    "SYSLOG_FACILITY": "10",
    "KIT_TIME": "2026-11-24T02:56:47.853120Z",
    "KIT_EVENT": "sign",
    "KIT_KEY": "mail",
    "KIT_PURPOSE": "tls-server",
    "KIT_SCHEME": "rsa_pss_rsae_sha256",
    "KIT_UID": "33",
    "KIT_PID": "4242",
    "KIT_PEER": "nginx",
    "KIT_RESULT": "done",
    "KIT_US": "412",
}


def test_the_journal_gets_the_line_and_its_fields(journal: socket.socket) -> None:
    refused = json_line(SIGNED._replace(result="refused"))
    with closing(JournalSink(journal.getsockname())) as sink:
        assert sink.write([LINE, refused]) == 2
    assert _parse(journal.recv(65536)) == {
        **EXPECTED, "MESSAGE": LINE.decode()[:-1], "PRIORITY": "6",
    }  # fmt: skip
    assert _parse(journal.recv(65536)) == {
        **EXPECTED, "MESSAGE": refused.decode()[:-1], "PRIORITY": "5", "KIT_RESULT": "refused",
    }  # fmt: skip


def test_the_journal_is_told_of_lost_lines() -> None:
    fields = _parse(journal_entry(lost_line(LINE, 7)))
    assert (fields["KIT_EVENT"], fields["KIT_LINES"], fields["PRIORITY"]) == ("audit-lost", "7", "5")


@given(WILD_ACTS)
def test_no_text_can_add_a_field_to_a_journal_entry(act: Act) -> None:
    line = json_line(act)
    fields = _parse(journal_entry(line))
    given_fields = {f"KIT_{name.upper()}": str(value) for name, value in json.loads(line).items()}
    assert fields.keys() == {*EXPECTED, "MESSAGE", "PRIORITY"}
    assert given_fields.items() <= fields.items()


def test_a_line_break_in_a_name_makes_no_field() -> None:
    fields = _parse(journal_entry(json_line(SIGNED._replace(key="a\nPRIORITY=0\n_UID=0"))))
    assert fields["KIT_KEY"] == "a\nPRIORITY=0\n_UID=0"
    assert fields["PRIORITY"] == "6"
    assert "_UID" not in fields


def test_a_journal_that_does_not_read_is_not_waited_for(journal: socket.socket) -> None:
    got: list[str] = []
    with closing(JournalSink(journal.getsockname())) as sink:
        writer, now_s = AuditWriter(sink, strict=True), 0.0
        writer.take(numbered(5000))
        assert 0 < writer.flush(0.0) < 5000
        assert writer.working
        while len(got) < 5000:
            try:
                got.append(_parse(journal.recv(65536))["KIT_US"])
            except BlockingIOError:
                now_s += 0.01
                writer.flush(now_s)
    assert got == [str(number) for number in range(5000)]


def test_a_journal_that_is_not_there_is_an_error_and_its_return_is_noticed(short_tmp: Path) -> None:
    path = short_tmp / "socket"
    with closing(JournalSink(str(path))) as sink:
        writer = AuditWriter(sink, strict=True)
        writer.take(numbered(1))
        writer.flush(0.0)
        assert writer.trouble == "no such file or directory"
        for now_s in (1.0, 2.0):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
                server.bind(str(path))
                writer.take(numbered(1, int(now_s)))
                assert writer.flush(now_s) == now_s + 1
                assert writer.working
            path.unlink()


@pytest.fixture
def journald(wait_until: Callable[..., None]) -> Iterator[str]:
    """systemd's own journal in a namespace of this test alone."""
    if os.geteuid():
        pytest.skip("only root can start a journal")
    needs("journalctl", str(JOURNALD))
    namespace = f"kit{os.getpid()}"
    run = Path(f"/run/systemd/journal.{namespace}")
    daemon = subprocess.Popen([JOURNALD, namespace], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (run / "socket").exists() or daemon.poll() is not None, "the journal's socket")
        if daemon.poll() is not None:
            forbidden("a journal of one's own")
        yield namespace
    finally:
        daemon.terminate()
        daemon.wait(10)
        stored = [
            found for log in ("/var/log", "/run/log") for found in Path(log, "journal").glob(f"*.{namespace}")
        ]
        for path in (run, *stored):
            shutil.rmtree(path, ignore_errors=True)


def test_systemds_journal_understands_the_entries(journald: str, wait_until: Callable[..., None]) -> None:
    names = ["mail", "a\nPRIORITY=0", "ü\x1b[31m"]
    lines = [json_line(SIGNED._replace(key=name)) for name in names]
    with closing(JournalSink(f"/run/systemd/journal.{journald}/socket")) as sink:
        assert sink.write(lines) == 3

    def entries() -> list[dict[str, object]]:
        query = [
            "journalctl",
            f"--namespace={journald}",
            "-o",
            "json",
            "--all",
            "SYSLOG_IDENTIFIER=kit-agent",
        ]
        done = subprocess.run(query, capture_output=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    wait_until(lambda: len(entries()) == 3, "the entries")
    shown = [_text(entry["KIT_KEY"]) for entry in entries()]
    assert shown == names
    assert [entry["MESSAGE"] for entry in entries()] == [line.decode()[:-1] for line in lines]
    assert {entry["PRIORITY"] for entry in entries()} == {"6"}


def _text(value: object) -> str:
    """What `journalctl -o json` shows as a list of bytes is not printable."""
    return bytes(value).decode() if isinstance(value, list) else str(value)
