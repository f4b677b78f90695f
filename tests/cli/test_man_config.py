"""The page of the configuration cannot drift from what reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.agent.config import Settings, parse, reading, values
from kit.agent.config.parsing import AGENT, KEY, PKCS11
from kit.agent.extension import KEYS_LIMIT
from kit.agent.keystore import NAME_LIMIT
from kit.core.sandbox.plan import Level

PAGE = (Path(__file__).parent.parent.parent / "man" / "kit-agent.toml.5").read_text()


class Anybody:
    """A system where every name is somebody's."""

    def uid(self, name: str) -> int:
        return 1000 + len(name)

    gid = uid


def section(heading: str) -> str:
    found = re.search(
        rf"^\.S[hs] {re.escape(heading)}\n(.*?)(?=^\.S[hs] |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    assert found, heading
    return found[1]


@pytest.mark.parametrize(
    ("heading", "known"),
    [("The table [agent]", AGENT), ("The table [pkcs11]", PKCS11), ("The tables [keys.NAME]", KEY)],
    ids=["agent", "pkcs11", "keys"],
)
def test_the_page_has_every_key_and_no_other(heading: str, known: dict[str, object]) -> None:
    assert re.findall(r"^\.It Va (\S+)$", section(heading), re.MULTILINE) == list(known)


def test_the_page_has_every_level_of_the_sandbox() -> None:
    assert set(re.findall(r"Qq (\w+)", section("The table [agent]"))) >= {*Level}


@pytest.mark.parametrize(
    "limit",
    [
        f"at most {values.SOCKET_PATH_LIMIT} bytes",
        f"at most {values.SOCKET_PATH_LIMIT - len(values.FOR_AGENTS)} bytes",
        f"at most {values.PATH_LIMIT} bytes",
        f"0 to {values.WORKERS_LIMIT}",
        f"up to {KEYS_LIMIT}",
        f"1 to {NAME_LIMIT} bytes",
        f"from {values.RATE_MIN} to {values.RATE_MAX}",
        f"from 1 to {values.RATE_MAX}",
        f"at most {values.PEERS_LIMIT} elements",
        f"at most {values.ARGUMENTS_LIMIT} texts",
        f"at most {reading.SIZE_LIMIT >> 20} MiB",
    ],
)
def test_the_page_has_the_limits(limit: str) -> None:
    assert limit in PAGE.replace("\n", " ")


def test_the_examples_are_configurations() -> None:
    examples = re.findall(r"^\.Bd .*?\n(.*?)^\.Ed$", section("EXAMPLES"), re.DOTALL | re.MULTILINE)
    read = [parse(text, "example", Anybody()) for text in examples]
    assert [len(settings.keys) for settings in read] == [2, 1, 1]
    assert all(isinstance(settings, Settings) for settings in read)


def test_the_usual_path_is_named() -> None:
    assert f".It Pa {reading.USUAL_PATH}\n" in section("FILES")
