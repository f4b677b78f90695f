"""Queue files of the real OpenSMTPD, both ways: what it sealed is opened, what was sealed here it reads."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.agents import Agent, running_agent
from tests.system.queue_scene import MAIL, Smtpd, Wait, sink

OLD, NEW = "0123456789abcdef0123456789abcdef", "The next key, of 32 characters!!"
BODY = MAIL.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


@pytest.fixture
def agent(home: Path) -> Iterator[Agent]:
    """With both keys, the sandbox on."""
    with running_agent(home, "--sandbox", "strict") as running:
        for name, key in (("new", NEW), ("old", OLD)):
            path = home / name
            path.write_text(key + "\n")
            path.chmod(0o600)
            running.ok("add", f"{name}={path}", "--allow", "queue")
        yield running


@pytest.fixture
def smtpd(tmp_path: Path, wait_until: Wait) -> Iterator[Smtpd]:
    # pytest keeps others out of its directories; smtpd's processes are other users.
    place = Path("/tmp") / f"kit-smtpd-{tmp_path.parent.name}-{tmp_path.name}"
    place.mkdir()
    try:
        yield Smtpd(place, wait_until)
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_smtpd_sealed_is_opened(agent: Agent, smtpd: Smtpd, compressed: bool) -> None:
    with smtpd.running(OLD, compressed=compressed) as port:
        smtpd.post(port)
    for path in smtpd.files():
        target = agent.directory / "opened"
        agent.ok("open", path, "-o", target)
        content = target.read_bytes()
        content = gzip.decompress(content) if compressed else content
        assert content.endswith(BODY) if path.name == "message" else b"bob" in content


@pytest.mark.parametrize("compressed", [False, True])
def test_smtpctl_shows_what_was_sealed(agent: Agent, smtpd: Smtpd, compressed: bool) -> None:
    with smtpd.running(OLD, compressed=compressed) as port:
        smtpd.post(port)
    message = b"Subject: another\n\nsealed by kit\n"
    path = agent.directory / "message"
    path.write_bytes(gzip.compress(message) if compressed else message)
    agent.ok("seal", path, "--key", "new", "-o", smtpd.message())
    assert "sealed by kit" in smtpd.shown(NEW)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_queue_is_sealed_anew_with_another_key_and_delivered(
    agent: Agent, smtpd: Smtpd, compressed: bool, wait_until: Wait
) -> None:
    with smtpd.running(OLD, compressed=compressed) as port:
        smtpd.post(port)
    for path in smtpd.files():
        owner = path.stat()
        opened = agent.directory / "opened"
        agent.ok("open", path, "-o", opened)
        agent.ok("seal", opened, "--key", "new", "-o", path)
        shutil.chown(path, owner.st_uid, owner.st_gid)
    with sink() as server:
        with smtpd.running(NEW, compressed=compressed, relay=server.port):
            smtpd.hurry_until(lambda: server.letters)
            wait_until(lambda: not smtpd.files(), "an empty queue", 60)
    (letter,) = server.letters
    assert letter.replace(b"\r\n", b"\n").endswith(BODY)
