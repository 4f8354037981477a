"""What functions of a set of values mean, computed from all of them at once with exact arithmetic:
the part of fold.py for shapes, decay, frequencies and approximations. Written from docs/semantics.md;
shares no code and no method with the product. Standard library only.
"""

import decimal
import math
import struct
from fractions import Fraction

MOST_HALF_LIVES = 64


def nearest(exact):
    """The double nearest to a fraction; beyond the largest an infinity."""
    try:
        return float(exact)
    except OverflowError:
        return math.copysign(math.inf, exact)


def nearest_root(exact):
    """The double nearest to the root of a fraction >= 0."""
    if exact == 0:
        return 0.0
    shift = max(0, 70 - (exact.numerator.bit_length() - exact.denominator.bit_length()) // 2)
    quotient, rest = divmod(exact.numerator << (2 * shift), exact.denominator)
    root = math.isqrt(quotient)
    inexact = rest != 0 or root * root != quotient
    return nearest(Fraction((root << 1) | inexact, 1 << (shift + 1)))


# --- skewness and kurtosis ------------------------------------------------------------------------


def _central(values, power):
    mean = Fraction(sum(values)) / len(values)
    return sum((x - mean) ** power for x in values)


def skewness(values, sample):
    """Of exact numbers; None for a sample of less than three."""
    n = len(values)
    if sample and n < 3:
        return None
    second, third = _central(values, 2), _central(values, 3)
    if second == 0 or third == 0:
        return 0.0
    square = n * third ** 2 / second ** 3
    if sample:
        square = square * n * (n - 1) / (n - 2) ** 2
    return math.copysign(nearest_root(square), third)


def kurtosis(values, sample):
    """Excess, of exact numbers; None for a sample of less than four."""
    n = len(values)
    if sample and n < 4:
        return None
    second = _central(values, 2)
    if second == 0:
        return 0.0
    excess = n * _central(values, 4) / second ** 2 - 3
    if sample:
        excess = Fraction(n - 1, (n - 2) * (n - 3)) * ((n + 1) * excess + 6)
    return nearest(excess)


# --- decay ----------------------------------------------------------------------------------------


def growth(time, half_life):
    """2^(time / half_life): a power of two times 2^(the rest), that to the nearest 2^-63."""
    whole, rest = divmod(time, half_life)
    with decimal.localcontext() as context:
        context.prec = 80
        factor = decimal.Decimal(2) ** (decimal.Decimal(rest) / decimal.Decimal(half_life))
        units = int((factor * 2 ** 63).to_integral_value(decimal.ROUND_HALF_EVEN))
    return Fraction(units, 2 ** 63) * Fraction(2) ** whole


def decayed(times, values, end, half_life):
    """The sum of exact values, decayed from their times to `end`."""
    base = end - end % half_life  # keeps the powers of two small: both sides shift alike
    total = sum(x * growth(t - base, half_life) for t, x in zip(times, values))
    return nearest(total * growth(base - end, half_life))


# --- hashes ---------------------------------------------------------------------------------------

_MASK = 2 ** 64 - 1


def hash_of(value):
    """64 bits of a value; of texts of up to 16 bytes only, which is all the tests need."""
    if isinstance(value, str):
        return xxh3(value.encode())
    if isinstance(value, float):
        bits = 0x7FFFFFFFFFFFFFFF if math.isnan(value) else (
            struct.unpack("<Q", struct.pack("<d", value))[0])
        x = bits ^ 0x7FFFFFFFFFFFFFFF if bits >> 63 else bits
    else:
        x = int(value) & _MASK
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCD & _MASK
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return x ^ x >> 33


_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb")
_PRIME64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


def _word(data, at, size):
    return int.from_bytes(data[at:at + size], "little")


def _avalanche(x):
    x = (x ^ x >> 37) * 0x165667919E3779F9 & _MASK
    return x ^ x >> 32


def _xxh64_avalanche(x):
    x = (x ^ x >> 33) * _PRIME64[1] & _MASK
    x = (x ^ x >> 29) * _PRIME64[2] & _MASK
    return x ^ x >> 32


def xxh3(data):
    """XXH3_64bits of up to 16 bytes, seed 0, as its specification has it."""
    n = len(data)
    if n > 16:
        raise ValueError("hashes of longer texts are not written here")
    if n > 8:
        low = _word(data, 0, 8) ^ (_word(_SECRET, 24, 8) ^ _word(_SECRET, 32, 8))
        high = _word(data, n - 8, 8) ^ (_word(_SECRET, 40, 8) ^ _word(_SECRET, 48, 8))
        product = low * high
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche((n + swapped + high + (product & _MASK ^ product >> 64)) & _MASK)
    if n >= 4:
        mixed = _word(data, n - 4, 4) + (_word(data, 0, 4) << 32)
        x = mixed ^ (_word(_SECRET, 8, 8) ^ _word(_SECRET, 16, 8))
        x ^= (x << 49 | x >> 15) & _MASK ^ (x << 24 | x >> 40) & _MASK
        x = x * 0x9FB21C651E98DF25 & _MASK
        x ^= (x >> 35) + n
        x = x * 0x9FB21C651E98DF25 & _MASK
        return x ^ x >> 28
    if n > 0:
        word = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return _xxh64_avalanche(word ^ (_word(_SECRET, 0, 4) ^ _word(_SECRET, 4, 4)))
    return _xxh64_avalanche(_word(_SECRET, 56, 8) ^ _word(_SECRET, 64, 8))


# --- frequencies ----------------------------------------------------------------------------------


def frequencies(values, function, k, bound, counts, order_key):
    """A histogram as a dict, else a list, or a dict with `counts`; dicts in the answer's order."""
    count_of, value_of = {}, {}
    for value in values:
        key = order_key(value)
        value_of.setdefault(key, value)
        count_of[key] = count_of.get(key, 0) + 1
    kept = sorted(count_of)
    if len(kept) > bound:
        kept = sorted(sorted(kept, key=lambda key: hash_of(value_of[key]))[:bound])
    if function != "histogram":
        sign = -1 if function == "top_k_by_frequency" else 1
        kept = sorted(kept, key=lambda key: sign * count_of[key])[:k]
    if function == "histogram" or counts:
        return {value_of[key]: count_of[key] for key in kept}
    return [value_of[key] for key in kept]


# --- approximations -------------------------------------------------------------------------------


def approx_count_distinct(values, precision):
    registers = {}
    for value in values:
        bits = format(hash_of(value), "064b")
        rest = bits[precision:]
        rank = len(rest) - len(rest.lstrip("0")) + 1
        at = bits[:precision]
        registers[at] = max(registers.get(at, 0), rank)
    if not registers:
        return 0
    m = float(2 ** precision)
    count = [0] * (66 - precision)
    for rank in registers.values():
        count[rank] += 1
    count[0] = 2 ** precision - len(registers)
    z = m * _tau(1 - count[65 - precision] / m)
    for k in range(64 - precision, 0, -1):
        z = 0.5 * (z + count[k])
    z += m * _sigma(count[0] / m)
    return math.floor(0.72134752044448170 * m * m / z + 0.5)


def _sigma(x):
    y, z, before = 1.0, x, None
    while z != before:
        x = x * x
        before = z
        z += x * y
        y += y
    return z


def _tau(x):
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, None
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) * (1 - x) * y
    return z / 3


def approx_percentile(values, percentile, accuracy, most, order_key):
    """`percentile` and `accuracy` are fractions."""
    if not values:
        return None
    per_octave = max(1, math.ceil((1 / accuracy - 1) / 2))
    ordered = sorted(values, key=order_key)
    places = [_bucket(value, per_octave) for value in ordered]
    width = 1
    while len({p for p in places if p is not None and p[0] != 0}) > most:
        places = [p and (p[0], p[1] // 2) for p in places]
        width *= 2
    rank = math.floor(percentile * (len(ordered) - 1))
    if places[rank] is None:
        return ordered[rank]
    sign, number = places[rank]
    if sign == 0:
        return 0.0
    low, high = (_bucket_end((number + end) * width, per_octave) for end in (0, 1))
    return sign * min(nearest(2 * low * high / (low + high)), math.nextafter(math.inf, 0))


def _bucket(value, per_octave):
    """The sign and the number of its bucket; None of what is no finite number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    exact = abs(Fraction(value))
    if exact == 0:
        return 0, 0
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    while Fraction(2) ** exponent > exact:
        exponent -= 1
    number = math.floor((exponent + exact / Fraction(2) ** exponent - 1) * per_octave)
    return (1 if value > 0 else -1), number


def _bucket_end(number, per_octave):
    exponent, part = divmod(number, per_octave)
    return Fraction(2) ** exponent * (1 + Fraction(part, per_octave))
