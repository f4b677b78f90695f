"""Rules about everything but the pattern of a loss: restarts, strange bytes, order, rate. Pure."""

from __future__ import annotations

from kit.eeg.stats import chance
from kit.eeg.stats.findings import Finding, number
from kit.eeg.stats.report import Report

_SURE = 0.001


def foreign(report: Report) -> Finding:
    if report.packets:
        evidence = (
            f"{report.packets} runs of bytes have the form of a packet, but their counters are no sequence"
        )
    else:
        looks = report.skipped.looks
        evidence = f"{report.bytes} bytes and no packet" + (
            f"; they look like: {looks[0].why}" if looks else ""
        )
    return Finding(
        "not-openeeg",
        "this is not an OpenEEG stream, or the speed of the line is another (try --baud, --protocol)",
        evidence,
    )


def restarts(report: Report) -> Finding | None:
    if not report.restarts:
        return None
    unsure = (
        f"; if it did not, {report.restarts_or_lost} packets were lost" if report.restarts_or_lost else ""
    )
    return Finding(
        "restart",
        "the device began anew: its power or its reset line (DTR) is unsteady, or it was opened again"
        + unsure,
        f"the counter went back to its beginning {number(report.restarts, 'time')}",
    )


def maybe_restarts(report: Report) -> Finding | None:
    """A gap ends anywhere: that many end at 0 is no chance."""
    count, gaps = report.losses.may_be_restarts, report.losses.patterns.gaps
    if not count:
        return None
    evidence = f"{count} of {number(gaps, 'gap')} end at counter 0, where a device begins"
    if count > 1 and chance.at_least(count, gaps, 1 / report.stream.period) < _SURE:
        text = "the device restarts: its counter begins anew, and what it skips then was probably not lost"
        return Finding("likely-restart", text, evidence)
    text = "a gap that ends at counter 0 may be a restart of the device instead of a loss"
    return Finding("maybe-restart", text, evidence)


def flipped_counters(report: Report) -> Finding | None:
    count = report.losses.patterns.flipped
    if not count:
        return None
    return Finding(
        "flipped-counter",
        f"the counter of {number(count, 'packet')} was damaged on the line: "
        f"{count * report.stream.period} of the packets that are counted as lost were not",
        f"{number(count, 'pair')} of gaps around one packet make up a whole period of "
        f"{report.stream.period} packets",
    )


def away(report: Report) -> Finding | None:
    if not report.interruptions:
        return None
    return Finding(
        "away",
        "the device was away: unplugged, or its server was",
        f"{number(report.interruptions, 'time')}; {report.losses.away} packets lost meanwhile",
    )


def misaligned(report: Report) -> Finding | None:
    """What most of the skipped bytes look like, where they are more than a stream's cut begin."""
    skipped, patterns = report.skipped, report.losses.patterns
    if skipped.bytes - skipped.leading <= max(2 * report.stream.packet_size, 0.001 * report.bytes):
        return None
    if patterns.gaps and patterns.damaged >= 0.5 * patterns.gaps:
        return None  # bits were flipped, nothing is out of place
    for beginning, text in _SKIP_CAUSES.items():
        alike = [look for look in skipped.looks if look.why.startswith(beginning)]
        count = sum(look.count for look in alike)
        if count > 0.5 * (skipped.bytes - skipped.leading):
            evidence = f"{number(count, 'byte')} in {number(sum(look.runs for look in alike), 'run')}"
            return Finding("skipped", text, f"{evidence} look like: {alike[0].why}")
    return None


# What words of kit.eeg.skips begin with, and what that points to.
_SKIP_CAUSES = {
    "high byte": "bytes were lost or added inside packets, or the protocol has another version",
    "version": "the packets have a version that kit does not know",
    "cut short": "packets are cut short: bytes are lost on the line, or a buffer is too small",
    "P3": "the device speaks P3: see --protocol",
    "text": "the device, or a program, writes text between the packets",
    "one value": "the line stands still at one value now and then: a loose plug, or the device resets",
}


def mostly_noise(report: Report) -> Finding | None:
    if report.skipped.bytes <= 0.5 * report.bytes:
        return None
    return Finding(
        "mostly-skipped",
        "most bytes are no packets: the line is noisy, its speed is wrong, or something else is sent, too",
        f"{report.skipped.bytes} of {report.bytes} bytes",
    )


def inserted(report: Report) -> Finding | None:
    if report.skipped.inserted < 1 or not report.stream.keeps_bytes:
        return None
    return Finding(
        "inserted",
        "bytes stand between packets of which none is lost: something else writes to the line",
        f"{number(report.skipped.inserted, 'byte')}",
    )


def order(report: Report) -> Finding | None:
    if not report.duplicates and not report.reordered:
        return None
    return Finding(
        "order",
        "packets came twice or late: a serial line keeps the order, a network or a program does not",
        f"{report.duplicates} came twice, {report.reordered} late",
    )


def off_rate(report: Report) -> Finding | None:
    rate = report.rate
    if not rate or abs(rate.ppm) < max(1000.0, 3 * rate.error_ppm):
        return None
    return Finding(
        "rate",
        "the device does not keep the nominal rate, or it is another one: see --rate",
        f"{rate.hz:.3f} packets a second instead of {float(report.stream.rate_hz):g}",
    )
