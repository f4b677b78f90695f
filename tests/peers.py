"""Real programs as peers: where they are, and what a test does where one is missing.

In CI (CI=true) a missing peer fails the test, elsewhere it skips it: nothing is quietly not tested.
"""

from __future__ import annotations

import os
import shutil

import pytest

# Debian keeps servers in sbin, which a plain user's PATH lacks. The last one is where .ci/setup unpacks
# OpenSMTPD, whose package conflicts with Postfix.
OPENSMTPD_ROOT = "/opt/kit-peers/opensmtpd"
_MORE_PLACES = ("/usr/local/sbin", "/usr/sbin", "/sbin", f"{OPENSMTPD_ROOT}/usr/sbin")


def in_ci() -> bool:
    """Does this run have to prove everything?"""
    return os.environ.get("CI") == "true"


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_PLACES])


def missing(reason: str) -> None:
    """Something that the test needs is not there: fails in CI, skips elsewhere."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def forbidden(what: str) -> None:
    """The system does not allow it, as a container may not: no installation helps, so the test is skipped."""
    pytest.skip(f"this system does not allow {what}")


def needs(*programs: str) -> None:
    """Every one of the programs, or no test."""
    absent = [program for program in programs if not shutil.which(program, path=_search_path())]
    if absent:
        missing(f"not installed: {', '.join(absent)} (.ci/setup installs what the tests need)")


def find(program: str) -> str:
    """The program's path; the same consequence as `needs` where it is missing."""
    needs(program)
    path = shutil.which(program, path=_search_path())
    assert path
    return path
