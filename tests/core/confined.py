"""python -m tests.core.confined SETTING...: runs what it is asked for in processes that were really confined.

It stands where the supervisor stands: it imports all, makes the keys' library warm, is a plain user where the
setting says so, and forks a process that calls `confine`, and for a worker another one that calls `seal`.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec

from kit.core.process import die_with_parent
from kit.core.sandbox import linux
from kit.core.sandbox.confine import confine, isolate, restrain, seal
from kit.core.sandbox.plan import Level, Plan, User
from tests.core import service
from tests.core.attacks import ATTACKS, FROM_OUTSIDE, WORKER_ATTACKS, Attack, Scene

_PR_SET_CHILD_SUBREAPER = 36
FREE, ZYGOTE, WORKER, CALLER = "free", "zygote", "worker", "caller"


@dataclass(frozen=True)
class Setting:
    """Who starts it, as whom it goes on, how it is confined, and what the system lacks or refuses.

    That is system calls by name; "prctl 4" is prctl with this first argument. Who is late is forked from a
    supervisor that is restrained already.
    """

    uid: int = 0
    user: int = 0
    level: str = Level.STRICT
    role: str = WORKER
    lacking: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()
    late: bool = False

    @property
    def plan(self) -> Plan:
        user = User(self.user, self.user, f"user{self.user}") if self.user else None
        return Plan(Level(self.level), user)

    def kernel(self, name: str, *arguments: Any) -> int:
        """The system without what it lacks."""
        names = {name, f"{name} {arguments[0]}"}
        for missing, number in ((self.lacking, errno.ENOSYS), (self.refusing, errno.EPERM)):
            if names & {*missing}:
                raise OSError(number, os.strerror(number))
        return linux.call(name, *arguments)


def in_role(setting: Setting, task: Callable[[], str]) -> str:
    """What the task says in a process confined for this role, or what it died of."""
    reading, writing = os.pipe()
    parent, child = os.getpid(), os.fork()
    if not child:
        os.close(reading)
        _end(writing, lambda: _as_zygote(setting, parent, writing, task))
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    return text or _ended(status)


def outcome(attack: Callable[[], object]) -> str:
    """One word: "done", an error's name or an exception's."""
    try:
        attack()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
        return type(error).__name__
    return "done"


def _as_zygote(setting: Setting, parent: int, writing: int, task: Callable[[], str]) -> str:
    if setting.role == FREE:
        return task()
    if setting.late:
        restrain(setting.plan, setting.kernel)
    die_with_parent(parent)
    if setting.role == CALLER:
        isolate(setting.plan, setting.kernel)
        return task()
    confine(setting.plan, setting.kernel)
    if setting.role == ZYGOTE:
        return task()
    zygote, child = os.getpid(), os.fork()
    if not child:
        _end(writing, lambda: _as_worker(setting, zygote, task))
    _, status = os.waitpid(child, 0)
    return _ended(status) if status else ""


def _as_worker(setting: Setting, parent: int, task: Callable[[], str]) -> str:
    die_with_parent(parent)
    seal(setting.plan, setting.kernel)
    return task()


def _end(writing: int, task: Callable[[], str]) -> NoReturn:
    status = 1
    try:
        os.write(writing, task().encode())
        status = 0
    except BaseException as error:  # noqa: BLE001 - it must not run on in its parent's stack
        os.write(writing, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(status)


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"status {code}"


def become(uid: int) -> None:
    """A plain user's process as his shell would have started it."""
    if os.geteuid() == 0 and uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        linux.prctl(linux.call, linux.PR_SET_DUMPABLE, 1)


def _attacks(setting: Setting) -> dict[str, str]:
    directory = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))
    directory.chmod(0o777)
    (directory / "victim").touch()
    bystander = _bystander(setting.user)
    try:
        scene = Scene(os.getpid(), bystander, directory)
        (directory / "listener").chmod(0o777)
        attacks = {**ATTACKS, **WORKER_ATTACKS} if setting.role != ZYGOTE else ATTACKS
        return {name: _tried(setting, attack, scene) for name, attack in attacks.items()}
    finally:
        os.kill(bystander, signal.SIGKILL)
        os.waitpid(bystander, 0)
        shutil.rmtree(directory)


def _tried(setting: Setting, attack: Attack, scene: Scene) -> str:
    return in_role(setting, lambda: outcome(lambda: attack(scene)))


def _bystander(uid: int) -> int:
    """A process of the user as whom the attacker runs, ready when this returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        become(uid)
        os.close(reading)
        os.write(writing, b".")
        while True:
            signal.pause()
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return child


def _restrain(setting: Setting) -> Any:
    """The supervisor gives up root; what it then has, and what it can still do."""
    with tempfile.TemporaryDirectory(prefix="kit-", dir="/tmp") as directory:
        secret = Path(directory, "secret")
        secret.write_text("of root")
        secret.chmod(0o600)
        return json.loads(in_role(Setting(role=FREE), lambda: json.dumps(_as_supervisor(setting, secret))))


def _as_supervisor(setting: Setting, secret: Path) -> dict[str, Any]:
    measures = restrain(setting.plan, setting.kernel)
    program = subprocess.run(["/bin/cat", _STATUS], capture_output=True, check=True, text=True)
    return {
        "measures": [asdict(measure) for measure in measures],
        "status": Path(_STATUS).read_text(),
        "program": program.stdout,
        "umask": os.umask(0o077),
        "outcomes": {name: outcome(partial(attempt, secret)) for name, attempt in _OF_ROOT.items()},
    }


_STATUS = "/proc/self/status"
_OF_ROOT: dict[str, Callable[[Path], object]] = {
    "read a file of root": lambda path: path.read_text(),
    "write a file of root": lambda path: path.write_text("mine"),
    "setuid": lambda _: os.setuid(0),
    "seteuid": lambda _: os.seteuid(0),
    "setgroups": lambda _: os.setgroups([0]),
    "chroot": lambda _: os.chroot("/"),
    "namespace": lambda _: linux.call("unshare", 0x40000000),
    "child": lambda _: in_role(Setting(role=FREE), lambda: "it lives"),
}


def _measures(setting: Setting) -> list[dict[str, str]] | str:
    """All of them, or why there are none."""

    def all_of_them() -> str:
        if setting.role == CALLER:
            return json.dumps([asdict(measure) for measure in isolate(setting.plan, setting.kernel)])
        found = [*confine(setting.plan, setting.kernel)]
        if setting.role == WORKER:
            found += seal(setting.plan, setting.kernel)
        return json.dumps([asdict(measure) for measure in found])

    answer = in_role(replace(setting, role=FREE), all_of_them)
    return list(json.loads(answer)) if answer.startswith("[") else answer


def _serve(setting: Setting) -> str:
    """A worker under load, or a zygote with its children; what it says at the end."""
    ours, theirs = service.channel()
    supervisor = os.fork()
    if not supervisor:
        theirs.close()
        service.feed(ours) if setting.role == WORKER else _send_key(ours)
        os._exit(0)
    ours.close()
    if setting.role == WORKER:
        worker = service.Worker(service.Keys(), theirs)
        answer = in_role(setting, worker.run)
    else:
        answer = in_role(setting, lambda: service.keep_keys(theirs))
    _, status = os.waitpid(supervisor, 0)
    return answer if not status else f"the supervisor failed after {answer!r}"


def _send_key(channel: socket.socket) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(service.der(ec.generate_private_key(ec.SECP256R1())))
        file.seek(0)
        socket.send_fds(channel, [b"key"], [file.fileno()])


def _outside(setting: Setting) -> dict[str, str]:
    """What a process of the same user gets out of a confined one, which tells its pid and waits."""
    ours, theirs = service.channel()
    attacker = os.fork()
    if not attacker:
        become(setting.user or setting.uid)
        pid = int(ours.recv(64))
        found = {name: outcome(partial(attack, pid)) for name, attack in FROM_OUTSIDE.items()}
        ours.send(json.dumps(found).encode())
        os._exit(0)
    ours.close()

    def wait() -> str:
        theirs.send(str(os.getpid()).encode())
        return theirs.recv(4096).decode()

    answer = in_role(setting, wait)
    os.waitpid(attacker, 0)
    return dict(json.loads(answer))


def _orphan(setting: Setting) -> str:
    """Confines a process whose parent then ends; how that one ends, which nobody but us waits for."""
    linux.prctl(linux.call, _PR_SET_CHILD_SUBREAPER, 1)
    ours, theirs = service.channel()
    # Not the same channel: whoever of the two reads first would have what is for the other one.
    going, go = os.pipe()
    parent = os.fork()
    if not parent:
        supervisor, zygote = os.getpid(), os.fork()
        if not zygote:
            die_with_parent(supervisor)
            confine(setting.plan, setting.kernel)
            theirs.send(str(os.getpid()).encode())
            signal.sigwait([signal.SIGUSR2])
        os.read(going, 1)
        os._exit(0)
    zygote = int(ours.recv(64))
    os.write(go, b"!")
    os.waitpid(parent, 0)
    _, status = os.waitpid(zygote, 0)
    return _ended(status)


def _locked(setting: Setting) -> int:
    """How much memory of a confined process is locked, in KiB; the system says it of any process."""
    reading, writing = os.pipe()

    def tell() -> str:
        os.write(writing, str(os.getpid()).encode())
        return signal.Signals(signal.sigwait([signal.SIGTERM])).name

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    observer = os.fork()
    if not observer:
        return_to = os.read(reading, 64)
        status = Path("/proc", return_to.decode(), "status").read_text()
        os.kill(int(return_to), signal.SIGTERM)
        os._exit(min(255, int(status.split("VmLck:")[1].split()[0]) // 1024))
    assert in_role(setting, tell) == "SIGTERM"
    return os.waitstatus_to_exitcode(os.waitpid(observer, 0)[1])


def _crash(setting: Setting) -> bool:
    """Does an abort leave a core?"""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    parent, child = os.getpid(), os.fork()
    if not child:
        _as_zygote(setting, parent, -1, os.abort)
    _, status = os.waitpid(child, 0)
    return os.WCOREDUMP(status)


_TASKS: dict[str, Callable[[Setting], object]] = {
    "attacks": _attacks,
    "measures": _measures,
    "restrain": _restrain,
    "serve": _serve,
    "outside": _outside,
    "orphan": _orphan,
    "locked": _locked,
    "crash": _crash,
}


def main() -> None:
    """What to do, and the setting as JSON; the answer as JSON on standard output."""
    task, text = sys.argv[1:]
    setting = Setting(**json.loads(text))
    service.Keys().use(bytes(64))
    service.der(ec.generate_private_key(ec.SECP256R1()))
    become(setting.uid)
    gc.collect()
    print(json.dumps(_TASKS[task](setting)))


if __name__ == "__main__":
    main()
