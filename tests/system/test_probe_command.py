"""kit tls probe HOST as a user types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from kit.cli.tls.group import probe
from kit.tls.dialogue import DIALOGUES
from tests.tls import doubles
from tests.tls.authority import Authority

Kit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def test_a_good_server_is_a_table_and_exit_0(kit: Kit, authority: Authority) -> None:
    with doubles.serving(doubles.tls(authority.rsa, authority.ecdsa)) as port:
        done = kit("tls", "probe", "--ca", str(authority.ca_file), f"localhost:{port}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"localhost:{port} (127.0.0.1)"
    assert lines[2].split() == [
        *("TLS", "KEY", "OUTCOME", "CIPHER", "GROUP", "SCHEME", "CERTIFICATE", "VERIFIED", "MS")
    ]
    assert [line.split()[:3] for line in lines[3:7]] == [
        *(["1.2", "RSA", "ok"], ["1.2", "ECDSA", "ok"], ["1.3", "RSA", "ok"], ["1.3", "ECDSA", "ok"])
    ]
    assert lines[7].split()[:4] == ["1.3", "ML-DSA", "not", "served"]
    assert lines[-1] == "4 of 5 cells ok, 1 not served"


def test_a_dead_key_is_said_in_words_and_exit_1(kit: Kit, authority: Authority) -> None:
    dead = doubles.tls_1_3(authority.rsa, lambda sealed: sealed.alert(80))
    with doubles.serving(dead) as port:
        done = kit("tls", "probe", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert "a certificate is shown, but the handshake does not complete: its key does not sign" in done.stdout


def test_want_makes_a_missing_twin_a_fault(kit: Kit, authority: Authority) -> None:
    with doubles.serving(doubles.tls(authority.rsa)) as port:
        arguments = ("tls", "probe", "--ca", str(authority.ca_file), f"localhost:{port}")
        assert kit(*arguments).returncode == 0
        done = kit(*arguments, "--want", "rsa,ecdsa")
    assert done.returncode == 1
    assert "fault: ECDSA: wanted, but not served" in done.stdout


def test_nobody_there_is_one_line_and_69(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = kit("tls", "probe", f"127.0.0.1:{port}")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == f"kit: error: nobody answers at '127.0.0.1:{port}': connection refused\n"
    done = kit("tls", "probe", "--json", f"127.0.0.1:{port}")
    assert done.returncode == 69
    assert [json.loads(line)["ending"] for line in done.stdout.splitlines()[:4]] == ["unreachable"] * 4


@pytest.mark.parametrize(
    "arguments",
    [
        *(("a:b:c",), ("h:0",), ("--want", "dsa", "h"), ("--starttls", "gopher", "h")),
        *(
            ("--servername", "a b", "h"),
            ("-t", "0", "h"),
            ("-t", "nan", "h"),
            ("-t", "inf", "h"),
            ("--ca", "/dev/null", "h"),
            ("--starttls", "smtp"),
            ("--want", "rsa"),
        ),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], kit: Kit) -> None:
    done = kit("tls", "probe", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kit: error: ")


def test_a_file_that_is_not_there_is_69(kit: Kit, tmp_path: Path) -> None:
    assert kit("tls", "probe", "--ca", str(tmp_path / "none"), "127.0.0.1:1").returncode == 69


def test_the_default_port_follows_from_the_dialogue(kit: Kit) -> None:
    # Port 25 or 443 of this machine: nobody is expected there, and whoever is there is on loopback.
    for arguments, port in ((("--starttls", "smtp"), 25), ((), 443)):
        done = kit("tls", "probe", "--json", "-t", "2", *arguments, "127.0.0.1")
        assert json.loads(done.stdout.splitlines()[0])["port"] == port


def test_the_choice_of_dialogues_is_the_table_of_dialogues() -> None:
    (option,) = [p for p in probe.params if p.name == "starttls"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(DIALOGUES)


def test_control_characters_of_a_server_are_never_printed(kit: Kit) -> None:
    with doubles.serving(lambda c: c.sendall(b"\x1b[2J\x1b]0;owned\x07 hello\r\n")) as port:
        done = kit("tls", "probe", f"127.0.0.1:{port}")
    assert done.returncode == 76
    assert all(character.isprintable() for character in (done.stdout + done.stderr).replace("\n", ""))


def test_ctrl_c_ends_at_once(kit_program: str) -> None:
    with doubles.serving(doubles.after_hello(lambda c: c.recv(1) and None)) as port:
        process = subprocess.Popen(
            [kit_program, "tls", "probe", "-t", "50", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ.copy(),
        )
        end_s = time.monotonic() + 20
        while not _is_connected(process.pid, port) and time.monotonic() < end_s:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"", b"")


def _is_connected(pid: int, port: int) -> bool:
    """Has the process a TCP connection to the port?"""
    table = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01" for line in table) >= 4
