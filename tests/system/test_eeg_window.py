"""kit eeg view in a window and into pictures, as whole commands; the screen is Xvfb's."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kit.eeg.viewing import colours
from tests.eeg.viewing.displays import Display, display

Kit = Callable[..., "subprocess.CompletedProcess[str]"]
Wait = Callable[..., None]
SOURCE = "sim:seed=7,speed=max,duration=8,fault=lost:at=6:burst=90"


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    with display() as found:
        yield found


@contextmanager
def _window(kit_program: str, screen: Display, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [kit_program, "eeg", "view", "--window", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DISPLAY": screen.name},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _sees(screen: Display, colour: str) -> Callable[[], bool]:
    red, green, blue = bytes.fromhex(colour[1:])
    return lambda: (red, green, blue) in screen.screen().colours()


def test_a_live_source_is_shown_until_a_signal_comes(
    kit_program: str, screen: Display, wait_until: Wait
) -> None:
    with _window(kit_program, screen, "sim:seed=7") as process:
        wait_until(_sees(screen, colours.of_channel(2)), "the trace of channel 2", 30)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "packets in" in said


def test_the_last_picture_stays_when_the_input_ends(
    kit_program: str, screen: Display, wait_until: Wait
) -> None:
    with _window(kit_program, screen, SOURCE, "--seconds", "4") as process:
        wait_until(_sees(screen, colours.GAP_GROUND), "the gap", 30)
        assert _sees(screen, colours.of_channel(1))()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_snapshot_has_the_end_of_the_input_and_its_gap(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "end.svg"
    done = kit("eeg", "view", SOURCE, "--snapshot", str(path), "--channels", "all")
    assert done.returncode == 0
    assert "1,958 packets in 8.0 s, 90 lost" in done.stderr
    text = path.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314 - it is our own
    assert all(said in text for said in ("90 lost", "channel 6", "0:07", colours.GAP_GROUND))
    assert "q quits" not in text


def test_a_snapshot_of_a_live_source_is_of_so_many_seconds(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "live.png"
    done = kit("eeg", "view", "sim:seed=7,speed=4", "--snapshot", str(path), "--seconds", "0.5")
    assert done.returncode == 0
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--window",), 69, "kit: error: no window can be opened: no display name"),
        (("--window", "--snapshot", "a.svg"), 2, "--window and --snapshot, where one can be"),
        (("--snapshot", "a.gif"), 2, "nothing says which picture 'a.gif' is to be"),
    ],
)
def test_what_cannot_be_shown_is_said(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    done = kit("eeg", "view", SOURCE, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
