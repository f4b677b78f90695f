"""A report as one JSON object. Pure.

Its fields are a promise; what is not known is null. Units stand in the names, shares are percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.eeg.scale import Scale
from kit.eeg.stats.arrival import Spread
from kit.eeg.stats.findings import Finding
from kit.eeg.stats.report import ChannelFigures, LossFigures, Report, SkippedFigures

_DIGITS = 6


def record(report: Report, findings: Sequence[Finding], scale: Scale) -> dict[str, Any]:
    """Everything."""
    stream = report.stream
    return {
        "format": stream.format,
        "protocol": stream.protocol,
        "nominal_rate_hz": float(stream.rate_hz),
        "bytes": report.bytes,
        "duration_s": round(report.duration_s, _DIGITS),
        "packets": report.packets,
        "expected": report.expected,
        **_losses(report.losses, bool(report.packets)),
        "duplicates": report.duplicates,
        "reordered": report.reordered,
        "restarts": report.restarts,
        "restarts_or_lost": report.restarts_or_lost,
        "interruptions": report.interruptions,
        **_skipped(report.skipped),
        **_rate(report),
        "arrival": _arrival(report),
        "hum_blocks": report.hum_seconds,
        "channels": [_channel(one, scale) for one in report.channels],
        "scale": {"uv_per_count": scale.uv_per_count, "zero": scale.zero, "origin": scale.origin},
        "findings": [{"kind": one.kind, "text": one.text, "evidence": one.evidence} for one in findings],
    }


def _losses(losses: LossFigures, known: bool) -> dict[str, Any]:
    return {
        "lost": losses.lost,
        "lost_low": losses.low,
        "lost_high": losses.high,
        "lost_by_time": losses.by_time,
        "lost_away": losses.away,
        "gaps_to_zero": losses.may_be_restarts,
        "loss_percent": _percent(losses.share) if known else None,
        "loss_percent_low": _percent(losses.share_low) if known else None,
        "loss_percent_high": _percent(losses.share_high) if known else None,
        "design_effect": round(losses.effect, _DIGITS),
        "gaps": losses.patterns.gaps,
        "gap_lengths": [
            {"from": low, "to": high, "gaps": times} for low, high, times in losses.patterns.lengths.rows()
        ],
        "course": {
            "bucket_packets": losses.course_width,
            "received": [one.received for one in losses.course],
            "lost": [one.lost for one in losses.course],
        },
    }


def _skipped(skipped: SkippedFigures) -> dict[str, Any]:
    return {
        "skipped_bytes": skipped.bytes,
        "skipped_runs": skipped.runs,
        "skipped_leading": skipped.leading,
        "skipped_inserted": skipped.inserted,
        "skipped_looks": [
            {
                "why": look.why,
                "runs": look.runs,
                "bytes": look.count,
                "offset": look.offset,
                "sample": look.sample.hex(),
            }
            for look in skipped.looks
        ],
    }


def _rate(report: Report) -> dict[str, Any]:
    rate = report.rate
    return {
        "rate_hz": round(rate.hz, _DIGITS) if rate else None,
        "rate_ppm": round(rate.ppm, 3) if rate else None,
        "rate_error_ppm": round(rate.error_ppm, 3) if rate else None,
    }


def _arrival(report: Report) -> dict[str, Any] | None:
    arrivals = report.arrivals
    if not arrivals:
        return None
    return {
        "measured": not arrivals.computed,
        "interval_us": _spread(arrivals.intervals),
        "lateness_us": _spread(arrivals.lateness) if arrivals.lateness else None,
        "long_pauses": arrivals.long_pauses,
        "backwards": arrivals.backwards,
    }


def _spread(spread: Spread) -> dict[str, int]:
    return {
        "p50": spread.p50_us,
        "p90": spread.p90_us,
        "p95": spread.p95_us,
        "p99": spread.p99_us,
        "max": spread.max_us,
    }


def _channel(one: ChannelFigures, scale: Scale) -> dict[str, Any]:
    return {
        "min": one.low,
        "max": one.high,
        "mean": round(one.mean, _DIGITS),
        "deviation": round(one.deviation, _DIGITS),
        "clipped": one.clipped,
        "clipped_percent": _percent(one.clipped_share),
        "longest_flat": one.longest_flat,
        "hum": [
            {"hz": hum.hz, "amplitude": round(hum.amplitude, _DIGITS), "power_percent": _percent(hum.share)}
            for hum in one.hum
        ],
        "mean_uv": round(scale.microvolts(one.mean), _DIGITS),
        "deviation_uv": round(one.deviation * scale.uv_per_count, _DIGITS),
    }


def _percent(share: float) -> float:
    return round(100 * share, _DIGITS)
