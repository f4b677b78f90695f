"""Runs a Python program in this interpreter as `python` itself would: argv, path, __main__, exit status."""

from __future__ import annotations

import importlib.machinery
import io
import os
import runpy
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.core.errors import EXIT_INTERRUPTED, EXIT_NO, Unavailable, UsageError


def use_socket(path: str | None) -> None:
    """Let handles that name no socket, here and in child processes, meet the agent at `path`."""
    if path:
        os.environ["KIT_AGENT_SOCK"] = str(Path(path).absolute())


def run_program(words: Sequence[str]) -> int:
    """Run `-m MODULE ARG…` or `SCRIPT ARG…` to its end; returns its exit status, or raises its SystemExit."""
    program = _program(words)
    try:
        program()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 -- the end of somebody else's program is shown as Python shows it
        _show(error)
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_NO
    return 0


def _program(words: Sequence[str]) -> Callable[[], object]:
    """Everything up to the first line of the program."""
    if words[0] == "-m":
        if len(words) == 1:
            raise UsageError("'-m' names no module")
        _become("-m", words[2:], str(Path.cwd()))
        return lambda: _run_module(words[1], alter_argv=True)
    path = words[0]
    if path.startswith("-"):
        raise UsageError(f"{path!r} is neither '-m' nor a script")
    if not Path(path).exists():
        raise Unavailable(f"there is no script {path!r}")
    if not Path(path).is_file() or _is_archive(path):
        # A directory or zip file with a __main__.py in it.
        _become(path, words[1:], path)
        return lambda: _run_module("__main__", alter_argv=False)
    _become(path, words[1:], str(Path(path).resolve().parent))
    return lambda: _run_script(path)


def _become(name: str, arguments: Sequence[str], directory: str) -> None:
    """A fresh __main__, and the argv and path that the program expects."""
    main = types.ModuleType("__main__")
    main.__annotations__ = {}
    sys.modules["__main__"] = main
    sys.argv[:] = [name, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = directory


# Python's own `-m` calls this; the public run_module() takes __main__ away when it is done.
_run_module: Callable[..., object] = runpy._run_module_as_main  # type: ignore[attr-defined]


def _is_archive(path: str) -> bool:
    import zipfile

    return zipfile.is_zipfile(path)


def _run_script(path: str) -> None:
    path = os.path.abspath(path)  # noqa: PTH100 -- as Python does it: links stay
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec")
    namespace = sys.modules["__main__"].__dict__
    namespace["__file__"] = path
    namespace["__loader__"] = importlib.machinery.SourceFileLoader("__main__", path)
    namespace["__cached__"] = None
    exec(code, namespace)  # noqa: S102 -- the program that the user named


def _show(error: BaseException) -> None:
    """The traceback, from the program's first line on."""
    ours = {__file__, runpy.__file__, "<frozen runpy>"}
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename in ours:
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)
