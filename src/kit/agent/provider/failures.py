"""What went wrong in a callback, carried past libssl to the Python code that waits for the handshake.

A callback can only answer 0. Its reason is kept by the frame which waits: `watch` wraps the methods of
`ssl` that enter libssl, and a callback finds the nearest wrapper by walking up its own stack. As the reason
lives in that frame, none is left over for a later handshake, whatever a signal interrupts.

Two kinds are kept apart. An agent's failure (KitError) becomes the message of the SSLError. Anything else,
be it Ctrl-C or what a signal handler raised, is raised again as it was. Where no wrapper waits (a handshake
inside SSLSocket.read), the thread is told to raise it as soon as it runs Python code again.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, TypeVar, cast

from kit.core.errors import KitError

_log = logging.getLogger("kit.agent")
_F = TypeVar("_F", bound=Callable[..., Any])


class AgentSSLError(ssl.SSLError):
    """The handshake failed because the agent did not sign; `__cause__` is the agent's own error."""


@dataclass
class _Attempt:
    """One call into libssl, and what its callbacks could not say.

    What is raised is let go of here: its traceback holds the frame which holds this.
    """

    message: str = ""
    reason: KitError | None = None
    interrupt: BaseException | None = None

    def explained(self) -> AgentSSLError:
        explained = AgentSSLError(ssl.SSL_ERROR_SSL, self.message)
        explained.library, explained.reason = "KIT", "AGENT_FAILED"
        explained.__cause__, self.reason = self.reason, None
        return explained

    def go_on(self) -> None:
        """Raise what was swallowed, if anything was."""
        if self.interrupt is not None:
            try:
                raise self.interrupt
            finally:
                self.interrupt = None


def watch(method: _F) -> _F:
    """The method, raising what its callbacks could not raise."""

    @functools.wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        attempt = _Attempt()
        try:
            return method(*args, **kwargs)
        except OSError:  # SSLError among them; another where the peer left meanwhile
            if attempt.reason is None:
                raise
            # Said aloud as well: some servers drop what a handshake raises.
            _log.error("%s", attempt.message)
            raise attempt.explained()  # noqa: B904 -- it has its cause
        finally:
            attempt.go_on()

    return cast(_F, watched)


_WATCHED_CODE = watch(lambda: None).__code__


def fail(what: str, reason: KitError) -> int:
    """Keep why this callback fails; returns the 0 that it answers."""
    message = f"kit agent: {what}: {reason}"
    attempt = _waiting(sys._getframe(1))
    if attempt is None:
        _log.error("%s", message)
    else:
        attempt.message, attempt.reason = message, reason
    return 0


def _waiting(frame: FrameType | None) -> _Attempt | None:
    """The attempt of the frame that entered libssl, if it is one of ours."""
    while frame is not None:
        if frame.f_code is _WATCHED_CODE:
            return cast(_Attempt, frame.f_locals["attempt"])
        module = frame.f_globals.get("__name__", "")
        if module != "ssl" and not module.startswith(__package__):
            return None  # the program's own code, which entered by a way that is not watched
        frame = frame.f_back
    return None


def keep(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    """cffi's onerror: a callback raised, and C has its 0 already.

    Should a second signal raise while the first one's exception is being kept here, cffi hands both to
    sys.unraisablehook; that is the one case in which they are shown and not raised.
    """
    attempt = _waiting(sys._getframe(1))
    if attempt is not None:
        if error.__context__ is None and error is not attempt.interrupt:
            error.__context__ = attempt.interrupt
        attempt.interrupt = error
        return
    later = _raised_later(error)
    # The last thing done here, and an attribute where a call would be plainer: CPython looks for what it was
    # told to raise after a call, and would raise it into libssl; after an attribute it does not look.
    later.now  # noqa: B018


# Takes a third argument, which the C function never sees: a property passes the object that it is of.
_set_async_exc = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


def _raised_later(error: BaseException) -> Any:
    """An object whose attribute `now` makes this thread raise `error` when it next looks."""
    # CPython instantiates the class that it is given; this one gives the error that was caught.
    again = type("_Again", (type(error),), {"__new__": lambda *_: error})
    call = functools.partial(_set_async_exc, threading.get_ident(), again)
    return type("_Later", (), {"now": property(call)})()
