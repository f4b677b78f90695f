"""One client's connection, from its first byte: requests in, answers and questions to the agent out.

Requests are answered one after the other, as p11-kit's own server does, whatever number of threads the
client has. A frame that no client sends costs the connection (ProtocolError); anything within a frame costs
its call only, since a PKCS#11 client never connects again: a program whose connection is closed has to be
started again, with all its other threads and keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import NamedTuple

from kit.agent.extension import Request
from kit.agent.pkcs11.calls import ANSWERED, INITIALIZE, VERSION_MAX, Call
from kit.agent.pkcs11.codes import CallError, Code
from kit.agent.pkcs11.framing import FrameReader, frame_header
from kit.agent.pkcs11.questions import Question, Reply
from kit.agent.pkcs11.sessions import Application
from kit.agent.pkcs11.values import Arguments
from kit.core.errors import ProtocolError

# Call 0, the text "u", the code.
_ERROR = Struct(">IIIIIcQ")
_ERROR_SIZE = _ERROR.size - 12
_FIRST = INITIALIZE.to_bytes(4, "big")


class Ask(NamedTuple):
    """Ask the agent, and give `finish` its answer: None where there is no agent. It returns what to send to
    the client, or the next question.
    """

    request: Request
    finish: Callable[[Reply], bytes | Ask]


class Conversation:
    """Feed it what the client sends, and send or ask what `next` gives until that is None."""

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._application = Application()
        self._greeted = False
        self._asking = False

    @property
    def initialized(self) -> bool:
        """Has the client made its first call? Until then its time is limited, and later it may be idle."""
        return self._application.initialized

    @property
    def begun(self) -> bool:
        """Is a request here in part, or waiting for its turn?"""
        return self._frames.pending > 0

    @property
    def missing(self) -> int:
        """How many bytes must come at least before `next`, which gave None, can give more."""
        return self._frames.missing

    @property
    def asking(self) -> bool:
        """Is a question open?"""
        return self._asking

    @property
    def room(self) -> int:
        """How many bytes may be fed now; read no more from the client, then it waits."""
        return self._frames.room

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the client sent; raises ProtocolError for more than `room`."""
        self._frames.feed(data)

    def next(self) -> bytes | Ask | None:
        """The next answer to send, or a question; None until more is fed, or the open question answered.

        Raises ProtocolError where the connection is to be closed.
        """
        if self._asking:
            return None
        if not self._greeted:
            return self._greet()
        frame = self._frames.next()
        if frame is None:
            return None
        code, body = frame
        number = body[:4]
        call = ANSWERED.get(number)
        if not self._application.initialized and number != _FIRST:
            return _error(code, Code.CRYPTOKI_NOT_INITIALIZED)
        if call is None:
            return _error(code, Code.FUNCTION_NOT_SUPPORTED)
        if not body.startswith(call.request):
            return _error(code, Code.ARGUMENTS_BAD)
        try:
            outcome = call.run(self._application, Arguments(body, len(call.request)))
        except CallError as failed:
            return _error(code, failed.code)
        return self._settled(code, call, outcome)

    def _greet(self) -> bytes | None:
        version = self._frames.version()
        if version is None:
            return None
        self._greeted = True
        self._application.version = version
        return bytes([min(version, VERSION_MAX)])

    def _settled(self, code: int, call: Call, outcome: bytes | Question) -> bytes | Ask:
        if isinstance(outcome, bytes):
            head = call.answer
            return frame_header(code, 0, len(head) + len(outcome)) + head + outcome
        self._asking = True
        return Ask(outcome.request, partial(self._resume, code, call, outcome.step))

    def _resume(
        self, code: int, call: Call, step: Callable[[Reply], bytes | Question], reply: Reply
    ) -> bytes | Ask:
        self._asking = False
        try:
            outcome = step(reply)
        except CallError as failed:
            return _error(code, failed.code)
        except ProtocolError:
            # The agent's answer makes no sense; the client is not to blame.
            return _error(code, Code.DEVICE_ERROR)
        return self._settled(code, call, outcome)


def _error(code: int, failed: Code) -> bytes:
    return _ERROR.pack(code, 0, _ERROR_SIZE, 0, 1, b"u", failed)
