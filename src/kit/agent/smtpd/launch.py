"""How smtpd is started so that kit stands in the place of its key process: by its argv[0], and unchanged."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kit.agent.forms import pem
from kit.agent.keeper import generate_der
from kit.agent.smtpd.stand_in import PROGRAM, SOCKET, USER, execute, find_user, read_arguments
from kit.core.errors import Unavailable, UsageError
from kit.core.paths import running_agent_socket

STAND_IN = "kit-smtpd"
_MORE_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
# smtpd.h: SMTPD_MAXARG, of which smtpd itself takes some for what it starts.
_ARGUMENTS_LIMIT = 29


def start(command: Sequence[str], socket: str | None, user: str) -> NoReturn:
    """Become smtpd; what its processes have to know goes with the environment."""
    program = find_program(command[0])
    if len(command) > _ARGUMENTS_LIMIT:
        raise UsageError(f"{len(command)} arguments, where smtpd takes at most {_ARGUMENTS_LIMIT}")
    if read_arguments(command[1:])[0]:
        raise UsageError("'-x' is for smtpd's own use")
    if user:
        os.environ[USER] = find_user(user).name
    os.environ[PROGRAM], os.environ[SOCKET] = program, running_agent_socket(socket)
    execute(program, [stand_in(), *command[1:]])


def make_dummy(path: str) -> None:
    """Write a key that is good for nothing, where smtpd has to find one that it can read.

    Nothing is replaced: what stands there may be the key itself.
    """
    text = "A dummy: the key that smtpd uses is in kit's agent.\n" + pem("PRIVATE KEY", generate_der("p-256"))
    try:
        # smtpd takes none that others may read, though this one is no secret.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageError(
            f"there is something at {path!r}", hint="move a key away before its dummy is made"
        ) from None
    except OSError as error:
        raise Unavailable(f"cannot write {path!r}: {(error.strerror or 'failed').lower()}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def find_program(name: str) -> str:
    """The absolute path of smtpd."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_MORE_PLACES}")
    if path is None:
        raise Unavailable(f"there is no program {name!r}", hint="give the path of smtpd")
    return os.path.abspath(path)  # noqa: PTH100 - links stay


def stand_in() -> str:
    """The path of what smtpd is to take for itself; it was installed with `kit`."""
    places = (Path(sys.argv[0]).parent, Path(sysconfig.get_path("scripts")))
    for place in places:
        path = (place / STAND_IN).absolute()
        if os.access(path, os.X_OK):
            return str(path)
    raise Unavailable(f"there is no program {STAND_IN!r} beside kit", hint="install kit again")
