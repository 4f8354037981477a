"""The meaning of a feature, computed the slow and obvious way: the independent truth of the tests.

Shares no code and no method with the product. A value is a fold over the multiset of rows in its
window: sums and sums of squares are exact integers (every double is an integer times a power of
two), and each value is rounded once, to the nearest double, ties to even. Standard library only.

Rows come from files as a job reads them: one source partition per file, a record's offset is the
byte at which its line starts. `vector[s]` is the offset of the next record of source partition s:
rows of smaller offset count, no others.
"""

import bisect
import datetime
import json
import math
import struct
from dataclasses import dataclass, field

US_PER_SECOND = 1_000_000
MINUTE = 60 * US_PER_SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
ONE_US = datetime.timedelta(microseconds=1)


def parse_time(text):
    """RFC 3339 to int64 microseconds UTC; without an offset it is UTC."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return (moment - EPOCH) // ONE_US


def format_time(us):
    """Microseconds UTC to RFC 3339."""
    moment = EPOCH + datetime.timedelta(microseconds=us)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{us % US_PER_SECOND:06d}Z" if us % US_PER_SECOND else text + "Z"


# --- rows -----------------------------------------------------------------------------------------


@dataclass
class Events:
    """Parsed records of all files, one entry per record in every list."""

    times: list = field(default_factory=list)
    partitions: list = field(default_factory=list)
    offsets: list = field(default_factory=list)
    columns: dict = field(default_factory=dict)
    end_offsets: list = field(default_factory=list)  # per source partition
    bad_records: int = 0

    def __len__(self):
        return len(self.times)


def read_files(paths, converters, event_time="event_time"):
    """Reads CSV (named *.csv) or NDJSON files; path i is source partition i.

    `converters` maps each wanted column to a function of its text (CSV) or JSON value. A record
    that does not convert is bad: counted, and no row.
    """
    events = Events(columns={name: [] for name in converters})
    for partition, path in enumerate(paths):
        with open(path, "rb") as lines:
            header = None
            offset = 0
            for line in lines:
                start, offset = offset, offset + len(line)
                text = line.rstrip(b"\r\n").decode()
                if not text:
                    continue
                if str(path).endswith(".csv") and header is None:
                    header = _parse_csv_line(text)
                    continue
                _add_record(events, text, header, converters, event_time, partition, start)
            events.end_offsets.append(offset)
    return events


def _add_record(events, text, header, converters, event_time, partition, offset):
    try:
        record = json.loads(text) if header is None else dict(zip(header, _parse_csv_line(text)))
        time = record[event_time]
        time = time if isinstance(time, int) else parse_time(time)
        values = [convert(record[name]) for name, convert in converters.items()]
    except (ValueError, KeyError, TypeError):
        events.bad_records += 1
        return
    events.times.append(time)
    events.partitions.append(partition)
    events.offsets.append(offset)
    for column, value in zip(events.columns.values(), values):
        column.append(value)


def _parse_csv_line(text):
    if '"' in text:
        raise ValueError("quoted CSV is not needed here")
    return text.split(",")


class KeyLog:
    """The rows of one entity key in order of event time, column by column."""

    def __init__(self, events, indexes, scaled):
        indexes.sort(key=events.times.__getitem__)
        self.times = [events.times[i] for i in indexes]
        self.partitions = [events.partitions[i] for i in indexes]
        self.offsets = [events.offsets[i] for i in indexes]
        self.columns = {name: [column[i] for i in indexes] for name, column in scaled.items()}


class View:
    """Rows by entity key. `columns`: name -> (events -> list of values), values of one type:
    bool, int, float, or None. `where`: a predicate on a row's index, or None."""

    def __init__(self, events, key_column, columns, where=None):
        self.scales = {}
        scaled = {}
        for name in columns:
            scaled[name], self.scales[name] = scale_exactly(columns[name](events))
        by_key = {}
        for index, key in enumerate(events.columns[key_column]):
            if key is not None:
                by_key.setdefault(key, []).append(index)
        # A key whose rows all fail `where` still has rows: its log is there, and empty.
        self.all_rows = {key: [(events.partitions[i], events.offsets[i]) for i in indexes]
                         for key, indexes in by_key.items()}
        self.logs = {
            key: KeyLog(events, [i for i in indexes if where is None or where(i)], scaled)
            for key, indexes in by_key.items()
        }

    def has_rows(self, key, vector=None):
        """True if any row of the key lies below the offset vector."""
        rows = self.all_rows.get(key, ())
        return bool(rows) if vector is None else any(o < vector[s] for s, o in rows)

    def fold(self, key, features, as_of, vector=None):
        """The values of `features` (list of Feature) in order, at `as_of`."""
        log = self.logs.get(key)
        return [fold_feature(log, f, self.scales.get(f.column), as_of, vector) for f in features]


@dataclass(frozen=True)
class Scale:
    """What a column's integers stand for: value = integer / denominator."""

    denominator: int
    is_double: bool


def scale_exactly(values):
    """Values as integers over one common power of two. NaN, infinities and -0.0 stay floats."""
    is_double = any(isinstance(v, float) for v in values)
    if not is_double:
        return [None if v is None else int(v) for v in values], Scale(1, False)
    denominator = max((v.as_integer_ratio()[1] for v in values if v is not None and _finite(v)),
                      default=1)

    def scale(value):
        if value is None or not _finite(value) or _is_minus_zero(value):
            return value
        numerator, own = float(value).as_integer_ratio()
        return numerator * (denominator // own)

    return [scale(v) for v in values], Scale(denominator, True)


def _is_minus_zero(value):
    return value == 0 and math.copysign(1, value) < 0


def _finite(value):
    return not isinstance(value, float) or math.isfinite(value)


# --- features -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """One (aggregation, window). `column` None counts rows."""

    name: str
    function: str
    column: str = None
    window: int = 0
    offset: int = 0
    closed: str = "right"


def aggregation(name, function, column, windows, offset="0s", closed="right"):
    """Features of one aggregation: named <name>_<window>, as a job names them."""
    return [Feature(f"{name}_{w}", function, column, parse_duration(w), parse_duration(offset),
                    closed) for w in windows]


def parse_duration(text):
    """'90s', '1h', '7d' to microseconds."""
    units = {"us": 1, "ms": 1000, "s": US_PER_SECOND, "m": MINUTE, "h": HOUR, "d": DAY,
             "w": 7 * DAY}
    digits = text.rstrip("uswdhm")
    return int(digits) * units[text[len(digits):]]


def window_bounds(times, feature, as_of):
    """Indexes [begin, end) of the sorted times that lie in the feature's window."""
    high = as_of - feature.offset
    low = high - feature.window
    include_low = feature.closed in ("left", "both")
    include_high = feature.closed in ("right", "both")
    begin = bisect.bisect_left(times, low) if include_low else bisect.bisect_right(times, low)
    end = bisect.bisect_right(times, high) if include_high else bisect.bisect_left(times, high)
    return begin, max(begin, end)


def fold_feature(log, feature, scale, as_of, vector=None):
    """The feature's value, folded from its rows one by one."""
    if log is None:
        return 0 if feature.function == "count" else None
    begin, end = window_bounds(log.times, feature, as_of)
    if feature.column is None:
        values = [1] * (end - begin)
    else:
        values = log.columns[feature.column][begin:end]
    if vector is not None:
        values = [v for v, s, o in
                  zip(values, log.partitions[begin:end], log.offsets[begin:end]) if o < vector[s]]
    values = [v for v in values if v is not None]
    if feature.function == "count":
        return len(values)
    if not values:
        return None
    return FUNCTIONS[feature.function](values, scale)


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
        if not all(_finite(v) for v in values):
            return math.nan
        moments = _moments(values, scale, sample)
        return square_root(*moments) if root else divide(*moments)

    return fold


FUNCTIONS = {
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


# --- comparing ------------------------------------------------------------------------------------


def bits(value):
    """A value as something that is equal only if it is equal bit for bit, type included."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return (type(value).__name__, value)


def from_json(value):
    """A feature's value as a store answers it: NaN and infinities come as strings."""
    named = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    return named.get(value, value) if isinstance(value, str) else value
