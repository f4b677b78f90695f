"""Signatures a second through the PKCS#11 bridge, beside SoftHSM2 behind p11-kit's own server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kit.agent.client import AgentClient
from kit.core.stats import median
from tests.bench import processes
from tests.bench.agents import PKCS11, Agent, Setting, kit_agent
from tests.bench.goal import Goal, all_in_turn, ratio
from tests.bench.pkcs11 import Signer, Token, softhsm

_ROUNDS, _ROUND_S = 9, 1.0
_KINDS = {"rsa-2048": "rsa", "p-256": "ecdsa"}  # by the kind of the key: what it is asked for
_GOALS = {("rsa-2048", 1): 1.5, ("rsa-2048", 4): 1.5, ("p-256", 1): 0.9, ("p-256", 4): 1.3}


class Counted:
    """A key asked through the bridge, for a round at each call; what the rounds cost is added up."""

    def __init__(self, signer: Signer, agent: Agent, token: Token, kind: str, connections: int) -> None:
        self._signer, self._agent, self._token = signer, agent, token
        self._kind, self._connections = kind, connections
        self._signatures = 0.0
        self._us: dict[str, float] = {}

    def __call__(self) -> float:
        family = processes.family(self._agent.pid)
        before = processes.cpu_us(family)
        per_second = _rate(self._signer, self._token, self._kind, self._connections)
        for role, us in processes.cpu_us(family).items():
            self._us[role] = self._us.get(role, 0) + us - before[role]
        self._signatures += per_second * _ROUND_S
        return per_second

    @property
    def cost(self) -> str:
        """The CPU time of one signature, by who takes it."""
        return ", ".join(f"{role} {us / self._signatures:.1f}" for role, us in self._us.items())


def pkcs11() -> Iterator[Goal]:
    """As it is used: sandbox on, audit to a file."""
    setting = Setting(pkcs11=True)
    with (
        tempfile.TemporaryDirectory(prefix="kit-") as name,
        kit_agent(setting) as agent,
        softhsm({kind: _pem(kind) for kind in _KINDS}) as other,
    ):
        signer = Signer(Path(name))
        with AgentClient(agent.socket) as client:
            for kind in _KINDS:
                client.generate(kind, kind, ("digest",))
        place = agent.directory / PKCS11
        token = Token("kit agent", "", {"P11_KIT_SERVER_ADDRESS": f"unix:path={place}"})
        for (kind, connections), goal in _GOALS.items():
            counted = Counted(signer, agent, token, kind, connections)
            theirs = partial(_rate, signer, other, kind, connections)
            found = all_in_turn(_ROUNDS, {"kit": counted, "softhsm": theirs})
            rates = ", ".join(f"{side} {median(rounds):.0f}/s" for side, rounds in found.items())
            figures = f"{connections} connections, {rates} (µs of CPU each: {counted.cost})"
            yield Goal(f"pkcs11 {kind}", figures, ratio(found, "kit", "softhsm"), goal)


def _rate(signer: Signer, token: Token, kind: str, connections: int) -> float:
    signed = signer.run(token, kind, _KINDS[kind], _ROUND_S, connections=connections)
    assert not signed.bad
    return signed.per_second


def _pem(kind: str) -> bytes:
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa-2048"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


BENCHES = {"pkcs11": pkcs11}
