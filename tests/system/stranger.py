"""A user whom a key names, and who is no administrator of the agent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.system.agents import running_agent


def ask_as_stranger(directory: Path, *arguments: str) -> tuple[int, str]:
    """What becomes of `kit agent …` when he runs it: its status, and what it says. Takes root."""
    stranger = 65534
    key = directory / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    config = directory / "agent.toml"
    config.write_text(f'[keys.web]\nfile = "{key}"\npurposes = ["tls-server"]\npeers = ["uid:{stranger}"]\n')
    with running_agent(directory, "--config", str(config)) as agent:
        directory.chmod(0o711)
        Path(agent.socket).chmod(0o666)
        reading, writing = os.pipe()
        if not (child := os.fork()):
            _run_as(stranger, agent.socket, arguments, writing)
        os.close(writing)
        with os.fdopen(reading) as err:
            said = err.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _run_as(user: int, socket: str, arguments: tuple[str, ...], err: int) -> None:
    """In the child: imports come first, since root's files may be out of a stranger's reach."""
    status = 99
    try:
        import kit.agent.client
        import kit.agent.metrics
        import kit.agent.rates
        import kit.cli.agent.group  # noqa: F401
        from kit.cli.main import root

        os.setresuid(user, user, user)
        sys.stderr = os.fdopen(err, "w")
        status = root.main(["agent", *arguments, "--socket", socket], prog_name="kit")
        sys.stderr.flush()
    finally:
        os._exit(status)
