"""The parity shows as tests: each raises on the first value that differs from the fold."""

import unittest

import show_card_transactions
import show_generated_days
from cluster import QUICK


class ShowsTest(unittest.TestCase):
    def test_card_transactions(self):
        arguments = ["--replay=400000x", "--moments=200"] if QUICK else []
        self.assertEqual(show_card_transactions.main(arguments), 0)

    def test_generated_days(self):
        arguments = ["--events=300000", "--replay=1500000x"] if QUICK else []
        self.assertEqual(show_generated_days.main(arguments), 0)


if __name__ == "__main__":
    unittest.main()
