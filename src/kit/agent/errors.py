"""What can go wrong for a client of the agent."""

from __future__ import annotations

from kit.core.errors import NegativeAnswer, NotPermitted, Unavailable


class AgentUnavailable(Unavailable):
    """No agent answers on the socket, or it went away."""


class AgentTimeout(Unavailable):
    """The agent did not answer in time."""


class UnknownKey(Unavailable):
    """The agent does not hold the key."""


class KeyRefused(NegativeAnswer):
    """The key's purposes do not allow what was asked; `purpose` is the one that it takes."""

    def __init__(self, message: str, *, purpose: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.purpose = purpose


class AgentLocked(NotPermitted):
    """The agent is locked by a passphrase."""


class AgentFailed(NegativeAnswer):
    """The agent was willing, and the operation failed."""
