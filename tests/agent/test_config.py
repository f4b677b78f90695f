"""What a configuration says, and each way in which it can fail to say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.config import ConfigurationError, KeyRule, Settings, parse
from kit.agent.config.parsing import AGENT, KEY
from kit.agent.config.problems import Problem
from kit.agent.config.values import SOCKET_PATH_LIMIT
from kit.agent.peers import NOBODY, Allowed
from kit.agent.policy import ADDED_DEFAULT, PURPOSES
from kit.core import paths
from kit.core.errors import KitError
from kit.core.sandbox.plan import Level

PATH = "/etc/kit/agent.toml"
KEY_HEAD = '[keys.mail]\nfile = "/etc/ssl/mail.pem"\n'


class Names:
    """A system with three users and two groups."""

    def uid(self, name: str) -> int | None:
        return {"root": 0, "www-data": 33, "alice": 1000}.get(name)

    def gid(self, name: str) -> int | None:
        return {"root": 0, "kit": 990}.get(name)


def settings(text: str) -> Settings:
    return parse(text, PATH, Names())


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        settings(text)
    return list(caught.value.problems)


def key(lines: str) -> KeyRule:
    (rule,) = settings(KEY_HEAD + lines).keys
    return rule


WHOLE = """
[agent]
socket = "/run/kit/agent.sock"
mode = "0660"
group = "kit"
user = "www-data"
workers = 4
sandbox = "off"
i-know-that-keys-are-less-protected = true
admins = ["user:alice", "uid:7"]
log = "/var/log/kit/agent.log"
audit = "/var/log/kit/audit.json"
audit-strict = true

[keys.mail]
file = "/etc/ssl/private/mail.pem"
certificate = "/etc/ssl/mail.crt"
purposes = ["csr", "tls-server"]
peers = ["user:www-data", "uid:12", "group:kit"]
lifetime = "8h"
rate = 0.5
burst = 3
confirm = ["/usr/bin/ask", "--yes", ""]

[keys."a b.c"]
file = "/b"
"""


def test_a_configuration_says_everything_that_a_record_holds() -> None:
    mail = KeyRule(
        name="mail",
        file="/etc/ssl/private/mail.pem",
        certificate="/etc/ssl/mail.crt",
        purposes=("tls-server", "csr"),
        peers=Allowed(frozenset({33, 12}), frozenset({990})),
        lifetime_s=28_800,
        rate=0.5,
        burst=3,
        confirm=("/usr/bin/ask", "--yes", ""),
    )
    assert settings(WHOLE) == Settings(
        socket="/run/kit/agent.sock",
        socket_mode=0o660,
        socket_group=990,
        user="www-data",
        workers=4,
        sandbox=Level.OFF,
        sandbox_off_confirmed=True,
        admins=Allowed(frozenset({1000, 7})),
        log="/var/log/kit/agent.log",
        audit="/var/log/kit/audit.json",
        audit_strict=True,
        keys=(mail, KeyRule(name="a b.c", file="/b")),
    )


def test_an_empty_file_has_no_keys_and_every_default() -> None:
    assert settings("") == Settings()
    assert settings("[agent]\n[keys]\n") == Settings()


def test_a_key_that_names_nobody_is_nobodys() -> None:
    assert key("").peers == key("peers = []").peers == NOBODY
    assert key("").purposes == ADDED_DEFAULT


@pytest.mark.parametrize(
    ("line", "rate", "burst"),
    [
        ("rate = 50", 50, 50),
        ("rate = 0.5", 0.5, 1),
        ("rate = 2.5", 2.5, 3),
        ("rate = 2\nburst = 1", 2, 1),
        ("", 0, 0),
    ],
)
def test_a_burst_is_a_second_of_the_rate_if_nothing_is_said(line: str, rate: float, burst: int) -> None:
    assert (key(line).rate, key(line).burst) == (rate, burst)


@pytest.mark.parametrize("value", ['"/bin/true"', '["/bin/true"]', '["/bin//true"]'])
def test_a_program_may_stand_alone_or_in_an_array(value: str) -> None:
    assert key(f"confirm = {value}").confirm == ("/bin/true",)


@pytest.mark.parametrize("audit", ["stdout", "journal", "/var/log/audit"])
def test_an_audit_goes_to_standard_output_the_journal_or_a_file(audit: str) -> None:
    assert settings(f'[agent]\naudit = "{audit}"').audit == audit


# The value of a key, what was expected, what was found. The key stands on line 2.
OF_AGENT = [
    ("socket = 1", "an absolute path", "1"),
    ('socket = ""', "an absolute path", "''"),
    ('socket = "run/kit"', 'an absolute path without ".."', "'run/kit'"),
    ('socket = "/run/../kit"', 'an absolute path without ".."', "'/run/../kit'"),
    ('socket = "/a\\u0000b"', "an absolute path", "'/a\\x00b'"),
    (f'socket = "/{"x" * 107}"', "a path of at most 107 bytes", "108 bytes"),
    (f'log = "/{"é" * 2048}"', "a path of at most 4095 bytes", "4097 bytes"),
    ("mode = 660", "a mode that lets the owner read and write", "660"),
    ('mode = "660 "', "a mode that lets the owner read and write", "'660 '"),
    ('mode = "0o660"', "a mode that lets the owner read and write", "'0o660'"),
    ('mode = "0060"', "a mode that lets the owner read and write", "'0060'"),
    ('mode = "0770"', "nobody execute", "'0770'"),
    ('mode = "4660"', "a mode that lets the owner read and write", "'4660'"),
    ('group = "wheel"', "the name of a group of this system", "'wheel'"),
    ("group = 990", "the name of a group", "990"),
    ('user = "bob"', "the name of a user of this system", "'bob'"),
    ('user = "root"', "a user that is not root", "'root'"),
    ('user = ""', "the name of a user", "''"),
    ("workers = -1", "a whole number from 0 to 64", "-1"),
    ("workers = 65", "a whole number from 0 to 64", "65"),
    ("workers = true", "a whole number from 0 to 64", "true"),
    ("workers = 1.0", "a whole number from 0 to 64", "1.0"),
    (f"workers = 0x{'f' * 9000}", "a whole number from 0 to 64", "a number of many digits"),
    ('sandbox = "none"', '"strict", "compat" or "off"', "'none'"),
    ("sandbox = false", '"strict", "compat" or "off"', "false"),
    ('sandbox = "off"', '"off" only beside i-know-that-keys-are-less-protected = true', "'off' without it"),
    ("i-know-that-keys-are-less-protected = 1", "true or false", "1"),
    ('audit-strict = "yes"', "true or false", "'yes'"),
    ('audit = "syslog"', '"stdout", "journal" or an absolute path', "'syslog'"),
    ("audit = 1979-05-27", '"stdout", "journal" or an absolute path', "1979-05-27"),
    ("admins = {}", "an array of peers", "a table"),
]
OF_KEY = [
    ("purposes = 'csr'", "an array of purposes: tls-server, ", "'csr'"),
    ("purposes = []", "an array of purposes: tls-server, ", "an empty array"),
    ("lifetime = 3600", 'a time like "90s", "30m", "8h" or "1h30m"', "3600"),
    ('lifetime = "8 hours"', 'a time like "90s"', "'8 hours'"),
    ('lifetime = "0s"', 'a time like "90s"', "'0s'"),
    ("rate = 0", "signatures a second, a number from 0.001 to 1000000", "0"),
    ("rate = -1.5", "signatures a second", "-1.5"),
    ("rate = inf", "signatures a second", "inf"),
    ("rate = nan", "signatures a second", "nan"),
    ("rate = true", "signatures a second", "true"),
    ('rate = "50"', "signatures a second", "'50'"),
    ("rate = 1000001", "signatures a second", "1000001"),
    ("burst = 5", "a rate beside it", "none"),
    ("rate = 1\nburst = 0", "a whole number from 1 to 1000000", "0"),
    ("confirm = 'ask'", "the absolute path of a program", "'ask'"),
    ("confirm = []", "the absolute path of a program", "an empty array"),
    (f"confirm = {['/x'] * 65}", "at most 64 of them", "65"),
    (f"peers = {['uid:1'] * 257}", "at most 256 of them", "257"),
    (f"purposes = {['csr'] * 12}", "at most 11 of them", "12"),
    ('purposes = ["queue", "csr"]', '"queue" alone', "others beside it"),
    ('purposes = ["queue"]\ncertificate = "/etc/ssl/mail.crt"', "none: a key for queue files", "one"),
    ("confirm = true", "the absolute path of a program", "true"),
    ("certificate = 'mail.crt'", "an absolute path", "'mail.crt'"),
    ("certificate = '/etc/ssl/mail.pem'", "another file than the key's", "'/etc/ssl/mail.pem'"),
    ("certificate = '/etc//ssl/./mail.pem'", "another file than the key's", "'/etc/ssl/mail.pem'"),
]


@pytest.mark.parametrize(("line", "expected", "found"), OF_AGENT, ids=[row[0][:40] for row in OF_AGENT])
def test_what_the_agents_table_does_not_take_is_told(line: str, expected: str, found: str) -> None:
    (problem,) = problems(f"[agent]\n{line}\n")
    assert (problem.line, problem.key) == (2, f"agent.{line.partition(' ')[0]}")
    assert expected in problem.expected
    assert problem.found == found


@pytest.mark.parametrize(
    ("line", "expected", "found"),
    OF_KEY,
    ids=[row[0][:40] for row in OF_KEY],
)
def test_what_a_keys_table_does_not_take_is_told(line: str, expected: str, found: str) -> None:
    (problem,) = problems(f"{KEY_HEAD}{line}\n")
    last = line.splitlines()[-1]
    assert (problem.line, problem.key) == (2 + line.count("\n") + 1, f"keys.mail.{last.partition(' ')[0]}")
    assert expected in problem.expected
    assert problem.found == found


LISTS = [
    ("peers", '"www-data"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'www-data'"),
    ("peers", '"exe:/usr/bin/x"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'exe:/usr/bin/x'"),
    ("peers", '"gid:5"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'gid:5'"),
    ("peers", '"user:"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'user:'"),
    ("peers", '"uid:-1"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'uid:-1'"),
    ("peers", '"uid:4294967295"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'uid:4294967295'"),
    ("peers", '"uid:٣"', '"user:NAME", "group:NAME" or "uid:NUMBER"', "'uid:٣'"),
    ("peers", "33", '"user:NAME", "group:NAME" or "uid:NUMBER"', "33"),
    ("peers", '"user:bob"', "the name of a user of this system", "'bob'"),
    ("peers", '"group:bob"', "the name of a group of this system", "'bob'"),
    ("purposes", '"tls"', f"one of {', '.join(PURPOSES)}", "'tls'"),
    ("purposes", "1", f"one of {', '.join(PURPOSES)}", "1"),
    ("confirm", "1", "a text", "1"),
    ("confirm", '"\\u0000"', "a text", "'\\x00'"),
]
FIRST = {"peers": '"uid:1"', "purposes": '"csr"', "confirm": '"/bin/ask"'}


@pytest.mark.parametrize(("name", "item", "expected", "found"), LISTS)
def test_an_element_that_is_wrong_is_told_on_its_own_line(
    name: str, item: str, expected: str, found: str
) -> None:
    text = f"{KEY_HEAD}{name} = [\n  {FIRST[name]},\n  # remark\n  {item},\n]\n"
    assert problems(text) == [Problem(6, f"keys.mail.{name}[2]", expected, found)]


SHAPES = [
    ("agent = 1", 1, "agent", "a table [agent]", "1"),
    ("[[agent]]", 1, "agent", "a table [agent]", "an array"),
    ("\nkeys = []", 2, "keys", "tables [keys.NAME]", "an empty array"),
    ("[keys]\nmail = '/x'", 2, "keys.mail", "a table [keys.NAME]", "'/x'"),
    ("[keys]\n[keys.mail]", 2, "keys.mail", "the key file", "no 'file'"),
    ("[keys.'']\nfile = '/x'", 1, "keys.''", "a name of 1 to 255 bytes", "0 bytes"),
    ("[agent]\n[key.mail]\nfile = '/x'", 2, "key", "'keys' perhaps", "an unknown key"),
    ("[agent]\n[other]", 2, "other", "[agent], [pkcs11] or [keys.NAME]", "an unknown key"),
    ("[agent]\n\nworker = 2", 3, "agent.worker", "'workers' perhaps", "an unknown key"),
    ("[agent]\naudit_strict = true", 2, "agent.audit_strict", "'audit-strict' perhaps", "an unknown key"),
    (f"{KEY_HEAD}purpose = []", 3, "keys.mail.purpose", "'purposes' perhaps", "an unknown key"),
    (f"{KEY_HEAD}executable = '/x'", 3, "keys.mail.executable", "one of file, ", "an unknown key"),
    (f"{KEY_HEAD}[keys.mail.peers]\nx = 1", 3, "keys.mail.peers", "an array of peers", "a table"),
    (f"{KEY_HEAD}[keys.'a.b']\nfile = '/etc/ssl/mail.pem'", 4, "keys.'a.b'.file", "keys.mail has", ""),
]


@pytest.mark.parametrize(("text", "line", "key_name", "expected", "found"), SHAPES)
def test_a_table_of_another_shape_is_told(
    text: str, line: int, key_name: str, expected: str, found: str
) -> None:
    (problem,) = problems(text)
    assert (problem.line, problem.key) == (line, key_name)
    assert expected in problem.expected
    assert found in problem.found


def test_a_key_has_a_name_of_at_most_255_bytes() -> None:
    (problem,) = problems(f"[keys.{'x' * 256}]\nfile = '/x'")
    assert (problem.expected, problem.found) == ("a name of 1 to 255 bytes", "256 bytes")
    assert settings(f"[keys.{'x' * 255}]\nfile = '/x'").keys[0].name == "x" * 255


def test_a_configuration_has_at_most_as_many_keys_as_the_agent() -> None:
    (problem,) = problems("".join(f"[keys.k{n}]\nfile = '/{n}'\n" for n in range(257)))
    assert (problem.expected, problem.found) == ("at most 256 keys", "257 keys")


SYNTAX = [
    ("\n\n[agent", 3, "an error at the end of the file (expected ']' at the end of a table declaration)"),
    ("[agent]\nmode 1\n", 2, "an error in column 6 (expected '=' after a key in a key/value pair)"),
    ("[agent]\nmode = 1\nmode = 2\n", 3, "an error in column 9 (cannot overwrite a value)"),
    ("[agent]\n[agent]\n", 2, "an error in column 7 (cannot declare ('agent',) twice)"),
    ('a = """x\ny\n\n', 2, "an error at the end of the file (unterminated string)"),
    ("a = 1\r\nb = \x01\r\n", 2, "an error in column 5 (invalid value)"),
    ("\ufeff[agent]", 1, "an error in column 1 (invalid statement)"),
    ("a = " + "9" * 5000, 1, "a number of too many digits"),
    ("a = " + "[" * 5000, 1, "arrays or tables nested too deeply"),
]


@pytest.mark.parametrize(("text", "line", "found"), SYNTAX, ids=[row[0][:20] for row in SYNTAX])
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int, found: str) -> None:
    (problem,) = problems(text)
    assert problem == Problem(line, "", "TOML", found)


def test_every_problem_is_told_at_once_and_in_order() -> None:
    text = "[agent]\nworkers = -1\n[keys.a]\npeers = ['x', 'y']\nburst = 1\n[agnet]\n"
    with pytest.raises(ConfigurationError) as caught:
        settings(text)
    assert str(caught.value).splitlines() == [
        f"{PATH}:{line}"
        for line in (
            "2: agent.workers: expected a whole number from 0 to 64, found -1",
            "3: keys.a: expected the key file, found no 'file'",
            '4: keys.a.peers[1]: expected "user:NAME", "group:NAME" or "uid:NUMBER", found \'x\'',
            '4: keys.a.peers[2]: expected "user:NAME", "group:NAME" or "uid:NUMBER", found \'y\'',
            "5: keys.a.burst: expected a rate beside it, found none",
            "6: agnet: expected 'agent' perhaps, found an unknown key",
        )
    ]
    assert caught.value.exit_status == 2


def test_what_a_configuration_says_cannot_steer_a_terminal() -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings('"\\u001b[2J" = 1\n[agent]\nsocket = "\\u001b[2J"\n')
    assert "\x1b" not in str(caught.value)


def test_the_limit_of_a_sockets_path_is_the_systems() -> None:
    assert SOCKET_PATH_LIMIT == paths.SOCKET_PATH_LIMIT


_VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "0.5",
        "nan",
        "true",
        "''",
        "'/x'",
        "'off'",
        "'0660'",
        "'uid:1'",
        "[]",
        "['uid:1', 'x']",
        "{}",
    ]
)
_NAMES = st.sampled_from([*AGENT, *KEY, "x"])
_LINES = st.tuples(_NAMES, _VALUES).map(" = ".join) | st.sampled_from(
    ["[agent]", "[keys]", "[keys.a]", "[[keys]]", "[x]", "\x00", '"""']
)


@given(st.lists(_LINES, max_size=12).map("\n".join) | st.text(max_size=200))
def test_any_text_is_settings_or_an_error_with_lines(text: str) -> None:
    try:
        found = settings(text)
    except KitError as error:
        assert isinstance(error, ConfigurationError)
        assert error.problems
        assert all(1 <= p.line <= text.count("\n") + 1 for p in error.problems)
    else:
        assert found.sandbox is not Level.OFF or found.sandbox_off_confirmed
