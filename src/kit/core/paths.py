"""Where things lie: the agent's socket, and the directory that keeps others away from it.

The socket of an agent never stands in a directory that others may write to or search: the directory is what
keeps them from connecting, and from putting something of their own in the socket's place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kit.core.errors import NotPermitted, Unavailable, UsageError

# sun_path has 108 bytes, the last one is a null byte (unix(7)).
SOCKET_PATH_LIMIT = 107
_SOCKET = "agent.sock"
# Of the service of the machine; only root makes what stands in /run.
SYSTEM_SOCKET = "/run/kit/agent.sock"


def agent_socket(explicit: str | None) -> str:
    """The agent's socket, absolute: what was said, or $KIT_AGENT_SOCK, or the usual place."""
    path = explicit or os.environ.get("KIT_AGENT_SOCK") or str(_usual_directory() / _SOCKET)
    path = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps "..", which the agent's cwd would change
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise UsageError(
            f"the path {path!r} is longer than {SOCKET_PATH_LIMIT} bytes", hint="choose a shorter --socket"
        )
    return path


def running_agent_socket(explicit: str | None) -> str:
    """The socket to talk to: like `agent_socket`, or that of the machine's agent where the user has none."""
    usual = agent_socket(explicit)
    if explicit or os.environ.get("KIT_AGENT_SOCK") or os.path.lexists(usual):
        return usual
    return SYSTEM_SOCKET if os.path.lexists(SYSTEM_SOCKET) else usual


def private_directory(path: str) -> None:
    """Make the directory where it is missing; raise NotPermitted where others reach into it."""
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - raises the same, and os.lstat below needs the string
    except FileExistsError:
        pass
    except OSError as error:
        raise Unavailable(f"cannot make the directory {path!r}: {_why(error)}") from None
    check_private(path)


def shared_directory(path: str) -> None:
    """Make the directory where it is missing, for others to search; raise NotPermitted where others than its
    owner, who is root or this user, may write to it.
    """
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - as above
        os.chmod(path, 0o755)  # noqa: PTH101, S103 - whatever the mask says
    except FileExistsError:
        pass
    except OSError as error:
        raise Unavailable(f"cannot make the directory {path!r}: {_why(error)}") from None
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotPermitted(f"{path!r} is not a directory")
    if found.st_uid not in (0, os.geteuid()):
        raise NotPermitted(f"the directory {path!r} belongs to another user (uid {found.st_uid})")
    if found.st_mode & 0o022:
        mode = stat.S_IMODE(found.st_mode)
        raise NotPermitted(
            f"others than its owner may write to {path!r} (mode {mode:04o})",
            hint=f"use a directory of mode 0755 or less (chmod 755 {path})",
        )


def check_private(path: str) -> None:
    """A real directory, ours, with mode 0700 or less."""
    try:
        found = os.lstat(path)
    except OSError as error:
        raise Unavailable(f"no directory {path!r}: {_why(error)}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise NotPermitted(f"{path!r} is not a directory")
    if found.st_uid != os.geteuid():
        raise NotPermitted(f"the directory {path!r} belongs to another user (uid {found.st_uid})")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise NotPermitted(
            f"others than you reach into {path!r} (mode {mode:04o})",
            hint=f"use a directory of mode 0700 (chmod 700 {path})",
        )


def _usual_directory() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "kit")
    run_user = Path(f"/run/user/{os.geteuid()}")
    if run_user.is_dir():
        return run_user / "kit"
    # Anybody can make this directory first: a client must not talk to what stands there.
    fallback = Path(f"/tmp/kit-{os.geteuid()}")  # noqa: S108 - checked here and by the agent
    if os.path.lexists(fallback):
        check_private(str(fallback))
    return fallback


def _why(error: OSError) -> str:
    return (error.strerror or "failed").lower()
