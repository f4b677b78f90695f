"""What smtpd.conf says of certificates, as smtpd's own lexer reads it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.smtpd.configuration import Configuration, Pki
from kit.core.errors import KitError, Unavailable, UsageError


def read(text: str, *, macros: dict[str, str] | None = None, **files: str) -> tuple[Pki, ...]:
    texts = {"main": text, **files}

    def open_text(path: str) -> str:
        if path not in texts:
            raise Unavailable(f"no file {path}")
        return texts[path]

    return Configuration(open_text, macros or {}).read("main")


MAIL = Pki("mail.test", "/etc/mail.crt", "/etc/mail.key")


@pytest.mark.parametrize(
    "text",
    [
        'pki mail.test cert "/etc/mail.crt"\npki mail.test key "/etc/mail.key"\n',
        "pki mail.test cert /etc/mail.crt key '/etc/mail.key' dhe auto",
        'pki Mail.TEST cert "/etc/mail.crt" \\\n  key "/etc/mail.key" # a remark\n',
        '# pki other cert "/x"\npki "mail.test" key "/etc/mail.key" cert "/etc/mail.crt"',
        'dir = "/etc"\nfile = "/etc/mail.crt"\npki mail.test cert $file\npki mail.test key "/etc/mail.key"\n',
        'name = mail.test\npki $name cert "/etc/mail.crt" key "/etc/mail.key"\nlisten on lo pki $name tls',
        'pki mail.test cert "/etc/mail\\\n.crt"\npki mail.test key "/etc/mail.key"',
        'table t { "pki" = "x", b }\npki mail.test cert "/etc/mail.crt" key "/etc/mail.key"',
        'action "a" relay host smtp+tls://pki.test pki mail.test\n'
        'pki mail.test cert "/etc/mail.crt" key "/etc/mail.key"\n',
    ],
)
def test_a_pki_is_found_however_it_is_written(text: str) -> None:
    assert read(text) == (MAIL,)


def test_each_pki_is_told_in_its_order_and_what_it_lacks_is_empty() -> None:
    found = read('pki b cert "/b.crt"\npki * key "/any.key"\npki b key "/b.key"\n')
    assert found == (Pki("b", "/b.crt", "/b.key"), Pki("*", "", "/any.key"))
    assert read("listen on lo\n") == ()


def test_what_is_included_counts_and_its_macros_do() -> None:
    text = 'include "one"\npki mail.test key $key\n'
    assert read(text, one='key = "/etc/mail.key"\npki mail.test cert "/etc/mail.crt"\n') == (MAIL,)
    with pytest.raises(Unavailable, match="no file two"):
        read('include "two"')


def test_files_that_include_each_other_end() -> None:
    with pytest.raises(UsageError, match="more than 100 files"):
        read('include "main"\n')


def test_a_macro_of_the_command_line_goes_before_the_files() -> None:
    text = 'key = "/wrong"\npki mail.test cert "/etc/mail.crt" key $key\n'
    assert read(text, macros={"key": "/etc/mail.key"}) == (MAIL,)


def test_a_macro_that_is_not_defined_is_told() -> None:
    with pytest.raises(UsageError, match="the macro 'key' is not defined"):
        read("pki mail.test key $key")


def test_a_backslash_stays_where_smtpd_keeps_it() -> None:
    (found,) = read(r"""pki m cert "a\"b\nc\ d" key 'e\'f'""")
    assert (found.certificate, found.key) == (r'a"b\nc d', "e'f")


@given(st.text(alphabet="pki cert key = $\"\\'\n#{}mail.include", max_size=120))
def test_any_text_is_read_or_an_error(text: str) -> None:
    with contextlib.suppress(KitError):
        read(text)
