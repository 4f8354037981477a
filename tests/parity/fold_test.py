"""The fold against formulas of other people: the statistics module, fractions, high precision."""

import decimal
import fractions
import math
import random
import statistics
import tempfile
import unittest
from pathlib import Path

import fold


def view_of(rows, where=None):
    """A view over (time, key, value) rows, all of source partition 0 with offsets 0, 1, 2, ..."""
    events = fold.Events(times=[r[0] for r in rows], partitions=[0] * len(rows),
                         offsets=list(range(len(rows))),
                         columns={"key": [r[1] for r in rows], "x": [r[2] for r in rows]})
    return fold.View(events, "key", {"x": lambda e: e.columns["x"]}, where)


def value(view, function, as_of, window, column="x", offset=0, closed="right", vector=None):
    feature = fold.Feature("f", function, column, window, offset, closed)
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
        for function in fold.FUNCTIONS:
            self.assertIsNone(value(view, function, 4, 3), function)
        self.assertEqual(view.fold("nobody", [fold.Feature("c", "count", None, 9)], 9), [0])
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
                root = fold.square_root(p, q)
                exact = (decimal.Decimal(p) / decimal.Decimal(q)).sqrt()
                error = abs(decimal.Decimal(root) - exact)
                for other in (math.nextafter(root, 0), math.nextafter(root, math.inf)):
                    self.assertLessEqual(error, abs(decimal.Decimal(other) - exact), (p, q))

    def test_square_root_of_halfway_cases(self):
        # (2^53 + 1)^2 has a root exactly between two doubles: the even one is right. One more, and
        # the root lies above the middle.
        middle = (2**53 + 1) ** 2
        self.assertEqual(fold.square_root(middle, 1), float(2**53))
        self.assertEqual(fold.square_root(middle * 2**200 + 1, 2**200), float(2**53 + 2))
        self.assertEqual(fold.square_root(middle * 2**200 - 1, 2**200), float(2**53))
        self.assertEqual(fold.square_root(4, 9), 2 / 3)

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
        self.assertEqual(fold.bits(fold.from_json("NaN")), fold.bits(math.nan))


if __name__ == "__main__":
    unittest.main()
