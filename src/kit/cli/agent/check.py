"""kit agent check-config: a configuration checked before an agent depends on it."""

from __future__ import annotations

import grp
import pwd
import time
from typing import TYPE_CHECKING, Any

import click

from kit.cli.agent.views import duration
from kit.cli.options import json_option
from kit.core.output import Output
from kit.core.text import printable

if TYPE_CHECKING:
    from kit.agent.config.certificate import Leaf
    from kit.agent.config.checking import Check, CheckedKey, Finding
    from kit.agent.config.problems import ConfigurationError
    from kit.agent.peers import Allowed

_HEAD = ("NAME", "KIND", "PURPOSES", "PEERS", "RATE", "CONFIRM", "CERTIFICATE", "EXPIRES")
_NAMES_SHOWN = 2


@click.command("check-config")
@click.argument("file", default="/etc/kit/agent.toml", metavar="[FILE]")
@json_option
def check_config(file: str, output: Output) -> int:
    """Check an agent's configuration and the files that it names.

    Tells each error with its line, and what may not be meant; then shows the keys. [default:
    /etc/kit/agent.toml]
    """
    from kit.agent.config.checking import check
    from kit.agent.config.problems import ConfigurationError

    try:
        checked = check(file, time.time())
    except ConfigurationError as error:
        _show_problems(error, output)
        return error.exit_status
    _show_findings(checked, output)
    _show_keys(checked, output)
    return checked.exit_status


def _show_problems(error: ConfigurationError, output: Output) -> None:
    for problem in error.problems:
        if output.as_json:
            fields = {"expected": problem.expected, "found": problem.found}
            place = (error.path, problem.line, problem.key)
            output.record(finding_fields("error", *place, problem.message, None) | fields)
        else:
            output.note(f"kit: error: {problem.at(error.path)}")


def _show_findings(checked: Check, output: Output) -> None:
    for finding in checked.findings:
        if output.as_json:
            kind = "error" if finding.is_error else "warning"
            place = (checked.path, finding.line, finding.key)
            output.record(finding_fields(kind, *place, finding.message, finding.hint))
        else:
            _show_finding(checked.path, finding, output)


def _show_finding(path: str, finding: Finding, output: Output) -> None:
    from kit.agent.config.problems import place

    kind = "error" if finding.is_error else "note"
    where = place(path, finding.line, finding.key)
    output.note(f"kit: {kind}: {where}{printable(finding.message, 1000)}")
    if finding.hint:
        output.note(f"kit: hint: {printable(finding.hint, 1000)}")


def finding_fields(
    kind: str, path: str, line: int, key: str, message: str, hint: str | None
) -> dict[str, Any]:
    """What --json says of an error or a warning; `expected` and `found` only where a value is wrong."""
    return {
        "type": kind,
        "path": path,
        "line": line,
        "key": key,
        "message": message,
        "hint": hint,
        "expected": None,
        "found": None,
    }


def _show_keys(checked: Check, output: Output) -> None:
    if output.as_json:
        for key in checked.keys:
            output.record(key_fields(key))
    elif checked.keys:
        now_s = time.time()
        output.table(_HEAD, [tuple(map(printable, _row(key, now_s))) for key in checked.keys])


def key_fields(key: CheckedKey) -> dict[str, Any]:
    """What --json says of a key; null is what the configuration leaves out, or a file does not tell."""
    rule, facts, leaf = key.rule, key.facts, key.leaf
    return {
        "type": "key",
        "name": rule.name,
        "file": rule.file,
        "kind": facts.kind if facts else None,
        "fingerprint": (facts.fingerprint or None) if facts else None,
        "purposes": list(rule.purposes),
        "peers": peer_names(rule.peers),
        "lifetime_s": rule.lifetime_s or None,
        "rate": rule.rate or None,
        "burst": rule.burst or None,
        "confirm": list(rule.confirm),
        "certificate": rule.certificate or None,
        "names": list(leaf.names) if leaf else None,
        "ends_s": int(leaf.ends_s) if leaf else None,
    }


def _row(key: CheckedKey, now_s: float) -> tuple[str, ...]:
    rule, facts = key.rule, key.facts
    rate = f"{rule.rate:g}/s, {rule.burst} at once" if rule.rate else "-"
    return (
        rule.name,
        facts.kind if facts else "-",
        ",".join(rule.purposes),
        ",".join(peer_names(rule.peers)) or "nobody",
        rate,
        rule.confirm[0].rpartition("/")[2] if rule.confirm else "-",
        _certificate(key.leaf) if rule.certificate else "-",
        duration(key.leaf.ends_s - now_s) if key.leaf else "-",
    )


def _certificate(leaf: Leaf | None) -> str:
    if not leaf:
        return "unreadable"
    more = len(leaf.names) - _NAMES_SHOWN
    return ",".join(leaf.names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "") or "without a name"


def peer_names(allowed: Allowed) -> list[str]:
    """As the configuration says it: users and groups by name, where they have one."""
    users, groups = sorted(allowed.uids), sorted(allowed.gids)
    return [*map(_user_name, users), *map(_group_name, groups)]


def _user_name(uid: int) -> str:
    try:
        return f"user:{pwd.getpwuid(uid).pw_name}"
    except (KeyError, OverflowError):
        return f"uid:{uid}"


def _group_name(gid: int) -> str:
    try:
        return f"group:{grp.getgrgid(gid).gr_name}"
    except (KeyError, OverflowError):
        return f"gid:{gid}"
