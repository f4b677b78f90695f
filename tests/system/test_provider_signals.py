"""Exceptions of signal handlers in mid-handshake: each arrives once, none breaks a thing."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.system.provider_fixtures import scene  # noqa: F401 -- a fixture
from tests.system.provider_process import Talk, run
from tests.system.provider_scene import HAS_ML_DSA, Identity, client_context

# More of both by environment: every seed is another run.
COUNT = int(os.environ.get("KIT_TEST_SIGNALS", "1000"))
SEEDS = range(int(os.environ.get("KIT_TEST_SEEDS", "1")))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("key", ["rsa-2048", "p-256", "ed25519", *(["ml-dsa-65"] if HAS_ML_DSA else [])])
def test_an_exception_of_a_signal_handler_arrives_once_and_nothing_else_happens(
    scene: Path,  # noqa: F811
    key: str,
    seed: int,
) -> None:
    (told,) = run("signals", scene, key, "do_handshake", str(seed), str(COUNT))
    assert told["raised"] > COUNT / 10


@pytest.mark.parametrize("seed", SEEDS)
def test_it_arrives_where_the_handshake_runs_inside_a_read(scene: Path, seed: int) -> None:  # noqa: F811
    (told,) = run("signals", scene, "p-256", "read", str(seed), str(COUNT))
    assert told["raised"] > COUNT / 10


# Where a peer resets the connection before it is wrapped, Python forgets to close what it made
# (SSLSocket._create raises before the handshake), and a server that ends does that to one client or another.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.parametrize("key", ["rsa-2048", "p-256", "ed25519", *(["ml-dsa-65"] if HAS_ML_DSA else [])])
def test_ctrl_c_ends_a_server_that_is_busy_with_handshakes(scene: Path, key: str) -> None:  # noqa: F811
    for pause_s in (0.01, 0.03, 0.05):
        with Talk("serve", scene, key) as server:
            stop = threading.Event()
            arguments = (server.first["port"], client_context(Identity(scene, key)), stop)
            clients = [threading.Thread(target=_flood, args=arguments) for _ in range(3)]
            for client in clients:
                client.start()
            time.sleep(pause_s)  # a moment like any other
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(20) == 0
            stop.set()
            for client in clients:
                client.join()


def _flood(port: int, context: ssl.SSLContext, stop: threading.Event) -> None:
    while not stop.is_set():
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="localhost"),
        ):
            pass
