"""Rules about everything but the pattern of a loss: restarts, strange bytes, order, rate. Pure."""

from __future__ import annotations

from kit.eeg.stats.findings import Finding, number
from kit.eeg.stats.report import Report


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
    if not report.losses.may_be_restarts:
        return None
    return Finding(
        "maybe-restart",
        "a gap that ends at counter 0 may be a restart of the device instead of a loss",
        f"{number(report.losses.may_be_restarts, 'such gap')}",
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
    """Skipped bytes beyond the begin of a stream that was cut into."""
    for look in report.skipped.looks:
        if look.why in _SKIP_CAUSES and look.count > max(2 * report.stream.packet_size, 0.001 * report.bytes):
            return Finding(
                "skipped",
                _SKIP_CAUSES[look.why],
                f"{look.count} bytes in {number(look.runs, 'run')} look like: {look.why}",
            )
    return None


# What H1's words for skipped bytes point to.
_SKIP_CAUSES = {
    "high byte above 3": "bytes were lost or added inside packets, or the protocol has another version",
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
