"""Questions to the agent, and what becomes of a call whose question is not answered as hoped."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from kit.agent.extension import Answer, Failure, Request, Status
from kit.agent.pkcs11.codes import CallError, Code
from kit.core.errors import ProtocolError

Reply = Answer | Failure | None  # None: there is no agent now
_T = TypeVar("_T")

# No agent, and an agent that cannot do it now: a code that ends no program and that none takes for final. The
# slot and the token stay whatever the agent does, and sessions and handles too, so that a client that goes on
# succeeds when the agent is back; one that found the token gone would not look again.
_NO_AGENT = Code.DEVICE_ERROR
# As users read them, libp11 and GnuTLS 3.8: "key function not permitted", "error in key" for a refusal; "user
# not logged in", "user error" for a lock; "device error", "error in device" for an agent that is not there.
# None of them asks for a PIN or tries again by itself.
_CODES = {
    Status.REFUSED: Code.KEY_FUNCTION_NOT_PERMITTED,
    Status.NOT_PERMITTED: Code.KEY_FUNCTION_NOT_PERMITTED,
    Status.UNKNOWN_KEY: Code.KEY_HANDLE_INVALID,
    Status.LOCKED: Code.USER_NOT_LOGGED_IN,
    Status.MALFORMED: Code.GENERAL_ERROR,
    Status.UNAVAILABLE: Code.DEVICE_ERROR,
    Status.FAILED: Code.FUNCTION_FAILED,
}


class Question(NamedTuple):
    """A call waits for the agent; given its reply, `step` makes the call's results, or asks again."""

    request: Request
    step: Callable[[Reply], bytes | Question]


def expect(kind: type[_T], reply: Reply) -> _T:
    """The answer; raises CallError for a failure, ProtocolError for an answer to something else."""
    if isinstance(reply, kind):
        return reply
    if reply is None:
        raise CallError(_NO_AGENT)
    if isinstance(reply, Failure):
        raise CallError(_CODES[reply.status])
    raise ProtocolError(f"the agent answered with {type(reply).__name__}")
