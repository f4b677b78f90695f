"""What the administrator decided: how much is given up, and as whom the process goes on."""

from __future__ import annotations

from enum import StrEnum

from kit.core.frozen import frozen


class Level(StrEnum):
    """How much of the system a confined process may still ask for."""

    STRICT = "strict"  # what it needs, and nothing else
    COMPAT = "compat"  # all but what is known to be of use to an attacker; for other C libraries
    OFF = "off"  # whatever the user may


@frozen
class User:
    """An account, looked up while that was possible; of its further groups those that the process keeps."""

    uid: int
    gid: int
    name: str
    groups: tuple[int, ...] = ()


@frozen
class Plan:
    """One plan for all processes of an agent; `descriptors` is how many each may have open."""

    level: Level = Level.STRICT
    user: User | None = None
    descriptors: int = 1088
