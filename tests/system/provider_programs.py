"""Programs that the provider's tests run: `python -m tests.system.provider_programs`.

Each takes a directory with identities and words of its own, prints what it saw as JSON lines and ends with 0
only where everything went as it should: a crash, also one at the very end, shows in the exit status.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import socket
import ssl
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kit.agent import provider
from kit.agent.provider import signing
from tests.system.provider_scene import (
    HAS_ML_DSA,
    ML_DSA,
    VERSIONS,
    Identity,
    Pair,
    ask_for_certificate,
    client_context,
    server_context,
)

# What a client says to a signature that is none.
BAD_SIGNATURE = ("BAD_SIGNATURE", "BAD_ECPOINT", "DECRYPT_ERROR", "WRONG_SIGNATURE")
# RFC 8446, section 4.1.3: the random value of a ServerHello that is a HelloRetryRequest.
HELLO_RETRY_REQUEST = hashlib.sha256(b"HelloRetryRequest").digest()


def tell(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def identities(directory: Path) -> list[Identity]:
    names = (path.stem for path in sorted(directory.glob("*.pem")))
    return [Identity(directory, name) for name in names if HAS_ML_DSA or name not in ML_DSA]


def matrix(directory: Path) -> None:
    """Every key, protocol and role."""
    seen: list[provider.SignatureMade] = []
    provider.observe(seen.append)
    for identity in identities(directory):
        for version in identity.versions:
            for certified in (False, True):
                server, client = server_context(identity, version=version), client_context(identity)
                if certified:
                    ask_for_certificate(server, client, identity)
                pair = Pair(server, client).handshake()
                assert (pair.server.getpeercert(True) is not None) == certified
                assert pair.client.version() == {VERSIONS[0]: "TLSv1.2", VERSIONS[1]: "TLSv1.3"}[version]
    tell(signatures=Counter(made.key_name for made in seen), errors=[m.error for m in seen if m.error])


def together(directory: Path) -> None:
    """All keys on one context: each client gets the one that it can verify, if it has one, by ML-DSA."""
    everyone = identities(directory)
    names = ("rsa-2048", "p-256", "ed25519", *(["ml-dsa-65"] if HAS_ML_DSA else []))
    by_type = [Identity(directory, name) for name in names]
    server = server_context(*by_type)
    # TLS 1.2 picks the key by the cipher; its ECDSA ciphers stand for Ed25519 too.
    for cipher, expected in (("aRSA", {"rsa-2048"}), ("aECDSA", {"p-256", "ed25519"})):
        seen: list[provider.SignatureMade] = []
        provider.observe(seen.append)
        client = client_context(*everyone)
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(cipher)
        Pair(server, client).handshake()
        assert {made.key_name for made in seen} <= expected, seen
    seen = []
    provider.observe(seen.append)
    Pair(server, client_context(*everyone)).handshake()
    assert not HAS_ML_DSA or [made.key_name for made in seen] == ["ml-dsa-65"], seen


def retry_request(directory: Path) -> None:
    """A HelloRetryRequest: the server takes only a group for which the client sent no share."""
    identity = Identity(directory, "p-256")
    server, client = server_context(identity, version=VERSIONS[1]), client_context(identity)
    server.set_ecdh_curve("secp384r1")
    pair = Pair(server, client)
    assert not pair.step(pair.client)
    assert not pair.step(pair.server)
    answer = pair.to_client.read()
    assert HELLO_RETRY_REQUEST in answer
    pair.to_client.write(answer)
    pair.handshake()


def resumption(directory: Path) -> None:
    """A resumed session asks the agent for nothing."""
    identity = Identity(directory, "rsa-2048")
    seen: list[provider.SignatureMade] = []
    provider.observe(seen.append)
    for version in VERSIONS:
        server, client = server_context(identity, version=version), client_context(identity)
        first = Pair(server, client).handshake()
        first.server.write(b"x")
        assert first.client.read() == b"x"  # the ticket of TLS 1.3 comes before it
        asked = len(seen)
        second = Pair(server, client, first.client.session).handshake()
        assert second.client.session_reused
        assert len(seen) == asked == 1
        seen.clear()


def threads(directory: Path) -> None:
    """Eight threads load every handle and handshake, all at once; each gets its own key."""
    wrong: list[str] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        everyone = identities(directory)
        try:
            for _ in range(30):
                identity = chance.choice(everyone)
                server = server_context(identity, version=chance.choice(identity.versions))
                client = client_context(identity)
                if chance.random() < 0.3:
                    ask_for_certificate(server, client, identity)
                Pair(server, client).handshake()
        except Exception as error:  # noqa: BLE001 -- told to the test, whatever it is
            wrong.append(repr(error))

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tell(wrong=wrong)
    assert not wrong


def forks(directory: Path) -> None:
    """A child of fork signs through a connection of its own, however it ends."""
    everyone = identities(directory)
    for identity in everyone:  # the parent has its connection before
        Pair(server_context(identity), client_context(identity)).handshake()
    for leave in (sys.exit, os._exit):
        contexts = [(server_context(identity), client_context(identity)) for identity in everyone]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            for server, client in contexts:
                Pair(server, client).handshake()
            leave(7)
        for server, client in contexts:
            Pair(server, client).handshake()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def loop(directory: Path) -> None:
    """A server of asyncio, with its clients in the same loop."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        await writer.drain()
        writer.close()

    async def one(port: int, client: ssl.SSLContext) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="localhost"
        )
        assert await reader.read(1) == b"x"
        writer.close()
        with suppress(ssl.SSLError, OSError):
            await writer.wait_closed()

    async def serve(identity: Identity) -> None:
        # Of a busy machine nothing is to be said: in Python's development mode asyncio tells what took 0.1 s.
        asyncio.get_running_loop().slow_callback_duration = 60
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_context(identity))
        port = server.sockets[0].getsockname()[1]
        client = client_context(identity)
        for _ in range(5):
            await asyncio.gather(*(one(port, client) for _ in range(8)))
        server.close()
        await server.wait_closed()

    for identity in identities(directory):
        asyncio.run(serve(identity))


def ends_in_mid_handshake(directory: Path) -> None:
    """The interpreter ends while daemon threads handshake without a pause."""
    started = threading.Barrier(5)

    def work(identity: Identity) -> None:
        server, client = server_context(identity), client_context(identity)
        started.wait()
        while True:
            Pair(server, client).handshake()

    for identity in identities(directory)[:4]:
        threading.Thread(target=work, args=(identity,), daemon=True).start()
    started.wait()


def attempts(directory: Path, name: str, how: str = "do_handshake", timeout_s: str = "5") -> None:
    """A handshake for each line of standard input; tells what server and client saw.

    A line with a number is another time limit, from then on.
    """
    provider.install(timeout_s=float(timeout_s))
    identity = Identity(directory, name)
    server, client = server_context(identity), client_context(identity)
    made: list[provider.SignatureMade] = []
    provider.observe(made.append)
    tell(ready=True)
    for line in sys.stdin:
        if line.strip():
            allow(float(line))
        pair = Pair(server, client)
        seen: dict[str, object] = {"server": "", "client": "", "cause": "", "kind": ""}
        begun = time.monotonic()
        try:
            pair.step(pair.client)
            enter(pair.server, how)
        except ssl.SSLError as error:
            seen |= {
                "server": str(error),
                "cause": type(error.__cause__).__name__,
                "kind": type(error).__name__,
            }
        seen["seconds"] = time.monotonic() - begun
        seen["client"] = outcome_of(pair)
        seen["observed"] = [(one.key_name, one.error) for one in made]
        made.clear()
        tell(**seen)


def allow(timeout_s: float) -> None:
    """Another time limit for the clients that there are; `install` would give each of them a successor."""
    for client in signing._clients.values():
        client.timeout_s = timeout_s


def enter(side: ssl.SSLObject, how: str) -> None:
    """Enter the handshake by the method `how`: it also runs inside a read."""
    with suppress(ssl.SSLWantReadError):
        side.do_handshake() if how == "do_handshake" else side.read(1)


def outcome_of(pair: Pair) -> str:
    """How it stands for the client after the server's flight."""
    try:
        return "done" if pair.step(pair.client) else "waits"
    except ssl.SSLError as error:
        return error.reason or str(error)


class Raised(BaseException):
    """What the signal handler raises; each one is told apart, to be found again exactly once."""


def signals(directory: Path, name: str, how: str, seed: str, count: str) -> None:
    """A signal handler that raises at random moments: every exception arrives, once, and nothing breaks."""
    identity, chance = Identity(directory, name), random.Random(int(seed))
    contexts = [(server_context(identity, version=v), client_context(identity)) for v in identity.versions]
    raised: list[Raised] = []
    caught: list[BaseException] = []
    unraisable: list[str] = []
    armed = False
    sys.unraisablehook = lambda what: unraisable.append(repr(what))

    def on_alarm(*_: object) -> None:
        if armed:
            raised.append(Raised(len(raised)))
            raise raised[-1]

    signal.signal(signal.SIGALRM, on_alarm)
    outcomes: Counter[str] = Counter()
    for number in range(int(count)):
        if number % 50 == 0:  # a machine that was busy may be so no longer
            usual_s = _usual_duration(*contexts[0], how)
        pair = Pair(*chance.choice(contexts))
        pair.step(pair.client)
        ended = "signed"
        try:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 1.3 * usual_s))
                enter(pair.server, how)
            except ssl.SSLError:
                ended = "failed"
            finally:
                armed = False
        except Raised as interrupt:
            armed = False
            caught.append(interrupt.with_traceback(None))
            ended = "interrupted"
        signal.setitimer(signal.ITIMER_REAL, 0)
        outcomes[f"{ended}, client {outcome_of(pair)}"] += 1
    tell(raised=len(raised), caught=len(caught), outcomes=outcomes, unraisable=unraisable)
    assert [id(one) for one in raised] == [id(one) for one in caught]
    assert not any(bad in outcome for outcome in outcomes for bad in BAD_SIGNATURE)
    assert raised
    assert not unraisable
    Pair(*contexts[0]).handshake()


def _usual_duration(server: ssl.SSLContext, client: ssl.SSLContext, how: str) -> float:
    durations = []
    for _ in range(9):
        pair = Pair(server, client)
        pair.step(pair.client)
        begun = time.perf_counter()
        enter(pair.server, how)
        durations.append(time.perf_counter() - begun)
    return sorted(durations)[4]


def serve(directory: Path, *names: str) -> None:
    """A plain blocking HTTPS server, until Ctrl-C."""
    context = server_context(*(Identity(directory, name) for name in names))
    provider.observe(lambda made: tell(scheme=made.scheme_name))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        # A signal that comes right before the system call is seen when it returns, without a client too.
        listener.settimeout(0.5)
        try:
            tell(port=listener.getsockname()[1])
            while True:
                _serve_one(listener, context)
        except KeyboardInterrupt:
            tell(ended=True)


def _serve_one(listener: socket.socket, context: ssl.SSLContext) -> None:
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        return
    connection.settimeout(5)
    with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secure:
        secure.recv(4096)
        secure.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsigned")
        secure.unwrap()


PROGRAMS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        matrix,
        together,
        retry_request,
        resumption,
        threads,
        forks,
        loop,
        ends_in_mid_handshake,
        attempts,
        signals,
        serve,
    )
}

if __name__ == "__main__":
    provider.install()
    PROGRAMS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
