"""A configuration from its file, with the users and groups of this system.

Whoever may write to the file decides who uses the keys, which commands run and which files are opened. So it
is read only where that is root or who reads it.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat

from kit.agent.config.parsing import parse
from kit.agent.config.problems import ConfigurationError, Problem
from kit.agent.config.settings import Settings
from kit.core.errors import NotPermitted, Unavailable, UsageError

USUAL_PATH = "/etc/kit/agent.toml"
SIZE_LIMIT = 1024 * 1024  # 256 keys with a kibibyte of remarks each take a quarter of it


class SystemNames:
    """The users and groups that the system knows."""

    def uid(self, name: str) -> int | None:
        try:
            return pwd.getpwnam(name).pw_uid
        except (KeyError, ValueError):  # ValueError: a null character
            return None

    def gid(self, name: str) -> int | None:
        try:
            return grp.getgrnam(name).gr_gid
        except (KeyError, ValueError):
            return None


def read(path: str) -> Settings:
    """The configuration in a file; raises ConfigurationError for what is wrong in it."""
    return parse(read_text(path), path, SystemNames())


def read_text(path: str) -> str:
    """The text of a configuration file that nobody else may write to; a symbolic link is followed."""
    try:
        # O_NONBLOCK: a FIFO in its place would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            _check(os.fstat(descriptor), path)
            data = _read_all(descriptor, path)
        finally:
            os.close(descriptor)
    except PermissionError:
        raise NotPermitted(f"no permission to read {path!r}") from None
    except FileNotFoundError:
        hint = "write it as kit-agent.toml(5) says, or name another one"
        raise Unavailable(f"there is no configuration {path!r}", hint=hint) from None
    except OSError as error:
        raise Unavailable(f"cannot read {path!r}: {(error.strerror or 'failed').lower()}") from None
    except ValueError:
        raise UsageError("the path holds a null character") from None
    return _decode(data, path)


def _check(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path!r} is no regular file")
    if status.st_uid not in (0, os.geteuid()):
        raise NotPermitted(
            f"the configuration {path!r} belongs to neither root nor you (uid {status.st_uid})",
            hint=f"its owner decides who uses the keys (chown root {path})",
        )
    if status.st_mode & 0o022:
        raise NotPermitted(
            f"others may write to the configuration {path!r} (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"whoever writes to it decides who uses the keys (chmod go-w {path})",
        )


def _read_all(descriptor: int, path: str) -> bytes:
    data = b""
    while part := os.read(descriptor, SIZE_LIMIT + 1 - len(data)):
        data += part
        if len(data) > SIZE_LIMIT:
            raise UsageError(f"the configuration {path!r} is larger than {SIZE_LIMIT} bytes")
    return data


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte {data[error.start]:02x}, which is none"
        raise ConfigurationError(path, [Problem(line, "", "UTF-8", found)]) from None
