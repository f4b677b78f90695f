"""A configuration checked against the system before an agent depends on it.

Opens each file as the agent would, loads each key in a process that ends at once, and says what would fail
(errors), and what would work and an administrator may not have meant (warnings).
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from kit.agent.config.certificate import Leaf
from kit.agent.config.key_facts import KeyFacts, NoKey, key_facts
from kit.agent.config.key_files import open_key, read_certificate
from kit.agent.config.lines import key_lines, line_of
from kit.agent.config.parsing import parse
from kit.agent.config.problems import Path, dotted
from kit.agent.config.reading import SystemNames, read_text
from kit.agent.config.settings import DEFAULT_USER, KeyRule, Settings
from kit.agent.peers import NOBODY
from kit.core.errors import EXIT_DONE, EXIT_UNAVAILABLE, EXIT_USAGE, KitError
from kit.core.frozen import frozen
from kit.core.sandbox.plan import Level

_DAY_S = 86_400
_ENDS_SOON_DAYS = 14


@frozen
class Finding:
    """What the agent, or whoever relies on it, would stumble over; a warning has exit status EXIT_DONE."""

    line: int
    key: str
    message: str
    hint: str | None
    exit_status: int

    @property
    def is_error(self) -> bool:
        return self.exit_status != EXIT_DONE


@frozen
class CheckedKey:
    """A key of the configuration with what its files say, as far as they could be read."""

    rule: KeyRule
    facts: KeyFacts | None
    leaf: Leaf | None


@dataclass
class Check:
    """A configuration, its keys, and everything that was found."""

    path: str
    settings: Settings
    keys: list[CheckedKey] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """That of the first error."""
        return next((f.exit_status for f in self.findings if f.is_error), EXIT_DONE)


def check(path: str, now_s: float) -> Check:
    """Check the configuration in a file; raises what `read` raises where it is none."""
    text = read_text(path)
    checked = Check(path, parse(text, path, SystemNames()))
    _Checking(checked, key_lines(text), now_s).run()
    return checked


class _Checking:
    def __init__(self, checked: Check, lines: dict[Path, int], now_s: float) -> None:
        self._checked, self._lines, self._now_s = checked, lines, now_s
        self._uid, self._gid = _agent_ids(checked.settings.user)
        self._held: dict[str, str] = {}  # which key has this public half

    def run(self) -> None:
        self._check_agent(self._checked.settings)
        for rule in self._checked.settings.keys:
            facts = self._check_key(rule)
            leaf = self._check_certificate(rule, facts) if rule.certificate else None
            self._check_use(rule)
            self._checked.keys.append(CheckedKey(rule, facts, leaf))
        self._checked.findings.sort(key=lambda finding: finding.line)

    def _check_agent(self, settings: Settings) -> None:
        if settings.sandbox is Level.OFF:
            self._warn(("agent", "sandbox"), "the sandbox is off: who takes over a worker reaches the system")
        if settings.audit_strict and not settings.audit:
            self._warn(
                ("agent", "audit-strict"), "there is no audit log, and without one the agent does not start"
            )
        if not settings.keys:
            self._warn((), "the configuration has no keys")

    def _check_key(self, rule: KeyRule) -> KeyFacts | None:
        place: Path = ("keys", rule.name, "file")
        try:
            descriptor = open_key(rule.file, self._uid, self._gid)
        except KitError as error:
            self._fail(place, str(error), error.exit_status, error.hint)
            return None
        try:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            facts = key_facts(descriptor, rule.file, rule.purposes)
        finally:
            os.close(descriptor)
        if mode & 0o077:
            self._warn(place, f"the agent's group can read the key file {rule.file!r} (mode {mode:04o})")
        if isinstance(facts, NoKey):
            self._fail(place, facts.message, facts.exit_status, facts.hint)
            return None
        self._check_twice(rule, facts)
        return facts

    def _check_twice(self, rule: KeyRule, facts: KeyFacts) -> None:
        other = self._held.setdefault(facts.spki, rule.name) if facts.spki else rule.name
        if other != rule.name:
            message = f"the key in {rule.file!r} is {dotted(('keys', other))}, too"
            self._fail(("keys", rule.name, "file"), message, EXIT_USAGE)

    def _check_certificate(self, rule: KeyRule, facts: KeyFacts | None) -> Leaf | None:
        place: Path = ("keys", rule.name, "certificate")
        try:
            leaf = read_certificate(rule.certificate)
        except KitError as error:
            self._fail(place, str(error), error.exit_status, error.hint)
            return None
        if facts and facts.spki != leaf.spki.hex():
            self._fail(place, f"the certificate {rule.certificate!r} is another key's", EXIT_USAGE)
        for remark in _remarks_on_time(leaf, self._now_s):
            self._warn(place, f"the certificate {rule.certificate!r} {remark}")
        return leaf

    def _check_use(self, rule: KeyRule) -> None:
        place: Path = ("keys", rule.name)
        if rule.peers == NOBODY:
            self._warn(
                (*place, "peers"), "nobody may use the key", 'name who may, e.g. peers = ["user:postfix"]'
            )
        if "any" in rule.purposes:
            self._warn(
                (*place, "purposes"), "the key signs any content: its users can do with it what they like"
            )
        if rule.confirm and not os.access(rule.confirm[0], os.X_OK):
            message = f"there is no program {rule.confirm[0]!r}: every use of the key would be refused"
            self._fail((*place, "confirm"), message, EXIT_UNAVAILABLE)

    def _warn(self, path: Path, message: str, hint: str | None = None) -> None:
        self._fail(path, message, EXIT_DONE, hint)

    def _fail(self, path: Path, message: str, exit_status: int, hint: str | None = None) -> None:
        finding = Finding(line_of(self._lines, path), dotted(path), message, hint, exit_status)
        self._checked.findings.append(finding)


def _agent_ids(user: str) -> tuple[int, int]:
    """As whom the agent will run: root's becomes its user, anybody else's stays."""
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam(user or DEFAULT_USER)
        except KeyError:
            pass
        else:
            return entry.pw_uid, entry.pw_gid
    return os.geteuid(), os.getegid()


def _remarks_on_time(leaf: Leaf, now_s: float) -> Iterator[str]:
    days = int((leaf.ends_s - now_s) // _DAY_S)
    if now_s < leaf.begins_s:
        yield "is not valid yet"
    if leaf.ends_s < now_s:
        yield "has ended"
    elif days < _ENDS_SOON_DAYS:
        yield f"ends in {days} days" if days != 1 else "ends in 1 day"
