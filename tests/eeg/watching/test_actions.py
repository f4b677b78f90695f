"""What is done with an event: a tone, a command, words."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import Unavailable, UsageError
from kit.eeg.batch import Batch
from kit.eeg.processing.spectrum import frequencies, psd
from kit.eeg.signals import ButtonChange, Signal
from kit.eeg.watching.commands import Command
from kit.eeg.watching.conditions import Rules, read
from kit.eeg.watching.engine import Engine, Wanted
from kit.eeg.watching.events import ArtefactChange, BaselineTaken, Blinked, Crossing, Event, Returned
from kit.eeg.watching.sounding import Outlet, Player
from kit.eeg.watching.telling import environment, record, words
from kit.eeg.watching.tone import HIGHEST_HZ, LOWEST_HZ, RATE_HZ, Clock, Tone
from kit.eeg.watching.watcher import Action, Running, Showing, Watcher
from tests.eeg.watching.signals_of import RATE, blocks, gap


def _pitch(samples: bytes) -> float:
    values = [float(value) for value in array("h", samples)][-4000:]
    powers = psd(values, RATE_HZ)
    return frequencies(len(values), RATE_HZ)[powers.index(max(powers))]


@pytest.mark.parametrize(
    ("ratio", "hz"), [(1, 440), (2, 880), (0.5, 220), (100, HIGHEST_HZ), (0, LOWEST_HZ), (-3, LOWEST_HZ)]
)
def test_the_pitch_follows_the_value(ratio: float, hz: float) -> None:
    assert abs(_pitch(Tone().render(ratio, 8000)) - hz) <= 4


def test_without_a_value_there_is_silence() -> None:
    tone = Tone()
    assert set(tone.render(None, 1000)) == {0}
    tone.render(1, 8000)
    assert set(tone.render(None, 16000)[-2000:]) == {0}
    assert set(Tone().render(float("nan"), 100)) == {0}


def test_nothing_clicks() -> None:
    tone = Tone()
    samples = array("h", b"".join(tone.render(ratio, 500) for ratio in (None, 1, 4, None, 0.2, 1, None)))
    steepest = 0.25 * 32767 * 2 * 3.15 * HIGHEST_HZ / RATE_HZ
    assert max(abs(b - a) for a, b in pairwise(samples)) <= steepest


@given(st.lists(st.integers(0, 5000)))
def test_there_are_as_many_samples_as_time_passed(packets: list[int]) -> None:
    clock = Clock(RATE)
    assert sum(map(clock.samples, packets)) == round(sum(packets) * RATE_HZ / RATE)


_CROSSING = Crossing(
    "alpha1 > 12", 0, True, 7, 1_500_000, 1_000_000, 13.25, 12.0, {"alpha1": 13.25, "ch2": None}
)


def test_a_command_is_told_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_EEG_CH2", "an old one")
    out = tmp_path / "out"
    command = Command(f"sh -c 'env | grep ^KIT_EEG | sort >{out}'", pytest.fail, patient=True)
    command.start(environment(_CROSSING))
    assert out.read_text().splitlines() == [
        "KIT_EEG_ALPHA1=13.25",
        "KIT_EEG_SEQUENCE=7",
        "KIT_EEG_THRESHOLD=12",
        "KIT_EEG_TIME=1.500000",
        "KIT_EEG_VALUE=13.25",
        "KIT_EEG_WHEN=alpha1 > 12",
    ]


_SEEN = """
import os, sys
with open(sys.argv[1], "w") as file:
    file.write(repr((sys.argv[2:], os.getsid(0) == os.getpid(), sys.stdin.read())))
"""


def test_no_shell_sees_a_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = shlex.join([sys.executable, "-c", _SEEN, str(out), "$(id)"])
    Command(f"{words} ; `id` *", pytest.fail, patient=True).start({})
    assert out.read_text() == repr((["$(id)", ";", "`id`", "*"], True, ""))


def test_one_copy_of_a_command_runs_at_a_time_and_nobody_waits_for_it(tmp_path: Path) -> None:
    told: list[str] = []
    gate, out = tmp_path / "gate", tmp_path / "out"
    os.mkfifo(gate)
    line = f"sh -c 'cat {gate} >/dev/null; echo $KIT_EEG_VALUE >>{out}'"
    command = Command(line, told.append, patient=False)
    for value in "123":
        command.start({"KIT_EEG_VALUE": value})
    with gate.open("w"):  # opens when the command reads
        pass
    command.close()
    assert out.read_text() == "1\n"
    assert command.skipped == 2
    assert told == [f"2 events came while {line!r} ran, and did not start it"]


@pytest.mark.parametrize(
    ("line", "said"), [("false", "ended with status 1"), ("/nowhere/at/all", "no such file or directory")]
)
@pytest.mark.parametrize("patient", [True, False])
def test_a_command_that_fails_is_told_of_once(line: str, said: str, patient: bool) -> None:
    told: list[str] = []
    command = Command(line, told.append, patient=patient)
    for _ in range(3):
        command.start({})
    command.close()
    assert len([text for text in told if said in text]) == 1


@pytest.mark.parametrize("line", ["", "  ", "sh -c 'open", "a\0b"])
def test_what_is_no_command_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="no command"):
        Command(line, pytest.fail, patient=True)


def test_sound_that_nobody_takes_is_dropped_and_told_of() -> None:
    told: list[str] = []
    ours, theirs = os.pipe()
    outlet = Outlet(theirs, told.append, patient=False)
    for _ in range(200):
        outlet.write(bytes(4096))
    assert outlet.dropped > 0
    assert len(told) == 1
    os.close(ours)
    outlet.close()
    os.close(theirs)


def test_sound_of_a_recording_is_whole() -> None:
    ours, theirs = os.pipe()
    taken: list[bytes] = []

    def take() -> None:
        while data := os.read(ours, 1 << 16):
            taken.append(data)

    thread = threading.Thread(target=take)
    thread.start()
    outlet = Outlet(theirs, pytest.fail, patient=True)
    for _ in range(300):
        outlet.write(bytes(4096))
    outlet.close()
    os.close(theirs)
    thread.join()
    os.close(ours)
    assert sum(map(len, taken)) == 300 * 4096


def test_a_player_is_given_the_sound_and_may_end(tmp_path: Path) -> None:
    told: list[str] = []
    out = tmp_path / "out"
    player = Player(f"sh -c 'cat >{out}'", told.append, patient=True)
    player.write(b"abcd" * 100)
    player.close()
    assert out.read_bytes() == b"abcd" * 100
    ended = Player("true", told.append, patient=True)
    while not told:
        ended.write(bytes(1 << 16))
    ended.write(b"more")
    ended.close()
    assert told == ["the player 'true' ended"]
    with pytest.raises(Unavailable, match="cannot run 'nowhere'"):
        Player("nowhere", told.append, patient=True)


def _watched(watcher: Watcher, *signals: Signal) -> None:
    for signal in signals:
        watcher.take(Batch([], [signal], [], 0))
    watcher.close("end")


def test_each_condition_has_its_command_or_all_have_one(tmp_path: Path) -> None:
    values = [0.0] * 100 + [80.0] * 100 + [0.0] * 100
    conditions = [
        read("ch1 > 20", rules=Rules(refractory_s=0)),
        read("ch1 < 20", rules=Rules(refractory_s=0)),
    ]
    for count in (1, 2):
        outs = [tmp_path / f"{count} {at}" for at in range(count)]
        lines = [f"sh -c 'echo $KIT_EEG_WHEN >>\"{out}\"'" for out in outs]
        running = Running([Command(line, pytest.fail, patient=True) for line in lines])
        _watched(Watcher(lambda: Engine(Wanted(conditions), RATE), [running], RATE), *blocks(values))
        told = [out.read_text().splitlines() for out in outs]
        if count == 1:
            assert told == [["ch1 < 20", "ch1 > 20", "ch1 < 20"]]
        else:
            assert told == [["ch1 > 20"], ["ch1 < 20"] * 2]


class Ear:
    """An outlet that keeps what it is given."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.heard += data

    def close(self) -> None:
        self.closed = True


def test_a_tone_goes_on_as_long_as_the_signal_and_through_gaps() -> None:
    ear, actions = Ear(), list[Action]()
    wanted = Wanted([read("clean1 and alpha1 + 1 > 0.5")])
    signals = [
        *blocks([0.0] * 1024, 1000),
        gap(1024, 256),
        *blocks([0.0] * 1024, 1000, 1280),
        gap(2304, 10**6),
    ]
    _watched(Watcher(lambda: Engine(wanted, RATE), actions, RATE, ear), *signals)
    assert ear.closed
    assert len(ear.heard) == 2 * round((2304 + 512) * RATE_HZ / RATE)
    seconds = [ear.heard[at : at + 2 * RATE_HZ] for at in range(0, len(ear.heard), 2 * RATE_HZ)]
    assert [any(second) for second in seconds[:5]] == [False, True, True, True, True]
    assert not any(seconds[6])


def test_every_event_has_words_and_a_record() -> None:
    told: list[Event] = []
    events: list[tuple[Event, str, str]] = [
        (_CROSSING, "on", "alpha1 > 12: 13.2"),
        (Crossing("blink", 0, True, 7, 9, 9, None, None, {"blink": 1.0}), "on", "blink: true"),
        (Crossing("blink", 0, False, 7, 9, 9, None, None, {"blink": 0.0}), "off", "blink: ended"),
        (Crossing("a", 0, False, 7, 9, 9, None, 12.0, {}), "off", "a: ended, no value"),
        (Crossing("a", 0, False, 7, 9, 9, 3.0, 12.0, {}), "off", "a: ended, 3"),
        (Blinked(2, 7, 9, 10, -81.6, 0.12), "blink", "blink on channel 2, 82 µV"),
        (ButtonChange(7, 9, 3, True), "button", "button 3 pressed"),
        (ButtonChange(7, 9, 3, False), "button", "button 3 released"),
        (ArtefactChange(1, 7, 9, ("clipped", "step")), "artefact", "channel 1: clipped, step"),
        (ArtefactChange(1, 7, 9, ()), "artefact", "channel 1: clean"),
        (BaselineTaken("a > p80", 0, 80, 2.5, 7, 9), "baseline", "a > p80: p80 is 2.5"),
        (gap(7, 1), "lost", "1 packet lost"),
        (gap(7, 3), "lost", "3 packets lost"),
        (gap(7, 0, "away"), "away", "the device went away"),
        (gap(7, 0, "restarted"), "restarted", "the device began anew"),
        (Returned(7, 9), "back", "the device is back"),
    ]
    showing = Showing(told.append)
    for event, name, text in events:
        showing.act(event)
        assert words(event) == text
        assert (record(event)["event"], record(event)["sequence"]) == (name, 7)
    assert told == [event for event, _, _ in events]
