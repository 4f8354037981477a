"""The parity shows as tests: each raises on the first value that is not what it must be."""

import unittest

import show_bad_events
import show_card_transactions
import show_decimals
import show_deduplicated
import show_generated_days
import show_hot_key
import show_kafka
import show_nested
import show_parquet
import show_savepoint
import show_source_changed
import show_training_set
import show_union
import show_update
import show_window_kinds
from cluster import QUICK


class ShowsTest(unittest.TestCase):
    def test_card_transactions(self):
        arguments = ["--replay=400000x", "--moments=200"] if QUICK else []
        self.assertEqual(show_card_transactions.main(arguments), 0)

    def test_generated_days(self):
        arguments = ["--events=300000", "--replay=1500000x"] if QUICK else []
        self.assertEqual(show_generated_days.main(arguments), 0)

    def test_hot_key(self):
        self.assertEqual(show_hot_key.main(["--quick"]), 0)

    def test_kafka(self):
        arguments = ["--rows=60000", "--rate=10000", "--outage=5"] if QUICK else []
        self.assertEqual(show_kafka.main(arguments), 0)

    def test_bad_events(self):
        arguments = ["--events=150000", "--bad=2000", "--rate=12000"] if QUICK else []
        self.assertEqual(show_bad_events.main(arguments), 0)

    def test_savepoint(self):
        self.assertEqual(show_savepoint.main(["--quick"] if QUICK else []), 0)

    def test_update(self):
        self.assertEqual(show_update.main(["--hours=200"] if QUICK else []), 0)

    def test_window_kinds(self):
        arguments = ["--events=3000", "--customers=15", "--moments=20"] if QUICK else []
        self.assertEqual(show_window_kinds.main(arguments), 0)

    def test_union(self):
        self.assertEqual(show_union.main(["--events=1000"] if QUICK else []), 0)

    def test_decimals(self):
        self.assertEqual(show_decimals.main(["--events=1000"] if QUICK else []), 0)

    def test_deduplicated(self):
        self.assertEqual(show_deduplicated.main(["--events=1000"] if QUICK else []), 0)

    def test_nested(self):
        self.assertEqual(show_nested.main(["--events=1000"] if QUICK else []), 0)

    def test_parquet(self):
        rows = 5_000 if QUICK else 20_000
        self.assertEqual(show_parquet.main([f"--rows={rows}"]), 0)

    def test_source_changed(self):
        self.assertEqual(show_source_changed.main([]), 0)

    def test_training_set(self):
        # All rows, in minutes: tests/parity/show_training_set.py --rows 0
        rows = 20_000 if QUICK else 40_000
        self.assertEqual(show_training_set.main([f"--rows={rows}"]), 0)


if __name__ == "__main__":
    unittest.main()
