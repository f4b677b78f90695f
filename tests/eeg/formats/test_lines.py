"""Lines out of bytes: their limit, and hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import ProtocolError
from kit.eeg.formats import READ, RECORDED, make_reader
from kit.eeg.formats.lines import LINE_LIMIT
from kit.eeg.records import Stretch
from tests.eeg.formats.recordings import outcome, readings

TEXTS = [name for name in READ if name not in ("raw", *RECORDED)]


@pytest.mark.parametrize("name", TEXTS)
def test_a_line_without_an_end_takes_bounded_memory(name: str) -> None:
    reader = make_reader(name)
    with pytest.raises(ProtocolError, match="line 1: longer than 65536 bytes"):
        for _ in range(100):
            reader.feed(b"1" * 1000)


@pytest.mark.parametrize("name", TEXTS)
def test_a_long_line_is_refused_whole_or_in_pieces(name: str) -> None:
    for line in (b"1" * LINE_LIMIT + b"\r\n", b"1" * (LINE_LIMIT + 1) + b"\n", "€".encode() * 30_000 + b"\n"):
        whole = outcome(make_reader(name), [line])
        assert outcome(make_reader(name), [line[at : at + 1000] for at in range(0, len(line), 1000)]) == whole
        assert ("longer than" in str(whole[-1])) == (len(line) > LINE_LIMIT + 2 or b"\r" not in line)


@pytest.mark.parametrize("name", READ)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text('0123456789|,\t{}[]":.- \n\r#-', max_size=300).map(str.encode),
        st.text(max_size=100).map(lambda text: text.encode()),
    )
)
def test_rubbish_gives_an_error_or_nothing_but_never_a_packet_that_was_not_there(
    name: str, rubbish: bytes
) -> None:
    try:
        found = readings(make_reader(name), [rubbish])
    except ProtocolError as error:
        assert str(error).isprintable()
        return
    for span, _ in found:
        if isinstance(span, Stretch):
            assert len(rubbish) > 2 * len(span)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("nothing", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf\n"])
def test_nothing_is_read_from_nothing(name: str, nothing: bytes) -> None:
    assert readings(make_reader(name), [nothing]) == []
