"""The keeper's hand in other processes: an OpenSSL provider through which `ssl` signs with an agent's keys.

After `install()` a handle file stands wherever `ssl.SSLContext.load_cert_chain` takes a key file. It
changes `ssl` itself in three methods, which then tell why the agent did not sign. Subinterpreters are not
supported.
"""

from __future__ import annotations

import ctypes
import ssl
import threading

from kit.agent.provider.failures import AgentSSLError as AgentSSLError
from kit.agent.provider.failures import watch
from kit.agent.provider.signing import Observer
from kit.agent.provider.signing import SignatureMade as SignatureMade
from kit.agent.provider.signing import settings as _settings
from kit.core.errors import Unavailable

_lock = threading.Lock()
_installed: list[str] = []


def install(*, timeout_s: float = 5.0) -> None:
    """Let `ssl` take handles; an agent that takes longer than `timeout_s` for a signature has failed.

    Raises Unavailable where this Python's OpenSSL cannot be reached. May be called again, to set the time.
    """
    _refuse_subinterpreter()
    with _lock:
        _settings.timeout_s = timeout_s
        if _installed:
            return
        from kit.agent.provider import tables

        tables.load()
        _watch_ssl()
        _installed.append("kit")


def observe(observer: Observer | None) -> None:
    """Call `observer` after each operation that the agent was asked for; it must be quick and not raise."""
    _settings.observer = observer


def _watch_ssl() -> None:
    ssl.SSLSocket.do_handshake = watch(ssl.SSLSocket.do_handshake)  # type: ignore[method-assign]
    ssl.SSLObject.do_handshake = watch(ssl.SSLObject.do_handshake)  # type: ignore[method-assign]
    ssl.SSLContext.load_cert_chain = watch(ssl.SSLContext.load_cert_chain)  # type: ignore[method-assign]


def _refuse_subinterpreter() -> None:
    """libcrypto and its callbacks belong to the process: called from another interpreter they crash it."""
    api = ctypes.pythonapi
    for function in (api.PyInterpreterState_Get, api.PyInterpreterState_Main):
        function.restype = ctypes.c_void_p
    if api.PyInterpreterState_Get() != api.PyInterpreterState_Main():
        raise Unavailable(
            "the agent's keys can be used in the main interpreter only, not in a subinterpreter"
        )
