"""The job of the parity shows and the folds of its views say the same of every feature."""

import re
import unittest

import cards
import fold


class JobTest(unittest.TestCase):
    def test_views_have_the_features_of_the_job(self):
        events = fold.Events(times=[1], partitions=[0], offsets=[0], end_offsets=[1],
                             columns={"transaction_id": [1], "customer_id": ["a"],
                                      "terminal_id": ["b"], "amount": [1.0], "is_fraud": [True]})
        yaml = cards.job_yaml("j", "*.csv")
        names = {}
        for line in yaml.splitlines():
            if found := re.match(r"  (\w+):$", line):
                view = names.setdefault(found[1], [])
            elif found := re.match(r"      - {name: (\w+),.* windows: \[([^]]*)\]", line):
                view += [f"{found[1]}_{window}" for window in found[2].split(", ")]
        for view in cards.views(events):
            self.assertEqual([f.name for f in view.features], names[view.name])
            self.assertTrue(view.lifetime)
            [key] = view.rows.logs
            # Each column that an aggregation names is there: folding reads them all.
            values = view.rows.fold(key, view.features, 8 * fold.DAY)
            self.assertEqual(values[view.features.index(next(
                f for f in view.features if f.window is None))], 1)

    def test_without_lifetime(self):
        yaml = cards.job_yaml("j", "*.csv", ["1h"], ["1d", "7d"])
        self.assertNotIn("lifetime", yaml)
        self.assertIn("windows: [1h], offset: 0s", yaml)


if __name__ == "__main__":
    unittest.main()
