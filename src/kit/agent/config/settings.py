"""What a configuration says, as records; what it leaves out has its default here."""

from __future__ import annotations

from kit.agent.peers import NOBODY, Allowed
from kit.agent.policy import ADDED_DEFAULT
from kit.core.frozen import frozen
from kit.core.sandbox.plan import Level

STANDARD_OUTPUT, JOURNAL = "stdout", "journal"
# A system's account for the agent, if there is one.
DEFAULT_USER = "_kit"


@frozen
class KeyRule:
    """A key of the configuration: where it is, what it may do, for whom and how often.

    `lifetime_s` 0 is for ever, `rate` (signatures a second) 0 is no limit, an empty `confirm` asks nobody.
    """

    name: str
    file: str
    certificate: str = ""
    purposes: tuple[str, ...] = ADDED_DEFAULT
    peers: Allowed = NOBODY
    lifetime_s: int = 0
    rate: float = 0
    burst: int = 0
    confirm: tuple[str, ...] = ()


@frozen
class Door:
    """A socket for programs; what is not said of one, is as it is of the agent's own."""

    path: str = ""
    mode: int | None = None
    group: int | None = None


@frozen
class Settings:
    """A whole configuration; an empty text, a zero or None leaves the choice to the agent.

    `sandbox_off_confirmed` is the administrator's word that the sandbox may be off, here or by the command
    line. `audit` is STANDARD_OUTPUT, JOURNAL, a path, or empty for none.
    """

    socket: str = ""
    socket_mode: int = 0o600
    socket_group: int | None = None
    user: str = ""
    workers: int = 0
    sandbox: Level = Level.STRICT
    sandbox_off_confirmed: bool = False
    admins: Allowed = NOBODY
    log: str = ""
    audit: str = ""
    audit_strict: bool = False
    pkcs11: Door | None = None
    keys: tuple[KeyRule, ...] = ()
