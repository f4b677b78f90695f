"""Signatures by any PKCS#11 module, counted by `pkcs11.c`; and SoftHSM2 behind p11-kit's own server."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import find

_SOURCE = Path(__file__).parent / "pkcs11.c"
_HEADERS = "/usr/include/p11-kit-1"
_OPEN_LIMIT_S = 30.0
_SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
_PIN = "1234"
_TOKEN = "hsm"


@dataclass(frozen=True)
class Token:
    """Where keys are: a token's label, its PIN if it wants one, and the environment in which it is found."""

    label: str
    pin: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Signed:
    """What came of it; the times are those of C_SignInit and C_Sign together."""

    good: int
    bad: int
    seconds: float
    median_us: int
    p99_us: int

    @property
    def per_second(self) -> float:
        return self.good / self.seconds


class Signer:
    """The program, built into a directory, and the module that it loads: p11-kit's client, if no other."""

    def __init__(self, directory: Path, module: str = "") -> None:
        self._program = directory / "pkcs11"
        self._module = module or client_module()
        command = [find("cc"), "-O2", f"-I{_HEADERS}", "-o", self._program, _SOURCE, "-ldl"]
        subprocess.run(command, check=True)

    def run(self, token: Token, key: str, mechanism: str, seconds: float, connections: int = 1) -> Signed:
        """Sign for so long."""
        command = [str(self._program), self._module, token.label, key, mechanism, str(seconds)]
        command += [str(connections), *([token.pin] if token.pin else [])]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=seconds + _OPEN_LIMIT_S,
            env={**os.environ, **token.environment},
        )
        return parse(done.stdout)


def parse(output: str) -> Signed:
    """What `pkcs11` prints."""
    good, bad, seconds, median_us, p99_us = output.split()
    return Signed(int(good), int(bad), float(seconds), int(median_us), int(p99_us))


def client_module() -> str:
    """p11-kit's module, which carries calls to a socket."""
    return str(next(Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so")))


@contextmanager
def softhsm(keys: Mapping[str, bytes]) -> Iterator[Token]:
    """SoftHSM2 behind `p11-kit server`, with these keys: labels, and PKCS#8 in PEM."""
    with tempfile.TemporaryDirectory(prefix="kit-") as name:
        directory = Path(name)
        environment = {**os.environ, "SOFTHSM2_CONF": str(_configure(directory))}
        _fill(directory, keys, environment)
        socket_path = directory / "socket"
        command = [find("p11-kit"), "server", "--foreground", "-n", str(socket_path)]
        command += ["--provider", _SOFTHSM, f"pkcs11:token={_TOKEN}"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        try:
            assert server.stdout
            assert server.stdout.readline()  # it prints its address when it listens
            yield Token(_TOKEN, _PIN, {"P11_KIT_SERVER_ADDRESS": f"unix:path={socket_path}"})
        finally:
            server.terminate()
            server.communicate()


def _configure(directory: Path) -> Path:
    tokens, path = directory / "tokens", directory / "softhsm2.conf"
    tokens.mkdir()
    path.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    return path


def _fill(directory: Path, keys: Mapping[str, bytes], environment: dict[str, str]) -> None:
    utility = find("softhsm2-util")
    pins = ["--pin", _PIN, "--so-pin", _PIN]
    commands = [[utility, "--init-token", "--free", "--label", _TOKEN, *pins]]
    for number, (label, pem) in enumerate(keys.items()):
        path = directory / f"{number}.pem"
        path.write_bytes(pem)
        place = ["--token", _TOKEN, "--label", label, "--id", f"{number:02x}", "--pin", _PIN]
        commands.append([utility, "--import", str(path), *place])
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
