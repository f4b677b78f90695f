"""A machine that systemd runs, with the agent's units and nothing else.

systemd is the first process of namespaces of its own. It sees this machine's files, read-only, but its own
/run, /tmp, /var/log and users. No service of this machine is started, and nothing is left of it when
its first process is killed.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.peers import forbidden, needs
from tests.system.agents import KIT

REPOSITORY = Path(__file__).parent.parent.parent
SOCKET = "/run/kit/agent.sock"
CONFIG, KEY = "/run/machine/agent.toml", "/run/machine/web.pem"
_DEADLINE_S = 30.0
# What a setting of the unit hides, and a test's Python may lie in.
_HIDDEN = {"ProtectHome": ("/root", "/home"), "PrivateTmp": ("/tmp", "/var/tmp")}

_JOINED = ("--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup")
# Killed when this process ends, and then everything below it.
_KILLED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--kill-child")
_UNSHARE = (*_KILLED, "--fork", "--mount-proc", *_JOINED)
_TRY = "mount -t tmpfs none /run && mount -t cgroup2 none /sys/fs/cgroup && mount -o remount,bind,ro /"
# $1 is the directory with the machine's own files.
_BOOT = """
set -e
mount -t tmpfs -o mode=0755 none /run
mkdir /run/machine /run/lock
mount --bind "$1" /run/machine
cd /run/machine
mount -t tmpfs -o mode=1777 none /tmp
mount -t tmpfs -o mode=0755 none /var/log
mount --bind etc/passwd /etc/passwd
mount --bind etc/group /etc/group
mount -t cgroup2 none /sys/fs/cgroup
mount --rbind /dev /dev
mount -o remount,bind,ro /dev
mount -o bind,ro /proc/sys /proc/sys
mount -o remount,bind,ro /
systemd-tmpfiles --create /run/machine/tmpfiles.conf
exec env -i container=test PATH="$PATH" SYSTEMD_LOG_TARGET=console SYSTEMD_UNIT_PATH=/run/machine/units \\
  SYSTEMD_GENERATOR_PATH=/run/machine /lib/systemd/systemd --system --unit=sysinit.target
"""


class Booted:
    """The running machine."""

    def __init__(self, init: int) -> None:
        self.root = f"/proc/{init}/root"  # its files, as this machine sees them
        self._enter = ["nsenter", f"--target={init}", *_JOINED]

    def run(self, *command: str, ok: bool = True) -> str:
        """What a command says there, on either stream; it must succeed, unless `ok` is false."""
        done = subprocess.run(
            [*self._enter, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0 or not ok, done.stdout
        return done.stdout.strip()

    def kit(self, *words: str) -> str:
        """`kit agent …` of root, at the service's socket."""
        return self.run(KIT, "agent", *words, "--socket", SOCKET)

    def state(self, unit: str) -> str:
        """Its ActiveState and SubState, as in "active running"."""
        shown = self.run("systemctl", "show", "--value", "--property=ActiveState,SubState", unit)
        return " ".join(shown.split())


@contextlib.contextmanager
def booted(directory: Path) -> Iterator[Booted]:
    """A machine that has started nothing yet; only root can have one."""
    needs("setpriv", "unshare", "nsenter", "systemctl")
    if "PrivateTmp=no" in _unhidden():
        forbidden("a service that sees this test's Python, which lies where its /tmp will be")
    _furnish(directory)
    with _own_cgroup() as cgroup, (directory / "console").open("wb") as console:
        enter = ["sh", "-c", f'echo $$ >"{cgroup}/cgroup.procs" && exec "$@"', "sh", *_UNSHARE, "sh", "-c"]
        if subprocess.run([*enter, _TRY], capture_output=True, check=False).returncode:
            forbidden("systemd in namespaces of its own")
        boot = [*enter, _BOOT, "sh", str(directory)]
        with subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=console, stderr=console) as unshared:
            try:
                yield _await_systemd(unshared, directory / "console")
            finally:
                unshared.kill()


def _furnish(directory: Path) -> None:
    """The machine's own files: units, users, and what the units need of a system."""
    units = directory / "units"
    units.mkdir()
    for unit in (REPOSITORY / "systemd").glob("kit-agent.*"):
        text = unit.read_text().replace("/usr/local/bin/kit", KIT).replace("/etc/kit/agent.toml", CONFIG)
        (units / unit.name).write_text(text)
    for name in ("sysinit", "basic", "sockets", "multi-user", "shutdown", "umount"):
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\nDefaultDependencies=no\n")
    (units / "kit-agent.service.d").mkdir()
    added = ["[Service]", "StandardError=append:/run/machine/service.log", *_unhidden()]
    (units / "kit-agent.service.d" / "test.conf").write_text("\n".join(added) + "\n")
    (directory / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(f"/etc/{name}", directory / "etc" / name)
    sysusers = ["systemd-sysusers", f"--root={directory}", REPOSITORY / "systemd" / "sysusers.d" / "kit.conf"]
    subprocess.run(sysusers, check=True, capture_output=True, timeout=60)
    shutil.copy(REPOSITORY / "systemd" / "tmpfiles.d" / "kit.conf", directory / "tmpfiles.conf")


def _unhidden() -> list[str]:
    """Settings that let the service see this test's Python."""
    needed = [REPOSITORY, Path(sys.prefix), Path(sys.base_prefix)]
    return [
        f"{setting}=no"
        for setting, places in _HIDDEN.items()
        if any(path.is_relative_to(place) for path in needed for place in places)
    ]


@contextlib.contextmanager
def _own_cgroup() -> Iterator[Path]:
    """A cgroup below which systemd makes its own, as if there were no other."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    root = next((Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2"), None)
    if not root:
        forbidden("control groups")
    assert root
    own = root / f"kit-test-{time.monotonic_ns()}"
    try:
        own.mkdir()
    except OSError:
        forbidden("a control group of one's own")
    try:
        yield own
    finally:
        _remove_cgroup(own)


def _remove_cgroup(own: Path) -> None:
    """It can be removed when its last process is gone."""
    end_s = time.monotonic() + _DEADLINE_S
    while own.exists():
        for place in (*sorted(own.rglob("*/"), key=lambda path: -len(path.parts)), own):
            with contextlib.suppress(OSError):
                place.rmdir()
        assert time.monotonic() < end_s, f"{own} is still in use"
        time.sleep(0.01)


def _await_systemd(unshared: subprocess.Popen[bytes], console: Path) -> Booted:
    end_s = time.monotonic() + _DEADLINE_S
    while True:
        assert unshared.poll() is None and time.monotonic() < end_s, console.read_text()
        for child in Path(f"/proc/{unshared.pid}/task/{unshared.pid}/children").read_text().split():
            machine = Booted(int(child))
            if machine.run("systemctl", "is-system-running", ok=False) in ("running", "degraded"):
                return machine
        time.sleep(0.05)
