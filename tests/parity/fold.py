"""The meaning of a feature, computed the slow and obvious way: the independent truth of the tests.

Shares no code and no method with the product. A value is a fold over the multiset of rows in its
window: sums and sums of squares are exact integers (every double is an integer times a power of
two), and each value is rounded once, to the nearest double, ties to even. Rows are ordered by event
time, then by the columns that the view names; what depends on an order depends on no other. Standard
library only.

Rows come from files as a job reads them: one source partition per file, a record's offset is the
byte at which its line starts. `vector[s]` is the offset of the next record of source partition s:
rows of smaller offset count, no others.
"""

import bisect
import datetime
import functools
import json
import math
import struct
import zoneinfo
from dataclasses import dataclass, field
from fractions import Fraction

import fold_bound
import fold_duplicates
import fold_values
from fold_exact import FUNCTIONS, is_minus_zero, scale_exactly, total

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


def order_key(value):
    """What a value is ordered and told apart by: NaN is greater than all else and one value, -0.0
    lies below 0.0, text is compared by its bytes, and null comes last."""
    if value is None:
        return (2,)
    if isinstance(value, float):
        if math.isnan(value):
            return (1,)
        return 0, value, not is_minus_zero(value)
    return 0, value.encode() if isinstance(value, str) else value


class KeyLog:
    """The rows of one entity key in their order, column by column. `order`: a key for each event's
    place among those of its time."""

    def __init__(self, events, indexes, columns, scaled, order):
        indexes.sort(key=lambda i: (events.times[i], order[i]))
        self.values = {name: [column[i] for i in indexes] for name, column in columns.items()}
        self.times = [events.times[i] for i in indexes]
        self.partitions = [events.partitions[i] for i in indexes]
        self.offsets = [events.offsets[i] for i in indexes]
        self.scaled = {name: [column[i] for i in indexes] for name, column in scaled.items()}
        self.bound = None


class View:
    """Rows by entity key. `columns`: name -> (events -> list of values), values of one type:
    bool, int, float, str, or None. `where`: a predicate on a row's index, or None. `order`: names of
    the columns that order rows of one time, as order_of() gives them. `deduplicate`: a Deduplicate
    (fold_duplicates.py), then `where` is of those that count. `bound`: a Bound (fold_bound.py), of a
    view without `where`."""

    def __init__(self, events, key_column, columns, where=None, order=(), deduplicate=None,
                 bound=None):
        self.scales = {}
        values = {name: column(events) for name, column in columns.items()}
        scaled = {}
        for name, column in values.items():
            scaled[name], self.scales[name] = scale_exactly(column)
        places = [tuple(order_key(values[name][i]) for name in order) for i in range(len(events))]
        by_key = {}
        for index, key in enumerate(events.columns[key_column]):
            if key is not None:
                by_key.setdefault(key, []).append(index)
        # A key whose rows all fail `where` still has rows: its log is there, and empty.
        self.all_rows = {key: [(events.partitions[i], events.offsets[i]) for i in indexes]
                         for key, indexes in by_key.items()}
        self.events, self.by_key, self.deduplicate = events, by_key, deduplicate

        def log_of(indexes):
            if deduplicate is not None:
                ids = [deduplicate.id_of(values, i, order_key) for i in indexes]
                indexes = deduplicate.counting(indexes, ids, events.times, places)
            return KeyLog(events, [i for i in indexes if where is None or where(i)], values, scaled,
                          places)

        self.log_of = log_of
        self.logs = {key: log_of(indexes) for key, indexes in by_key.items()}
        for log in self.logs.values():
            log.bound = bound

    def has_rows(self, key, vector=None):
        """True if any row of the key lies below the offset vector."""
        rows = self.all_rows.get(key, ())
        return bool(rows) if vector is None else any(o < vector[s] for s, o in rows)

    def fold(self, key, features, as_of, vector=None):
        """The values of `features` (list of Feature) in order, at `as_of`."""
        log = self.logs.get(key)
        if vector is not None and self.deduplicate is not None:  # so many rows, so many duplicates
            log = self.log_of([i for i in self.by_key.get(key, ())
                               if self.events.offsets[i] < vector[self.events.partitions[i]]])
        return [fold_feature(log, f, self.scales.get(f.column), as_of, vector) for f in features]

    def resolutions(self, key, features, as_of, vector=None):
        """Those of the values, in us; 0 is exact."""
        log = self.logs.get(key)
        if log is None or log.bound is None:
            return [0] * len(features)
        return [_bounded_rows(log, f, as_of, vector)[1] for f in features]


# --- features -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """One (aggregation, window). `column` None counts rows; `window` None is a lifetime window. `n`
    is the parameter of the functions that have one: n, k, exact_up_to. `every` and `zone` (an IANA
    name) make it a tumbling or hopping window: durations as a job writes them, `window` too. With
    `gap` it is a session, of `window` at most. `default` is what it is instead of null.
    `bound` is max_values or max_buckets; `percentile` and `accuracy` are fractions. `by` is a column,
    of each of whose values the value has an entry, up to `max_groups` of them."""

    name: str
    function: str
    column: str = None
    window: int = 0
    offset: int = 0
    closed: str = "right"
    n: int = 0
    every: str = None
    zone: str = "UTC"
    gap: int = None
    default: object = None
    bound: int = 0
    counts: bool = False
    percentile: Fraction = None
    accuracy: Fraction = None
    half_life: int = None
    by: str = None
    max_groups: int = 1000


def stepped(name, function, column, windows, every, zone="UTC", offset="0s", closed="left", n=0,
            **others):
    """Features of one aggregation with `every`, named as a job names them."""
    return [Feature(f"{name}_{w}", function, column, None if w == "lifetime" else w,
                    parse_duration(offset), closed, n, every, zone, **others)
            for w in windows]


def session(name, function, column, gap, max_length, offset="0s", closed="right", n=0, **others):
    """The session feature of one aggregation."""
    return Feature(f"{name}_session", function, column, parse_duration(max_length),
                   parse_duration(offset), closed, n, gap=parse_duration(gap), **others)


def aggregation(name, function, column, windows, offset="0s", closed="right", n=0, **others):
    """Features of one aggregation: named <name>_<window>, as a job names them."""
    return [Feature(f"{name}_{w}", function, column,
                    None if w == "lifetime" else parse_duration(w), parse_duration(offset), closed,
                    n, **others) for w in windows]


def order_of(features, order_by=()):
    """The columns by which a view orders rows of one time: those of its order_by, then those of its
    features in declared order, none twice."""
    columns = (column for f in features for column in (f.column, f.by) if column is not None)
    return list(dict.fromkeys([*order_by, *columns]))


def parse_duration(text):
    """'90s', '1h', '7d' to microseconds."""
    units = {"us": 1, "ms": 1000, "s": US_PER_SECOND, "m": MINUTE, "h": HOUR, "d": DAY,
             "w": 7 * DAY}
    digits = text.rstrip("uswdhm")
    return int(digits) * units[text[len(digits):]]


def window_bounds(times, feature, as_of):
    """Indexes [begin, end) of the sorted times that lie in the feature's window."""
    high = as_of - feature.offset
    include_low = feature.closed in ("left", "both")
    include_high = feature.closed in ("right", "both")
    low = None
    if feature.gap is not None:
        return session_bounds(times, feature, high, include_high)
    if feature.every is not None:
        low, high = stepped_window(feature, high)
    elif feature.window is not None:
        low = high - feature.window
    begin = 0
    if low is not None:
        begin = bisect.bisect_left(times, low) if include_low else bisect.bisect_right(times, low)
    end = bisect.bisect_right(times, high) if include_high else bisect.bisect_left(times, high)
    return begin, max(begin, end)


def session_bounds(times, feature, high, include_high):
    """Walks back from the last row at or before `high`, row by row."""
    end = bisect.bisect_right(times, high) if include_high else bisect.bisect_left(times, high)
    if end == 0 or high - times[end - 1] > feature.gap:
        return end, end
    last = times[end - 1]
    begin = end - 1
    while (begin > 0 and times[begin] - times[begin - 1] <= feature.gap
           and last - times[begin - 1] <= feature.window):
        begin -= 1
    return begin, end


def stepped_window(feature, time):
    """The ends of the last window that is complete at `time`; the first None if it has none."""
    count, unit = _split_duration(feature.every)
    if unit not in ("d", "w", "mo"):
        end = time - time % parse_duration(feature.every)
        return (None if feature.window is None else end - parse_duration(feature.window)), end
    zone = zoneinfo.ZoneInfo(feature.zone)
    day = (EPOCH + time * ONE_US).astimezone(zone).date() + datetime.timedelta(days=1)
    while not _is_boundary(day, count, unit) or start_of_day(day, zone) > time:
        day -= datetime.timedelta(days=1)
    if feature.window is None:
        return None, start_of_day(day, zone)
    length, length_unit = _split_duration(feature.window)
    if length_unit == "mo":
        months = day.year * 12 + day.month - 1 - length
        first = datetime.date(months // 12, months % 12 + 1, 1)
    else:
        first = day - datetime.timedelta(days=length * (7 if length_unit == "w" else 1))
    return start_of_day(first, zone), start_of_day(day, zone)


def _split_duration(text):
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits), text[len(digits):]


def _is_boundary(day, count, unit):
    if unit == "d":
        return (day - datetime.date(1970, 1, 1)).days % count == 0
    if unit == "w":
        return (day - datetime.date(1970, 1, 5)).days % (7 * count) == 0
    return day.day == 1 and ((day.year - 1970) * 12 + day.month - 1) % count == 0


@functools.lru_cache(maxsize=65536)
def start_of_day(day, zone):
    """The first instant at which clocks in the zone show midnight of the day, or something later."""
    midnight = datetime.datetime(day.year, day.month, day.day)

    def utc(fold):
        local = midnight.replace(tzinfo=zone, fold=fold)
        return (midnight - local.utcoffset()).replace(tzinfo=datetime.timezone.utc)

    shown = [t for t in (utc(0), utc(1))
             if t.astimezone(zone).replace(tzinfo=None) == midnight]
    if shown:
        return (min(shown) - EPOCH) // ONE_US
    # Clocks were put forward over it: find when, to the microsecond.
    low, high = sorted(((t - EPOCH) // ONE_US for t in (utc(0), utc(1))))
    while low + 1 < high:
        middle = (low + high) // 2
        shows = (EPOCH + middle * ONE_US).astimezone(zone).replace(tzinfo=None)
        low, high = (low, middle) if shows >= midnight else (middle, high)
    return high


def fold_feature(log, feature, scale, as_of, vector=None):
    """The feature's value, folded from its rows one by one."""
    value = _fold(log, feature, scale, as_of, vector)
    return feature.default if value is None else value


def _fold(log, feature, scale, as_of, vector):
    if log is None:
        return ZEROS.get(feature.function) if feature.by is None else None
    if log.bound is not None:
        rows, _ = _bounded_rows(log, feature, as_of, vector)
    elif vector is None or feature.gap is None:
        begin, end = window_bounds(log.times, feature, as_of)
        rows = range(begin, end)
        if vector is not None:
            rows = [i for i in rows if log.offsets[i] < vector[log.partitions[i]]]
    else:  # where a session begins depends on the rows that count
        known = [i for i, (s, o) in enumerate(zip(log.partitions, log.offsets)) if o < vector[s]]
        begin, end = window_bounds([log.times[i] for i in known], feature, as_of)
        rows = known[begin:end]
    end = None
    if feature.half_life is not None:
        end = window_end(feature, as_of)
        if feature.gap is not None and rows:
            end = log.times[rows[-1]]  # a session ends with its last row
        oldest = end - fold_values.MOST_HALF_LIVES * feature.half_life
        rows = [i for i in rows if log.times[i] >= oldest]
    if feature.by is None:
        return _fold_rows(log, feature, scale, end, rows)
    return _fold_groups(log, feature, scale, end, rows)


def _bounded_rows(log, feature, as_of, vector):
    """The rows that count, and the resolution of the answer."""
    known = [i for i, (s, o) in enumerate(zip(log.partitions, log.offsets))
             if vector is None or o < vector[s]]
    times = [log.times[i] for i in known]
    leaves = fold_bound.leaves_of(times, log.bound)
    if feature.gap is not None:
        rows, resolution = fold_bound.session(times, feature, as_of - feature.offset,
                                              feature.closed in ("right", "both"), leaves)
        return [known[i] for i in rows], resolution
    begin, end = window_bounds(times, feature, as_of)
    if feature.half_life is not None:
        oldest = window_end(feature, as_of) - fold_values.MOST_HALF_LIVES * feature.half_life
        begin = min(end, max(begin, bisect.bisect_left(times, oldest)))
    rows, resolution = fold_bound.counted(times, begin, end, leaves)
    return [known[i] for i in rows], resolution


def _fold_groups(log, feature, scale, end, rows):
    """Each group by itself; which there are does not depend on the function."""
    groups, value_of = {}, {}
    for i in rows:
        value = log.values[feature.by][i]
        if value is not None:
            value_of.setdefault(order_key(value), value)
            groups.setdefault(order_key(value), []).append(i)
    kept = sorted(groups, key=lambda key: fold_values.hash_of(value_of[key]))[:feature.max_groups]
    return {value_of[key]: _fold_rows(log, feature, scale, end, groups[key])
            for key in sorted(kept)} or None


def _fold_rows(log, feature, scale, end, rows):
    if feature.half_life is not None:
        return _fold_decayed(log, feature, scale, end, rows)
    if feature.column is None:
        return len(rows)
    # Functions that compute take integers, those that choose take the values themselves.
    computes = feature.function in FUNCTIONS
    column = (log.scaled if computes else log.values)[feature.column]
    values = [column[i] for i in rows if column[i] is not None]
    if feature.function == "count":
        return len(values)
    if feature.function == "count_distinct":
        return count_distinct(values, feature.n)
    if feature.function == "approx_count_distinct":
        return fold_values.approx_count_distinct(values, feature.n)
    if not values:
        return None
    if feature.function == "approx_percentile":
        return fold_values.approx_percentile(values, feature.percentile, feature.accuracy,
                                             feature.bound, order_key)
    if feature.function in FREQUENCIES:
        return fold_values.frequencies(values, feature.function, feature.n, feature.bound,
                                       feature.counts, order_key)
    return FUNCTIONS[feature.function](values, scale) if computes else (
        CHOICES[feature.function](values, feature.n))


# What is not null over an empty window.
ZEROS = {"count": 0, "count_distinct": 0, "approx_count_distinct": 0, "decayed_count": 0.0}
FREQUENCIES = ("histogram", "top_k_by_frequency", "bottom_k_by_frequency")


def window_end(feature, as_of):
    high = as_of - feature.offset
    return high if feature.every is None else stepped_window(feature, high)[1]


def _fold_decayed(log, feature, scale, end, rows):
    column = None
    if feature.column is not None:
        column = log.scaled[feature.column]
        rows = [i for i in rows if column[i] is not None]
    times = [log.times[i] for i in rows]
    if feature.function == "decayed_count":
        return fold_values.decayed(times, [1] * len(rows), end, feature.half_life)
    if not rows:
        return None
    values = [column[i] for i in rows]
    whole = total(values)
    if isinstance(whole, float):  # as IEEE 754 says of a sum
        return whole
    exact = [Fraction(int(v), scale.denominator) for v in values]
    return fold_values.decayed(times, exact, end, feature.half_life)


# --- choosing: from the values of a window, in the order of their rows ----------------------------


def first_distinct(values, n):
    kept, seen = [], set()
    for value in values:
        if order_key(value) not in seen and len(kept) < n:
            seen.add(order_key(value))
            kept.append(value)
    return kept


def last_distinct(values, n):
    """Those whose last occurrence is latest, in ascending order of it."""
    return first_distinct(values[::-1], n)[::-1]


def count_distinct(values, exact_up_to):
    """Beyond its bound the function estimates, by hashes that are the product's own: no truth of
    this module's."""
    count = len({order_key(v) for v in values})
    if count > exact_up_to:
        raise ValueError(f"{count} distinct values, exact are only up to {exact_up_to}")
    return count


CHOICES = {
    "first": lambda values, n: values[0],
    "last": lambda values, n: values[-1],
    "first_n": lambda values, n: values[:n],
    "last_n": lambda values, n: values[-n:],
    "first_distinct_n": first_distinct,
    "last_distinct_n": last_distinct,
    "top_k": lambda values, k: sorted(values, key=order_key, reverse=True)[:k],
    "bottom_k": lambda values, k: sorted(values, key=order_key)[:k],
}


# --- comparing ------------------------------------------------------------------------------------


def bits(value):
    """A value as something that is equal only if it is equal bit for bit, type included."""
    if isinstance(value, list):
        return "list", *map(bits, value)
    if isinstance(value, dict):
        return "dict", *((bits(key), bits(of_key)) for key, of_key in value.items())
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return (type(value).__name__, value)


def _as_key(key):
    if isinstance(key, str):
        return key
    key = as_json(key)
    return key if isinstance(key, str) else json.dumps(key)


def as_json(value):
    """A value as a store answers it: NaN and infinities are strings."""
    if isinstance(value, list):
        return [as_json(element) for element in value]
    if isinstance(value, dict):
        return {_as_key(key): as_json(of_key) for key, of_key in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
