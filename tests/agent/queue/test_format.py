"""A sealed file is taken apart alike however its bytes come, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.queue.format import OVERHEAD, NotSealed, Splitter, head

IV, TAG = b"i" * 12, b"t" * 16


def split(pieces: Iterable[bytes]) -> tuple[bytes, bytes, bytes]:
    splitter = Splitter()
    ciphertext = b"".join([splitter.feed(piece) for piece in pieces])
    tag = splitter.end()
    return splitter.iv, ciphertext, tag


def chunks(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(st.binary(min_size=1, max_size=100), st.lists(st.integers(0, 200), max_size=20))
def test_a_file_is_split_alike_at_any_chunking(ciphertext: bytes, cuts: list[int]) -> None:
    data = head(IV) + ciphertext + TAG
    assert split(chunks(data, cuts)) == (IV, ciphertext, TAG)


def test_a_file_is_split_whole_and_byte_by_byte() -> None:
    data = head(IV) + b"c" + TAG
    assert split([data]) == split([bytes([byte]) for byte in data]) == (IV, b"c", TAG)


@pytest.mark.parametrize("size", range(OVERHEAD + 1))
def test_a_file_without_ciphertext_is_none(size: int) -> None:
    data = (head(IV) + TAG)[:size]
    why = f"it has {size} bytes, and an encrypted queue file has more than 29" if size else "it is empty"
    for pieces in ([data], [bytes([byte]) for byte in data]):
        with pytest.raises(NotSealed, match=why):
            split(pieces)


@given(st.binary(min_size=1, max_size=60).filter(lambda data: data[0] != 1), st.lists(st.integers(0, 99)))
def test_another_first_byte_is_told_at_once(data: bytes, cuts: list[int]) -> None:
    pieces = [piece for piece in chunks(data, cuts) if piece]
    with pytest.raises(NotSealed, match="does not begin with the byte 01"):
        Splitter().feed(pieces[0])
