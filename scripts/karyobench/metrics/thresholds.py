"""IoU thresholds as exact fractions of the decimals that the configuration writes."""

from decimal import Decimal
from fractions import Fraction

from karyobench.errors import KaryobenchError

# Areas reach 4e8 pixels; times this denominator they stay well inside int64.
_LARGEST_DENOMINATOR = 10**6


def exact(threshold: float) -> Fraction:
    """The threshold as the fraction that its decimal literal means: 0.55 is 11/20, not its nearest binary float.

    Raises KaryobenchError outside [0.5, 1): below 0.5 an object may have several partners, and matching would need an
    assignment step; and for more than six decimals, the mark of a grid built by adding floats.
    """
    value = Fraction(str(threshold))
    if not Fraction(1, 2) <= value < 1:
        raise KaryobenchError(
            f"metrics: IoU threshold {threshold} is outside 0.5 <= t < 1; below 0.5 an object can have several "
            "partners and needs an assignment, which is not offered"
        )
    if value.denominator > _LARGEST_DENOMINATOR:
        raise KaryobenchError(f"metrics: IoU threshold {threshold} has more than six decimals; write it as, say, 0.55")
    return value


def label(threshold: float) -> str:
    """The threshold in columns and captions, with at least two decimals: `0.50`, `0.55`, `0.525`."""
    value = Decimal(str(threshold))
    return f"{value:.{max(2, -value.as_tuple().exponent)}f}"


def column(count: str, threshold: float) -> str:
    """Column of a count at a threshold, such as `tp@0.50`."""
    return f"{count}@{label(threshold)}"
