"""`python -m tests.bench [agent] [handshakes] [start] [memory] [eeg-read] [eeg-stats] [eeg-memory]`.

All of them without a name; `eeg` stands for those of its group.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.agent.client import AgentClient
from kit.agent.launch import start_agent
from kit.agent.public import describe, load_spki
from kit.agent.schemes import BY_NAME
from tests.bench import eeg
from tests.bench.goal import Goal, in_turn
from tests.bench.raw import VERIFY_CONTENT, Connections, ssh_request, tls_request
from tests.peers import find

_ROUNDS, _ROUND_S = 9, 0.5
_KIT = str(Path(sys.executable).parent / "kit")


def agent() -> Iterator[Goal]:
    """Signatures a second: the agent against cryptography, and against OpenSSH's agent."""
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        path = f"{directory}/agent.sock"
        with start_agent(path, log_path=os.devnull), AgentClient(path) as client:
            yield _rsa_against_cryptography(client, path)
            yield _ecdsa_against_ssh_agent(client, path, Path(directory))


def _rsa_against_cryptography(client: AgentClient, path: str) -> Goal:
    record = client.generate("rsa", "rsa-2048", ("tls-server",))
    key_id = describe(load_spki(record.spki)).key_id
    eight = Connections(path, tls_request(key_id, BY_NAME["rsa_pss_rsae_sha256"].code), 8)
    key, threads = rsa.generate_private_key(65537, 2048), os.cpu_count() or 1
    ours, theirs, ratio = in_turn(
        _ROUNDS, lambda: eight.per_second(_ROUND_S), lambda: _in_process(key, threads, _ROUND_S)
    )
    eight.close()
    figures = f"agent {ours:.0f}/s, cryptography in {threads} threads {theirs:.0f}/s"
    return Goal("RSA-2048 signatures, 8 connections", figures, ratio, 0.85)


def _in_process(key: rsa.RSAPrivateKey, threads: int, seconds: float) -> float:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    begin = time.perf_counter()
    end, counts = begin + seconds, [0] * threads

    def sign(number: int) -> None:
        while time.perf_counter() < end:
            key.sign(VERIFY_CONTENT, pss, hashes.SHA256())
            counts[number] += 1

    running = [threading.Thread(target=sign, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / (time.perf_counter() - begin)


def _ecdsa_against_ssh_agent(client: AgentClient, path: str, directory: Path) -> Goal:
    key = ec.generate_private_key(ec.SECP256R1())
    request = ssh_request(describe(key.public_key()).ssh_blob)
    der = bytearray(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    client.add("ssh", der, ("ssh",))
    theirs_path = str(directory / "ssh.sock")
    ssh_agent = subprocess.Popen(
        [find("ssh-agent"), "-D", "-a", theirs_path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _add_to_ssh_agent(key, theirs_path, directory)
        ours, theirs = Connections(path, request, 1), Connections(theirs_path, request, 1)
        our_rate, their_rate, ratio = in_turn(
            _ROUNDS, lambda: ours.one_by_one(_ROUND_S), lambda: theirs.one_by_one(_ROUND_S)
        )
        ours.close()
        theirs.close()
    finally:
        ssh_agent.terminate()
        ssh_agent.wait()
    figures = f"agent {our_rate:.0f}/s, ssh-agent {their_rate:.0f}/s"
    return Goal("P-256 signatures, 1 connection", figures, ratio, 3)


def _add_to_ssh_agent(key: ec.EllipticCurvePrivateKey, path: str, directory: Path) -> None:
    file = directory / "key"
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    deadline = time.monotonic() + 10
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    subprocess.run([find("ssh-add"), "-q", str(file)], env={**os.environ, "SSH_AUTH_SOCK": path}, check=True)
    file.unlink()


def handshakes() -> Iterator[Goal]:
    """Full TLS 1.3 handshakes a second, one at a time: agent's key against local key (`kit tls bench`)."""
    command = [_KIT, "tls", "bench", "--json", "-n", "1", "--rounds", "15"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    goals = {"rsa-2048": 0.85, "p-256": 0.75}
    for line in done.stdout.splitlines():
        found = json.loads(line)
        figures = f"agent {found['agent']['per_second']:.0f}/s, local {found['local']['per_second']:.0f}/s"
        yield Goal(f"{found['key']} handshakes, 1 connection", figures, found["ratio"], goals[found["key"]])


def start() -> Iterator[Goal]:
    """How long `kit --help` takes, in units of a Python that does nothing."""
    help_s, bare_s, ratio = in_turn(
        15, lambda: _seconds(_KIT, "--help"), lambda: _seconds(sys.executable, "-c", "pass")
    )
    figures = f"kit --help {help_s * 1000:.0f} ms, python3 -c pass {bare_s * 1000:.0f} ms"
    yield Goal("start", figures, ratio, 8, at_least=False)


def _seconds(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def memory() -> Iterator[Goal]:
    """The agent's resident memory after 10,000 signatures, and after as many more."""
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        path = f"{directory}/agent.sock"
        with start_agent(path, log_path=os.devnull) as running, AgentClient(path) as client:
            sizes = []
            loads = [_load(client, path, "rsa-2048", "rsa_pss_rsae_sha256"), _load(client, path, "p-256")]
            for _ in range(2):
                for load in loads:
                    load.count(5000)
                sizes.append(_resident_mib(running.pid))
            for load in loads:
                load.close()
    yield Goal("memory after 10,000 signatures", f"{sizes[0]:.1f} MiB", sizes[0], 45, False, "MiB")
    figures = f"{sizes[0]:.1f} MiB, then {sizes[1]:.1f} MiB"
    yield Goal("memory after 10,000 more", figures, sizes[1] / sizes[0], 1.02, at_least=False)


def _load(client: AgentClient, path: str, kind: str, scheme: str = "ecdsa_secp256r1_sha256") -> Connections:
    record = client.generate(kind, kind, ("tls-server",))
    key_id = describe(load_spki(record.spki)).key_id
    return Connections(path, tls_request(key_id, BY_NAME[scheme].code), 8)


def _resident_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


BENCHES: dict[str, Callable[[], Iterator[Goal]]] = {
    bench.__name__: bench for bench in (agent, handshakes, start, memory)
} | eeg.BENCHES
GROUPS = {"eeg": list(eeg.BENCHES)}


def main(names: list[str]) -> int:
    """Run the named benches; 1 if a goal is missed."""
    names = [bench for name in names for bench in GROUPS.get(name, [name])]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or BENCHES:
        for goal in BENCHES[name]():
            print(goal, flush=True)
            missed += not goal.reached
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
