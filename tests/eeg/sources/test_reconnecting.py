"""Devices that go and come back: ptys behind a link that is replaced, servers that restart."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kit.core.errors import KitError, NotPermitted, Unavailable
from kit.eeg.records import Chunk, Gone
from kit.eeg.sources import Source, open_source
from kit.eeg.sources.devices import Device
from kit.eeg.sources.ports import Port
from kit.eeg.sources.reconnecting import Reconnecting
from kit.eeg.sources.source import NotThere
from tests.eeg.sources.ptys import Pty, kept_open, plug_in


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "board"


def _until(chunks: Iterator[Chunk | Gone], wanted: bytes | type[Gone]) -> list[Chunk | Gone]:
    """What comes up to and with these bytes, or with the news that the device is gone."""
    seen: list[Chunk | Gone] = []
    end = time.monotonic() + 20
    for chunk in chunks:
        seen.append(chunk)
        if isinstance(chunk, Gone) if wanted is Gone else isinstance(chunk, Chunk) and chunk.data == wanted:
            return seen
        assert time.monotonic() < end, f"{wanted!r} did not come"
    pytest.fail(f"the source ended before {wanted!r} came")


def test_a_device_that_comes_back_is_read_on_and_its_absence_is_said_once(link: Path) -> None:
    board = plug_in(link)
    with contextlib.closing(open_source(str(link), reconnect=True)) as source:
        chunks = source.chunks()
        board.send(b"before")
        _until(chunks, b"before")
        link.unlink()  # the pty's number is soon somebody else's
        board.unplug()
        gone = _until(chunks, Gone)[-1]
        assert isinstance(gone, Gone)
        assert gone.reason.startswith(f"'{link}': the device is gone")
        assert abs(gone.monotonic_ns - time.monotonic_ns()) < 2_000_000_000
        assert abs(gone.wall_ns - time.time_ns()) < 2_000_000_000
        away = [next(chunks) for _ in range(3)]
        assert [chunk.data for chunk in away if isinstance(chunk, Chunk)] == [b"", b"", b""]
        again = plug_in(link)
        again.send(b"after")
        assert Gone not in {type(chunk) for chunk in _until(chunks, b"after")}
        again.unplug()


def test_a_device_may_go_more_than_once(link: Path) -> None:
    board = plug_in(link)
    with contextlib.closing(open_source(str(link), reconnect=True)) as source:
        chunks = source.chunks()
        for _ in range(3):
            link.unlink()
            board.unplug()
            _until(chunks, Gone)
            board = plug_in(link)
            board.send(b"back")
            _until(chunks, b"back")
        board.unplug()


def test_a_device_that_is_not_there_at_first_is_waited_for(link: Path) -> None:
    with contextlib.closing(open_source(str(link), reconnect=True)) as source:
        assert isinstance(source, Reconnecting)
        assert source.waiting_for == f"no file or device '{link}'"
        assert (source.name, source.live) == (str(link), True)
        chunks = source.chunks()
        assert [chunk.data for chunk in (next(chunks), next(chunks)) if isinstance(chunk, Chunk)] == [
            b"",
            b"",
        ]
        board = plug_in(link)
        board.send(b"first")
        assert Gone not in {type(chunk) for chunk in _until(chunks, b"first")}
        assert source.waiting_for is None
        board.unplug()


def test_the_wait_gives_four_empty_chunks_a_second(link: Path) -> None:
    with contextlib.closing(open_source(str(link), reconnect=True)) as source:
        chunks = source.chunks()
        begun = time.monotonic()
        for _ in range(3):
            next(chunks)
        assert 0.7 < time.monotonic() - begun < 2


def test_what_waiting_cannot_change_is_refused_at_once(link: Path) -> None:
    board = plug_in(link)
    with contextlib.closing(open_source(str(link))):
        with pytest.raises(Unavailable, match="is in use"):
            open_source(str(link), reconnect=True)
    board.unplug()


def test_a_device_that_is_in_use_when_it_comes_back_is_waited_for(link: Path) -> None:
    board = plug_in(link)
    with contextlib.closing(open_source(str(link), reconnect=True)) as source:
        assert isinstance(source, Reconnecting)
        chunks = source.chunks()
        link.unlink()
        board.unplug()
        _until(chunks, Gone)
        board = plug_in(link)
        with contextlib.closing(open_source(str(link))):
            next(chunks)
            assert source.waiting_for and "is in use" in source.waiting_for
        board.send(b"mine again")
        _until(chunks, b"mine again")
    board.unplug()


class _Refusing:
    """Opens once, then is not permitted to, as long as the test likes."""

    def __init__(self, board: Pty) -> None:
        self.board = board
        self.error: KitError | None = None

    def __call__(self) -> Source:
        if self.error:
            raise self.error
        return open_source(self.board.path)


def test_a_refusal_that_lasts_is_an_error(link: Path) -> None:
    reopen = _Refusing(plug_in(link))
    with contextlib.closing(Reconnecting("board", reopen, patience_s=0.6)) as source:
        source.open()
        chunks = source.chunks()
        reopen.board.unplug()
        _until(chunks, Gone)
        reopen.error = NotThere("not plugged in")
        for _ in range(4):  # absence is waited out for ever
            next(chunks)
        reopen.error = NotPermitted("no permission")
        with pytest.raises(NotPermitted):
            _until(chunks, b"never")


def test_closing_ends_the_wait(link: Path) -> None:
    source = open_source(str(link), reconnect=True)
    chunks = source.chunks()
    next(chunks)
    source.close()
    assert list(chunks) == []


def test_a_file_is_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "capture").write_bytes(b"x")
    with contextlib.closing(open_source(str(tmp_path / "capture"), reconnect=True)) as source:
        assert not source.live
        assert list(source.chunks()) == [Chunk(b"x")]


def test_a_server_that_restarts_is_connected_to_again() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with contextlib.closing(open_source(f"socket://127.0.0.1:{port}", reconnect=True)) as source:
        chunks = source.chunks()
        with contextlib.closing(listener.accept()[0]) as connection:
            connection.sendall(b"before")
            _until(chunks, b"before")
            listener.close()
        _until(chunks, Gone)
        next(chunks)
        with socket.create_server(("127.0.0.1", port)) as again:
            again.settimeout(20)
            next(chunks)
            with contextlib.closing(again.accept()[0]) as connection:
                connection.sendall(b"after")
                _until(chunks, b"after")


BOARD = Port("", "FT232R USB UART", "FTDI", "A9014SQP", "0403:6001", "00", "ftdi_sio", "yes", "")
OTHER = replace(BOARD, serial_number="FTALJ0V1")


def test_an_adapter_that_comes_back_under_another_name_is_found(tmp_path: Path) -> None:
    first, second = tmp_path / "ttyUSB0", tmp_path / "ttyUSB1"
    there: list[Port] = []
    device = Device(str(first), 57600, lambda: there)
    board = plug_in(first)
    there[:] = [replace(BOARD, device=str(first))]
    device.open().close()
    board.unplug()
    there.clear()
    with pytest.raises(NotThere, match="is not plugged in"):
        device.open()
    foreign, board = plug_in(first), plug_in(second)
    there[:] = [replace(OTHER, device=str(first)), replace(BOARD, device=str(second))]
    with kept_open(board.path), contextlib.closing(device.open()) as source:
        assert source.name == str(second)
        foreign.send(b"somebody else's")
        board.send(b"the board's")
        chunk = next(source.chunks())
        assert isinstance(chunk, Chunk)
        assert chunk.data == b"the board's"
    foreign.unplug()
    board.unplug()


def test_an_adapter_without_a_serial_number_is_whatever_is_at_its_path(tmp_path: Path) -> None:
    path = tmp_path / "ttyUSB0"
    device = Device(str(path), 57600, lambda: [replace(BOARD, device=str(path), serial_number=None)])
    for _ in range(2):
        board = plug_in(path)
        with contextlib.closing(device.open()) as source:
            assert source.name == str(path)
        board.unplug()
