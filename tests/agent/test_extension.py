"""kit's own messages survive the way there and back, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import extension
from kit.agent.config.values import PEERS_LIMIT
from kit.agent.encoding import Buffer, Reader, string, uint32
from kit.agent.extension import (
    KEYS_LIMIT,
    Add,
    AgentMetrics,
    AgentStatus,
    CertificateList,
    CertificateRecord,
    Decrypt,
    Done,
    Failure,
    Generate,
    GetCertificates,
    GetMetrics,
    GetPeers,
    GetStatus,
    KeyList,
    KeyMetrics,
    KeyRecord,
    List,
    Measure,
    PeerList,
    PeerRecord,
    Plaintext,
    Process,
    Reload,
    Reloaded,
    ReloadReport,
    Remove,
    Sign,
    Signature,
    SignBlock,
    SignDigest,
    Status,
    Stop,
)
from kit.agent.peers import Allowed, spelled
from kit.agent.queue.messages import (
    BeginOpening,
    BeginSealing,
    Candidate,
    Continue,
    EndStream,
    OpeningBegun,
    Piece,
    SealingBegun,
    StreamEnded,
)
from kit.core.errors import ProtocolError

RECORD = KeyRecord(
    "mail", "p-256", b"spki", b"blob", ("tls-server", "csr"), 1, 2, 3, 4, 5, ("uid:0", "gid:8"), "digest"
)
PROCESSES = (Process("supervisor", 17, 0), Process("worker", 19, 2))
MEASURES = (Measure("core dumps", "applied", ""),)
STATUS = AgentStatus("0.1", 17, 1, False, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "journal", PROCESSES, MEASURES)
USED = KeyMetrics(b"k" * 32, "mail", "p-256", 0, 1, 2, 3, 4, (5, 2**64 - 1))
METRICS = AgentMetrics("0.1", 17, 1, True, 2, 3, 4, 5, 6, 7, 8, 9, True, 10, (50, 100), (USED, USED))
PEER = PeerRecord(1000, 4321, "postfix/smtpd", 5, 1, 2, 3, 4)
REQUESTS = [
    Sign(b"k" * 32, 0x0804, "tls-server", b"content"),
    SignDigest(b"k" * 32, 0x0403, "tls-digest", b"d" * 32),
    SignBlock(b"k" * 32, "", b"b" * 256),
    Decrypt(b"k" * 32, b"ciphertext"),
    Generate("mail", "p-256", ("tls-server", "csr"), 60),
    Generate("mail", "p-256", (), 0),
    Add("mail", ("ca",), 0, memoryview(b"secret")),
    List(),
    Remove(b"k" * 32),
    GetStatus(),
    Stop(),
    Reload(),
    GetMetrics(),
    GetPeers(),
    GetCertificates(),
    BeginSealing(b"k" * 32),
    BeginOpening((Candidate(b"k" * 32), Candidate(b"l" * 32)), b"i" * 12, True),
    Continue(memoryview(b"secret")),
    EndStream(b"t" * 16),
]
ANSWERS = [
    Signature(b"signature"),
    SealingBegun(b"i" * 12),
    OpeningBegun(),
    Piece(memoryview(b"secret")),
    StreamEnded(b"t" * 16, b"k" * 32),
    Plaintext(memoryview(b"secret")),
    KeyList(()),
    KeyList((RECORD, RECORD)),
    Done(),
    STATUS,
    ReloadReport((Reloaded("mail", "failed", "no such file"), Reloaded("web", "kept", ""))),
    METRICS,
    PeerList((PEER,)),
    CertificateList((CertificateRecord(b"k" * 32, b"certificate"),)),
]


def joined(parts: list[Buffer]) -> bytes:
    return b"".join(bytes(part) for part in parts)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_survives(request_: Any) -> None:
    assert extension.parse_request(request_.name, Reader(joined(extension.encode(request_)))) == request_


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_an_answer_survives(answer: Any) -> None:
    assert extension.parse_answer(type(answer), Reader(joined(extension.encode_answer(answer)))) == answer


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.DONE])
def test_a_failure_survives(status: Status) -> None:
    failure = Failure(status, "the key may sign csr only", "tls-server")
    assert extension.parse_answer(Signature, Reader(joined(extension.encode_answer(failure)))) == failure


def test_the_wire_form_of_a_sign_request() -> None:
    request = Sign(b"k" * 32, 0x0403, "csr", b"0\x00")
    parts = string(b"k" * 32) + b"\x00\x00\x04\x03" + b"\x00\x00\x00\x03csr" + b"\x00\x00\x00\x020\x00"
    assert joined(extension.encode(request)) == parts


@pytest.mark.parametrize("message", [*REQUESTS, *ANSWERS], ids=lambda message: type(message).__name__)
def test_a_message_cut_short_or_with_a_tail_is_refused(message: Any) -> None:
    def read(data: bytes) -> object:
        if hasattr(message, "name"):
            return extension.parse_request(message.name, Reader(data))
        return extension.parse_answer(type(message), Reader(b"\x00" + data))

    whole = joined(extension.encode(message))
    for wrong in (*(whole[:end] for end in range(len(whole))), whole + b"\x00"):
        with pytest.raises(ProtocolError):
            read(wrong)


def test_a_secret_is_in_no_repr_and_not_copied() -> None:
    secret = memoryview(bytearray(b"secret"))
    for message in (Add("mail", (), 0, secret), Plaintext(secret)):
        assert "secret" not in repr(message)
        assert "memory" not in repr(message)
        assert any(part is secret for part in extension.encode(message))
    wire = bytearray(joined(extension.encode(Add("mail", (), 0, secret))))
    parsed = extension.parse_request(Add.name, Reader(wire))
    wire[-6:] = bytes(6)
    assert isinstance(parsed, Add)
    assert parsed.private_key == bytes(6)


@pytest.mark.parametrize("name", ["", "sign", "sign@kit ", "SIGN@kit", "query", "session-bind@openssh.com"])
def test_another_name_is_no_request(name: str) -> None:
    assert extension.parse_request(name, Reader(b"")) is None


def test_names_are_all_of_kit_and_told_apart() -> None:
    assert len(set(extension.NAMES)) == len(extension.NAMES) == len({type(request) for request in REQUESTS})
    assert all(name.endswith("@kit") for name in extension.NAMES)


LONGEST = [
    KeyList((RECORD,) * KEYS_LIMIT),
    ReloadReport((Reloaded("mail", "kept", ""),) * 2 * KEYS_LIMIT),
    PeerList((PEER,) * 1024),
]


@pytest.mark.parametrize("longest", LONGEST, ids=lambda answer: type(answer).__name__)
def test_a_list_is_bounded(longest: Any) -> None:
    kind: Any = type(longest)
    assert extension.parse_answer(kind, Reader(joined(extension.encode_answer(longest)))) == longest
    (row_list,) = vars(longest).values()
    for count in (len(row_list) + 1, 0xFFFFFFFF):
        with pytest.raises(ProtocolError, match=f"a list of {count}"):
            extension.parse_answer(kind, Reader(b"\x00" + uint32(count)))


def test_a_row_of_counts_is_whole_numbers() -> None:
    whole = joined(extension.encode_answer(METRICS))
    bounds = string(b"".join(n.to_bytes(8, "big") for n in METRICS.bounds_us))
    assert bounds in whole
    with pytest.raises(ProtocolError, match="counts in 15 bytes"):
        extension.parse_answer(AgentMetrics, Reader(whole.replace(bounds, string(bounds[4:-1]))))


def test_the_peers_of_a_key_are_listed_however_many_a_configuration_names() -> None:
    peers = spelled(Allowed(frozenset(range(2**32 - 2, 2**32 - 2 - PEERS_LIMIT, -1)), frozenset()))
    answer = KeyList((replace(RECORD, peers=peers),))
    assert extension.parse_answer(KeyList, Reader(joined(extension.encode_answer(answer)))) == answer


@pytest.mark.parametrize("why", ["x" * 9000, "ü" * 9000, "a" + "💣" * 500, "\udc80 is no path"])
def test_a_text_for_people_is_cut_to_what_a_client_reads(why: str) -> None:
    report = ReloadReport((Reloaded("mail", "failed", why),))
    answer = extension.parse_answer(ReloadReport, Reader(joined(extension.encode_answer(report))))
    assert isinstance(answer, ReloadReport)
    got = answer.keys[0].why
    assert got == why.encode(errors="replace").decode()[: len(got)]
    assert len(got.encode()) > 396 or len(got) == len(why)


def test_a_text_is_bounded_and_utf_8() -> None:
    for bad in (b"n" * 1025, b"\xff"):
        with pytest.raises(ProtocolError):
            extension.parse_request(Remove.name, Reader(b"\x00"))
        with pytest.raises(ProtocolError):
            extension.parse_request(
                Generate.name, Reader(string(bad) + string("p-256") + string("") + uint32(0))
            )


def test_a_long_failure_is_cut_to_what_a_client_reads() -> None:
    parts = extension.encode_answer(Failure(Status.FAILED, "e" * 9000))
    answer = extension.parse_answer(Done, Reader(joined(parts)))
    assert isinstance(answer, Failure)
    assert answer.message == "e" * 1024


def test_a_status_that_there_is_not_is_a_protocol_error() -> None:
    for number in range(len(Status), 256):
        with pytest.raises(ProtocolError, match=f"an answer of status {number}"):
            extension.parse_answer(Done, Reader(bytes([number])))


def test_every_field_has_its_wire_type() -> None:
    rows = {KeyRecord, Measure, Process, Reloaded, KeyMetrics, PeerRecord}
    for kind in {type(message) for message in (*REQUESTS, *ANSWERS)} | rows:
        assert all("type" in field.metadata for field in fields(kind))


texts = st.text(max_size=40)
names = st.lists(
    st.text(st.characters(exclude_characters=",", exclude_categories=["Cs"]), min_size=1), max_size=4
)


@given(
    st.lists(
        st.builds(
            KeyRecord,
            texts,
            texts,
            st.binary(),
            st.binary(),
            names.map(tuple),
            *[st.integers(0, 2**64 - 1)] * 5,
            names.map(tuple),
        ),
        max_size=4,
    )
)
def test_any_list_survives(records: list[KeyRecord]) -> None:
    answer = KeyList(tuple(records))
    assert extension.parse_answer(KeyList, Reader(joined(extension.encode_answer(answer)))) == answer


@given(st.sampled_from(extension.NAMES), st.binary(max_size=200))
def test_garbage_is_a_request_or_a_protocol_error(name: str, data: bytes) -> None:
    try:
        request = extension.parse_request(name, Reader(data))
    except ProtocolError:
        return
    assert request is not None
    assert joined(extension.encode(request)) == data


@given(st.sampled_from([type(answer) for answer in ANSWERS]), st.binary(max_size=200))
def test_garbage_is_an_answer_or_a_protocol_error(kind: Any, data: bytes) -> None:
    try:
        answer = extension.parse_answer(kind, Reader(data))
    except ProtocolError:
        return
    assert isinstance(answer, Failure | kind)
