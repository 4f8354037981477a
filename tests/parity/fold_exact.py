"""Exact arithmetic over the values of a window: integers and fractions, rounded once at the end.

Part of the slow and obvious fold (fold.py).
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import fold_values


@dataclass(frozen=True)
class Scale:
    """What a column's integers stand for: value = integer / denominator."""

    denominator: int
    is_double: bool


def scale_exactly(values):
    """Values as integers over one common power of two. NaN, infinities and -0.0 stay floats, texts
    stay texts."""
    if any(isinstance(v, str) for v in values):
        return values, Scale(1, False)
    is_double = any(isinstance(v, float) for v in values)
    if not is_double:
        return [None if v is None else int(v) for v in values], Scale(1, False)
    denominator = max((v.as_integer_ratio()[1] for v in values if v is not None and is_finite(v)),
                      default=1)

    def scale(value):
        if value is None or not is_finite(value) or is_minus_zero(value):
            return value
        numerator, own = float(value).as_integer_ratio()
        return numerator * (denominator // own)

    return [scale(v) for v in values], Scale(denominator, True)


def is_minus_zero(value):
    return value == 0 and math.copysign(1, value) < 0


def is_finite(value):
    return not isinstance(value, float) or math.isfinite(value)


def divide(numerator, denominator):
    """The double nearest to numerator / denominator (CPython divides integers correctly rounded)."""
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if (numerator < 0) == (denominator < 0) else -math.inf


def square_root(numerator, denominator):
    """The double nearest to sqrt(numerator / denominator), for numerator >= 0."""
    if numerator == 0:
        return 0.0
    # Scale so that the integer root has at least 64 bits, then note in one more bit whether
    # anything was cut off: rounding sees which side of a tie it is on.
    shift = max(0, 64 - (numerator.bit_length() - denominator.bit_length()) // 2)
    quotient, rest = divmod(numerator << (2 * shift), denominator)
    root = math.isqrt(quotient)
    inexact = rest != 0 or root * root != quotient
    return divide((root << 1) | inexact, 1 << (shift + 1))


def total(values):
    """The exact sum of integers; a float if IEEE 754 says so: of NaN or infinities their sum, of
    nothing but -0.0 that."""
    floats = [v for v in values if isinstance(v, float)]
    if not floats:
        return sum(values)
    beyond = [v for v in floats if not math.isfinite(v)]
    if beyond:
        return sum(beyond)
    return sum(v for v in values if isinstance(v, int)) if len(floats) < len(values) else -0.0


def fold_sum(values, scale):
    exact = total(values)
    if isinstance(exact, float):
        return exact
    if scale.is_double:
        return divide(exact, scale.denominator)
    return exact if -(2**63) <= exact < 2**63 else None


def fold_mean(values, scale):
    exact = total(values)
    if isinstance(exact, float):
        return exact
    return divide(exact, scale.denominator * len(values))


def _pick(choose):
    def order(value):
        is_float = isinstance(value, float)
        # NaN is greater than everything, -0.0 comes just before 0.
        return is_float and math.isnan(value), value, not (is_float and value == 0)

    def pick(values, scale):
        value = choose(values, key=order)
        if isinstance(value, float) or not scale.is_double:
            return value
        return divide(value, scale.denominator)

    return pick


def _moments(values, scale, sample):
    """Numerator and denominator of the exact variance."""
    n = len(values)
    whole = [int(v) for v in values]  # -0.0 is 0 here
    squares = sum(v * v for v in whole)
    divisor = n * (n - 1) if sample else n * n
    return n * squares - sum(whole) ** 2, divisor * scale.denominator**2


def _variance(sample, root):
    def fold(values, scale):
        if sample and len(values) == 1:
            return None
        if not all(is_finite(v) for v in values):
            return math.nan
        moments = _moments(values, scale, sample)
        return square_root(*moments) if root else divide(*moments)

    return fold


def _shape(function, sample):
    def fold(values, scale):
        if not all(is_finite(v) for v in values):
            least = (3 if function is fold_values.skewness else 4) if sample else 1
            return math.nan if len(values) >= least else None
        return function([Fraction(int(v)) for v in values], sample)  # whatever the scale

    return fold


FUNCTIONS = {
    "skew": _shape(fold_values.skewness, True),
    "skew_pop": _shape(fold_values.skewness, False),
    "kurtosis": _shape(fold_values.kurtosis, True),
    "kurtosis_pop": _shape(fold_values.kurtosis, False),
    "sum": fold_sum,
    "mean": fold_mean,
    "min": _pick(min),
    "max": _pick(max),
    "var_pop": _variance(False, False),
    "var_samp": _variance(True, False),
    "stddev_pop": _variance(False, True),
    "stddev_samp": _variance(True, True),
    "var": _variance(True, False),
    "stddev": _variance(True, True),
}
