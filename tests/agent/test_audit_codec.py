"""Acts survive the pipe however it cuts them, and what a worker makes up instead ends its stream."""

from __future__ import annotations

import os
import select
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent.audit.act import Act
from kit.agent.audit.codec import FRAME_LIMIT, Decoder, encode
from kit.core.errors import ProtocolError
from tests.agent.audit_samples import ACTS, SIGNED, TEXTS, WILD_ACTS

FRAME = encode(SIGNED)
LISTS = st.lists(ACTS, max_size=5)


def decoded(*pieces: bytes) -> list[Act]:
    decoder = Decoder()
    return [act for piece in pieces for act in decoder.feed(piece)]


def with_texts(*texts: bytes) -> bytes:
    """The sample's frame with other texts, which need not be well-formed."""
    rest = FRAME[2:26] + b"".join(bytes([len(text)]) + text for text in texts)
    return len(rest).to_bytes(2, "big") + rest


def test_a_frame_has_the_layout_that_the_module_tells() -> None:
    times = (1795489007_853120_999).to_bytes(8, "big") + (412).to_bytes(8, "big")
    ids = (33).to_bytes(4, "big") + (4242).to_bytes(4, "big")
    texts = b"\x04sign\x04mail\x0atls-server\x13rsa_pss_rsae_sha256\x05nginx\x04done"
    assert bytes([0, 24 + len(texts)]) + times + ids + texts == FRAME


@given(LISTS)
def test_acts_come_out_of_one_piece(acts: list[Act]) -> None:
    assert decoded(b"".join(map(encode, acts))) == acts


@given(st.lists(ACTS, max_size=2))
def test_acts_come_out_byte_by_byte(acts: list[Act]) -> None:
    assert decoded(*(bytes([byte]) for byte in b"".join(map(encode, acts)))) == acts


@given(LISTS, st.lists(st.integers(1, 300)))
def test_acts_come_out_of_any_pieces(acts: list[Act], cuts: list[int]) -> None:
    stream, pieces = b"".join(map(encode, acts)), []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    assert decoded(*pieces, stream) == acts


def test_a_tail_waits_for_its_rest() -> None:
    decoder = Decoder()
    assert list(decoder.feed(FRAME + FRAME[:30])) == [SIGNED]
    assert decoder.pending == 30
    assert list(decoder.feed(FRAME[30:])) == [SIGNED]
    assert decoder.pending == 0


def test_who_stops_reading_acts_loses_none() -> None:
    decoder = Decoder()
    assert next(decoder.feed(3 * FRAME)) == SIGNED
    assert list(decoder.feed(FRAME)) == 3 * [SIGNED]


@given(WILD_ACTS)
def test_any_act_makes_one_frame_within_the_limit(act: Act) -> None:
    frame = encode(act)
    assert len(frame) <= FRAME_LIMIT < select.PIPE_BUF
    (back,) = decoded(frame)
    assert [back.time_ns, back.uid, back.pid, back.microseconds] == [
        act.time_ns, act.uid, act.pid, act.microseconds,
    ]  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_too_long_is_cut_and_says_so(name: str) -> None:
    (act,) = decoded(encode(SIGNED._replace(**{name: "ü" * 500})))
    text = getattr(act, name)
    assert text.endswith("ü…")
    assert text[:-1] == "ü" * (len(text) - 1)
    assert act._replace(**{name: ""}) == SIGNED._replace(**{name: ""})


@pytest.mark.parametrize("name", TEXTS)
def test_the_longest_texts_of_the_agent_stay_whole(name: str) -> None:
    longest = {"key": "k" * 255, "peer": os.fsdecode(b"\xff" * 15), "scheme": "ecdsa_secp521r1_sha512"}
    text = longest.get(name, "x" * 32)
    (act,) = decoded(encode(SIGNED._replace(**{name: text})))
    assert getattr(act, name) == text.encode("utf-8", "backslashreplace").decode()


def test_a_cut_never_halves_a_character() -> None:
    for size in range(250, 256):
        (act,) = decoded(encode(SIGNED._replace(key="x" * size + "😀😀")))
        assert act.key.rstrip("😀…") == "x" * min(size, 252)


NO_FRAMES = {
    "empty": b"\x00\x00" + bytes(20),
    "too small": (29).to_bytes(2, "big") + bytes(29),
    "too large": FRAME_LIMIT.to_bytes(2, "big") + bytes(FRAME_LIMIT),
    "far too large": b"\xff" * 30,
    "a text missing": with_texts(b"sign", b"mail", b"", b"", b""),
    "a text too many": with_texts(b"sign", b"mail", b"", b"", b"", b"done", b""),
    "a text beyond the end": FRAME[:-5] + b"\x05done",
    "a long event": with_texts(b"x" * 33, b"", b"", b"", b"", b""),
    "a long purpose": with_texts(b"", b"", b"x" * 65, b"", b"", b""),
    "a long peer": with_texts(b"", b"", b"", b"", b"x" * 91, b""),
    "not UTF-8": with_texts(b"", b"\xff", b"", b"", b"", b""),
    "half a character": with_texts(b"", b"", b"", b"", b"", b"don\xc3"),
    "a surrogate": with_texts(b"", b"\xed\xb3\xbf", b"", b"", b"", b""),
}


@pytest.mark.parametrize("frame", NO_FRAMES.values(), ids=NO_FRAMES)
def test_a_frame_that_is_none_ends_the_stream(frame: bytes) -> None:
    decoder = Decoder()
    with pytest.raises(ProtocolError):
        list(decoder.feed(FRAME + frame + FRAME))
    for more in (b"", FRAME):
        with pytest.raises(ProtocolError):
            list(decoder.feed(more))


def test_what_came_before_a_frame_that_is_none_counts() -> None:
    acts = Decoder().feed(2 * FRAME + b"\xff" * 100)
    assert [next(acts), next(acts)] == [SIGNED, SIGNED]
    with pytest.raises(ProtocolError):
        next(acts)


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_garbage_makes_acts_or_an_error_and_never_a_large_rest(pieces: list[bytes]) -> None:
    decoder = Decoder()
    for piece in pieces:
        try:
            for act in decoder.feed(piece):
                assert isinstance(act, Act)
        except ProtocolError:
            return
        assert decoder.pending < FRAME_LIMIT


@given(st.binary(min_size=1, max_size=600), st.integers(0, 600))
def test_a_damaged_frame_is_an_act_or_an_error(noise: bytes, at: int) -> None:
    damaged = FRAME[:at] + noise + FRAME[at + len(noise) :]
    with suppress(ProtocolError):
        decoded(damaged, FRAME)


def test_workers_that_write_at_once_do_not_mix_their_frames() -> None:
    read_end, write_end = os.pipe()
    children = [_writing_child(write_end, uid) for uid in range(4)]
    os.close(write_end)
    decoder, found = Decoder(), []
    while data := os.read(read_end, 1000):
        found += decoder.feed(data)
    os.close(read_end)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert [[act.pid for act in found if act.uid == uid] for uid in range(4)] == 4 * [list(range(300))]


def _writing_child(descriptor: int, uid: int) -> int:
    child = os.fork()
    if not child:
        for pid in range(300):
            os.write(descriptor, encode(SIGNED._replace(uid=uid, pid=pid, key="k" * 255)))
        os._exit(0)
    return child
