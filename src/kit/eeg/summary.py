"""What a capture came to, in a line or two, and whether it was one at all. Pure."""

from __future__ import annotations

from kit.core.errors import KitError, NegativeAnswer, ProtocolError, Unavailable
from kit.eeg.tally import Tally


def summary(tally: Tally) -> list[str]:
    """Its lines: how many packets in which time, what was lost and skipped; the true rate if it is known."""
    duration_s = tally.duration_us / 1_000_000
    parts = [f"{_counted(tally.packets, 'packet')} in {duration_s:.1f} s"]
    if tally.packets:
        parts.append(_losses(tally))
    if tally.skipped:
        parts.append(f"{_counted(tally.skipped, 'byte')} skipped")
    if tally.duplicates:
        parts.append(_counted(tally.duplicates, "duplicate"))
    if tally.reordered:
        parts.append(f"{tally.reordered:,} out of order")
    if tally.restarts:
        parts.append(_counted(tally.restarts, "restart"))
    lines = [", ".join(parts)]
    if tally.rate:
        rate = tally.rate
        lines.append(f"sampled at {rate.hz:.3f} Hz, {rate.ppm:+.0f} ± {rate.error_ppm:.0f} ppm")
    return lines


def totals(tally: Tally) -> dict[str, int]:
    """The same as figures; the names are those of the fields that commands promise."""
    return {
        "packets": tally.packets,
        "lost": tally.lost,
        "lost_low": tally.lost_low,
        "lost_high": tally.lost_high,
        "skipped": tally.skipped,
        "duplicates": tally.duplicates,
        "reordered": tally.reordered,
        "restarts": tally.restarts,
        "duration_us": tally.duration_us,
    }


def _losses(tally: Tally) -> str:
    if not tally.lost and tally.lost_high <= 0:
        # Without times nobody can tell whether whole periods of the counter are missing.
        return "none lost" if tally.first_wall_us is not None else "none lost by the counter"
    text = f"{tally.lost:,} lost ({tally.loss_percent:.2f} %)"
    if (tally.lost_low, tally.lost_high) != (tally.lost, tally.lost):
        text += f", at least {tally.lost_low:,} and at most {tally.lost_high:,}"
    return text


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def complaint(tally: Tally, name: str, received: int) -> KitError | None:
    """What is wrong with a capture that has no packet; None if it has one."""
    if not received:
        return Unavailable(f"no bytes came from {name!r}")
    if not tally.packets:
        found = f"no packet in {_counted(received, 'byte')}"
        return ProtocolError(f"{name!r} is not an OpenEEG stream: {found}")
    return None


def too_much_lost(tally: Tally, allowed_percent: float) -> KitError | None:
    """The answer to --fail-above: an error if a larger share than that was lost."""
    if tally.loss_percent <= allowed_percent:
        return None
    lost = f"{tally.loss_percent:.3g} % of the packets"
    return NegativeAnswer(f"{lost} were lost, where {allowed_percent:g} % are allowed")
