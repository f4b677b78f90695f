"""What `pip install` brings: the command, its manual, its completions and its units."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
SHARED = {
    "share/man/man1/kit.1",
    "share/man/man1/kit-agent.1",
    "share/man/man1/kit-eeg.1",
    "share/man/man1/kit-tls.1",
    "share/man/man5/kit-agent.toml.5",
    "share/man/man5/kit-agent-audit.5",
    "share/man/man3/kit-eeg.3",
    "share/man/man5/kit-eeg.5",
    "share/man/man7/kit-agent-pkcs11.7",
    "share/man/man7/kit-agent-protocol.7",
    "share/man/man7/kit-agent-security.7",
    "share/man/man8/kit-agent.8",
    "share/man/man8/kit-agent-smtpd.8",
    "share/bash-completion/completions/kit",
    "share/zsh/site-functions/_kit",
    "share/fish/vendor_completions.d/kit.fish",
    "lib/systemd/system/kit-agent.service",
    "lib/systemd/system/kit-agent.socket",
    "lib/systemd/user/kit-agent.service",
    "lib/systemd/user/kit-agent.socket",
    "lib/sysusers.d/kit.conf",
    "lib/tmpfiles.d/kit.conf",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = place.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_ships_manual_and_completions(wheel: zipfile.ZipFile) -> None:
    data = {name.split(".data/data/")[1] for name in wheel.namelist() if ".data/data/" in name}
    assert data == SHARED


def test_every_manual_page_completion_and_unit_is_shipped() -> None:
    places = [REPOSITORY / name for name in ("man", "completions", "systemd")]
    here = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert len(here) == len(SHARED)


def test_the_wheel_ships_every_module_its_types_and_the_licence(wheel: zipfile.ZipFile) -> None:
    sources = {str(path.relative_to(REPOSITORY / "src")) for path in (REPOSITORY / "src").rglob("*.py")}
    names = set(wheel.namelist())
    assert sources <= names
    assert "kit/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests", "man", "completions", "systemd")) for name in names)
