"""kit-eeg(3): its examples run as they stand there, and it names what there is."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from kit import eeg
from kit.eeg.watching import events
from kit.eeg.watching.subscribing import Subscribing

_PAGE = (Path(__file__).parent.parent.parent.parent / "man" / "kit-eeg.3").read_text()
_SOURCE = "sim:seed=3,speed=max,duration=30,fault=lost:every=1500"
# A device goes away and comes back by the clock.
_PLUGGED = "sim:speed=50,duration=4,fault=unplug:at=1:back=1"
_PRINTED = (
    r"alpha [\d.]+\nno alpha ",
    r"30\.0 seconds .*'Blinked': \d+",
    r"[\d.]+\nCrossing\(condition='theta/mu > p80'",
    r"\d+ Crossing\n(.*\n)*\d+ Blinked",
    r"Crossing\(condition='alpha1 > 12 for 0.5s'",
    r"away\nback at packet 256\n",
)


def _examples() -> list[str]:
    section = _PAGE[_PAGE.index(".Sh EXAMPLES") :]
    return re.findall(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed$", section, re.DOTALL | re.MULTILINE)


def test_there_is_an_example_for_each_expectation() -> None:
    assert len(_examples()) == len(_PRINTED)


@pytest.mark.parametrize(("example", "printed"), list(zip(_examples(), _PRINTED, strict=True)))
def test_an_example_has_ten_lines_at_most_and_runs(
    example: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len([line for line in example.splitlines() if line]) <= 10
    assert "/dev/ttyUSB0" in example
    source = _PLUGGED if "reconnect" in example else _SOURCE
    exec(example.replace("/dev/ttyUSB0", source), {"__name__": "example"})  # noqa: S102
    assert re.search(printed, capsys.readouterr().out)


def test_the_page_names_every_function_of_a_capture() -> None:
    named = set(re.findall(r"\bFn (\w+)", _PAGE))
    public = {name for name, _ in inspect.getmembers(Subscribing, inspect.isfunction) if name[0] != "_"}
    assert public | {"run", "stop"} <= named
    assert all(hasattr(eeg.Stream, name) for name in named - {"eeg"} if not name.startswith("eeg"))


def test_the_page_names_every_option_of_open_and_of_a_callback() -> None:
    named = {name for line in re.findall(r"\bFa (.*)", _PAGE) for name in re.findall(r"\w+", line)}
    functions = [eeg.open, *(function for _, function in inspect.getmembers(Subscribing, inspect.isfunction))]
    options = {
        name
        for function in functions
        if function.__name__[0] != "_"
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert options <= named


def test_the_page_names_every_field_of_an_event() -> None:
    section = _PAGE[_PAGE.index(".Ss Events") : _PAGE.index(".Ss Delays")]
    items = re.split(r"^\.It Vt (\w+)$", section, flags=re.MULTILINE)
    common = set(re.findall(r"\bVa (\w+)", items[0]))
    for name, text in zip(items[1::2], items[2::2], strict=True):
        fields = {field.name for field in dataclasses.fields(getattr(eeg, name))}
        assert set(re.findall(r"\bVa (\w+)", text)) | common == fields | common
    kinds = {kind.__name__ for kind in events.Event.__args__}
    assert set(items[1::2]) == kinds
