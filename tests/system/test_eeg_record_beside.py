"""What one capture feeds at once: a recording, a picture, a stream, and what watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import edfio
import pytest

from tests.system.agents import KIT
from tests.system.test_eeg_view import person_at

Kit = Callable[..., CompletedProcess[str]]


def _recorded(path: Path) -> tuple[int, list[str]]:
    """How many samples a channel has, and the annotations."""
    edf = edfio.read_edf(path)
    return len(edf.signals[0].digital), [annotation.text for annotation in edf.annotations]


def test_what_is_watched_for_is_marked_streamed_and_answered(kit: Kit, tmp_path: Path) -> None:
    out, heard = tmp_path / "out.edf", tmp_path / "heard"
    done = kit(
        *("eeg", "record", str(out), "sim:seed=7,speed=max,duration=20", "--stream"),
        *("--when", "blink", "--when", "alpha1 > 3 for 0.3s", "--run", f"touch {heard}"),
    )
    assert done.returncode == 0, done.stderr
    samples, annotations = _recorded(out)
    assert samples == 20 * 256
    assert {"blink", "alpha1 > 3 for 0.3s"} <= set(annotations)
    assert heard.exists()
    assert "LSL stream 'kit-eeg'" in done.stderr
    assert "kit: alpha1 > 3 for 0.3s" in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--when", "alpha1 >"], "alpha1 >"),
        (["--run", "true"], "no condition that it is for"),
        (["--view"], "standard output is no terminal"),
        (["--when", "ch1 > 1", "--tone", "--json"], "the tone goes to standard output"),
    ],
)
def test_what_cannot_be_is_said_before_there_is_a_file(
    kit: Kit, tmp_path: Path, options: list[str], complaint: str
) -> None:
    out = tmp_path / "out.edf"
    done = kit("eeg", "record", str(out), "sim:speed=max,duration=2", *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not out.exists()


def test_a_recording_is_seen_ended_and_followed_by_another(tmp_path: Path) -> None:
    out = tmp_path / "out.edf"
    command = f"cd {tmp_path} && exec {KIT} eeg record --view {out} sim:seed=3"
    with person_at("sh", "-c", command) as person:
        person.wait_for("● recording out.edf", "0:01")
        person.type("r")
        person.wait_for("recorded into out.edf", gone=["● recording"])
        person.type("rmeyes shut\r")
        person.wait_for("● recording eeg-2", "▾eyes shut")
        person.type("q")
        assert person.end() == 0
    assert _recorded(out)[0] >= 256
    (other,) = tmp_path.glob("eeg-2*.edf")
    assert "eyes shut" in _recorded(other)[1]


def test_a_view_records_at_a_key(tmp_path: Path) -> None:
    with person_at("sh", "-c", f"cd {tmp_path} && exec {KIT} eeg view sim:seed=3") as person:
        person.wait_for("0:00", " Hz")
        person.type("r")
        person.wait_for("● recording eeg-2")
        person.wait_for("0:02")
        person.type("q")
        assert person.end() == 0
        assert "kit: recorded into 'eeg-2" in person.screen
    (out,) = tmp_path.glob("eeg-2*.edf")
    assert _recorded(out)[0] >= 256


def test_where_no_recording_can_be_made_a_view_goes_on_and_says_why(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && exec {KIT} eeg view sim:seed=3"
    with person_at("sh", "-c", command) as person:
        person.wait_for("0:00", " Hz")
        person.type("r")
        person.wait_for("no such file or directory")
        person.type("q")
        assert person.end() == 0
