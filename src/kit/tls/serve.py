"""A TLS server for tests: a thread a connection, each with its limits; no peer can end it or stop it.

Threads are kept for the next connection: who signs may have a connection of its own for each thread.
It signs with whatever key stands behind the contexts and does not know what that is. Whoever does know hands
in `signed`, which tells (and forgets) what was signed for the handshake that this thread has just done.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kit.core.errors import NotPermitted, Unavailable
from kit.core.frozen import frozen
from kit.core.waiting import await_ready
from kit.tls.contexts import Contexts, Observed
from kit.tls.conversation import Beginning, Conversation, Negotiated, Next
from kit.tls.handshakes import Handshake, Signed

_CHUNK = 16 * 1024
_T = TypeVar("_T")


@frozen
class Limits:
    """What one client may take."""

    connections: int = 128
    handshake_s: float = 10
    idle_s: float = 60
    farewell_s: float = 2


def nothing_signed() -> Signed | None:
    """For servers whose keys are their own."""
    return None


@frozen
class Service:
    """What is served, and who is told."""

    contexts: Contexts
    begin: Beginning
    report: Callable[[Handshake], None]
    signed: Callable[[], Signed | None] = nothing_signed
    limits: Limits = Limits()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except PermissionError as error:
        raise NotPermitted(f"cannot listen on {host} port {port}: {error.strerror}") from None
    except OSError as error:
        raise Unavailable(f"cannot listen on {host} port {port}: {error.strerror}") from None


class Server:
    """Serves a listening socket until `count` handshakes are done, `stop` is called or an exception comes."""

    def __init__(self, listener: socket.socket, service: Service) -> None:
        self._listener, self._service = listener, service
        self._slots = threading.Semaphore(service.limits.connections)
        self._work: queue.SimpleQueue[tuple[socket.socket, str]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._left = 0
        self._failure: Exception | None = None
        self._wake, self._waker = socket.socketpair()

    def run(self, count: int = 0) -> None:
        """Accept until told to stop; 0 counts no handshakes. Nothing is left open afterwards."""
        self._left = count or -1
        self._listener.setblocking(False)
        try:
            self._accept_all()
            self._let_finish()
        finally:
            self._close()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """May be called from any thread."""
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    def _accept_all(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        while not any(descriptor == self._wake.fileno() for descriptor, _ in await_ready(poll)):
            try:
                connection, address = self._listener.accept()
            except OSError:
                time.sleep(0.01)  # taken back by the peer, or no descriptors: neither is a reason to end
                continue
            self._start(connection, _shown(address))

    def _let_finish(self) -> None:
        """The last of the counted clients is still talking: it has a moment to end by itself."""
        end = time.monotonic() + self._service.limits.farewell_s
        while self._open and not self._failure and time.monotonic() < end:
            time.sleep(0.01)

    def _start(self, connection: socket.socket, peer: str) -> None:
        self._slots.acquire()
        with self._lock:
            self._open.add(connection)
        self._work.put((connection, peer))
        if not self._idle.acquire(blocking=False):
            # Daemons: the end of the server waits for nobody's answer.
            threading.Thread(target=self._serve_all, daemon=True).start()

    def _serve_all(self) -> None:
        """An unexpected error ends this thread, with its traceback, and not the server."""
        while True:
            self._serve(*self._work.get())
            self._idle.release()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            _Visit(connection, peer, self._service, self._report).run()
        except (OSError, ValueError):
            pass  # the peer is gone, or the server is ending and has closed the socket
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
            self._slots.release()

    def _report(self, handshake: Handshake) -> None:
        with self._lock:
            if self._left == 0:
                return
            try:
                self._service.report(handshake)
            except OSError as error:  # nobody reads the log any more
                self._failure, self._left = error, 1
            self._left -= 1
        if self._left == 0:
            self.stop()

    def _close(self) -> None:
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._wake.close()
        self._waker.close()


class _Visit:
    """One client from the first byte to the last."""

    def __init__(
        self, connection: socket.socket, peer: str, service: Service, report: Callable[[Handshake], None]
    ) -> None:
        self._bare, self._peer, self._service, self._report = connection, peer, service, report

    def run(self) -> None:
        talk = self._service.begin()
        self._bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bare.settimeout(self._service.limits.idle_s)
        if talk.plain_first and self._converse(self._bare, talk, talk.greet()) is not Next.START_TLS:
            return
        with self._service.contexts.default.wrap_socket(
            self._bare.dup(), server_side=True, do_handshake_on_connect=False
        ) as tls:
            negotiated = self._shake(tls)
            if negotiated:
                tls.settimeout(self._service.limits.idle_s)
                self._converse(tls, talk, talk.secured(negotiated))
                self._part(tls)

    def _shake(self, tls: ssl.SSLSocket) -> Negotiated | None:
        """Do the handshake and report it; None if it failed."""
        observed = self._service.contexts.observe()
        self._service.signed()
        begin = time.perf_counter()
        error, negotiated = None, None
        try:
            _within(self._service.limits.handshake_s, tls, tls.do_handshake)
            negotiated = self._negotiated(tls, observed)
        except OSError as failure:
            error = _reason(failure)
        seconds, signed = time.perf_counter() - begin, self._service.signed()
        if error and signed and signed.error:
            error = signed.error  # what OpenSSL says of it is only that a signature failed
        self._report(Handshake(self._peer, seconds, negotiated, signed, observed.sni, error))
        return negotiated

    def _negotiated(self, tls: ssl.SSLSocket, observed: Observed) -> Negotiated:
        cipher, version = tls.cipher(), tls.version() or "?"
        group, scheme, certificate = self._service.contexts.facts(observed, version)
        return Negotiated(
            version=version,
            cipher=cipher[0] if cipher else "?",
            bits=cipher[2] if cipher else 0,
            group=group,
            scheme=scheme,
            certificate=certificate,
            sni=observed.sni,
            resumed=bool(tls.session_reused),
        )

    def _converse(self, stream: socket.socket, talk: Conversation, first: bytes) -> Next:
        """Talk until the peer closes or the conversation says what comes next."""
        if first:
            stream.sendall(first)
        while data := stream.recv(_CHUNK):
            answer = talk.receive(data)
            if answer.send:
                stream.sendall(answer.send)
            if answer.then is not Next.GO_ON:
                return answer.then
        return Next.CLOSE

    @staticmethod
    def _part(tls: ssl.SSLSocket) -> None:
        """Send the close_notify; the peer's own is not worth waiting for."""
        tls.setblocking(False)
        with contextlib.suppress(OSError):
            tls.unwrap()


def _within(limit_s: float, tls: ssl.SSLSocket, step: Callable[[], _T]) -> _T:
    """Do `step` on a socket that may send it to sleep, all in all for `limit_s`."""
    end = time.monotonic() + limit_s
    tls.setblocking(False)
    poll = select.poll()
    while True:
        try:
            return step()
        except ssl.SSLWantReadError:
            poll.register(tls, select.POLLIN)
        except ssl.SSLWantWriteError:
            poll.register(tls, select.POLLOUT)
        left_s = end - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError(f"no handshake within {limit_s:g} s")


def _reason(error: OSError) -> str:
    """Why a handshake failed, in a few words."""
    if isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
        return "the client closed the connection"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return (error.strerror or str(error)).lower()


def _shown(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
