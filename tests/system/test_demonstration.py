"""`kit tls probe` without a host: what it promises holds, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.cli.tls.demonstration import KINDS, ML_DSA
from kit.tls.cells import Authentication, Cell, Ending, Version
from kit.tls.cells import Certificate as Shown
from kit.tls.certificates import can_make_ml_dsa
from kit.tls.memscan import Verdict
from kit.tls.proof import KeyUse, Proof, Scan, records, sentence

LIMIT_S = 90
Kit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def scratch(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demonstration puts its files."""
    monkeypatch.setenv("TMPDIR", str(short_tmp))
    return short_tmp


def _mentioning(directory: Path) -> list[str]:
    """Processes that name the directory, and sockets in it: of the agent, there is nothing else to see."""
    sockets = Path("/proc/net/unix").read_text().splitlines()
    found = [line for line in sockets if str(directory) in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in told and int(process.name) != os.getpid():
            found.append(process.name)
    return found


def test_it_shows_every_cell_a_clean_server_and_a_control_that_is_found(kit: Kit, scratch: Path) -> None:
    done = kit("tls", "probe", "--json", timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    cells = [fields for fields in said if fields["kind"] == "cell"]
    assert [(cell["version"], cell["authentication"], cell["outcome"]) for cell in cells] == [
        *((version, key, "ok") for version in ("1.2", "1.3") for key in ("RSA", "ECDSA")),
        *([("1.3", "ML-DSA", "ok")] if can_make_ml_dsa() else []),
    ]
    keys = {fields["name"]: fields for fields in said if fields["kind"] == "key"}
    assert {name: key["type"] for name, key in keys.items()} == {
        **KINDS,
        **(ML_DSA if can_make_ml_dsa() else {}),
    }
    assert all(key["signed"] >= 2 and key["refused"] == 0 for key in keys.values())
    scans = {(fields["process"], fields["key"]): fields for fields in said if fields["kind"] == "scan"}
    assert {name: scan["outcome"] for name, scan in scans.items()} == {
        (process, key): outcome
        for process, outcome in (("server", "clean"), ("control", "found"))
        for key in ("RSA", "ECDSA", *(["ML-DSA"] if can_make_ml_dsa() else []))
    }
    assert all(scan["handshakes"] > 20 and scan["failed"] == 0 for scan in scans.values())
    assert said[-1] == {"kind": "verdict", "ok": True, "complaints": []}
    assert list(scratch.iterdir()) == []
    assert _mentioning(scratch) == []


def test_people_read_a_table_and_a_last_line(kit: Kit, scratch: Path) -> None:
    done = kit("tls", "probe", timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert ("5 of 5 cells ok" if can_make_ml_dsa() else "4 of 4 cells ok") in done.stdout
    assert done.stdout.splitlines()[-1].startswith("ok: ")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("when", ["files", "servers"])
def test_a_signal_leaves_no_process_and_no_file(
    kit_program: str, scratch: Path, number: int, status: int, when: str
) -> None:
    with subprocess.Popen(
        [kit_program, "tls", "probe"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demonstration:
        if when == "files":
            end = time.monotonic() + LIMIT_S
            while not list(scratch.glob("kit-*/agent.sock")) and time.monotonic() < end:
                time.sleep(0.005)
        else:
            assert demonstration.stdout
            assert demonstration.stdout.readline()
        demonstration.send_signal(number)
        _, said = demonstration.communicate(timeout=LIMIT_S)
        assert demonstration.returncode == status, said
        assert "Traceback" not in said
    assert list(scratch.iterdir()) == []
    assert _mentioning(scratch) == []


def test_a_killed_demonstration_leaves_no_process(
    kit_program: str, scratch: Path, wait_until: Callable[..., None]
) -> None:
    with subprocess.Popen([kit_program, "tls", "probe"], stdout=subprocess.PIPE) as demonstration:
        assert demonstration.stdout
        demonstration.stdout.readline()
        demonstration.kill()
    wait_until(lambda: not _mentioning(scratch), "the end of what it started")


# ---- the verdict, without processes

CERTIFICATE = Shown("00", Authentication.RSA)
CELL = Cell(Version.TLS_1_3, Authentication.RSA, Ending.COMPLETED, chain=(CERTIFICATE,), verified=True)
BROKEN = Cell(Version.TLS_1_3, Authentication.RSA, Ending.ALERT, alert=80, chain=(CERTIFICATE,))
KEY = KeyUse("rsa", "rsa-2048", "SHA256:x", 3, 0)


def _scan(process: str, expected: str, outcome: str, failed: int = 0, handshakes: int = 9) -> Scan:
    return Scan(process, 1, expected, handshakes, failed, 100, 100, (Verdict("RSA", outcome, "", ()),))


SERVER, CONTROL = _scan("server", "clean", "clean"), _scan("control", "found", "found")


def test_the_proof_holds_when_everything_is_as_promised() -> None:
    proof = Proof((CELL,), (KEY,), (SERVER, CONTROL))
    assert (proof.holds, proof.exit_status) == (True, 0)
    assert sentence(proof).startswith("ok: ")


@pytest.mark.parametrize(
    "proof",
    [
        Proof((), (KEY,), (SERVER, CONTROL)),
        Proof((BROKEN,), (KEY,), (SERVER, CONTROL)),
        Proof((CELL,), (KeyUse("rsa", "rsa-2048", "SHA256:x", 0, 0),), (SERVER, CONTROL)),
        Proof((CELL,), (KEY,), ()),
        Proof((CELL,), (KEY,), (_scan("server", "clean", "found"), CONTROL)),
        Proof((CELL,), (KEY,), (_scan("server", "clean", "inconclusive"), CONTROL)),
        Proof((CELL,), (KEY,), (SERVER, _scan("control", "found", "clean"))),
        Proof((CELL,), (KEY,), (SERVER, _scan("control", "found", "inconclusive"))),
        Proof((CELL,), (KEY,), (_scan("server", "clean", "clean", failed=1), CONTROL)),
        Proof((CELL,), (KEY,), (_scan("server", "clean", "clean", handshakes=0), CONTROL)),
    ],
)
def test_anything_less_is_a_no(proof: Proof) -> None:
    assert (proof.holds, proof.exit_status) == (False, 1)
    assert sentence(proof).startswith("not ok: ")
    assert list(records(proof))[-1]["ok"] is False
