"""Rules about what came through the line, and when. Pure."""

from __future__ import annotations

from kit.eeg.doctor.facts import Facts, Unknown
from kit.eeg.doctor.finding import (
    Certainty,
    Finding,
    before_others,
    line_errors,
    name,
    pattern,
    pauses_told,
    skipped_later,
)
from kit.eeg.stats.findings import number

_LATE_US = 50_000
_USUAL_BAUD, _OTHER_BAUD = 57_600, 115_200


def gone(facts: Facts) -> Finding | None:
    if not facts.seen.gone:
        return None
    at_port = facts.line.kind == "port"
    return Finding(
        "gone",
        "the device went away while it was watched",
        facts.seen.gone,
        "look for a loose plug or a hub without power of its own; the kernel says what it saw"
        if at_port
        else "see why the program or the machine behind it ended",
        "sudo dmesg | tail -n 20" if at_port else None,
        "sure",
        costs_packets=True,
    )


def silent(facts: Facts) -> Finding | None:
    if facts.seen.bytes or facts.seen.gone:
        return None
    at_port = facts.line.kind == "port"
    return Finding(
        "silent",
        "no byte came",
        f"in {facts.seen.duration_s:.1f} s",
        "switch the board on, and see that this is its port" if at_port else "see that the sender sends",
        "kit eeg ports" if at_port else None,
        "sure",
        costs_packets=True,
    )


def foreign(facts: Facts) -> Finding | None:
    seen = facts.seen
    if seen.packets or not seen.bytes:
        return None
    look = seen.looks[0].why if seen.looks else "nothing"
    what, cure, option, certainty = _foreign_as(facts, look)
    evidence = f"{number(seen.bytes, 'byte')} and no packet; they look like: {look}"
    errors = line_errors(facts.counters)
    return Finding(
        "foreign",
        what,
        f"{evidence}; {errors}" if errors else evidence,
        cure,
        f"kit eeg doctor {option} {name(facts)}" if option else None,
        certainty,
        costs_packets=True,
    )


def _foreign_as(facts: Facts, look: str) -> tuple[str, str, str | None, Certainty]:
    """What bytes without a packet are, what to do, by which option, and how sure that is."""
    line = facts.line
    if look == "P3 packets" and facts.seen.asked_protocol == "p2":
        return "the device speaks P3", "ask for it", "--protocol p3", "likely"
    if look == "text":
        return "text comes, and no packets: this is another device", "name another port", None, "likely"
    if line.kind != "port":
        return "this is not an OpenEEG stream", "see what it is that is sent", None, "likely"
    baud = _OTHER_BAUD if line.asked_baud == _USUAL_BAUD else _USUAL_BAUD
    certainty: Certainty = "likely" if line_errors(facts.counters) else "possible"
    what = "the speed is wrong, or this is no OpenEEG board"
    return what, "try another speed", f"--baud {baud}", certainty


def late(facts: Facts) -> Finding | None:
    pauses = [pause for pause in facts.seen.pauses if pause.was_kits]
    worst_us = facts.seen.worst_late_us
    if not pauses and (isinstance(worst_us, Unknown) or worst_us < _LATE_US):
        return None
    worst = f"its latest wake-up was {worst_us / 1000:.0f} ms late" if isinstance(worst_us, int) else ""
    return Finding(
        "late",
        "kit did not run when it should have: the machine is busy, or kit was stopped",
        ", ".join(filter(None, (worst, pauses_told(pauses) if pauses else ""))),
        "let the reader run before others",
        before_others(facts),
        "sure",
        costs_packets=any(pause.lost for pause in pauses),
    )


def stalls(facts: Facts) -> Finding | None:
    pauses = [pause for pause in facts.seen.pauses if not pause.was_kits]
    if not pauses:
        return None
    lost, at_port = any(pause.lost for pause in pauses), facts.line.kind == "port"
    return Finding(
        "stall",
        "the line fell silent while kit was ready"
        + (", and packets were lost" if lost else ": nothing was lost, but it came late"),
        pauses_told(pauses),
        "plug the adapter straight into the machine; see what the kernel says when it happens"
        if at_port
        else "look at the program or the network that the bytes come through",
        "sudo dmesg --follow" if at_port else None,
        "likely",
        costs_packets=lost,
    )


def skipped(facts: Facts) -> Finding | None:
    seen = facts.seen
    if not seen.packets or not skipped_later(facts):
        return None
    looks = "; ".join(f"{number(look.count, 'byte')} look like: {look.why}" for look in seen.looks[:3])
    return Finding(
        "damaged",
        "bytes were lost, changed or added inside packets",
        looks,
        "a disturbed cable or a weak supply does that; the pattern of the losses tells more",
        pattern(facts),
        "likely",
        costs_packets=True,
    )


def restarts(facts: Facts) -> Finding | None:
    restarts = facts.seen.restarts
    if not restarts:
        return None
    at_port = facts.line.kind == "port"
    return Finding(
        "restart",
        "the device began anew",
        f"its counter went back to its beginning {number(restarts, 'time')}",
        "look at its supply; some boards restart when a program lets go of the port"
        if at_port
        else "see whether the sender was started anew",
        f"stty -F {name(facts)} -hupcl" if at_port else None,
        "likely",
        costs_packets=True,
    )


def duplicates(facts: Facts) -> Finding | None:
    duplicates = facts.seen.duplicates
    if not duplicates:
        return None
    return Finding(
        "duplicates",
        "packets came twice, which a serial line does not do",
        number(duplicates, "packet"),
        "look at the program or the network that the bytes come through",
        None,
        "likely",
        costs_packets=False,
    )


def lost(facts: Facts) -> Finding:
    """No rule explains it."""
    seen, counters = facts.seen, facts.counters
    evidence = f"{number(seen.lost, 'packet')} of {seen.packets + seen.lost}"
    command = pattern(facts)
    if isinstance(counters, Unknown):
        return Finding(
            "lost",
            "packets were lost, and nothing here tells where",
            f"{evidence}; {counters.why}",
            "the pattern of the losses may tell",
            command,
            "possible",
            costs_packets=True,
        )
    return Finding(
        "lost-before",
        "packets were lost before they reached this machine: in the board, its radio or its adapter",
        f"{evidence}; the driver counted no error, and kit ran when it should have",
        "look at the board's firmware and supply; the pattern of the losses tells more",
        command,
        "likely",
        costs_packets=True,
    )
