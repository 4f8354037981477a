"""The fold against formulas of other people: the statistics module, fractions, high precision."""

import datetime
import decimal
import fractions
import math
import random
import statistics
import tempfile
import unittest
import zoneinfo
from pathlib import Path

import fold
import fold_duplicates
import fold_exact


def view_of(rows, where=None, order=("x",)):
    """A view over (time, key, x[, y]) rows, all of source partition 0 with offsets 0, 1, 2, ..."""
    columns = {"x": [r[2] for r in rows], "y": [r[3] if len(r) > 3 else None for r in rows]}
    events = fold.Events(times=[r[0] for r in rows], partitions=[0] * len(rows),
                         offsets=list(range(len(rows))),
                         columns={"key": [r[1] for r in rows], **columns})
    return fold.View(events, "key", {name: lambda e, name=name: e.columns[name]
                                     for name in columns}, where, order)


def value(view, function, as_of, window, column="x", offset=0, closed="right", vector=None, n=0):
    feature = fold.Feature("f", function, column, window, offset, closed, n)
    return view.fold("k", [feature], as_of, vector)[0]


class WindowTest(unittest.TestCase):
    def test_ends_of_each_closed_variant(self):
        view = view_of([(t, "k", 1.0) for t in (10, 15, 20)])
        for closed, expected in (("right", 2), ("left", 2), ("both", 3), ("neither", 1)):
            self.assertEqual(value(view, "count", 20, 10, None, closed=closed), expected, closed)
        self.assertEqual(value(view, "count", 20, 10, None, closed="left"), 2)
        self.assertEqual(value(view, "count", 19, 9, None), 1)

    def test_offset_moves_both_ends(self):
        view = view_of([(t, "k", float(t)) for t in (1, 2, 3, 4, 5)])
        self.assertEqual(value(view, "sum", 5, 2, offset=2), 2.0 + 3.0)

    def test_window_of_equal_ends_is_empty_unless_both(self):
        view = view_of([(5, "k", 1.0)])
        for closed, expected in (("right", 0), ("left", 0), ("both", 1), ("neither", 0)):
            self.assertEqual(value(view, "count", 5, 0, None, closed=closed), expected, closed)

    def test_empty_windows(self):
        view = view_of([(5, "k", 1.0)])
        self.assertEqual(value(view, "count", 4, 3), 0)
        self.assertEqual(value(view, "count_distinct", 4, 3, n=16), 0)
        for function in [*fold.FUNCTIONS, *fold.CHOICES]:
            self.assertIsNone(value(view, function, 4, 3, n=2), function)
        features = [fold.Feature("c", "count", None, 9), fold.Feature("d", "count_distinct", "x", 9),
                    fold.Feature("e", "last_n", "x", 9, n=2)]
        self.assertEqual(view.fold("nobody", features, 9), [0, 0, None])
        self.assertFalse(view.has_rows("nobody"))

    def test_one_row_has_no_sample_deviation(self):
        view = view_of([(5, "k", 7.5)])
        for function, expected in (("stddev_samp", None), ("var_samp", None), ("stddev_pop", 0.0),
                                   ("var_pop", 0.0)):
            self.assertEqual(value(view, function, 5, 5), expected, function)

    def test_nulls_are_skipped(self):
        view = view_of([(1, "k", None), (2, "k", 3.0)])
        self.assertEqual(value(view, "count", 5, 5, None), 2)
        self.assertEqual(value(view, "count", 5, 5), 1)
        self.assertEqual(value(view, "mean", 5, 5), 3.0)
        self.assertIsNone(value(view, "sum", 1, 5))

    def test_where_leaves_the_key_known(self):
        view = view_of([(1, "k", 3.0)], where=lambda i: False)
        self.assertEqual(value(view, "count", 5, 5, None), 0)
        self.assertTrue(view.has_rows("k"))

    def test_offset_vector_chooses_rows(self):
        view = view_of([(1, "k", 1.0), (2, "k", 2.0), (3, "k", 4.0)])
        self.assertEqual(value(view, "sum", 9, 9, vector=[2]), 3.0)
        self.assertIsNone(value(view, "sum", 9, 9, vector=[0]))
        self.assertFalse(view.has_rows("k", [0]))
        self.assertTrue(view.has_rows("k", [1]))


    def test_lifetime_ends_like_any_window_and_has_no_beginning(self):
        view = view_of([(t, "k", 1.0) for t in (-10**15, 10, 15, 20, 21)])
        for closed, expected in (("right", 4), ("left", 3), ("both", 4), ("neither", 3)):
            self.assertEqual(value(view, "count", 20, None, None, closed=closed), expected, closed)
        self.assertEqual(value(view, "count", 20, None, None, offset=5), 3)
        self.assertEqual(value(view, "sum", 99, None, vector=[2]), 2.0)
        [feature] = fold.aggregation("count", "count", None, ["lifetime"], "7d")
        self.assertEqual((feature.name, feature.window, feature.offset),
                         ("count_lifetime", None, 7 * fold.DAY))


class WindowKindsTest(unittest.TestCase):
    """The examples of docs/semantics.md, and changes of clocks that are on record."""

    def value(self, rows, feature, as_of):
        view = view_of([(fold.parse_time(t), "k", x) for t, x in rows])
        return view.fold("k", [feature], fold.parse_time(as_of))[0]

    def test_a_day_of_23_hours(self):
        rows = [("2018-03-24T23:30:00Z", 1.0), ("2018-03-25T21:59:59Z", 2.0),
                ("2018-03-25T22:00:00Z", 4.0)]
        for closed, expected in (("left", [None, 3.0, 3.0, 4.0]),
                                 ("right", [None, 7.0, 7.0, None])):
            [day] = fold.stepped("s", "sum", "x", ["1d"], "1d", "Europe/Berlin", closed=closed)
            self.assertEqual([self.value(rows, day, t) for t in (
                "2018-03-25T21:59:59Z", "2018-03-25T22:00:00Z", "2018-03-26T21:59:59.999999Z",
                "2018-03-26T22:00:00Z")], expected, closed)

    def test_hours_weeks_and_months(self):
        rows = [("2018-03-31T22:30:00Z", 1.0), ("2018-04-01T21:59:00Z", 2.0),
                ("2018-04-02T00:00:00Z", 4.0)]
        for every, window, zone, as_of, expected in (
                ("1w", "1w", "Europe/Berlin", "2018-04-01T21:59:59Z", None),
                ("1w", "7d", "Europe/Berlin", "2018-04-01T22:00:00Z", 3.0),
                ("1w", "7d", "Europe/Berlin", "2018-04-08T22:00:00Z", 4.0),
                ("1mo", "1mo", "Europe/Berlin", "2018-04-30T21:59:59Z", None),
                ("1mo", "1mo", "Europe/Berlin", "2018-04-30T22:00:00Z", 7.0),
                ("1mo", "2mo", "UTC", "2018-04-15T00:00:00Z", 1.0),
                ("1h", "1h", "UTC", "2018-03-31T23:59:59Z", 1.0),
                ("1h", "lifetime", "UTC", "2018-04-02T00:59:59Z", 3.0)):
            [feature] = fold.stepped("s", "sum", "x", [window], every, zone)
            self.assertEqual(self.value(rows, feature, as_of), expected, (every, window, as_of))

    def test_days_without_and_with_two_midnights(self):
        for day, zone, expected in (
                ((2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
                ((2018, 2, 18), "America/Sao_Paulo", "2018-02-18T03:00:00Z"),
                ((2018, 11, 4), "America/Havana", "2018-11-04T04:00:00Z"),
                ((2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00:00Z"),
                ((2011, 12, 31), "Pacific/Apia", "2011-12-30T10:00:00Z")):
            start = fold.start_of_day(datetime.date(*day), zoneinfo.ZoneInfo(zone))
            self.assertEqual(fold.format_time(start), expected, (day, zone))

    def test_sessions(self):
        rows = [(f"2018-04-01T{t}Z", 1.0) for t in ("10:00:00", "10:30:00", "11:00:00",
                                                   "11:30:01")]
        for longest, closed, as_of, expected in (
                ("1d", "right", "11:00:00", 3), ("1d", "right", "11:30:00", 3),
                ("1d", "right", "11:30:00.000001", 0), ("1d", "right", "11:30:01", 1),
                ("45m", "right", "11:00:00", 2), ("30m", "right", "11:00:00", 2),
                ("1d", "left", "11:00:00", 2), ("1d", "right", "09:00:00", 0)):
            feature = fold.session("s", "count", None, "30m", longest, closed=closed)
            self.assertEqual(self.value(rows, feature, f"2018-04-01T{as_of}Z"), expected,
                             (longest, closed, as_of))

    def test_a_session_is_of_the_rows_that_count(self):
        view = view_of([(1, "k", 1.0), (2, "k", 1.0), (3, "k", 1.0)])
        feature = fold.Feature("s", "count", None, 100, gap=1)
        self.assertEqual(view.fold("k", [feature], 3), [3])
        self.assertEqual(view.fold("k", [feature], 3, [2]), [2])
        view = view_of([(1, "k", 1.0), (2, "k", 1.0), (3, "k", 1.0)], where=lambda i: i != 1)
        self.assertEqual(view.fold("k", [feature], 3), [1])

    def test_a_default_stands_for_null_alone(self):
        rows = [("2018-04-01T10:00:00Z", 0.0)]
        feature = fold.Feature("d", "sum", "x", fold.HOUR, default=-1.0)
        self.assertEqual(self.value(rows, feature, "2018-04-01T10:30:00Z"), 0.0)
        self.assertEqual(self.value(rows, feature, "2018-04-01T11:30:00Z"), -1.0)
        self.assertEqual(view_of([]).fold("nobody", [feature], 0), [-1.0])


class DuplicatesTest(unittest.TestCase):
    """The example of docs/semantics.md."""

    def view(self, *more, where=None, conditions=()):
        rows = [(600, 5), (640, 5), (680, 6), (740, 6), (740, 7), *more]
        events = fold.Events([r[0] for r in rows], [0] * len(rows), list(range(len(rows))),
                             {"key": ["k"] * len(rows), "id": [7] * len(rows),
                              "amount": [float(r[1]) for r in rows]})
        once = fold_duplicates.Deduplicate(("id",), 60, where, conditions)
        columns = {name: lambda e, name=name: e.columns[name] for name in ("id", "amount")}
        return fold.View(events, "key", columns, None, ("amount",), once)

    def test_rows_that_count(self):
        self.assertEqual(value(self.view(), "first_n", 1440, 1440, "amount", n=9), [5.0, 6.0])
        self.assertEqual(value(self.view((570, 1)), "sum", 1440, 1440, "amount"), 7.0)
        late = self.view((570, 1), (710, 2), where=lambda i: i != 6)
        self.assertEqual(value(late, "sum", 1440, 1440, "amount"), 7.0)
        late = self.view((570, 1), (710, 2))
        self.assertEqual(value(late, "sum", 1440, 1440, "amount"), 1.0)

    def test_only_rows_below_the_vector_precede(self):
        late = self.view((570, 1), (710, 2))
        self.assertEqual(value(late, "sum", 1440, 1440, "amount", vector=[5]), 11.0)

    def test_conditions_order_what_is_equal_otherwise(self):
        for passing in (5, 6):
            view = self.view((900, 4), (900, 4), conditions=[lambda i, p=passing: i == p])
            times = list(zip(view.logs["k"].times, view.logs["k"].offsets))
            self.assertEqual(times[-1], (900, 11 - passing))


class ChoosingTest(unittest.TestCase):
    def choices(self, rows, as_of=99, order=("x",), **parameters):
        view = view_of(rows, order=order)
        return {f: value(view, f, as_of, None, **parameters) for f in fold.CHOICES}

    def test_each_function(self):
        rows = list(enumerate("k" * 7))
        rows = [(*row, x) for row, x in zip(rows, [5, 3, 5, None, 9, 3, 1])]
        self.assertEqual(self.choices(rows, n=3), {
            "first": 5, "last": 1, "first_n": [5, 3, 5], "last_n": [9, 3, 1],
            "first_distinct_n": [5, 3, 9], "last_distinct_n": [9, 3, 1],
            "top_k": [9, 5, 5], "bottom_k": [1, 3, 3]})
        self.assertEqual(self.choices(rows, as_of=4, n=3)["last_distinct_n"], [3, 5, 9])
        self.assertEqual(self.choices(rows, n=99)["last_n"], [5, 3, 5, 9, 3, 1])
        self.assertEqual(self.choices(rows, n=99)["last_distinct_n"], [5, 9, 3, 1])
        self.assertEqual(self.choices(rows, n=1)["top_k"], [9])
        view = view_of(rows)
        self.assertEqual(value(view, "count_distinct", 99, None, n=16), 4)
        self.assertEqual(value(view, "last_n", 99, None, vector=[3], n=2), [3, 5])

    def test_against_brute_force(self):
        rng = random.Random(3)
        for _ in range(300):
            rows = [(rng.randrange(6), "k", rng.randrange(5)) for _ in range(rng.randint(1, 20))]
            n = rng.randint(1, 6)
            ordered = [x for _, _, x in sorted(rows)]
            firsts = sorted(set(ordered), key=ordered.index)
            lasts = sorted(set(ordered), key=lambda x: len(ordered) - ordered[::-1].index(x))
            got = self.choices(rows, n=n)
            self.assertEqual(got["first_distinct_n"], firsts[:n], rows)
            self.assertEqual(got["last_distinct_n"], lasts[-n:], rows)
            self.assertEqual(got["first_n"], ordered[:n], rows)
            self.assertEqual(got["last_n"], ordered[-n:], rows)
            self.assertEqual(got["top_k"], sorted(ordered)[::-1][:n], rows)
            self.assertEqual(got["bottom_k"], sorted(ordered)[:n], rows)

    def test_ties_are_ordered_by_the_columns_of_the_view(self):
        nan = math.nan
        rows = [(1, "k", x, y) for x, y in ((2.0, "b"), (nan, "a"), (-0.0, "c"), (0.0, "b"),
                                            (2.0, "a"))] + [(1, "k", None, "d")]
        features = [fold.Feature("f", "last_n", "y", None, n=9)]
        for order, expected in ((("x", "y"), "cbabad"), (("y", "x"), "aabbcd")):
            got = view_of(rows, order=order).fold("k", features, 9)
            self.assertEqual("".join(got[0]), expected, order)
        # Arrival plays no part.
        for seed in range(20):
            random.Random(seed).shuffle(rows)
            self.assertEqual("".join(view_of(rows, order=("x", "y")).fold("k", features, 9)[0]),
                             "cbabad")

    def test_order_of_a_view(self):
        features = [fold.Feature("a", "count"), fold.Feature("b", "sum", "x"),
                    fold.Feature("c", "last", "y"), fold.Feature("d", "mean", "x")]
        self.assertEqual(fold.order_of(features), ["x", "y"])
        self.assertEqual(fold.order_of(features, ["z", "y"]), ["z", "y", "x"])

    def test_values_of_every_type(self):
        nan, inf = math.nan, math.inf
        doubles = [(i, "k", x) for i, x in enumerate([0.0, nan, -0.0, inf, nan, 0.0])]
        got = self.choices(doubles, n=9)
        self.assertEqual(fold.bits(got["first_distinct_n"]), fold.bits([0.0, nan, -0.0, inf]))
        self.assertEqual(fold.bits(got["top_k"]), fold.bits([nan, nan, inf, 0.0, 0.0, -0.0]))
        self.assertEqual(fold.bits(got["bottom_k"][:2]), fold.bits([-0.0, 0.0]))
        self.assertEqual(value(view_of(doubles), "count_distinct", 9, None, n=16), 4)
        texts = [(i, "k", x) for i, x in enumerate(["b", "\u00e9", "Z", "b", "\U0001f600", "\uffff"])]
        self.assertEqual(self.choices(texts, n=9)["bottom_k"],
                         ["Z", "b", "b", "\u00e9", "\uffff", "\U0001f600"])
        flags = [(i, "k", x) for i, x in enumerate([True, False, True])]
        self.assertIs(self.choices(flags, n=1)["last"], True)
        self.assertEqual(self.choices(flags, n=1)["first_distinct_n"], [True])
        self.assertEqual(value(view_of(flags), "count_distinct", 9, None, n=16), 2)

    def test_count_distinct_is_exact_up_to_its_bound_only(self):
        view = view_of([(i, "k", i) for i in range(17)])
        self.assertEqual(value(view, "count_distinct", 15, None, n=16), 16)
        with self.assertRaises(ValueError):
            value(view, "count_distinct", 16, None, n=16)


class GroupsTest(unittest.TestCase):
    """The example of docs/semantics.md, and what is in no entry."""

    ROWS = [(10, "k", 3.0, "food"), (20, "k", 10.0, "fuel"), (30, "k", 4.0, "food"),
            (40, "k", 100.0, None), (50, "k", None, "rent")]

    def value(self, function, column="x", as_of=50, **others):
        feature = fold.Feature("f", function, column, None, by="y", **others)
        return view_of(self.ROWS).fold("k", [feature], as_of)[0]

    def test_each_function(self):
        self.assertEqual(self.value("sum"), {"food": 7.0, "fuel": 10.0, "rent": None})
        self.assertEqual(self.value("count", None), {"food": 2, "fuel": 1, "rent": 1})
        self.assertEqual(self.value("count"), {"food": 2, "fuel": 1, "rent": 0})
        self.assertEqual(self.value("stddev_samp"),
                         {"food": math.sqrt(0.5), "fuel": None, "rent": None})
        self.assertEqual(self.value("last", as_of=40), {"food": 4.0, "fuel": 10.0})
        self.assertEqual(self.value("decayed_count", None, as_of=40, half_life=10),
                         {"food": 0.625, "fuel": 0.25})
        self.assertEqual(list(self.value("sum")), ["food", "fuel", "rent"])

    def test_the_smallest_hashes_stay(self):
        self.assertEqual(self.value("sum", max_groups=2), {"food": 7.0, "rent": None})

    def test_nothing_is_null_and_never_empty(self):
        self.assertIsNone(self.value("count", None, as_of=9))
        self.assertEqual(self.value("count", None, as_of=9, default={}), {})
        feature = fold.Feature("f", "count", None, None, by="y")
        self.assertEqual(view_of([]).fold("k", [feature], 9), [None])


class ExactnessTest(unittest.TestCase):
    def test_sum_rounds_once(self):
        view = view_of([(i, "k", x) for i, x in enumerate([1e16, 1.0, 1.0, -1e16])])
        self.assertEqual(value(view, "sum", 9, 99), 2.0)
        self.assertNotEqual(1e16 + 1.0 + 1.0 - 1e16, 2.0)

    def test_sum_against_fsum_and_means_against_statistics(self):
        rng = random.Random(1)
        for _ in range(300):
            xs = [rng.choice([round(rng.uniform(0, 300), 2), rng.gauss(0, 1e-3),
                              rng.uniform(-1e12, 1e12)]) for _ in range(rng.randint(2, 40))]
            view = view_of([(i, "k", x) for i, x in enumerate(xs)])
            # statistics folds with fractions and rounds once, roots included.
            for function, expected in (
                    ("sum", math.fsum(xs)), ("mean", statistics.mean(xs)),
                    ("min", min(xs)), ("max", max(xs)),
                    ("var_pop", statistics.pvariance(xs)), ("var_samp", statistics.variance(xs)),
                    ("stddev_pop", statistics.pstdev(xs)), ("stddev_samp", statistics.stdev(xs))):
                self.assertEqual(fold.bits(value(view, function, 99, 999)), fold.bits(expected),
                                 (function, xs))

    def test_square_root_is_nearest(self):
        rng = random.Random(2)
        with decimal.localcontext() as context:
            context.prec = 400
            for _ in range(500):
                p = rng.getrandbits(rng.randint(1, 300)) + 1
                q = rng.getrandbits(rng.randint(1, 300)) + 1
                root = fold_exact.square_root(p, q)
                exact = (decimal.Decimal(p) / decimal.Decimal(q)).sqrt()
                error = abs(decimal.Decimal(root) - exact)
                for other in (math.nextafter(root, 0), math.nextafter(root, math.inf)):
                    self.assertLessEqual(error, abs(decimal.Decimal(other) - exact), (p, q))

    def test_square_root_of_halfway_cases(self):
        # (2^53 + 1)^2 has a root exactly between two doubles: the even one is right. One more, and
        # the root lies above the middle.
        middle = (2**53 + 1) ** 2
        self.assertEqual(fold_exact.square_root(middle, 1), float(2**53))
        self.assertEqual(fold_exact.square_root(middle * 2**200 + 1, 2**200), float(2**53 + 2))
        self.assertEqual(fold_exact.square_root(middle * 2**200 - 1, 2**200), float(2**53))
        self.assertEqual(fold_exact.square_root(4, 9), 2 / 3)

    def test_equal_values_have_no_deviation(self):
        view = view_of([(i, "k", 0.1) for i in range(7)])
        self.assertEqual(fold.bits(value(view, "stddev_samp", 99, 999)), fold.bits(0.0))

    def test_nan_and_infinities(self):
        inf, nan = math.inf, math.nan
        for xs, total in (([1.0, inf], inf), ([inf, -inf], nan), ([1.0, nan], nan),
                          ([-inf, 2.0], -inf), ([1.7e308, 1.7e308], inf)):
            view = view_of([(i, "k", x) for i, x in enumerate(xs)])
            self.assertEqual(fold.bits(value(view, "sum", 9, 99)), fold.bits(total), xs)
            for function in ("var_pop", "stddev_samp"):
                if not all(map(math.isfinite, xs)):
                    self.assertTrue(math.isnan(value(view, function, 9, 99)), xs)

    def test_order_of_nan_and_zeros(self):
        inf, nan = math.inf, math.nan
        for xs, least, greatest in (([nan, 1.0, inf], 1.0, nan), ([nan, nan], nan, nan),
                                    ([0.0, -0.0, 0.0], -0.0, 0.0), ([-inf, -0.0], -inf, -0.0),
                                    ([-1e-300, -0.0, 1e-300], -1e-300, 1e-300)):
            view = view_of([(i, "k", x) for i, x in enumerate(xs)])
            self.assertEqual(fold.bits(value(view, "min", 9, 99)), fold.bits(least), xs)
            self.assertEqual(fold.bits(value(view, "max", 9, 99)), fold.bits(greatest), xs)

    def test_sums_of_zero(self):
        for xs, expected in (([-0.0, -0.0], -0.0), ([-0.0, 0.0], 0.0), ([-0.0, 1.5, -1.5], 0.0),
                             ([-0.0, 2.0], 2.0)):
            view = view_of([(i, "k", x) for i, x in enumerate(xs)])
            self.assertEqual(fold.bits(value(view, "sum", 9, 99)), fold.bits(expected), xs)
            self.assertEqual(value(view, "var_pop", 9, 99), statistics.pvariance(xs))

    def test_integers_stay_integers(self):
        view = view_of([(i, "k", x) for i, x in enumerate([2**62, 5, -7])])
        self.assertEqual(value(view, "sum", 9, 99), 2**62 - 2)
        self.assertEqual(value(view, "mean", 9, 99), float(fractions.Fraction(2**62 - 2, 3)))
        self.assertEqual(value(view, "max", 9, 99), 2**62)
        view = view_of([(i, "k", 2**62) for i in range(2)])
        self.assertIsNone(value(view, "sum", 9, 99))
        self.assertEqual(value(view, "sum", 0, 99), 2**62)


class FilesTest(unittest.TestCase):
    def test_offsets_are_the_bytes_of_record_starts(self):
        with tempfile.TemporaryDirectory() as directory:
            csv = Path(directory, "a.csv")
            csv.write_text("id,event_time,v\n7,1970-01-01T00:00:01Z,0.5\nx,nonsense,1\n"
                           "8,1970-01-01T00:00:02.000001Z,2.5\n")
            ndjson = Path(directory, "b.ndjson")
            ndjson.write_text('{"id":"7","event_time":"1970-01-01T00:00:03Z","v":1}\n')
            events = fold.read_files([csv, ndjson], {"id": str, "v": float})
        self.assertEqual(events.times, [1_000_000, 2_000_001, 3_000_000])
        self.assertEqual(events.offsets, [16, 56, 0])
        self.assertEqual(events.partitions, [0, 0, 1])
        self.assertEqual(events.end_offsets, [90, 53])
        self.assertEqual(events.bad_records, 1)

    def test_times_and_durations(self):
        self.assertEqual(fold.format_time(fold.parse_time("2018-04-01T00:00:31Z")),
                         "2018-04-01T00:00:31Z")
        self.assertEqual(fold.format_time(1), "1970-01-01T00:00:00.000001Z")
        self.assertEqual(fold.parse_duration("7d"), 7 * fold.DAY)
        self.assertEqual(fold.parse_duration("90s"), 90 * fold.US_PER_SECOND)
        self.assertEqual(fold.parse_duration("5ms"), 5000)

    def test_values_of_another_type_or_bit_differ(self):
        self.assertNotEqual(fold.bits(1), fold.bits(1.0))
        self.assertNotEqual(fold.bits(0.0), fold.bits(-0.0))
        self.assertNotEqual(fold.bits(0.1 + 0.2), fold.bits(0.3))
        self.assertNotEqual(fold.bits([1]), fold.bits([1.0]))
        self.assertNotEqual(fold.bits([1, 2]), fold.bits([2, 1]))
        self.assertNotEqual(fold.bits([]), fold.bits(None))
        self.assertNotEqual(fold.bits(["1"]), fold.bits([1]))
        self.assertNotEqual(fold.bits(True), fold.bits(1))

    def test_values_as_a_store_answers_them(self):
        self.assertEqual(fold.as_json([math.nan, -math.inf, 1.5, "NaN", 3]),
                         ["NaN", "-Infinity", 1.5, "NaN", 3])
        self.assertIsNone(fold.as_json(None))


if __name__ == "__main__":
    unittest.main()
