"""kit agent top, on real agents: for a person at a terminal, in a pipe, while the agent comes and goes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.agent.client import AgentClient
from kit.agent.forms import key_id
from tests.agent.samples import TLS_1_3_HEAD
from tests.system.agents import KIT, Agent, await_end, running_agent
from tests.system.stranger import ask_as_stranger
from tests.system.terminal import Terminal, at_terminal

Wait = Callable[..., None]
CONTENT = TLS_1_3_HEAD + bytes(32)
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FIELDS = {
    "time_s",
    "answers",
    "interval_s",
    "version",
    "pid",
    "started_s",
    "locked",
    "workers",
    "restarts",
    "connections",
    "audit",
    "audit_failing",
    "operations_per_s",
    "refused_per_s",
    "keys",
    "peers",
}
KEY_FIELDS = {
    "name",
    "key_id",
    "kind",
    "operations_per_s",
    "operations",
    "refused_per_s",
    "refused",
    "p50_s",
    "p99_s",
    "expires_s",
}
PEER_FIELDS = {
    "user",
    "uid",
    "pid",
    "process",
    "worker",
    "operations_per_s",
    "operations",
    "refused_per_s",
    "refused",
    "since_s",
}


@pytest.fixture
def agent(short_tmp: Path) -> Iterator[Agent]:
    with running_agent(short_tmp, "--workers", "2") as agent:
        yield agent


@contextlib.contextmanager
def busy(agent: Agent, *names: str) -> Iterator[None]:
    """Somebody signs with the first of these keys all the time, and with the others never."""
    stop = threading.Event()
    with AgentClient(agent.socket) as client:
        keys = [key_id(client.generate(name, "p-256").spki) for name in names]

        def sign() -> None:
            while not stop.is_set():
                client.sign(keys[0], 0x0403, CONTENT, "tls-server")

        thread = threading.Thread(target=sign)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@contextlib.contextmanager
def watching(agent: Agent, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [KIT, "agent", "top", "--interval", "0.2", *options]
    with subprocess.Popen(command, env=agent.environment, stdout=-1, stderr=-1, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_of(process: subprocess.Popen[str], **wanted: Any) -> dict[str, Any]:
    """The next object that says this."""
    assert process.stdout
    for line in process.stdout:
        found: dict[str, Any] = json.loads(line)
        if wanted.items() <= found.items():
            return found
    raise AssertionError(f"it ended before it said {wanted}")


def by_name(found: dict[str, Any]) -> dict[str, Any]:
    return {key["name"]: key for key in found["keys"]}


@contextlib.contextmanager
def on_screen(agent: Agent, *options: str, **more: str) -> Iterator[Terminal]:
    """At a terminal of 80 columns and 24 lines."""
    kept = {name: value for name, value in agent.environment.items() if name not in ("COLUMNS", "LINES")}
    with at_terminal([KIT, "agent", "top", *options], {**kept, "TERM": "xterm", **more}) as terminal:
        yield terminal


def test_each_interval_has_an_object_with_its_rates(agent: Agent) -> None:
    with busy(agent, "web", "idle"):
        found = [
            json.loads(line) for line in agent.ok("top", "--json", "-n", "0.3", "--count", "3").splitlines()
        ]
    assert len(found) == 3
    for view in found:
        assert view.keys() == FIELDS
        assert view["answers"] is True
        assert view["interval_s"] > 0
        assert all(key.keys() == KEY_FIELDS for key in view["keys"])
        assert all(peer.keys() == PEER_FIELDS for peer in view["peers"])
    # What is asked for, where the machine has nothing else to do for once.
    assert min(view["interval_s"] for view in found) < 0.59
    last, before = found[-1], found[-2]
    web, idle = by_name(last)["web"], by_name(last)["idle"]
    assert [key["name"] for key in last["keys"]] == ["web", "idle"]
    made = web["operations"] - by_name(before)["web"]["operations"]
    assert web["operations_per_s"] == pytest.approx(made / last["interval_s"])
    assert last["operations_per_s"] == web["operations_per_s"] > 0
    assert 0 < web["p50_s"] <= web["p99_s"] <= 0.5
    assert (idle["operations_per_s"], idle["operations"], idle["p50_s"]) == (0, 0, None)
    busiest = last["peers"][0]
    assert (busiest["pid"], busiest["uid"]) == (os.getpid(), os.getuid())
    assert busiest["operations_per_s"] > 0
    assert (last["workers"], last["restarts"], last["audit"], last["locked"]) == (2, 0, None, False)


def test_in_a_pipe_view_follows_view_as_plain_text(agent: Agent) -> None:
    with busy(agent, "web", "idle"):
        text = agent.ok("top", "--interval", "0.2", "--count", "2")
    assert "\x1b" not in text
    assert text.count("kit agent 0.1.0, pid ") == 2
    assert text.count("KEY   KIND") == text.count("USER") == 2
    assert re.search(r"^[0-9]+(\.[0-9])? operations/s, 0\.0 refused/s, 0 restarts, no audit log$", text, re.M)
    rows = re.findall(
        r"^(web|idle) +p-256 +([0-9.]+) +([0-9]+) +0 +(-|[0-9.]+ .s) +(-|[0-9.]+ .s) +never$", text, re.M
    )
    assert [row[0] for row in rows] == ["web", "idle"] * 2
    assert rows[1][1:] == ("0.0", "0", "-", "-")


def test_a_person_sees_a_screen_drawn_anew_and_keeps_the_last_view(agent: Agent) -> None:
    with busy(agent, "web"), on_screen(agent, "-n", "0.2") as terminal:
        terminal.wait_for("- operations/s")  # the first view has nothing to compare with
        terminal.wait_for("web")
        terminal.wait_for("web")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert terminal.seen.index(ENTER) < terminal.seen.index("operations/s")
    assert terminal.seen.count(LEAVE) == 1
    assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")  # the cursor is shown again
    kept = COLOURS.sub("", terminal.seen[terminal.seen.rindex(LEAVE) :])
    assert re.search(r"web +p-256 +[0-9]{2,}", kept)


def test_a_window_of_another_size_is_drawn_at_once(agent: Agent) -> None:
    with AgentClient(agent.socket) as client:
        for number in range(40):
            client.generate(f"{number} {'long ' * 10}", "ed25519")
        with on_screen(agent, "-n", "3600") as terminal:
            terminal.wait_for("and 25 more")  # of 24 lines, 18 are for keys and clients
            terminal.resize(60, 40)
            terminal.wait_for("and 9 more")
            terminal.type("\x03")
            assert terminal.end() == 130
    drawn = COLOURS.sub("", terminal.seen).split("\x1b[H")[-1].partition("\x1b")[0].removesuffix("^C")
    assert "and 9 more" in drawn
    assert {len(line) for line in drawn.splitlines()} == {60}


def test_without_colour_the_screen_is_drawn_all_the_same(agent: Agent) -> None:
    with on_screen(agent, "-n", "0.2", "--count", "2", NO_COLOR="1") as terminal:
        assert terminal.end() == 0
    assert ENTER in terminal.seen
    assert not COLOURS.search(terminal.seen)


def test_a_dumb_terminal_gets_plain_text(agent: Agent) -> None:
    with on_screen(agent, "-n", "0.2", TERM="dumb") as terminal:
        terminal.wait_for("operations/s")
        terminal.wait_for("operations/s")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "\x1b" not in terminal.seen


def test_nobodys_name_is_obeyed(agent: Agent) -> None:
    with AgentClient(agent.socket) as client:
        client.generate("a\x1b]0;title\x07\x9b[bold]\nb", "ed25519")
    with on_screen(agent, "-n", "0.2", "--count", "1") as terminal:
        assert terminal.end() == 0
    assert r"a\x1b]0;title\x07\x9b[bold]\nb" in terminal.seen
    assert "\x1b]" not in terminal.seen


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it(agent: Agent, number: signal.Signals, status: int) -> None:
    with watching(agent, "--json") as process:
        next_of(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (status, "")
    assert all(json.loads(line)["answers"] for line in out.splitlines())


def test_sigterm_gives_the_screen_back(agent: Agent) -> None:
    with on_screen(agent) as terminal:
        terminal.wait_for("operations/s")
        terminal.process.terminate()
        assert terminal.end() == 143
    assert LEAVE in terminal.seen


def test_a_reader_that_has_enough_ends_it_quietly(agent: Agent) -> None:
    done = agent.run("bash", "-c", f"{KIT} agent top --json -n 0.1 | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
    assert json.loads(done.stdout)["answers"]


def test_it_waits_for_an_agent_that_is_started_again(agent: Agent) -> None:
    with busy(agent, "web"):
        pass
    with watching(agent, "--json") as process:
        next_of(process, answers=True)
        agent.ok("stop")
        await_end(agent.pid)
        away = next_of(process, answers=False)
        assert away.keys() == {"time_s", "answers", "why"}
        assert away["why"].startswith("no agent answers on ")
        with running_agent(agent.directory) as again:
            back = next_of(process, answers=True)
            assert (back["pid"], back["interval_s"], back["operations_per_s"]) == (again.pid, None, None)
            assert next_of(process, answers=True)["operations_per_s"] == 0


def test_a_person_is_told_that_the_agent_is_gone(agent: Agent) -> None:
    with on_screen(agent, "-n", "0.2") as terminal:
        terminal.wait_for("operations/s")
        agent.ok("stop")
        terminal.wait_for("waiting for the agent")
        terminal.type("\x03")
        assert terminal.end() == 130


def test_a_worker_that_is_killed_is_counted_and_no_rate_is_negative(agent: Agent) -> None:
    with busy(agent, "web"), watching(agent, "--json") as process:
        first = next_of(process, answers=True)
        os.kill(worker(agent, first["peers"][0]["worker"]), signal.SIGKILL)
        views = [next_of(process, restarts=1), next_of(process, answers=True), next_of(process, answers=True)]
    assert views[-1]["operations_per_s"] > 0
    for row in (row for view in views for row in (*view["keys"], *view["peers"])):
        assert row["operations_per_s"] is None or row["operations_per_s"] >= 0


def worker(agent: Agent, index: int) -> int:
    with AgentClient(agent.socket) as client:
        return [process.pid for process in client.status().processes if process.role == "worker"][index]


def test_a_locked_agent_is_watched_without_its_keys(agent: Agent) -> None:
    with AgentClient(agent.socket) as client:
        client.generate("web", "p-256")
        with watching(agent, "--json") as process:
            assert by_name(next_of(process, locked=False)).keys() == {"web"}
            client.lock(bytearray(b"sesame"))
            assert next_of(process, locked=True)["keys"] == []
            client.unlock(bytearray(b"sesame"))
            back = next_of(process, locked=False)
            assert (by_name(back).keys(), back["operations_per_s"]) == ({"web"}, None)


def test_without_an_agent_it_does_not_begin(kit: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = kit("agent", "top", "--socket", "/nonexistent/agent.sock")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.startswith("kit: error: no agent answers on ")


@pytest.mark.parametrize(
    "options", [["-n", "0"], ["-n", "0.01"], ["-n", "nan"], ["-n", "inf"], ["--count", "0"]]
)
def test_there_are_no_such_intervals(
    kit: Callable[..., subprocess.CompletedProcess[str]], options: list[str]
) -> None:
    assert kit("agent", "top", *options).returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_whoever_may_only_use_a_key_is_told_so(short_tmp: Path) -> None:
    status, err = ask_as_stranger(short_tmp, "top")
    assert (status, err) == (77, "kit: error: only an administrator of the agent may ask for this\n")
