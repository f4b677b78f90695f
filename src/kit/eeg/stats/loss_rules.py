"""Rules about the pattern of a loss. Pure.

A rule looks at the report and finds something or nothing. It needs a minimum of cases, and chance alone must
make what it sees in less than one of a thousand captures; where that cannot be had, nothing is claimed.
"""

from __future__ import annotations

from kit.eeg.stats import chance
from kit.eeg.stats.findings import Finding, number, ordinal
from kit.eeg.stats.losses import Patterns
from kit.eeg.stats.report import Report
from kit.eeg.stats.timeline import Bucket, coarser

_SURE = 0.001
_SURE_SIGMAS = 3.09
_FEW, _MANY = 5, 20
# A dispersion says something where a bucket has a few gaps.
_GAPS_A_BUCKET = 5


def no_loss(report: Report) -> Finding | None:
    """The counter alone cannot show the loss of a whole number of periods."""
    if report.losses.lost or report.restarts or report.losses.high:
        return None
    period = report.stream.period
    if report.measured_times and not report.interruptions:
        return Finding(
            "no-loss",
            "no packet was lost",
            f"neither the counter nor the time has a gap in {report.packets} packets",
        )
    return Finding(
        "none-shown",
        f"no loss that the counter shows; {period} packets in a row, or a multiple, could be missing. "
        "To know, capture with measured times (kit eeg read --format csv DEVICE)",
        f"the counter has no gap in {report.packets} packets; "
        + ("the times follow from the counter" if report.arrivals else "the input has no times"),
    )


def every_nth(report: Report) -> Finding | None:
    patterns = report.losses.patterns
    spacing, times = patterns.spacings.most_common()
    tries = patterns.spacings.count
    if tries < 9 or times < 0.9 * tries or spacing < 2:
        return None
    mean = (report.expected or 1) / patterns.gaps
    if chance.at_least(times, tries, chance.geometric(spacing, mean)) > _SURE:
        return None
    return Finding(
        "every-nth",
        f"a loss at every {ordinal(spacing)} packet exactly: no noise does that. Something counts: a buffer "
        f"of {spacing * report.stream.packet_size} bytes, or a program that drops one of {spacing}",
        f"{times} of {tries} distances from gap to gap are {spacing} packets",
    )


def equal_runs(report: Report) -> Finding | None:
    patterns = report.losses.patterns
    if patterns.gaps < _FEW:
        return None
    length, times = _usual_length(patterns)
    mean = patterns.lost / patterns.gaps
    by_chance = chance.geometric(length, mean) + chance.geometric(length + 1, mean)
    if length < 2 or times < 0.8 * patterns.gaps or chance.at_least(times, patterns.gaps, by_chance) > _SURE:
        return None
    size, exact = _buffer_bytes(report, length)
    shown = f"{length}" if patterns.lengths.share(length) >= 0.8 else f"{length} or {length + 1}"
    return Finding(
        "equal-runs",
        f"the gaps have one length: a buffer of {'' if exact else 'about '}{size} bytes overran "
        "(or was thrown away) as a whole",
        f"{times} of {patterns.gaps} gaps are {shown} packets of {report.stream.packet_size} bytes long",
    )


def _usual_length(patterns: Patterns) -> tuple[int, int]:
    """The length that most gaps have, or one more: a buffer's size is no multiple of a packet's."""
    common = patterns.lengths.most_common()[0]
    rows = patterns.lengths.rows()
    found = [
        (length, sum(times for low, _, times in rows if length <= low <= length + 1))
        for length in (common, common - 1)
    ]
    return max(found, key=lambda one: one[1])


def _buffer_bytes(report: Report, length: int) -> tuple[int, bool]:
    """How much went at a time: exact where the input shows what is left of the packets at its ends."""
    vanished, times = report.losses.patterns.vanished.most_common()
    if vanished and times >= 0.8 * report.losses.patterns.gaps:
        return vanished, True
    return length * report.stream.packet_size, False


def late_reader(report: Report) -> Finding | None:
    patterns, arrivals = report.losses.patterns, report.arrivals
    if not arrivals or not arrivals.timed or patterns.timed < _FEW or patterns.late < 0.5 * patterns.timed:
        return None
    share = arrivals.exposed / arrivals.timed
    if chance.at_least(patterns.late, patterns.timed, share) > _SURE:
        return None
    return Finding(
        "late-reader",
        "losses follow long pauses of the arrivals: the reader or the USB stack was late, and a buffer "
        "overran ('kit eeg doctor' looks into that)",
        f"{patterns.late} of {patterns.timed} gaps come within 0.1 s of one of {arrivals.long_pauses} pauses "
        f"of more than 50 ms, where {100 * share:.1f} % of the packets are",
    )


def single_packets(report: Report) -> Finding | None:
    """Lost one by one, as by chance, over the whole capture."""
    patterns = report.losses.patterns
    gaps = patterns.gaps - 2 * patterns.flipped
    singles = patterns.lengths.share(1) * patterns.gaps / max(1, gaps)
    # Where each packet is lost by chance, so is the next one.
    again = (report.losses.lost - patterns.flipped * report.stream.period) / report.expected
    if gaps < _MANY or singles < 0.9 * (1 - again):
        return None
    if every_nth(report) or late_reader(report) or bouts(report):
        return None
    evidence = f"{100 * min(1.0, singles):.0f} % of {gaps} gaps are one packet long, spread as by chance"
    return Finding("single-packets", _single_cause(report), f"{evidence}; {_in_their_place(report)}")


def _single_cause(report: Report) -> str:
    patterns = report.losses.patterns
    text = "single packets are lost evenly"
    if not report.stream.keeps_bytes:
        return text + (
            ": noise on the line or a wrong --baud, or a program that drops them; only raw bytes tell which "
            "(kit eeg read --format raw)"
        )
    if patterns.whole > 0.8 * patterns.gaps:
        return text + (
            ", and without a trace: noise on the line would leave damaged bytes. They were lost in the "
            "device, or by a program or an adapter that drops whole packets"
        )
    return text + ": noise on the line (cable, plug, ground), or a baud rate that is a little off"


def _in_their_place(report: Report) -> str:
    patterns = report.losses.patterns
    if not report.stream.keeps_bytes:
        return f"{report.stream.format} does not keep damaged bytes"
    places = (
        (patterns.damaged, "all their bytes in their place, damaged"),
        (patterns.gaps - patterns.damaged - patterns.whole, "some of their bytes in their place"),
        (patterns.whole, "nothing in their place"),
    )
    return ", ".join(f"{number(count, 'gap')} with {what}" for count, what in places if count)


def bouts(report: Report) -> Finding | None:
    """Gaps that crowd in some parts of the capture."""
    patterns = report.losses.patterns
    if patterns.gaps < _MANY:
        return None
    buckets = _full_enough(report.losses.course)
    index, sigmas = chance.clustering(buckets)
    if len(buckets) < 4 or sigmas < _SURE_SIGMAS or index < 2:
        return None
    worst = max(buckets, key=lambda one: one.gaps)
    return Finding(
        "bouts",
        "losses come in bouts: look for what happens now and then (another program, traffic on the same USB "
        "hub, a loose plug, interference)",
        f"gaps are spread {index:.1f} times as unevenly as by chance; {worst.gaps} of {patterns.gaps} lie in "
        f"{100 / len(buckets):.0f} % of the capture",
    )


def _full_enough(course: tuple[Bucket, ...]) -> list[Bucket]:
    buckets = list(course)
    while len(buckets) > 1 and sum(one.gaps for one in buckets) < _GAPS_A_BUCKET * len(buckets):
        buckets = coarser(buckets)
    return buckets


def undecided(report: Report) -> Finding:
    patterns = report.losses.patterns
    rows = patterns.lengths.rows()
    evidence = f"{number(patterns.gaps, 'gap')}, {_lengths(rows)}, {_in_their_place(report)}"
    if patterns.gaps < _MANY:
        return Finding("too-few", "too few losses to tell where they come from", evidence)
    return Finding("no-pattern", "the losses have no pattern that points anywhere", evidence)


def _lengths(rows: list[tuple[int, int, int]]) -> str:
    if len(rows) == 1:
        return f"each of {number(rows[0][0], 'packet')}"
    return f"of {rows[0][0]} to {rows[-1][1]} packets"
