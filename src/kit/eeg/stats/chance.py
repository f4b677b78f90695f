"""How sure a figure is: bounds of a loss that comes in bursts, and what chance alone would do. Pure.

Lost packets are no independent draws: a burst is one event. So the bounds are those of a smaller sample, by
the design effect: the variance of the loss over what as many independent draws would have. It is estimated
twice, and the larger value holds: from the gaps (a compound Poisson sum varies by the sum of their squared
lengths), and from bucket to bucket of the capture's course (a ratio estimate over clusters: Cochran,
Sampling Techniques, chapter 9), which also sees gaps that come in bouts. The bounds are Wilson's (1927) for
that effective sample size, as Korn and Graubard (1998) do for surveys. Where nothing was lost, the upper
bound is the rule of three: 3/n is what three events in n would have shown with 95 % (Hanley and
Lippman-Hand 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

from kit.eeg.stats.timeline import Bucket, coarser

_Z_95 = 1.959964
_FEWEST_BUCKETS = 8
# Buckets of a packet or two know nothing of bursts.
_FEWEST_PACKETS = 16


def design_effect(buckets: Sequence[Bucket], squares: int) -> float:
    """How many lost packets count for one; `squares` is the sum of the gaps' squared lengths."""
    sent, lost = sum(one.sent for one in buckets), sum(one.lost for one in buckets)
    if not 0 < lost < sent:
        return 1.0
    share = lost / sent
    independent = sent * share * (1 - share)
    return max(1.0, squares * (1 - share) / independent, _between(list(buckets), share) / independent)


def _between(buckets: list[Bucket], share: float) -> float:
    """The variance from bucket to bucket, widened as few buckets know it badly.

    A bout that is longer than a bucket makes neighbours alike: wider buckets are tried, too.
    """
    most = 0.0
    while len(buckets) > 1 and sum(one.sent for one in buckets) < _FEWEST_PACKETS * len(buckets):
        buckets = coarser(buckets)
    while len(buckets) >= _FEWEST_BUCKETS:
        freedom = len(buckets) - 1
        squares = sum((one.lost - share * one.sent) ** 2 for one in buckets)
        # Student's quantile for that freedom, to the first order.
        widening = (1 + (_Z_95**2 + 1) / (4 * freedom)) ** 2
        most = max(most, squares * len(buckets) / freedom * widening)
        buckets = coarser(buckets)
    return most


def bounds(sent: int, lost: int, effect: float) -> tuple[float, float]:
    """The 95 % bounds of the share that is lost."""
    if sent <= 0:
        return 0.0, 1.0
    if lost <= 0:
        return 0.0, min(1.0, 3 / sent)
    size, share, z = sent / effect, lost / sent, _Z_95
    middle = share + z * z / (2 * size)
    reach = z * sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    scale = 1 + z * z / size
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def at_least(hits: int, tries: int, chance: float) -> float:
    """An upper bound of the chance of so many hits or more (Chernoff's)."""
    if tries <= 0 or hits <= tries * chance:
        return 1.0
    if chance <= 0:
        return 0.0
    share = hits / tries
    distance = share * log(share / chance)
    if share < 1:
        distance += (1 - share) * log((1 - share) / (1 - chance))
    return exp(-tries * distance)


def geometric(value: int, mean: float) -> float:
    """The chance of `value` (1 or more) where each step ends the wait with the same chance."""
    stop = 1 / mean if mean > 1 else 1.0
    return float(stop * (1 - stop) ** (value - 1))


def clustering(buckets: Sequence[Bucket]) -> tuple[float, float]:
    """How unevenly gaps begin: the index of dispersion (1 for chance), and by how many sigmas it is above 1.

    The sum of squares is chi-squared; its cube root is nearly normal (Wilson and Hilferty 1931).
    """
    sent, gaps = sum(one.sent for one in buckets), sum(one.gaps for one in buckets)
    freedom = len(buckets) - 1
    if not gaps or freedom < 1:
        return 1.0, 0.0
    expected = [gaps * one.sent / sent for one in buckets]
    squares = sum((one.gaps - due) ** 2 / due for one, due in zip(buckets, expected, strict=True) if due)
    ninth = 2 / (9 * freedom)
    return squares / freedom, ((squares / freedom) ** (1 / 3) - (1 - ninth)) / sqrt(ninth)
