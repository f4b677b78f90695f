"""Real programs as peers: where they are, and what a test does where one is missing.

In CI (CI=true) a missing peer fails the test, elsewhere it skips it: nothing is quietly not tested. What only
one of the two systems of CI can test carries a mark with the reason; `.ci/run` fails if both skip a test.
"""

from __future__ import annotations

import os
import platform
import shutil
import ssl
from contextlib import suppress

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


def _debian() -> str:
    """Debian's release number, or an empty text on another system."""
    with suppress(OSError):
        system = platform.freedesktop_os_release()
        return system.get("VERSION_ID", "") if system.get("ID") == "debian" else ""
    return ""


def only_on_debian(release: int, reason: str) -> pytest.MarkDecorator:
    """The test is about what one release of Debian has; the reason says what that is."""
    return pytest.mark.skipif(_debian() != str(release), reason=f"only on Debian {release}: {reason}")


def _openssl() -> tuple[int, int]:
    return ssl.OPENSSL_VERSION_INFO[:2]


def since_openssl(major: int, minor: int, reason: str) -> pytest.MarkDecorator:
    """The test takes what this OpenSSL, with which Python is linked, was the first to have."""
    new = _openssl() >= (major, minor)
    return pytest.mark.skipif(not new, reason=f"takes OpenSSL {major}.{minor}: {reason}")


def before_openssl(major: int, minor: int, reason: str) -> pytest.MarkDecorator:
    """The test is about what OpenSSL, with which Python is linked, did before this version."""
    new = _openssl() >= (major, minor)
    return pytest.mark.skipif(new, reason=f"takes an OpenSSL before {major}.{minor}: {reason}")
