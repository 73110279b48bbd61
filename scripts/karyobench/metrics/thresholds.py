"""IoU thresholds as exact fractions of the decimals that the configuration writes."""

from decimal import Decimal
from fractions import Fraction
from functools import cache

from karyobench.errors import KaryobenchError

TEN = tuple(k / 20 for k in range(10, 20))
"""0.50 to 0.95, over which the 2018 Data Science Bowl averaged."""

NINE = TEN[:-1]
"""0.50 to 0.90, over which the StarDist paper and its followers averaged."""

# Areas reach 4e8 pixels; times this denominator they stay well inside int64.
_LARGEST_DENOMINATOR = 10**6


@cache
def exact(threshold: float) -> Fraction:
    """The threshold as the fraction that its decimal literal means: 0.55 is 11/20, not its nearest binary float.

    Raises KaryobenchError outside (0, 1), and for more than six decimals, the mark of a grid built by adding floats.
    """
    value = Fraction(str(threshold))
    if not 0 < value < 1:
        raise KaryobenchError(f"metrics: IoU threshold {threshold} is outside 0 < t < 1")
    if value.denominator > _LARGEST_DENOMINATOR:
        raise KaryobenchError(f"metrics: IoU threshold {threshold} has more than six decimals; write it as, say, 0.55")
    return value


@cache
def label(threshold: float) -> str:
    """The threshold in columns and captions, with at least two decimals: `0.50`, `0.55`, `0.525`."""
    value = Decimal(str(threshold))
    return f"{value:.{max(2, -value.as_tuple().exponent)}f}"


def column(count: str, threshold: float, at_least: bool = False) -> str:
    """Column of a count at a threshold, such as `tp@0.50`; `tp>=0.50` where a pair at the threshold itself counts."""
    return f"{count}{'>=' if at_least else '@'}{label(threshold)}"
