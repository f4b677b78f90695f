"""Real servers whose keys are in the token, each on a free port of loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.peers import find
from tests.system.family import await_that
from tests.system.pkcs11_scene import Token
from tests.system.probe_servers import answers, free_ports

_NGINX = """
daemon off; worker_processes 2; pid {here}/nginx.pid; error_log {here}/error.log info;
{main}
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;
  uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off;
  {servers}
}}
"""
_SERVER = """
server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key "{key}";
  location / {{ return 200 "served by {name}\\n"; }} }}
"""


@contextmanager
def server(
    token: Token, command: Sequence[str], ports: Sequence[int], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """It answers; in a process group of its own, so that all of it ends with the block."""
    log = token.directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [find(command[0]), *command[1:]],
            cwd=token.directory,
            env=token.environment if environment is None else environment,
            stdin=subprocess.PIPE,  # openssl's ends with its standard input
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        what = f"{command[0]} on {ports}"
        await_that(lambda: process.poll() is not None or all(map(answers, ports)), what, 60)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    if process.stdin:
        process.stdin.close()


class Nginx:
    """nginx with a port for each key; `keys` has what stands for the key's file."""

    def __init__(self, token: Token, keys: Mapping[str, str], main: str) -> None:
        self.token, self.here = token, token.directory / "nginx"
        self.here.mkdir(exist_ok=True)
        self.here.chmod(0o755)
        self.ports = dict(zip(keys, free_ports(len(keys)), strict=True))
        servers = [
            _SERVER.format(name=name, port=self.ports[name], certificate=token.leaves[name].chain, key=key)
            for name, key in keys.items()
        ]
        text = _NGINX.format(here=self.here, main=main, servers="".join(servers))
        (self.here / "nginx.conf").write_text(text)

    @property
    def command(self) -> list[str]:
        return [
            "nginx",
            "-p",
            str(self.here),
            "-c",
            f"{self.here}/nginx.conf",
            "-e",
            f"{self.here}/error.log",
        ]

    def errors(self) -> str:
        return (self.here / "error.log").read_text()
