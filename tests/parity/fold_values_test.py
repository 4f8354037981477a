"""The fold's other functions against known vectors, other formulas and the fold's own rows."""

import fractions
import math
import random
import statistics
import unittest

import fold
import fold_values
from fold_test import view_of

Fraction = fractions.Fraction


def of(function, values, times=None, **parameters):
    rows = [(t, "k", x) for t, x in zip(times or range(len(values)), values)]
    feature = fold.Feature("f", function, "x", None, **parameters)
    return view_of(rows).fold("k", [feature], 1000)[0]


class Shapes(unittest.TestCase):
    def test_known_values(self):
        self.assertEqual(of("skew", [1, 2, 4, 10]), 1.4693345482106233)
        self.assertEqual(of("kurtosis", [1.0, 2.0, 4.0, 10.0]), 2.0307692307692307)
        self.assertEqual(of("skew", [0.1, 0.2, 0.3]), of("skew", [0.1, 0.2, 0.3][::-1]))
        self.assertEqual(of("skew", [5.0] * 7), 0.0)
        self.assertIsNone(of("skew", [1, 2]))
        self.assertIsNone(of("kurtosis", [1, 2, 3]))
        self.assertEqual(of("kurtosis_pop", [1.0]), 0.0)
        self.assertTrue(math.isnan(of("skew", [1.0, 2.0, math.inf])))

    def test_formulas_in_doubles(self):
        random.seed(1)
        for _ in range(200):
            x = [random.uniform(-9, 9) for _ in range(random.randint(4, 40))]
            mean, sigma = statistics.fmean(x), statistics.pstdev(x)
            skew = sum((v - mean) ** 3 for v in x) / len(x) / sigma ** 3
            kurtosis = sum((v - mean) ** 4 for v in x) / len(x) / sigma ** 4 - 3
            self.assertAlmostEqual(of("skew_pop", x), skew, 9)
            self.assertAlmostEqual(of("kurtosis_pop", x), kurtosis, 9)


class Decay(unittest.TestCase):
    def test_halves(self):
        feature = fold.Feature("f", "decayed_sum", "x", 100, half_life=10)
        view = view_of([(980, "k", 8.0), (990, "k", 4.0), (1000, "k", 0.1), (985, "k", 1.0)])
        self.assertEqual(view.fold("k", [feature], 1000), [4.1 + 0.5 ** 1.5])
        self.assertEqual(view.fold("k", [feature], 2000), [None])

    def test_nothing_beyond_the_most_half_lives(self):
        self.assertEqual(of("decayed_count", [1, 1], [1000 - 64, 1000 - 65], half_life=1), 2.0 ** -64)


class Frequencies(unittest.TestCase):
    def test_worked_example(self):
        names = ["A", "B", "A", "C", "B"]
        self.assertEqual(of("histogram", names, bound=9), {"A": 2, "B": 2, "C": 1})
        self.assertEqual(of("top_k_by_frequency", names, n=2, bound=9), ["A", "B"])
        self.assertEqual(of("bottom_k_by_frequency", names, n=2, bound=9), ["C", "A"])
        self.assertEqual(of("top_k_by_frequency", names, n=1, bound=9, counts=True), {"A": 2})
        kept = min(["A", "B", "C"], key=fold_values.hash_of)
        self.assertEqual(list(of("histogram", names, bound=1)), [kept])

    def test_published_hashes(self):
        for text, expected in ((b"", 0x2D06800538D394C2), (b"a", 0xE6C632B61E964E1F),
                               (b"abc", 0x78AF5F94892F3950)):
            self.assertEqual(fold_values.xxh3(text), expected)


class Approximations(unittest.TestCase):
    def test_counts_are_close(self):
        for n in (0, 1, 7, 1000, 50_000):
            estimate = of("approx_count_distinct", list(range(n)), [0] * n, n=12)
            self.assertLessEqual(abs(estimate - n), 0.05 * n)

    def test_percentiles_are_within_their_accuracy(self):
        random.seed(2)
        for _ in range(100):
            x = [random.lognormvariate(0, 3) * random.choice((-1, 1)) for _ in range(200)]
            p = Fraction(random.randint(0, 10 ** 6), 10 ** 6)
            got = of("approx_percentile", x, percentile=p, accuracy=Fraction(1, 100), bound=16384)
            exact = sorted(x)[math.floor(p * 199)]
            self.assertLessEqual(abs(got - exact), 0.01 * abs(exact) * (1 + 1e-12))

    def test_few_buckets_collapse(self):
        x = [2.0 ** k for k in range(100)]
        got = of("approx_percentile", x, percentile=Fraction(1), accuracy=Fraction(1, 100), bound=16)
        self.assertLess(abs(math.log2(got) - 99), 8)
