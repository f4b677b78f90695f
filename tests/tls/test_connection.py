"""Connecting and resolving keep to the deadline, whatever hangs."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from kit.tls.connection import Deadline, connect, resolve
from kit.tls.target import Target
from tests.tls import doubles


def test_the_second_address_is_tried_where_the_first_refuses() -> None:
    with doubles.serving(lambda c: c.sendall(b"hello")) as port:
        addresses = [(socket.AF_INET, host, port, 0) for host in ("127.0.0.2", "127.0.0.1")]
        with connect(addresses, Deadline(5)) as connection:
            assert connection.peer_address == "127.0.0.1"
            assert connection.receive() == b"hello"


def test_a_family_that_the_machine_lacks_is_passed_over() -> None:
    with doubles.serving(lambda c: c.sendall(b"hello")) as port:
        addresses = [(9999, "127.0.0.1", port, 0), (socket.AF_INET, "127.0.0.1", port, 0)]
        with connect(addresses, Deadline(5)) as connection:
            assert connection.receive() == b"hello"


def test_sending_to_a_peer_that_has_gone_leaves_its_last_words_to_be_read() -> None:
    with doubles.serving(lambda c: c.sendall(b"farewell")) as port:
        with connect([(socket.AF_INET, "127.0.0.1", port, 0)], Deadline(5)) as connection:
            assert connection.receive() == b"farewell"
            for _ in range(20):
                connection.send(b"x" * 1000)


def test_a_resolver_that_hangs_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_arguments: Any, **_options: Any) -> list[Any]:
        released.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(TimeoutError):
            resolve(Target("mail.example", 25), Deadline(0.1))
    finally:
        released.set()


def test_a_deadline_that_has_passed_says_so() -> None:
    with pytest.raises(TimeoutError):
        Deadline(0).left_s()


def test_localhost_is_this_machine_whatever_its_files_and_name_servers_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    real = socket.getaddrinfo

    def note(host: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(host)
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    addresses = resolve(Target("LocalHost.", 4433), Deadline(5))
    assert {host for _, host, _, _ in addresses} <= {"127.0.0.1", "::1"}
    assert asked == [None]
