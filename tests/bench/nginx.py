"""nginx with the agent's key by PKCS#11, beside nginx with a key of its own: full handshakes a second.

The handshakes are those of `openssl s_time`, in as many processes as there are to be connections.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kit.agent.client import AgentClient
from kit.core.stats import median
from tests.bench import processes
from tests.bench.agents import KIT, PKCS11, Agent, Setting, kit_agent
from tests.bench.goal import Shown, all_in_turn, ratio
from tests.bench.pkcs11 import client_module
from tests.peers import find
from tests.system.probe_servers import free_ports

_ROUNDS, _ROUND_S = 5, 2
_TYPES = {"rsa-2048": "rsa:2048", "p-256": "ec"}
_READY_S = 10.0
_USER = pwd.getpwuid(os.getuid()).pw_name
_CONNECTIONS = (1, 8)
_DONE = re.compile(r"^(\d+) connections in (\d+) real seconds", re.MULTILINE)


@dataclass(frozen=True)
class Server:
    """A server on a port, and what its handshakes cost the processes of nginx and of the agent."""

    port: int
    nginx: int
    agent: Agent
    us: dict[str, float] = field(default_factory=dict)
    handshakes: list[float] = field(default_factory=list)

    def rate(self, connections: int) -> float:
        """Handshakes a second."""
        roles = {**processes.family(self.agent.pid), "nginx": _family(self.nginx)}
        before = processes.cpu_us(roles)
        found = _handshakes(self.port, connections)
        for role, us in processes.cpu_us(roles).items():
            self.us[role] = self.us.get(role, 0) + us - before[role]
        self.handshakes.append(found)
        return found / _ROUND_S

    @property
    def cost(self) -> str:
        total = sum(self.handshakes)
        return ", ".join(f"{role} {us / total:.0f}" for role, us in self.us.items() if us > total)


def nginx() -> Iterator[Shown]:
    """For each kind of key, at one connection and at several."""
    for kind in _TYPES:
        for connections in _CONNECTIONS:
            with _servers(kind) as servers:
                sides = {name: partial(server.rate, connections) for name, server in servers.items()}
                found = all_in_turn(_ROUNDS, sides)
                rates = ", ".join(
                    f"{name} {median(found[name]):.0f}/s (µs of CPU each: {server.cost})"
                    for name, server in servers.items()
                )
                times = f"{ratio(found, 'agent', 'local'):.2f} x"
                yield Shown(f"nginx {kind}", f"{connections} connections, {rates}: {times}")


@contextmanager
def _servers(kind: str) -> Iterator[dict[str, Server]]:
    """One nginx on two ports, with a key in the agent and with one in a file."""
    with tempfile.TemporaryDirectory(prefix="kit-") as name, kit_agent(Setting(pkcs11=True)) as agent:
        directory = Path(name)
        with AgentClient(agent.socket) as client:
            client.generate("site", kind, ("tls-digest", "self-signed"))
        certify = [KIT, "agent", "selfsign", "site", "--dns", "localhost", "-s", agent.socket]
        subprocess.run([*certify, "-o", str(directory / "agent.crt")], check=True)
        _local(directory, kind)
        ports = dict(zip(("agent", "local"), free_ports(2), strict=True))
        (directory / "nginx.conf").write_text(_configuration(directory, ports))
        address = {
            "P11_KIT_SERVER_ADDRESS": f"unix:path={agent.directory / PKCS11}",
            "PKCS11_MODULE_PATH": client_module(),
        }
        command = [find("nginx"), "-p", name, "-c", str(directory / "nginx.conf"), "-e", "stderr"]
        with subprocess.Popen(command, env={**os.environ, **address}) as server:
            try:
                for port in ports.values():
                    _await(port)
                yield {side: Server(port, server.pid, agent) for side, port in ports.items()}
            finally:
                server.terminate()


def _local(directory: Path, kind: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", _TYPES[kind], "-nodes", "-subj", "/CN=localhost"]
    curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"] if _TYPES[kind] == "ec" else []
    out = ["-keyout", str(directory / "local.key"), "-out", str(directory / "local.crt")]
    subprocess.run([*command, *curve, *out], check=True, stderr=subprocess.DEVNULL)


def _configuration(directory: Path, ports: dict[str, int]) -> str:
    keys = {"agent": "engine:pkcs11:pkcs11:token=kit%20agent;object=site;type=private", "local": "local.key"}
    servers = "\n".join(
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {directory}/{side}.crt;"
        f' ssl_certificate_key "{keys[side] if side == "agent" else directory / keys[side]}"; }}'
        for side, port in ports.items()
    )
    return f"""
daemon off;
user {_USER};
worker_processes auto;
pid {directory}/pid;
error_log stderr;
ssl_engine pkcs11;
env P11_KIT_SERVER_ADDRESS;
env PKCS11_MODULE_PATH;
events {{}}
http {{
  access_log off;
  ssl_session_cache off;
  ssl_session_tickets off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {servers}
}}
"""


def _handshakes(port: int, connections: int) -> float:
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(_ROUND_S)]
    clients = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(connections)
    ]
    return sum(_count(client.communicate()[0]) for client in clients)


def _count(output: str) -> float:
    """s_time ends with the second that began last."""
    done = _DONE.search(output)
    assert done, output
    return int(done[1]) * _ROUND_S / int(done[2])


def _family(master: int) -> list[int]:
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [master, *map(int, children)]


def _await(port: int) -> None:
    end_s = time.monotonic() + _READY_S
    while True:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        if time.monotonic() > end_s:
            raise SystemExit(f"nginx does not listen on port {port}")
        time.sleep(0.02)


BENCHES = {"nginx": nginx}
