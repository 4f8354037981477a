"""Leaves of hot keys against values worked out by hand, and against a definition row by row."""

import random
import unittest

import fold
import fold_bound
from fold import Feature


class FoldBoundTest(unittest.TestCase):
    def view(self, times, bound):
        events = fold.Events(times=list(times), partitions=[0] * len(times),
                             offsets=list(range(len(times))), columns={"k": ["a"] * len(times)})
        return fold.View(events, "k", {}, bound=bound)

    def count(self, view, as_of, window):
        features = [Feature("n", "count", None, window)]
        return (view.fold("a", features, as_of)[0], view.resolutions("a", features, as_of)[0])

    def test_the_example_of_the_docs(self):
        times = [2048] * 16 + [2148] * 16 + [2248] * 16 + [2348] * 16
        bound = fold_bound.Bound(tile=1024, max_rows=64, leaves=4)
        few = self.view(times, bound)
        self.assertEqual(self.count(few, 2200, 100), (16, 0))
        many = self.view(times + [2450] * 16, bound)
        self.assertEqual({width for _, _, width in
                          fold_bound.leaves_of(many.logs["a"].times, bound)}, {128})
        self.assertEqual(self.count(many, 2200, 200), (32, 0))
        self.assertEqual(self.count(many, 2200, 100), (0, 128))
        self.assertEqual(self.count(many, 2500, 400), (48, 128))
        self.assertEqual(self.count(many, 2100, 20), (0, 128))
        self.assertEqual(self.count(many, 2460, 20), (16, 0))

    def test_leaves_row_by_row(self):
        rng = random.Random(1)
        for _ in range(200):
            times = sorted(rng.randrange(-3000, 3000) for _ in range(rng.randrange(1, 200)))
            bound = fold_bound.Bound(1024, rng.randrange(5, 60), rng.randrange(1, 9),
                                     2 ** rng.randrange(5))
            leaves = fold_bound.leaves_of(times, bound)
            as_of, window = rng.randrange(-3000, 3000), rng.randrange(1, 3000)
            begin, end = fold.window_bounds(times, Feature("n", "count", None, window), as_of)
            rows, resolution = fold_bound.counted(times, begin, end, leaves)
            expected, width_of = [], 0
            for i, time in enumerate(times):
                leaf = next(((b, e, w) for b, e, w in leaves if b <= i < e), (i, i + 1, 0))
                of_leaf = times[leaf[0]:leaf[1]]
                if all(as_of - window < t <= as_of for t in of_leaf):
                    expected.append(i)
                elif of_leaf[0] <= as_of and of_leaf[-1] > as_of - window:
                    width_of = max(width_of, leaf[2])
            self.assertEqual(rows, expected)
            self.assertEqual(resolution, width_of)

    def test_sessions_do_not_see_into_leaves(self):
        times = [0] * 10 + [30] * 10 + [60] * 10 + [200]
        feature = Feature("n", "count", None, 1000, gap=40)
        exact = fold_bound.Bound(1024, 100, 1)
        self.assertEqual(self.session(times, feature, 210, exact), ([30], 0))
        self.assertEqual(self.session(times, feature, 61, exact), (list(range(30)), 0))
        folded = fold_bound.Bound(1024, 10, 2)  # leaves of 64: 0 to 60, and 200
        self.assertEqual(self.session(times, feature, 61, folded), (list(range(30)), 64))
        self.assertEqual(self.session(times, feature, 59, folded), ([], 64))

    def session(self, times, feature, high, bound):
        return fold_bound.session(times, feature, high, True, fold_bound.leaves_of(times, bound))


if __name__ == "__main__":
    unittest.main()
