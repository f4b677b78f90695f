"""`kit` in a process that begins with everything imported, which takes a tenth of the time.

A server that has imported the commands forks for each of them. What makes a command is its own: arguments,
descriptors, environment, directory, signals, exit status. Only the start of Python is missing, which those
tests show that start the installed program.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

KIT = str(Path(sys.executable).parent / "kit")
_MESSAGE_LIMIT = 2**17
# What Python reads when it starts: with others than the server's, it has to be started.
_AT_THE_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "MALLOC", "COVERAGE")


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    stdin: str | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run `kit` with these arguments to its end."""
    server = _server()
    if _read_at_the_start(env) != server.began_with:
        return _started(arguments, env, cwd, stdin, timeout)
    child = _Child(server.connection, arguments, env, str(cwd or Path.cwd()))
    try:
        out, err = child.communicate((stdin or "").encode(), timeout)
    except TimeoutError:
        os.kill(child.pid, signal.SIGKILL)
        raise subprocess.TimeoutExpired([KIT, *arguments], timeout) from None
    return subprocess.CompletedProcess([KIT, *arguments], child.status(), out.decode(), err.decode())


def _started(
    arguments: Sequence[str],
    env: Mapping[str, str],
    cwd: str | Path | None,
    stdin: str | None,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KIT, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        input=stdin or "",
        env=dict(env),
        cwd=cwd,
        check=False,
    )


def _read_at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_THE_START)}


class _Server(NamedTuple):
    """What forks, and ends with the connection to it."""

    connection: socket.socket
    process: subprocess.Popen[bytes]
    began_with: dict[str, str]


@cache
def _server() -> _Server:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
        began_with = _read_at_the_start(os.environ)
        # Not the rest: what the first test that needs a server has set would be seen in it for good.
        environment = {"PATH": os.environ.get("PATH", os.defpath), **began_with}
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
    return _Server(ours, process, began_with)


def end() -> None:
    """End the server, if there is one."""
    if _server.cache_info().currsize:
        server = _server()
        server.connection.close()
        server.process.wait(10)
        _server.cache_clear()


class _Child:
    """A command on its way; its process is the server's child."""

    def __init__(
        self, server: socket.socket, arguments: Sequence[str], env: Mapping[str, str], cwd: str
    ) -> None:
        message = json.dumps({"arguments": [*arguments], "env": dict(env), "cwd": cwd}).encode()
        self._reply, reply = socket.socketpair()
        (theirs_in, self._in), (self._out, theirs_out), (self._err, theirs_err) = (
            os.pipe(),
            os.pipe(),
            os.pipe(),
        )
        theirs = [theirs_in, theirs_out, theirs_err]
        with reply:
            socket.send_fds(server, [message], [*theirs, reply.fileno()])
        for descriptor in theirs:
            os.close(descriptor)
        self.pid = self._number()

    def communicate(self, stdin: bytes, timeout: float) -> tuple[bytes, bytes]:
        """All that it says, being told this."""
        end = time.monotonic() + timeout
        said: dict[int, bytearray] = {self._out: bytearray(), self._err: bytearray()}
        with selectors.DefaultSelector() as selector:
            for descriptor in said:
                selector.register(descriptor, selectors.EVENT_READ)
            selector.register(self._in, selectors.EVENT_WRITE)
            while selector.get_map():
                ready = selector.select(max(0, end - time.monotonic()))
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    descriptor = key.fd
                    if descriptor == self._in:
                        stdin = self._tell(stdin)
                        more = bool(stdin)
                    else:
                        part = os.read(descriptor, 65536)
                        said[descriptor] += part
                        more = bool(part)
                    if not more:
                        selector.unregister(descriptor)
                        os.close(descriptor)
        return bytes(said[self._out]), bytes(said[self._err])

    def _tell(self, stdin: bytes) -> bytes:
        try:
            return stdin[os.write(self._in, stdin[: select.PIPE_BUF]) :] if stdin else b""
        except BrokenPipeError:
            return b""

    def status(self) -> int:
        """How it ended, as subprocess tells it."""
        status = os.waitstatus_to_exitcode(self._number())
        self._reply.close()
        return status

    def _number(self) -> int:
        data = self._reply.recv(4, socket.MSG_WAITALL)
        assert len(data) == 4, "the server of forked commands is gone"
        return int.from_bytes(data, "big")


# The server.


def _serve(requests: socket.socket) -> None:
    _import_commands()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGINT):  # Ctrl-C is for the tests
        signal.signal(number, lambda *_: None)
    replies: dict[int, socket.socket] = {}
    selector = selectors.DefaultSelector()
    for source in (requests.fileno(), woken):
        selector.register(source, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd == woken:
                os.read(woken, 4096)
                _tell_ends(replies)
            else:
                message, descriptors, _, _ = socket.recv_fds(requests, _MESSAGE_LIMIT, 4)
                if not message:
                    return
                _fork(json.loads(message), descriptors, replies)


def _fork(request: dict[str, Any], descriptors: list[int], replies: dict[int, socket.socket]) -> None:
    pid = os.fork()
    if not pid:
        _become(request, descriptors[:3])
    reply = socket.socket(fileno=descriptors.pop())
    for descriptor in descriptors:
        os.close(descriptor)
    reply.sendall(pid.to_bytes(4, "big"))
    replies[pid] = reply


def _tell_ends(replies: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with replies.pop(ended[0]) as reply, contextlib.suppress(OSError):
                reply.sendall(ended[1].to_bytes(4, "big"))


def _import_commands() -> None:
    import kit.agent.client
    import kit.agent.launch
    import kit.agent.loader
    import kit.agent.x509
    import kit.cli.agent.group
    import kit.cli.agent.starting
    import kit.cli.eeg.group
    import kit.cli.main
    import kit.cli.tls.group  # noqa: F401


def _become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """The command, to its end."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = [KIT, *request["arguments"]]
    sys.stdin = sys.__stdin__ = _stream(0, "r", sys.stdin)
    sys.stdout = sys.__stdout__ = _stream(1, "w", sys.stdout)
    sys.stderr = sys.__stderr__ = _stream(2, "w", sys.stderr)
    status = _run_main()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        status = 120  # as Python has it
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


def _stream(descriptor: int, mode: str, model: Any) -> io.TextIOWrapper:
    """A stream with the descriptor and what was decided for the server's when it started."""
    raw = io.FileIO(descriptor, mode, closefd=False)
    buffer: Any = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer,
        model.encoding,
        model.errors,
        write_through=model.write_through,
        line_buffering=model.line_buffering,
    )


def _run_main() -> int:
    from kit.cli.main import main

    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - Python's last resort, too
        traceback.print_exc()
    return 1


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
