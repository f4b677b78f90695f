"""The provider in every CPython that this machine has: one made by hand, the distribution's, pyenv's.

Where the one that runs the tests is alone, it stands for the others.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.peers import missing
from tests.system.provider_fixtures import scene  # noqa: F401 -- a fixture
from tests.system.provider_process import REPOSITORY, run
from tests.system.provider_scene import CLASSICAL, SIGNATURES

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
_DESCRIBE = (
    "import sys, ssl, venv; assert ssl.OPENSSL_VERSION_INFO >= (3,); "
    "print('%d.%d' % sys.version_info[:2], sys.implementation.name, sys.prefix)"
)


def _candidates() -> Iterator[str]:
    for version in VERSIONS:
        yield shutil.which(f"python{version}") or ""
    yield "/usr/bin/python3"
    yield from map(str, Path.home().glob(".pyenv/versions/*/bin/python"))


@cache
def _interpreters() -> dict[str, str]:
    """What to call it, and its path: each that really runs, once, the one that runs the tests if need be."""
    found: dict[str, str] = {}
    prefixes = {sys.base_prefix}
    for path in filter(None, _candidates()):
        done = subprocess.run(
            [path, "-c", _DESCRIBE], capture_output=True, text=True, timeout=30, check=False
        )
        version, name, prefix = done.stdout.rstrip().split(" ", 2) if done.returncode == 0 else ("", "", "")
        if name == "cpython" and version in VERSIONS and prefix not in prefixes:
            prefixes.add(prefix)
            found[f"{version}-{'system' if path.startswith('/usr/bin') else len(found)}"] = path
    return found or {"own": sys.executable}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kit, built once for all interpreters."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    shutil.copytree(REPOSITORY, source, ignore=shutil.ignore_patterns(".*", "tests", "__pycache__"))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory]
    subprocess.run(command, check=True, timeout=120, capture_output=True, cwd=source)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Callable[[str], str]:
    """Make a virtual environment with kit in it, once for each interpreter."""

    @cache
    def make(path: str) -> str:
        directory = tmp_path_factory.mktemp("python")
        subprocess.run([path, "-m", "venv", directory], check=True, timeout=120, capture_output=True)
        inside = str(directory / "bin" / "python")
        command = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
        done = subprocess.run(command, timeout=600, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"kit cannot be installed into {path}: {done.stderr}")
        return inside

    return make


@pytest.mark.parametrize("interpreter", list(_interpreters()))
def test_it_serves_in_this_python(scene: Path, python: Callable[[str], str], interpreter: str) -> None:  # noqa: F811
    inside = python(_interpreters()[interpreter])
    for command in ((inside,), (inside, "-X", "dev")):
        (told,) = run("matrix", scene, python=command)
        expected = {kind: SIGNATURES[kind] for kind in CLASSICAL}
        assert {kind: told["signatures"][kind] for kind in CLASSICAL} == expected
        assert told["errors"] == []
        for program in ("together", "threads", "forks", "loop", "ends_in_mid_handshake"):
            run(program, scene, python=command)


@pytest.mark.parametrize("how", ["do_handshake", "read"])
@pytest.mark.parametrize("interpreter", list(_interpreters()))
def test_exceptions_of_signal_handlers_arrive_once_in_this_python(
    scene: Path,  # noqa: F811
    python: Callable[[str], str],
    interpreter: str,
    how: str,
) -> None:
    run("signals", scene, "p-256", how, "0", "500", python=(python(_interpreters()[interpreter]),))
