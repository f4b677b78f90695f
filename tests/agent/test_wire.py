"""The SSH agent protocol, as ssh-add speaks it and as a hostile peer does."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from kit.agent import extension, wire
from kit.agent.encoding import mpint, string, uint32
from kit.agent.wire import (
    AddIdentity,
    Lock,
    Query,
    RemoveAllIdentities,
    RemoveIdentity,
    RequestIdentities,
    SignRequest,
    Unlock,
    Unsupported,
    parse_request,
)
from kit.core.errors import ProtocolError
from kit.core.framing import FrameReader, frame
from tests.agent.samples import CLASSICAL, private_key, public_key
from tests.peers import find


def h(text: str) -> bytes:
    return bytes.fromhex(text)


RSA_NUMBERS = {"n": 0xC5, "e": 3, "d": 0x81, "iqmp": 7, "p": 11, "q": 17}
RSA_PARTS = {name: memoryview(bytes([value])) for name, value in RSA_NUMBERS.items()}
EC_PARTS = {
    name: memoryview(v) for name, v in (("curve", b"nistp256"), ("q", b"\x04" + b"q" * 64), ("d", b"\x99"))
}
ED25519_PARTS = {"pk": memoryview(b"p" * 32), "k": memoryview(b"k" * 64)}
RSA_KEY = string("ssh-rsa") + b"".join(map(mpint, RSA_NUMBERS.values()))
EC_KEY = string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\x04" + b"q" * 64) + mpint(0x99)
ED25519_KEY = string("ssh-ed25519") + string(b"p" * 32) + string(b"k" * 64)
GOOD = {
    "list": (h("0b"), RequestIdentities()),
    "sign": (h("0d") + string(b"blob") + string(b"data") + uint32(2), SignRequest(b"blob", b"data", 2)),
    "remove": (h("12") + string(b"blob"), RemoveIdentity(b"blob")),
    "remove all": (h("13"), RemoveAllIdentities()),
    "lock": (h("16") + string("secret"), Lock(memoryview(b"secret"))),
    "unlock": (h("17") + string("secret"), Unlock(memoryview(b"secret"))),
    "query": (h("1b") + string("query"), Query()),
    "status": (h("1b") + string("status@kit"), extension.GetStatus()),
    "add RSA": (h("11") + RSA_KEY + string("mail"), AddIdentity("ssh-rsa", RSA_PARTS, "mail")),
    "add EC": (h("11") + EC_KEY + string("mail"), AddIdentity("ecdsa-sha2-nistp256", EC_PARTS, "mail")),
    "add Ed25519": (
        h("11") + ED25519_KEY + string("mail"),
        AddIdentity("ssh-ed25519", ED25519_PARTS, "mail"),
    ),
    "add for a minute": (
        h("19") + ED25519_KEY + string("mail") + b"\x01" + uint32(60),
        AddIdentity("ssh-ed25519", ED25519_PARTS, "mail", 60),
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_request_is_read(case: str) -> None:
    message, request = GOOD[case]
    assert parse_request(message) == request
    assert parse_request(bytearray(message)) == request


@pytest.mark.parametrize("case", GOOD)
def test_a_request_cut_short_or_with_a_tail_is_refused(case: str) -> None:
    message, _ = GOOD[case]
    wrong = [message[:end] for end in range(1, len(message))]
    for bad in (*wrong, message + b"\x07"):
        try:
            answer = parse_request(bad)
        except ProtocolError:
            continue
        # A constraint that follows is one that the agent does not keep, or none at all.
        assert case == "add for a minute"
        assert isinstance(answer, AddIdentity | Unsupported)


@pytest.mark.parametrize("number", [n for n in range(256) if n not in (11, 13, 17, 18, 19, 22, 23, 25, 27)])
def test_an_unknown_type_is_unsupported_whatever_follows(number: int) -> None:
    for rest in (b"", b"\xff" * 9):
        assert parse_request(bytes([number]) + rest) == Unsupported(f"message type {number}")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (h("11") + string("ssh-dss") + b"anything", "'ssh-dss'"),
        (h("11") + string("ssh-rsa-cert-v01@openssh.com") + b"anything", "cert-v01"),
        (h("19") + string("ecdsa-sha2-nistp256-cert-v01@openssh.com") + b"anything", "cert-v01"),
        (h("11") + string("sk-ssh-ed25519@openssh.com") + b"anything", "sk-ssh"),
        (h("19") + ED25519_KEY + string("c") + b"\x02", "confirmation"),
        (h("19") + ED25519_KEY + string("c") + b"\x01" + uint32(9) + b"\x02", "confirmation"),
        (
            h("19") + ED25519_KEY + string("c") + b"\xff" + string("restrict-destination-v00@openssh.com"),
            "extension",
        ),
        (h("19") + ED25519_KEY + string("c") + b"\x63", "number 99"),
        (h("1b") + string("session-bind@openssh.com") + b"anything", "session-bind"),
        (h("1b") + string("") + b"anything", "extension ''"),
    ],
)
def test_what_the_agent_does_not_do_is_unsupported(message: bytes, why: str) -> None:
    answer = parse_request(message)
    assert isinstance(answer, Unsupported)
    assert why in answer.why
    assert answer.is_extension == (message[:1] == h("1b"))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        h("11") + string("ssh-rsa") + string(b"\x80") * 6 + string("c"),  # not positive
        h("11") + string("ssh-rsa") + string(b"\x00\x01") * 6 + string("c"),
        h("11")
        + string("ecdsa-sha2-nistp256")
        + string("nistp256")
        + string(b"q")
        + string(b"")
        + string("c"),
        h("11") + ED25519_KEY + string(b"\xff"),  # a comment that is no text
        h("11") + ED25519_KEY + string("c" * 1025),
        h("11") + string(b"\xff\xff"),
        h("0d") + uint32(0xFFFFFFFF),
        h("1b") + string("query") + b"x",
        h("1b") + string("list@kit") + b"x",
    ],
)
def test_what_breaks_the_encoding_is_a_protocol_error(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_request(message)


def test_no_secret_is_in_a_repr_and_none_is_copied() -> None:
    for case in ("lock", "unlock", "add RSA", "add EC", "add Ed25519"):
        message = bytearray(GOOD[case][0])
        request = parse_request(message)
        assert "memory" not in repr(request)
        assert "secret" not in repr(request)
        views = request.parts.values() if isinstance(request, AddIdentity) else [request.passphrase]  # type: ignore[union-attr]
        message[:] = bytes(len(message))
        assert not any(any(view) for view in views)


def test_the_answers_of_the_agent() -> None:
    assert wire.failure() == h("05")
    assert wire.success() == h("06")
    assert wire.extension_failure() == h("1c")
    assert wire.identities_answer([]) == h("0c00000000")
    assert wire.identities_answer([(b"b", "é")]) == h("0c00000001 0000000162 00000002c3a9")
    assert wire.sign_response("ssh-ed25519", b"s") == h("0e") + string(string("ssh-ed25519") + string(b"s"))
    names = b"".join(string(name) for name in ("query", *extension.NAMES))
    assert wire.query_response() == h("1d") + string("query") + names
    assert wire.extension_response("stop@kit", b"\x00") == h("1d") + string("stop@kit") + b"\x00"


def test_the_clients_side_reads_what_the_agent_writes() -> None:
    assert wire.read_success(wire.success()) is True
    assert wire.read_success(wire.failure()) is False
    for bad in (b"", b"\x06x", b"\x1d", wire.identities_answer([])):
        with pytest.raises(ProtocolError):
            wire.read_success(bad)
    assert parse_request(b"".join(map(bytes, wire.lock_request(wire.LOCK, b"pass")))) == Lock(
        memoryview(b"pass")
    )
    assert parse_request(wire.extension_request("list@kit")) == extension.List()


def test_the_answer_to_an_extension_bears_its_name() -> None:
    reader = wire.read_extension_response(wire.extension_response("list@kit", b"body"), "list@kit")
    assert reader is not None
    assert bytes(reader.take(reader.left)) == b"body"
    assert wire.read_extension_response(wire.failure(), "list@kit") is None
    assert wire.read_extension_response(wire.extension_failure(), "list@kit") is None
    for bad in (b"", b"\x05x", b"\x06", wire.extension_response("sign@kit", b""), b"\x1d"):
        with pytest.raises(ProtocolError):
            wire.read_extension_response(bad, "list@kit")


KNOWN = st.sampled_from([11, 13, 17, 18, 19, 22, 23, 25, 27])


@given(
    st.binary(max_size=300)
    | st.builds(lambda number, rest: bytes([number]) + rest, KNOWN, st.binary(max_size=300))
)
def test_garbage_is_a_request_or_a_protocol_error(message: bytes) -> None:
    try:
        request = parse_request(message)
    except ProtocolError:
        return
    assert repr(request)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_a_damaged_request_is_a_request_or_a_protocol_error(case: str, data: st.DataObject) -> None:
    message = bytearray(GOOD[case][0])
    for _ in range(3):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        request = parse_request(message)
    except ProtocolError:
        return
    assert repr(request)


# What ssh-add really says.


@contextmanager
def yes_man(path: Path) -> Iterator[list[bytes]]:
    """An agent that says SUCCESS to everything; the messages that it heard."""
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            frames = FrameReader(wire.MESSAGE_LIMIT)
            while data := connection.recv(65536):
                for message in frames.feed(data):
                    heard.append(bytes(message))
                    empty = message[0] == wire.REQUEST_IDENTITIES
                    connection.sendall(frame(wire.identities_answer([]) if empty else wire.success()))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(20)
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            thread.join(25)


def ssh_add(folder: Path, *arguments: str) -> list[bytes]:
    """What ssh-add says to its agent."""
    path, command = folder / "agent", [find("ssh-add"), *arguments]
    with yes_man(path) as heard:
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, timeout=20, check=False, capture_output=True
        )
    return heard


def written(folder: Path, kind: str) -> Path:
    path = folder / "key"
    path.write_bytes(private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    (folder / "key.pub").write_bytes(
        private_key(kind).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    )
    return path


@pytest.mark.parametrize("kind", CLASSICAL)
def test_ssh_add_hands_over_a_key(kind: str, short_tmp: Path) -> None:
    (message,) = ssh_add(short_tmp, str(written(short_tmp, kind)))
    request = parse_request(message)
    assert isinstance(request, AddIdentity)
    key = private_key(kind)
    numbers = {name: int.from_bytes(part, "big") for name, part in request.parts.items()}
    if isinstance(key, rsa.RSAPrivateKey):
        private = key.private_numbers()
        assert (numbers["n"], numbers["e"]) == (private.public_numbers.n, private.public_numbers.e)
        assert (numbers["d"], numbers["p"], numbers["q"]) == (private.d, private.p, private.q)
        assert numbers["iqmp"] == private.iqmp
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        assert numbers["d"] == key.private_numbers().private_value
        blob = string(request.key_type) + string(request.parts["curve"]) + string(request.parts["q"])
        assert blob == public_key(kind).ssh_blob
    else:
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        assert request.parts["k"] == key.private_bytes_raw() + key.public_key().public_bytes_raw()


def test_ssh_add_asks_for_a_lifetime_and_for_confirmation(short_tmp: Path) -> None:
    path = str(written(short_tmp, "ed25519"))
    (timed,) = ssh_add(short_tmp, "-t", "90", path)
    request = parse_request(timed)
    assert isinstance(request, AddIdentity)
    assert request.lifetime_s == 90
    (short_tmp / "agent").unlink()
    (confirmed,) = ssh_add(short_tmp, "-c", path)
    assert parse_request(confirmed) == Unsupported("a key constrained by confirmation")


def test_ssh_add_lists_and_removes(short_tmp: Path) -> None:
    path = str(written(short_tmp, "p-256"))
    for arguments, expected in (
        (["-l"], RequestIdentities()),
        (["-d", path], RemoveIdentity(public_key("p-256").ssh_blob)),
        (["-D"], RemoveAllIdentities()),
    ):
        assert expected in [parse_request(message) for message in ssh_add(short_tmp, *arguments)]
        (short_tmp / "agent").unlink()
