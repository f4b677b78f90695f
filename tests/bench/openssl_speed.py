"""What the machine's own OpenSSL signs in a second, by `openssl speed`: nothing in between."""

from __future__ import annotations

import subprocess

from tests.peers import find

_SIGNING = (
    "+F2:",
    "+F4:",
)  # RSA's and ECDSA's lines: number, bits, signatures a second, verifications a second


def speed(algorithm: str, processes: int = 1) -> float:
    """Signatures a second of all processes together, e.g. of "rsa2048" or "ecdsap256"."""
    several = ["-multi", str(processes)] if processes > 1 else []
    command = [find("openssl"), "speed", "-mr", "-seconds", "1", *several, algorithm]
    return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def parse(output: str) -> float:
    """From the output of `-mr`; with `-multi`, the sum stands behind what each process got."""
    found = [line for line in output.splitlines() if line.startswith(_SIGNING)]
    if not found:
        raise ValueError("no signatures in the output of openssl speed")
    return float(found[-1].split(":")[3])
