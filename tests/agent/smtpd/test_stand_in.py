"""What is read from smtpd's command line, and whom the bridge becomes."""

from __future__ import annotations

import os
import pwd

import pytest

from kit.agent.smtpd.stand_in import find_user, read_arguments, smtpd_options
from kit.core.errors import Unavailable, UsageError


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ("", False)),
        ("-x ca", ("ca", False)),
        ("-d -f /etc/smtpd.conf -x control", ("control", True)),
        ("-dvf /x -xca", ("ca", True)),
        ("-F -T imsg -P smtp -D a=-x -B queue=ram -x lka", ("lka", False)),
    ],
)
def test_the_process_is_found_among_all_options(words: str, found: tuple[str, bool]) -> None:
    assert read_arguments(words.split()) == found


def test_configuration_and_macros_are_found() -> None:
    assert smtpd_options(["-f", "/a", "-D", "x=1=2", "-Dy=3"]) == ("/a", {"x": "1=2", "y": "3"})
    assert smtpd_options([]) == ("", {})


@pytest.mark.parametrize("words", ["-q", "--help", "-f"])
def test_what_smtpd_does_not_take_is_told(words: str) -> None:
    with pytest.raises(UsageError, match="smtpd would not take this"):
        read_arguments(words.split())


def test_a_user_comes_with_the_groups_that_he_has() -> None:
    for entry in pwd.getpwall()[:20]:
        found = find_user(entry.pw_name)
        assert (found.uid, found.gid) == (entry.pw_uid, entry.pw_gid)
        assert {found.gid, *found.groups} == set(os.getgrouplist(entry.pw_name, entry.pw_gid))


def test_a_user_that_there_is_not_is_told() -> None:
    with pytest.raises(Unavailable, match="there is no user 'no-such-user'"):
        find_user("no-such-user")
