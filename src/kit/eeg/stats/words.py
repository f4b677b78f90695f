"""A report in words, figures and columns, for a person. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kit.eeg.scale import Scale
from kit.eeg.stats.arrival import Spread
from kit.eeg.stats.findings import number
from kit.eeg.stats.report import ChannelFigures, LossFigures, Report, SkippedFigures
from kit.eeg.stats.timeline import Bucket, coarser

_BARS = "▁▂▃▄▅▆▇█"
_MOST_LENGTHS = 8
_MOST_NUMBERS = 16
_MOST_LOOKS = 4


def facts(report: Report, bars: bool) -> list[tuple[str, str]]:
    """What is known of the stream, as label and text; the course of the loss as bars or as numbers."""
    found = [("stream", _stream(report)), ("packets", _packets(report))]
    if report.packets:
        found.append(("lost", _lost(report.losses)))
    if report.losses.patterns.gaps:
        found.append(("gaps", _gaps(report.losses)))
        found.append(("course", _course(report, bars)))
    if report.rate:
        rate = report.rate
        found.append(
            (
                "rate",
                f"{rate.hz:.3f} packets a second, {rate.ppm:+.0f} ± {rate.error_ppm:.0f} ppm from nominal",
            )
        )
    if report.arrivals and not report.arrivals.computed:
        found.append(("arrival", f"from packet to packet {_spread(report.arrivals.intervals)}"))
        if report.arrivals.lateness:
            found.append(("jitter", f"later than at the rate {_spread(report.arrivals.lateness)}"))
    found += [("skipped", text) for text in _skipped(report.skipped)]
    found.append(("events", _events(report)))
    return found


def channel_table(report: Report, scale: Scale) -> tuple[list[str], list[list[str]]]:
    """Head and rows, one a channel, in counts and beside them in microvolts."""
    head = ["channel", "min", "max", "mean", "sd", "clipped", "flat", "50 Hz", "60 Hz", "mean µV", "sd µV"]
    return head, [_channel(at, one, scale) for at, one in enumerate(report.channels, 1)]


def channel_notes(report: Report, scale: Scale) -> list[str]:
    """What the columns mean, as far as they do not say it."""
    if not report.channels:
        return []
    notes = [
        "min, max, mean, sd in counts; clipped: at 0 or 1023; flat: packets in a row of one value; "
        + (
            f"50 and 60 Hz: share of the power over {number(report.hum_seconds, 'block')} of 256 packets"
            if report.hum_seconds
            else "50 and 60 Hz need 256 packets in a row without a loss"
        )
    ]
    words = {"nominal": "nominal: boards differ by a factor of four", "given": "as given"}
    origin = words.get(scale.origin, scale.origin)
    notes.append(f"µV: {scale.uv_per_count:g} per count, zero at {scale.zero:g} ({origin})")
    return notes


def bars(course: Sequence[Bucket]) -> str:
    """The share that was lost in each bucket, the greatest as a full bar; the lowest bar is nothing."""
    shares = [one.lost / one.sent if one.sent else 0.0 for one in course]
    most = max(shares, default=0.0)
    if not most:
        return _BARS[0] * len(shares)
    return "".join(
        _BARS[max(1, round(share / most * (len(_BARS) - 1)))] if share else _BARS[0] for share in shares
    )


def _stream(report: Report) -> str:
    stream = report.stream
    text = stream.format
    if stream.protocol:
        channels = number(len(report.channels), "channel")
        text += f", {stream.protocol.upper()} ({stream.packet_size} bytes a packet), {channels}"
    return f"{text}, {float(stream.rate_hz):g} packets a second nominal"


def _packets(report: Report) -> str:
    if not report.packets:
        return "none"
    return f"{report.packets:,} received, {report.expected:,} expected, in {report.duration_s:.1f} s"


def _lost(losses: LossFigures) -> str:
    low, high = 100 * losses.share_low, 100 * losses.share_high
    text = f"{losses.lost:,} ({_percent(losses.share)}; 95 % bounds {low:.2g} to {high:.2g} %)"
    if (losses.low, losses.high) != (losses.lost, losses.lost):
        text += f", at least {losses.low:,} and at most {losses.high:,}"
    if losses.by_time:
        text += f"; {losses.by_time:,} of them known from the time"
    return text


def _gaps(losses: LossFigures) -> str:
    rows = losses.patterns.lengths.rows()
    shown = [f"{times}x{_range(low, high)}" for low, high, times in rows[:_MOST_LENGTHS]]
    if len(rows) > _MOST_LENGTHS:
        rest = sum(times for _, _, times in rows[_MOST_LENGTHS:])
        shown.append(f"{rest} longer, up to {losses.patterns.lengths.greatest}")
    return f"{losses.patterns.gaps:,}: {', '.join(shown)} (gaps x packets)"


def _course(report: Report, as_bars: bool) -> str:
    losses = report.losses
    course, width = list(losses.course), losses.course_width
    if as_bars:
        worst = max(one.lost / one.sent if one.sent else 0.0 for one in course)
        return f"{bars(course)} (a bar is {_seconds(width, report)}, the highest {_percent(worst)})"
    while len(course) > _MOST_NUMBERS:
        course, width = coarser(course), 2 * width
    return f"{' '.join(str(one.lost) for one in course)} (lost in each {_seconds(width, report)})"


def _seconds(packets: int, report: Report) -> str:
    return f"{float(packets / report.stream.rate_hz):.3g} s"


def _skipped(skipped: SkippedFigures) -> list[str]:
    if not skipped.bytes:
        return ["no byte"]
    text = f"{number(skipped.bytes, 'byte')} in {number(skipped.runs, 'run')}"
    if skipped.leading:
        text += f", {skipped.leading} before the first packet"
    looks = [
        f"{look.why}: {number(look.count, 'byte')} in {number(look.runs, 'run')}, the first at byte "
        f"{look.offset}" + (f": {look.sample.hex(' ')}" if look.sample else "")
        for look in skipped.looks[:_MOST_LOOKS]
    ]
    if len(skipped.looks) > _MOST_LOOKS:
        looks.append(f"and {number(len(skipped.looks) - _MOST_LOOKS, 'other kind')}")
    return [text, *looks]


def _events(report: Report) -> str:
    counted = (
        (report.duplicates, "duplicate"),
        (report.reordered, "late packet"),
        (report.restarts, "restart"),
        (report.interruptions, "interruption"),
    )
    return ", ".join(number(count, what) for count, what in counted if count) or "none"


def _channel(at: int, one: ChannelFigures, scale: Scale) -> list[str]:
    hum = {found.hz: found.share for found in one.hum}
    return [
        str(at),
        str(one.low),
        str(one.high),
        f"{one.mean:.1f}",
        f"{one.deviation:.1f}",
        _percent(one.clipped_share),
        str(one.longest_flat),
        *(_percent(hum[hz]) if hz in hum else "-" for hz in (50, 60)),
        f"{scale.microvolts(one.mean):.1f}",
        f"{one.deviation * scale.uv_per_count:.1f}",
    ]


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _spread(spread: Spread) -> str:
    return (
        f"{_ms(spread.p50_us)} (half), {_ms(spread.p95_us)} (95 %), {_ms(spread.p99_us)} (99 %), "
        f"{_ms(spread.max_us)} ms (all)"
    )


def _ms(value_us: int) -> str:
    return f"{value_us / 1000:.{2 if value_us < 10_000 else 1 if value_us < 1_000_000 else 0}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.1f} %"
