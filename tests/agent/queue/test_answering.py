"""What the agent answers to messages about queue files, in order and out of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.agent import extension, wire
from kit.agent.channels.messages import Load
from kit.agent.extension import Failure, Status
from kit.agent.forms import id_of
from kit.agent.queue.messages import (
    CANDIDATES_LIMIT,
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
from kit.agent.uses import Client
from kit.core.errors import ProtocolError
from tests.agent.joined import ADMIN, Agent
from tests.agent.processes.test_authority import der_of

OCTETS, OTHER = b"0123456789abcdef0123456789abcdef", b"f" * 32
IV = b"i" * 12
MAIL = b"From: alice\n" * 100


@pytest.fixture
def agent() -> Agent:
    agent = Agent()
    assert add(agent, "q").key_name == "q"
    return agent


def add(agent: Agent, name: str, octets: bytes = OCTETS, purposes: tuple[str, ...] = ("queue",)) -> Any:
    answer = agent.ask(extension.Add(name, purposes, 0, memoryview(octets)))
    return answer if isinstance(answer, Failure) else answer.keys[0]


RULE = Load("c", ("queue",), frozenset({1000}), frozenset(), 0, 0, 0, False, b"", b"", "")


def configure(agent: Agent, path: Path, octets: bytes = OCTETS, **rules: Any) -> str:
    """Load the configured key "c"; what became of it."""
    path.write_bytes(octets + b"\n")
    with path.open("rb") as file:
        agent.configured.load(replace(RULE, **rules), file.fileno(), agent.now_s)
    return agent.configured.keep().keys[0].result


def begin_sealing(agent: Agent, name: str = "q") -> Any:
    return agent.ask(BeginSealing(id_of(b"", name)), SealingBegun)


def begin_opening(agent: Agent, *names: str, wanted: bool = False, iv: bytes = IV) -> Any:
    candidates = tuple(Candidate(id_of(b"", name)) for name in names)
    return agent.ask(BeginOpening(candidates, iv, wanted), OpeningBegun)


def go_on(agent: Agent, piece: bytes) -> Any:
    answer = agent.ask(Continue(memoryview(piece)), Piece)
    return answer if isinstance(answer, Failure) else bytes(answer.piece)


def end(agent: Agent, tag: bytes = b"") -> Any:
    return agent.ask(EndStream(tag), StreamEnded)


def seal(agent: Agent, name: str = "q") -> bytes:
    iv = begin_sealing(agent, name).iv
    return bytes(iv) + go_on(agent, MAIL) + end(agent).tag


def status(answer: Any) -> Status | None:
    return answer.status if isinstance(answer, Failure) else None


def test_a_file_is_sealed_and_opened_by_others(agent: Agent) -> None:
    sealed = seal(agent)
    assert AESGCM(OCTETS).decrypt(sealed[:12], sealed[12:], None) == MAIL


def test_the_key_is_found_and_then_the_plaintext_given(agent: Agent) -> None:
    add(agent, "old", OTHER)
    sealed = AESGCM(OTHER).encrypt(IV, MAIL, None)
    assert begin_opening(agent, "q", "old") == OpeningBegun()
    assert go_on(agent, sealed[:-16]) == b""
    assert end(agent, sealed[-16:]) == StreamEnded(b"", id_of(b"", "old"))
    begin_opening(agent, "old", wanted=True)
    assert go_on(agent, sealed[:10]) + go_on(agent, sealed[10:-16]) == MAIL
    assert end(agent, sealed[-16:]) == StreamEnded(b"", id_of(b"", "old"))


def test_each_file_has_one_line_in_the_audit_log(agent: Agent) -> None:
    sealed = seal(agent)
    for wanted in (False, True):
        begin_opening(agent, "q", wanted=wanted, iv=sealed[:12])
        go_on(agent, sealed[12:-16])
        assert end(agent, sealed[-16:]).key_id
    begin_opening(agent, "q", iv=sealed[:12])
    assert not end(agent, b"t" * 16).key_id
    acts = [(a.event, a.key, a.purpose, a.scheme, a.result) for a in agent.audit.acts if a.event != "add"]
    assert acts == [
        ("seal", "q", "queue", "aes-256-gcm", "done"),
        ("open", "q", "queue", "aes-256-gcm", "done"),
        ("open", "", "queue", "", "failed"),
    ]


def test_files_are_counted(agent: Agent) -> None:
    seal(agent)
    begin_opening(agent, "q", wanted=True)
    (record,) = agent.ask(extension.List()).keys
    assert (record.signed, record.decrypted, record.refused) == (1, 1, 0)


def test_a_key_is_listed_without_a_public_half(agent: Agent) -> None:
    (record,) = agent.ask(extension.List()).keys
    assert (record.kind, record.spki, record.ssh_blob, record.fingerprint) == ("aes-256", b"", b"", "")
    assert record.purposes == ("queue",)
    assert OCTETS not in bytes(agent.say(wire.extension_request("list@kit")))
    assert agent.say(b"\x0b")[1:] == bytes(4)  # no identities for SSH


def test_the_key_id_tells_nothing_of_the_key() -> None:
    first, second = Agent(), Agent()
    assert add(first, "q", OCTETS).key_id == add(second, "q", OTHER).key_id
    assert add(second, "other", OTHER).key_id != add(second, "q", OTHER).key_id


def test_a_key_is_found_by_no_ssh_blob(agent: Agent) -> None:
    assert not agent.ssh_ok(wire.extension_request("x")[:0] + b"\x12" + bytes(4))
    assert agent.holding.alive()


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(agent: Agent, size: int) -> None:
    assert status(add(agent, "bad", bytes(size))) is Status.MALFORMED


@pytest.mark.parametrize("purposes", [("queue", "csr"), ("any", "queue"), ("tls-server",), ("any",), ()])
def test_a_symmetric_key_has_the_one_purpose(agent: Agent, purposes: tuple[str, ...]) -> None:
    assert status(add(agent, "bad", OCTETS, purposes)) is Status.MALFORMED


def test_no_other_key_has_that_purpose(agent: Agent) -> None:
    assert status(add(agent, "bad", der_of("p-256"), ("queue",))) is Status.MALFORMED
    assert agent.make("p-256", ("queue",), "made").status is Status.MALFORMED


def test_another_key_of_the_same_name_does_not_take_its_place(agent: Agent) -> None:
    assert status(add(agent, "q", OTHER)) is Status.MALFORMED
    assert add(agent, "q", OCTETS).key_name == "q"
    sealed = seal(agent)
    assert AESGCM(OCTETS).decrypt(sealed[:12], sealed[12:], None) == MAIL


def test_a_key_for_queue_files_signs_and_decrypts_nothing(agent: Agent) -> None:
    answer = agent.ask(extension.Sign(id_of(b"", "q"), 0x0403, "", b"content"), extension.Signature)
    assert status(answer) is Status.REFUSED
    answer = agent.ask(extension.Decrypt(id_of(b"", "q"), bytes(256)), extension.Plaintext)
    assert status(answer) is Status.REFUSED


def test_another_key_opens_and_seals_nothing(agent: Agent) -> None:
    record = agent.make("p-256", ("any",), "signer")
    assert status(agent.ask(BeginSealing(record.key_id), SealingBegun)) is Status.REFUSED
    begin = BeginOpening((Candidate(id_of(b"", "q")), Candidate(record.key_id)), IV, False)
    assert status(agent.ask(begin, OpeningBegun)) is Status.REFUSED
    assert status(go_on(agent, b"x")) is Status.MALFORMED


def test_a_key_that_does_not_name_the_client_is_unknown(agent: Agent) -> None:
    agent.as_peer(4711)
    assert status(begin_sealing(agent)) is Status.UNKNOWN_KEY
    assert status(begin_opening(agent, "q")) is Status.UNKNOWN_KEY
    assert status(begin_opening(agent, "none")) is Status.UNKNOWN_KEY
    assert agent.audit.of("seal") == ["denied"]
    assert agent.audit.of("open") == ["denied", "unknown"]


# Out of order.


def test_without_a_begin_there_is_no_file(agent: Agent) -> None:
    assert status(go_on(agent, b"x")) is Status.MALFORMED
    assert status(end(agent)) is Status.MALFORMED


def test_a_second_file_is_refused_and_the_first_goes_on(agent: Agent) -> None:
    iv = begin_sealing(agent).iv
    head = go_on(agent, MAIL[:5])
    assert status(begin_sealing(agent)) is Status.MALFORMED
    assert status(begin_opening(agent, "q")) is Status.MALFORMED
    rest = go_on(agent, MAIL[5:])
    assert AESGCM(OCTETS).decrypt(iv, head + rest + end(agent).tag, None) == MAIL


def test_an_end_is_an_end(agent: Agent) -> None:
    seal(agent)
    assert status(go_on(agent, b"x")) is Status.MALFORMED
    assert status(end(agent)) is Status.MALFORMED
    begin_opening(agent, "q")
    assert status(end(agent, b"short")) is Status.MALFORMED
    assert status(end(agent, b"t" * 16)) is Status.MALFORMED


def test_each_connection_has_a_file_of_its_own(agent: Agent) -> None:
    begin_sealing(agent)
    first, agent.client = agent.client, Client(ADMIN, 1, admin=True)
    assert status(go_on(agent, b"x")) is Status.MALFORMED
    seal(agent)
    agent.client = first
    assert go_on(agent, b"x")


@pytest.mark.parametrize("count", [0, CANDIDATES_LIMIT])
def test_the_number_of_keys_to_try_has_its_limits(agent: Agent, count: int) -> None:
    answer = begin_opening(agent, *["q"] * count)
    assert status(answer) is (None if count else Status.MALFORMED)
    with pytest.raises(ProtocolError):
        begin_opening(agent, *["q"] * (CANDIDATES_LIMIT + 1))


def test_plaintext_takes_a_single_key(agent: Agent) -> None:
    add(agent, "old", OTHER)
    assert status(begin_opening(agent, "q", "old", wanted=True)) is Status.MALFORMED
    assert agent.audit.of("open") == []


def test_an_empty_file_is_not_sealed(agent: Agent) -> None:
    begin_sealing(agent)
    assert status(end(agent)) is Status.MALFORMED


# What happens meanwhile.


def _lock(agent: Agent) -> None:
    assert agent.ssh_ok(*wire.lock_request(wire.LOCK, bytearray(b"pass")))


def _lock_and_unlock(agent: Agent) -> None:
    _lock(agent)
    assert agent.ssh_ok(*wire.lock_request(wire.UNLOCK, bytearray(b"pass")))


def _remove(agent: Agent) -> None:
    agent.ask(extension.Remove(id_of(b"", "q")), extension.Done)


def _remove_and_add(agent: Agent) -> None:
    _remove(agent)
    add(agent, "q")


def _add_again(agent: Agent) -> None:
    add(agent, "q")


MEANWHILE = {
    "locked": (_lock, Status.LOCKED),
    "locked and unlocked": (_lock_and_unlock, Status.UNAVAILABLE),
    "removed": (_remove, Status.UNKNOWN_KEY),
    "removed and added": (_remove_and_add, Status.UNAVAILABLE),
    "added again": (_add_again, Status.UNAVAILABLE),
}


@pytest.mark.parametrize("what", MEANWHILE)
@pytest.mark.parametrize("wanted", [None, False, True])
@pytest.mark.parametrize("at_end", [False, True])
def test_no_file_goes_on_without_its_key(agent: Agent, what: str, wanted: bool | None, at_end: bool) -> None:
    happens, expected = MEANWHILE[what]
    answer = begin_sealing(agent) if wanted is None else begin_opening(agent, "q", wanted=wanted)
    assert status(answer) is None
    assert status(go_on(agent, b"x")) is None
    happens(agent)
    tag = b"" if wanted is None else b"t" * 16
    assert status(end(agent, tag) if at_end else go_on(agent, b"x")) is expected
    if what == "locked":
        assert agent.ssh_ok(*wire.lock_request(wire.UNLOCK, bytearray(b"pass")))
    if what != "locked" or at_end:
        assert status(go_on(agent, b"x")) in (Status.MALFORMED, Status.UNAVAILABLE)
    assert status(go_on(agent, b"x")) is not None


def test_what_happens_to_other_keys_disturbs_no_file(agent: Agent) -> None:
    begin_sealing(agent)
    add(agent, "old", OTHER)
    agent.make("p-256", (), "signer")
    agent.ask(extension.Remove(id_of(b"", "old")), extension.Done)
    assert go_on(agent, b"x")


def test_a_key_that_expires_ends_its_files(agent: Agent, tmp_path: Path) -> None:
    configure(agent, tmp_path / "key", lifetime_s=60)
    begin_sealing(agent, "c")
    assert status(go_on(agent, b"x")) is None
    agent.now_s += 61
    assert status(go_on(agent, b"x")) is Status.UNKNOWN_KEY


def test_a_file_is_one_use_for_the_rate_and_a_check_is_none(agent: Agent, tmp_path: Path) -> None:
    configure(agent, tmp_path / "key", rate_mhz=1, burst=1)
    for _ in range(3):
        begin_opening(agent, "c")
        go_on(agent, b"x")
        end(agent, b"t" * 16)
    assert status(begin_sealing(agent, "c")) is None
    for _ in range(3):
        assert status(go_on(agent, b"x")) is None
    end(agent)
    answer = begin_opening(agent, "c", wanted=True)
    assert (status(answer), answer.message) == (
        Status.REFUSED,
        "the key was used as often as its rate allows",
    )


@pytest.mark.parametrize("says", [True, False])
def test_a_file_is_confirmed_once(agent: Agent, tmp_path: Path, says: bool) -> None:
    configure(agent, tmp_path / "key", confirm=True)
    agent.confirms = says
    begin_opening(agent, "c")
    end(agent, b"t" * 16)
    assert agent.asked == []
    assert status(begin_sealing(agent, "c")) is (None if says else Status.REFUSED)
    assert status(go_on(agent, b"x")) is (None if says else Status.MALFORMED)
    assert [(q.key_name, q.purpose) for q in agent.asked] == [("c", "queue")]


def test_without_an_audit_log_that_works_no_file_is_begun(agent: Agent) -> None:
    agent.audit.working = False
    assert status(begin_sealing(agent)) is Status.UNAVAILABLE
    assert status(begin_opening(agent, "q")) is Status.UNAVAILABLE
    assert status(begin_opening(agent, "q", wanted=True)) is Status.UNAVAILABLE


def test_a_key_file_whose_line_changed_is_loaded_again(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert configure(agent, path) == "loaded"
    begin_sealing(agent, "c")
    assert configure(agent, path) == "kept"
    assert status(go_on(agent, b"x")) is None
    assert configure(agent, path, OTHER) == "loaded"
    assert status(go_on(agent, b"x")) is Status.UNAVAILABLE
    assert configure(agent, path, OTHER) == "kept"
    sealed = seal(agent, "c")
    assert AESGCM(OTHER).decrypt(sealed[:12], sealed[12:], None) == MAIL


def test_a_configured_key_does_not_take_the_place_of_another(agent: Agent, tmp_path: Path) -> None:
    add(agent, "c", OTHER)
    assert configure(agent, tmp_path / "key") == "failed"
