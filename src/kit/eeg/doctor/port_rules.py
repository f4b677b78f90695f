"""Rules about the port: what its driver counted, its speed, its latency. Pure.

Facts about drivers: the serial core counts a buffer overrun for each byte that finds no room, FTDI's driver
counts what it received and what the chip says of overruns and broken bytes, others count nothing at all.
"""

from __future__ import annotations

from kit.eeg.doctor.facts import Facts, Unknown
from kit.eeg.doctor.finding import Finding, before_others, is_damaged, line_errors, name, pattern
from kit.eeg.stats.findings import number

# The kernel has taken bytes that are on their way to the reader; more than that are gone.
_ON_THEIR_WAY = 256
# An asynchronous line bears about two percent between its two clocks.
_SPEED_TOLERANCE = 0.02
_UARTS = ("serial", "serial8250", "8250")


def speed(facts: Facts) -> Finding | None:
    baud, asked = facts.line.baud, facts.line.asked_baud
    if isinstance(baud, Unknown) or abs(baud - asked) <= _SPEED_TOLERANCE * asked:
        return None
    return Finding(
        "speed",
        "the port runs at another speed than it was asked for",
        f"{baud} instead of {asked} baud",
        "see whether the driver can be told; if not, the adapter does not know this speed",
        f"stty -F {name(facts)} {asked}",
        "sure",
        costs_packets=not facts.seen.packets or is_damaged(facts),
    )


def overruns(facts: Facts) -> Finding | None:
    counters, line = facts.counters, facts.line
    if isinstance(counters, Unknown) or not counters.overruns:
        return None
    command = f"sudo setserial {name(facts)} low_latency"
    cure = "plug it straight into the machine, not into a hub with others, and let it hand over at once"
    if line.driver in _UARTS:
        command = f"echo 1 | sudo tee /sys/class/tty/{line.tty}/rx_trig_bytes"
        cure = "let the chip call at the first byte"
    return Finding(
        "overrun",
        "the adapter's memory was full: bytes were lost before the kernel took them",
        f"{number(counters.overruns, 'overrun')} by the driver's count",
        cure,
        command,
        "sure",
        costs_packets=True,
    )


def buffer_overruns(facts: Facts) -> Finding | None:
    counters = facts.counters
    if isinstance(counters, Unknown) or not counters.buffer_overruns:
        return None
    return Finding(
        "buffer-overrun",
        "the kernel's buffer was full: bytes were lost before they were read",
        f"{number(counters.buffer_overruns, 'buffer overrun')} by the driver's count",
        "let the reader run before others",
        before_others(facts),
        "sure",
        costs_packets=True,
    )


def withheld(facts: Facts) -> Finding | None:
    """Not every driver counts what it receives: then its count stays at 0."""
    counters = facts.counters
    if isinstance(counters, Unknown) or counters.received < facts.seen.bytes:
        return None
    missing = counters.received - facts.seen.bytes - facts.waiting
    if missing <= _ON_THEIR_WAY:
        return None
    return Finding(
        "withheld",
        "the kernel received bytes that kit never got: its buffer was full, or somebody else reads the port",
        f"{counters.received} received, {facts.seen.bytes} read, {facts.waiting} still there",
        "see who has the port open",
        f"sudo fuser -v {name(facts)}",
        "likely",
        costs_packets=True,
    )


def disturbed(facts: Facts) -> Finding | None:
    errors = line_errors(facts.counters)
    if not errors or not facts.seen.packets:
        return None
    return Finding(
        "disturbed",
        "bytes came broken through the line: it is disturbed, or the board's clock is off",
        errors,
        "take a shorter or a shielded cable; the pattern of the losses tells more",
        pattern(facts),
        "likely",
        costs_packets=is_damaged(facts),
    )


def latency(facts: Facts) -> Finding | None:
    line = facts.line
    before_ms, now_ms = line.latency_before_ms, line.latency_ms
    lowered = isinstance(before_ms, int) and before_ms > 1 and now_ms == 1
    if not lowered and not (isinstance(now_ms, int) and now_ms > 1):
        return None
    return Finding(
        "latency",
        f"the adapter collects bytes for {before_ms} ms, except while kit reads"
        if lowered
        else f"the adapter collects bytes for {now_ms} ms: packets come in batches",
        f"its latency timer is {before_ms if lowered else now_ms} ms",
        "set it to 1 ms, until the adapter is plugged in anew",
        f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{line.tty}/latency_timer",
        "sure",
        costs_packets=False,
    )


def low_latency(facts: Facts) -> Finding | None:
    """Where the timer itself cannot be seen."""
    line = facts.line
    if line.low_latency is not False or line.driver != "ftdi_sio" or isinstance(line.latency_ms, int):
        return None
    return Finding(
        "low-latency",
        "the driver was not told to hand bytes over at once",
        "the low-latency flag is not set",
        "set it, until the adapter is plugged in anew",
        f"sudo setserial {name(facts)} low_latency",
        "sure",
        costs_packets=False,
    )
