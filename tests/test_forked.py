"""A forked `kit` does what the installed one does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import forked


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--version"], None),
        (["eeg", "convert", "--to", "csv", "there.csv", "-"], None),
        (["agent", "list"], None),
        (["agent", "add", "a=there.csv", "--passphrase-fd", "0"], "a line\n"),
        (["eeg", "stats", "-"], "no\nrecording\n" * 100),
        (["no-such-group"], None),
        (["agent", "start", "--", "sh", "-c", 'echo "$GIVEN"; pwd >&2; kill -9 $$'], None),
    ],
)
def test_a_command_says_the_same_and_ends_the_same(
    home: Path, tmp_path: Path, arguments: list[str], stdin: str | None
) -> None:
    (tmp_path / "there.csv").write_text("time,ch1,ch2\n0,512,513\n")
    environment = {**os.environ, "GIVEN": "to the command"}
    program = subprocess.run(
        [forked.KIT, *arguments],
        env=environment,
        cwd=tmp_path,
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    done = forked.run(arguments, env=environment, cwd=tmp_path, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (program.returncode, program.stdout, program.stderr)


def test_what_python_reads_when_it_starts_is_read_by_a_python_that_starts(home: Path) -> None:
    environment = {**os.environ, "PYTHONVERBOSE": "1"}
    assert "# cleanup" in forked.run(["--version"], env=environment).stderr
