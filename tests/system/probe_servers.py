"""Real servers for the probe, each on free ports of 127.0.0.1 with a configuration of its own.

Each is a context manager that yields when the server answers and stops it in the end. Those that drop
privileges by themselves have to be started by root.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import find, in_ci
from tests.tls.authority import Authority, Leaf

Wait = Callable[..., None]
# Below those that Linux gives to whoever asks for any (ip_local_port_range in ip(7)).
_PORTS = range(10_000, 32_768)

_NGINX = """
daemon off; master_process off; pid {here}/nginx.pid; error_log {here}/error.log info;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;
  uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3; {certificates} return 200 "ok\\n"; }}
}}
"""
_POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {here}/queue
data_directory = {here}/data
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {here}/maillog
maillog_file_prefixes = /tmp
alias_maps =
local_recipient_maps =
smtpd_relay_restrictions = reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {bundles}
smtpd_tls_loglevel = 1
tls_random_source = dev:/dev/urandom
"""
_POSTFIX_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
postlog unix-dgram n - n - 1 postlogd
"""
_OPENSMTPD = """
pki rsa.test cert "{rsa.chain}"
pki rsa.test key "{rsa.key}"
pki ecdsa.test cert "{ecdsa.chain}"
pki ecdsa.test key "{ecdsa.key}"
listen on 127.0.0.1 port {rsa_port} tls pki rsa.test
listen on 127.0.0.1 port {ecdsa_port} tls pki ecdsa.test
match from any for any reject
"""


def needs_root() -> None:
    """The mail servers change to users of their own."""
    if os.geteuid() == 0:
        return
    if in_ci():
        pytest.fail("this test needs root", pytrace=False)
    pytest.skip("this test needs root")


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones, by chance: others choose at the same time, and listen a moment later."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            port = random.choice(_PORTS)
            with contextlib.suppress(OSError):  # somebody has it
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(
    command: list[str],
    here: Path,
    ports: list[int],
    wait_until: Wait,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """The server in a process group of its own, so that all of its children end with it."""
    log = here / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: process.poll() is not None or all(map(answers, ports)), f"{command[0]} on {ports}", 20
        )
        assert process.poll() is None, log.read_text()
        yield
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@contextmanager
def nginx(here: Path, leaves: list[Leaf], wait_until: Wait) -> Iterator[int]:
    """nginx with every one of the certificates on one port."""
    port = free_port()
    lines = [f"ssl_certificate {leaf.chain}; ssl_certificate_key {leaf.key};" for leaf in leaves]
    (here / "nginx.conf").write_text(_NGINX.format(here=here, port=port, certificates=" ".join(lines)))
    command = [find("nginx"), "-p", str(here), "-c", str(here / "nginx.conf"), "-e", str(here / "error.log")]
    with running(command, here, [port], wait_until):
        yield port


def postfix_configuration(here: Path, port: int, leaves: list[Leaf]) -> tuple[str, str]:
    """main.cf and master.cf, with the directories that they name."""
    here.chmod(0o755)
    for name in ("queue", "data"):
        (here / name).mkdir()
    shutil.chown(here / "data", "postfix")
    bundles = ", ".join(str(leaf.bundle) for leaf in leaves)
    return _POSTFIX_MAIN.format(here=here, bundles=bundles), _POSTFIX_MASTER.format(port=port)


@contextmanager
def postfix(here: Path, leaves: list[Leaf], wait_until: Wait) -> Iterator[int]:
    """Postfix with STARTTLS and every one of the certificates."""
    needs_root()
    program, port = find("postfix"), free_port()
    main, master = postfix_configuration(here, port, leaves)
    (here / "main.cf").write_text(main)
    (here / "master.cf").write_text(master)
    # makes what is missing of the queue, and complains of the system's own files, which is no matter here
    subprocess.run([program, "-c", str(here), "check"], capture_output=True, timeout=60, check=False)
    try:
        with running([program, "-c", str(here), "start-fg"], here, [port], wait_until):
            yield port
    finally:
        # its master is the leader of a session of its own, which no signal to the launcher's group reaches
        subprocess.run([program, "-c", str(here), "stop"], capture_output=True, timeout=60, check=False)


@contextmanager
def opensmtpd(here: Path, authority: Authority, wait_until: Wait) -> Iterator[dict[str, int]]:
    """Debian 12's OpenSMTPD with a listener for each certificate; gives their ports."""
    needs_root()
    ports = dict(zip(("RSA", "ECDSA"), free_ports(2), strict=True))
    configuration = _OPENSMTPD.format(
        rsa=authority.rsa, ecdsa=authority.ecdsa, rsa_port=ports["RSA"], ecdsa_port=ports["ECDSA"]
    )
    (here / "smtpd.conf").write_text(configuration)
    command = [find("smtpd"), "-d", "-v", "-f", str(here / "smtpd.conf")]
    with running(command, here, list(ports.values()), wait_until):
        yield ports
