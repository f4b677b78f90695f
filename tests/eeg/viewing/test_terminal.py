"""A terminal is taken, drawn in without ever waiting for it, and given back as it was."""

from __future__ import annotations

import os
import signal
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from kit.core.errors import UsageError
from kit.eeg.viewing.terminal import check, opened

UTF_8 = {"TERM": "xterm", "LC_ALL": "C.UTF-8"}


@dataclass
class Pty:
    """A person's side, and the program's."""

    master: int
    slave: int

    def read(self) -> bytes:
        return os.read(self.master, 1 << 16)

    def read_up_to(self, text: bytes) -> bytes:
        data = self.read()
        while text not in data:
            data += self.read()
        return data

    @property
    def mode(self) -> list[object]:
        return termios.tcgetattr(self.slave)


@pytest.fixture
def pty() -> Iterator[Pty]:
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (30, 100))
    yield Pty(master, slave)
    os.close(slave)
    os.close(master)


def test_it_is_given_back_as_it_was(pty: Pty) -> None:
    before = pty.mode
    with opened(pty.slave) as terminal:
        assert terminal.size == (100, 30)
        assert terminal.attend()
        assert pty.read_up_to(b"\x1b[?1049h")
        assert pty.mode != before
        os.write(pty.master, b"q\x1b[A")
        assert terminal.typed() == ["q", "up"]
    assert pty.mode == before
    assert pty.read_up_to(b"\x1b[?25h\x1b[?1049l")


def test_it_is_given_back_whatever_happens(pty: Pty) -> None:
    before = pty.mode
    with pytest.raises(ZeroDivisionError), opened(pty.slave) as terminal:
        terminal.enter()
        raise ZeroDivisionError
    assert pty.mode == before
    assert pty.read_up_to(b"\x1b[?1049l")


def test_a_terminal_that_takes_nothing_is_not_waited_for(pty: Pty) -> None:
    with opened(pty.slave) as terminal:
        terminal.write("x" * 1_000_000)
        assert terminal.busy
        begun_s = time.monotonic()
        terminal.wait(begun_s + 0.01)
        assert terminal.busy
        received = 0
        while terminal.busy:
            received += len(pty.read())
            terminal.flush()
        assert terminal.sent_ns


def test_another_thread_writes_while_one_waits_which_sends_the_rest(pty: Pty) -> None:
    with opened(pty.slave) as terminal:
        terminal.attend()
        text = "".join(f"line {number}, " for number in range(100_000))
        writing = threading.Timer(0.1, terminal.write, [text])
        received = bytearray()

        def receive() -> None:
            while not received.endswith(b"line 99999, "):
                received.extend(pty.read())

        receiving = threading.Thread(target=receive)
        receiving.start()
        writing.start()
        end_s = time.monotonic() + 20
        while receiving.is_alive() and time.monotonic() < end_s:
            terminal.wait(end_s if terminal.busy else time.monotonic() + 0.2)
        writing.join()
        receiving.join(1)
        assert received.decode().endswith(text)


def test_a_key_ends_a_wait_at_once(pty: Pty) -> None:
    with opened(pty.slave) as terminal:
        terminal.attend()
        begun_s = time.monotonic()
        os.write(pty.master, b"q")
        terminal.wait(begun_s + 10)
        assert time.monotonic() - begun_s < 4
        assert terminal.typed() == ["q"]


def test_a_signal_ends_a_wait(pty: Pty) -> None:
    with opened(pty.slave) as terminal:
        begun_s = time.monotonic()
        before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGWINCH))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            terminal.wait(begun_s + 10)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert time.monotonic() - begun_s < 5
        assert terminal.attend()


def test_a_change_of_its_size_is_noticed(pty: Pty) -> None:
    with opened(pty.slave) as terminal:
        terminal.attend()
        assert not terminal.attend()
        termios.tcsetwinsize(pty.slave, (20, 50))
        os.kill(os.getpid(), signal.SIGWINCH)
        assert terminal.attend()
        assert terminal.size == (50, 20)


def test_a_terminal_that_goes_is_noticed() -> None:
    master, slave = os.openpty()
    with opened(slave) as terminal:
        terminal.attend()
        os.close(master)
        terminal.wait(time.monotonic() + 10)
        assert terminal.gone
    os.close(slave)


def test_signals_that_were_ignored_stay_ignored(pty: Pty) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with opened(pty.slave):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTSTP) != signal.SIG_DFL
        assert signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_picture_is_refused_where_none_can_be_drawn() -> None:
    check(UTF_8, True, plain=False)
    check({**UTF_8, "LC_ALL": "C"}, True, plain=True)
    check({"TERM": "xterm", "LANG": "de_DE.utf8"}, True, plain=False)
    with pytest.raises(UsageError, match="no terminal"):
        check(UTF_8, False, plain=True)
    for term in ({"TERM": "dumb"}, {}):
        with pytest.raises(UsageError, match="TERM is dumb") as caught:
            check(term, True, plain=True)
        assert caught.value.hint
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        check({"TERM": "xterm", "LC_ALL": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, True, plain=False)
    assert "--ascii" in str(caught.value.hint)
