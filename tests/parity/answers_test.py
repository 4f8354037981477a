"""The checker itself: it accepts what the fold says, and notices the smallest difference."""

import math
import unittest

import answers
import fold

FEATURES = tuple(fold.aggregation("count", "count", None, ["1h"])
                 + fold.aggregation("amount_sum", "sum", "amount", ["1h", "1d"])
                 + fold.aggregation("amount_last_n", "last_n", "amount", ["lifetime"], n=3))


def view(lifetime=False):
    times = [fold.HOUR * i for i in range(6)]
    events = fold.Events(times=times, partitions=[0, 1] * 3, offsets=[0, 0, 10, 10, 20, 20],
                         columns={"id": ["a", "b", "a", "a", "b", "a"],
                                  "amount": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]})
    rows = fold.View(events, "id", {"amount": lambda e: e.columns["amount"]},
                     order=fold.order_of(FEATURES))
    return answers.ViewUnderTest("v", "id", FEATURES, rows, lifetime)


def response(under_test, keys, as_of, vectors):
    """What a correct store would answer."""
    results = []
    for feature in FEATURES:
        values, statuses = [], []
        for key, vector in zip(keys, vectors):
            ready = vector is not None
            known = ready and under_test.rows.has_rows(key, vector)
            values.append(under_test.rows.fold(key, [feature], as_of, vector)[0] if ready else None)
            statuses.append("PRESENT" if known else "NOT_FOUND" if ready else "NOT_READY")
        results.append({"feature": f"v.{feature.name}", "values": values, "statuses": statuses,
                        "resolution_us": [0] * len(keys)})
    versions = [v and {"key_partition": 0, "version": [1, 1],
                       "offset_vector": [[o, "-infinity"] for o in v]} for v in vectors]
    return {"job": "j", "as_of": fold.format_time(as_of), "results": results,
            "offsets": {"v": versions}}


class CheckTest(unittest.TestCase):
    keys = ["a", "b", "a", "b"]
    vectors = [[21, 21], [11, 11], None, [0, 0]]
    as_of = 5 * fold.HOUR

    def mismatches(self, change=None, end_vector=None, lifetime=True):
        under_test = view(lifetime)
        body = response(under_test, self.keys, self.as_of, self.vectors)
        if change:
            change(body)
        tally = answers.Tally()
        answers.check_answer(under_test, self.keys, body, tally, end_vector)
        return tally

    def test_a_correct_answer(self):
        tally = self.mismatches()
        self.assertEqual((tally.mismatches, tally.answers, tally.values), (0, 3, 12))
        self.assertEqual((tally.not_ready, tally.not_found, len(tally.vectors)), (1, 4, 3))

    def test_one_bit(self):
        def change(body):
            values = body["results"][2]["values"]
            values[0] = float.fromhex((values[0]).hex()[:-4] + "1p+0")
        self.assertEqual(self.mismatches(change).mismatches, 1)

    def test_one_record_more_or_less(self):
        for offset in (20, 10):
            def change(body, offset=offset):
                body["offsets"]["v"][0]["offset_vector"][1][0] = offset
            self.assertGreater(self.mismatches(change).mismatches, 0, offset)

    def test_an_integer_for_a_double(self):
        def change(body):
            body["results"][0]["values"][0] = float(body["results"][0]["values"][0])
        self.assertEqual(self.mismatches(change).mismatches, 1)

    def test_lists(self):
        def order(body):
            body["results"][3]["values"][0].reverse()

        def length(body):
            body["results"][3]["values"][0].pop()

        def empty(body):
            body["results"][3]["values"][3] = []

        def bit(body):
            values = body["results"][3]["values"][0]
            values[1] = math.nextafter(values[1], 0)

        for change in (order, length, empty, bit):
            self.assertEqual(self.mismatches(change).mismatches, 1, change.__name__)

    def test_a_key_with_a_row_is_there_for_ever_if_a_lifetime_window_is(self):
        # As of the epoch no window of b has a row, but it has rows.
        under_test = view()
        for lifetime, expected in ((False, 0), (True, 1)):
            body = response(under_test, ["b"], 0, [[11, 11]])
            body["results"][0]["statuses"][0] = "NOT_FOUND"
            tally = answers.Tally()
            answers.check_answer(view(lifetime), ["b"], body, tally)
            self.assertEqual(tally.mismatches, expected, lifetime)

    def test_wrong_statuses(self):
        def not_found(body):
            body["results"][0]["statuses"][0] = "NOT_FOUND"

        def present(body):
            body["results"][0]["statuses"][3] = "PRESENT"

        def value_when_not_ready(body):
            body["results"][0]["values"][2] = 0

        for change in (not_found, present, value_when_not_ready):
            self.assertEqual(self.mismatches(change).mismatches, 1, change.__name__)

    def test_a_missing_feature_and_an_incomplete_vector(self):
        self.assertEqual(self.mismatches(lambda body: body["results"].pop()).mismatches, 1)
        self.assertGreater(self.mismatches(end_vector=[21, 21]).mismatches, 0)

    def test_mismatches_are_raised(self):
        tally = self.mismatches(lambda body: body["results"].pop())
        with self.assertRaisesRegex(AssertionError, "1 mismatches"):
            tally.require_none()
        self.mismatches().require_none()


if __name__ == "__main__":
    unittest.main()
