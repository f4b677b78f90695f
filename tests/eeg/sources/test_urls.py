"""Sources by URL: servers, listeners, and what is wrong with a URL."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.core.errors import KitError, Unavailable, UsageError
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources import DeviceGone, open_source
from tests.eeg.sources.ptys import Pty
from tests.eeg.sources.rfc2217_server import Server


@pytest.fixture
def pty() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.unplug()


def _bytes(chunks: Iterator[Chunk | Gone], count: int) -> bytes:
    """The next so many bytes, each chunk with its times."""
    data = b""
    end = time.monotonic() + 20
    while len(data) < count:
        chunk = next(chunks)
        assert isinstance(chunk, Chunk)
        assert chunk.monotonic_ns and chunk.wall_ns
        data += chunk.data
        assert time.monotonic() < end, f"{count} bytes did not come, but {data!r}"
    return data


def _rest(chunks: Iterator[Chunk | Gone]) -> bytes:
    """What comes before the device is gone."""
    data = b""
    with pytest.raises(DeviceGone):
        for chunk in chunks:
            assert isinstance(chunk, Chunk)
            data += chunk.data
    return data


def _threads_of_pyserial() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "RFC 2217" in thread.name]


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_server_is_read_from_its_first_byte_to_its_last(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        url = f"socket://[{host}]:{port}" if ":" in host else f"socket://{host}:{port}"
        with contextlib.closing(open_source(url)) as source:
            assert (source.name, source.live) == (url, True)
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"first")
                chunks = source.chunks()
                assert _bytes(chunks, 5) == b"first"
                assert next(chunks).data == b""  # type: ignore[union-attr]
                connection.sendall(b"last")
            assert _rest(chunks) == b"last"


def test_a_server_that_breaks_off_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with contextlib.closing(open_source(f"socket://127.0.0.1:{listener.getsockname()[1]}")) as source:
            connection, _ = listener.accept()
            # A linger time of 0 makes the close a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            with pytest.raises(DeviceGone, match=r"the device is gone \(connection reset by peer\)"):
                next(source.chunks())


def test_a_port_behind_rfc_2217_is_read_at_the_speed_that_was_asked_for(pty: Pty) -> None:
    with contextlib.closing(Server(pty.path)) as server:
        with contextlib.closing(open_source(f"rfc2217://127.0.0.1:{server.port}", baud=115200)) as source:
            assert source.live
            assert server.baud == 115200
            chunks = source.chunks()
            for data in (bytes(range(256)), b"\xff" * 100, b"\xa5\x5a"):
                pty.send(data)
                assert _bytes(chunks, len(data)) == data
            begun = time.monotonic()
            assert {next(chunks).data for _ in range(2)} == {b""}  # type: ignore[union-attr]
            assert time.monotonic() - begun > 0.4


def test_what_a_server_says_last_is_not_lost_by_rfc_2217(pty: Pty, wait_until: Callable[..., None]) -> None:
    with contextlib.closing(Server(pty.path)) as server:
        with contextlib.closing(open_source(f"rfc2217://127.0.0.1:{server.port}")) as source:
            pty.send(b"last words " * 100)
            server.hang_up()
            wait_until(lambda: not _threads_of_pyserial(), "the end of pyserial's thread")
            assert _rest(source.chunks()) == b"last words " * 100


def test_a_server_that_does_not_speak_rfc_2217_is_named_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            open_source(f"rfc2217://127.0.0.1:{port}?timeout=0.2")
    assert str(caught.value) == (
        f"what answers at 'rfc2217://127.0.0.1:{port}?timeout=0.2' does not speak RFC 2217"
    )
    assert caught.value.hint == (f"for a server that sends bare bytes write socket://127.0.0.1:{port}")


def test_a_spy_sees_what_is_read(pty: Pty, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with contextlib.closing(open_source(f"spy://{pty.path}?file={log}")) as source:
        chunks = source.chunks()
        pty.send(b"\xa5\x5a\x02")
        assert _bytes(chunks, 3) == b"\xa5\x5a\x02"
        assert next(chunks).data == b""  # type: ignore[union-attr]
        pty.unplug()
        assert _rest(chunks) == b""
    assert "RX   0000  A5 5A 02" in log.read_text()


def test_a_port_with_another_read_is_read(pty: Pty) -> None:
    with contextlib.closing(open_source(f"alt://{pty.path}?class=PosixPollSerial")) as source:
        pty.send(b"\xa5\x5a\x02")
        assert _bytes(source.chunks(), 3) == b"\xa5\x5a\x02"


def test_a_loop_is_silent_and_sleeps() -> None:
    with contextlib.closing(open_source("loop://")) as source:
        chunks = source.chunks()
        begun, spent = time.monotonic(), time.process_time()
        for _ in range(4):
            assert next(chunks).data == b""  # type: ignore[union-attr]
        assert time.monotonic() - begun > 0.9
        assert time.process_time() - spent < 0.05


REFUSED = [
    ("telnet://localhost:23", UsageError, "unknown kind of source in 'telnet://localhost:23'"),
    ("://", UsageError, "unknown kind of source in '://'"),
    ("socket://", UsageError, "'socket://' does not name a host and a port"),
    ("socket://localhost", UsageError, "'socket://localhost' does not name a host and a port"),
    ("socket://:5000", UsageError, "'socket://:5000' does not name a host and a port"),
    ("socket://localhost:x", UsageError, "'socket://localhost:x' does not name a host and a port"),
    ("socket://localhost:99999", UsageError, "'socket://localhost:99999' does not name a host and a port"),
    ("socket://[::1", UsageError, "'socket://[::1' does not name a host and a port"),
    ("rfc2217://localhost", UsageError, "'rfc2217://localhost' does not name a host and a port"),
    ("socket://localhost:1?x=1", UsageError, "'socket://localhost:1?x=1' has more than a host and a port"),
    ("rfc2217://localhost:1?x=1", UsageError, "cannot make sense of 'rfc2217://localhost:1?x=1'"),
    ("loop://?x=1", UsageError, "cannot make sense of 'loop://?x=1'"),
    ("loop://?logging=x", UsageError, "cannot make sense of 'loop://?logging=x'"),
    ("hwgrep://[", UsageError, "cannot make sense of 'hwgrep://['"),
    ("alt:///dev/null?class=os", UsageError, "cannot make sense of 'alt:///dev/null?class=os'"),
    ("spy:///dev/null?raw", UsageError, "cannot make sense of 'spy:///dev/null?raw': it has no raw form"),
    ("spy:///dev/null?x=1", UsageError, "cannot make sense of 'spy:///dev/null?x=1'"),
    ("spy:///dev/null?file=/no/where", UsageError, "cannot make sense of 'spy:///dev/null?file=/no/where'"),
    ("hwgrep://no-such-port", Unavailable, "no port matches 'hwgrep://no-such-port'"),
    ("spy:///dev/no-such-port", Unavailable, "no file or device '/dev/no-such-port'"),
    ("socket://no.such.host.invalid:1", Unavailable, "there is no host of the name in"),
    (f"socket://{'x' * 70}:1", Unavailable, "there is no host of the name in"),
]


@pytest.mark.parametrize(("url", "error", "says"), REFUSED, ids=[url for url, _, _ in REFUSED])
def test_what_is_wrong_with_a_url_is_said_with_a_hint(url: str, error: type[KitError], says: str) -> None:
    with pytest.raises(error) as caught:
        open_source(url)
    assert str(caught.value).startswith(says)
    assert caught.value.exit_status == error.exit_status
    assert caught.value.hint


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_a_port_where_nobody_listens_is_said(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unavailable) as caught:
            open_source(url)
    assert str(caught.value) == f"nobody answers at {url!r}: connection refused"
    assert caught.value.hint == "is the server running, and is this its address?"
