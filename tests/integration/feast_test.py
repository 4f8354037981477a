"""Feast's own Python SDK reads a job's features from the store, and understands what it refuses."""

import http.client
import http.server
import json
import os
import random
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import cluster as tidemill

HERE = Path(__file__).resolve().parent
DEADLINE_S = 60
JOB = """job: payments
allowed_lateness: 1h
sources:
  transactions:
    schema: {event_time: timestamp, customer_id: string, terminal_id: int64, amount: double,
             city: string}
    event_time: event_time
    stream: {files: "*.csv"}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 1d]}
      - {function: mean, column: amount, windows: [1h]}
      - {function: max, column: event_time, windows: [1d]}
      - {name: amounts, function: last_n, n: 3, column: amount, windows: [1d]}
      - {name: cities, function: last_distinct_n, n: 2, column: city, windows: [1d]}
      - {name: times, function: first_n, n: 2, column: event_time, windows: [1d]}
      - {name: terminals, function: top_k, k: 2, column: terminal_id, windows: [1h]}
  terminal:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {name: nb_tx, function: count, windows: [1d]}
      - {function: mean, column: amount, windows: [1h]}
  pair:
    source: transactions
    entity: [customer_id, terminal_id]
    aggregations:
      - {name: visits, function: count, windows: [1d]}
      - {name: spent, function: sum, column: amount, windows: [1d]}
services:
  fraud: {features: [customer.count_1h, customer.amounts_1d, terminal.nb_tx_1d, pair.*]}
"""
CUSTOMER = ["count_1h", "count_1d", "amount_mean_1h", "event_time_max_1d", "amounts_1d", "cities_1d",
            "times_1d", "terminals_1h"]
ROWS = [{"customer_id": f"c{i % 7}", "terminal_id": i % 4} for i in range(12)]


def events(count):
    """CSV of payments every two minutes of half a day."""
    draw = random.Random(7)
    lines = ["event_time,customer_id,terminal_id,amount,city"]
    for i in range(count):
        hour, minute = divmod(2 * i, 60)
        lines.append(f"2018-04-01T{hour:02}:{minute:02}:30.5Z,c{draw.randrange(5)},"
                     f"{draw.randrange(3)},{draw.random() * 100:.6f},"
                     f"{draw.choice(['Oslo', 'Lima', 'São Paulo', ''])}")
    return "\n".join(lines) + "\n"


class CountingProxy(http.server.ThreadingHTTPServer):
    """Passes requests on to a store and keeps what they were."""

    def __init__(self, store):
        super().__init__(("127.0.0.1", 0), CountingProxy.Handler)
        self.store = store
        self.requests = []  # (method, path, status)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            onward = http.client.HTTPConnection(self.server.store, timeout=DEADLINE_S)
            onward.request("POST", self.path, body, {"Content-Type": "application/json"})
            answer = onward.getresponse()
            text = answer.read()
            onward.close()
            self.server.requests.append(("POST", self.path, answer.status))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass


class FeastSdk:
    """A process of the virtual environment that keeps one FeatureStore open."""

    def __init__(self, python, path):
        self.process = subprocess.Popen([python, str(HERE / "feast_client.py"), path], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL,
                                        env={**os.environ, "FEAST_USAGE": "False"})

    def read(self, entities, full_feature_names=False, **what):
        call = {"entities": entities, "full_feature_names": full_feature_names, **what}
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"Feast's SDK has ended: exit code {self.process.wait(DEADLINE_S)}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(DEADLINE_S)


class FeastTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run = subprocess.run([str(HERE / "feast_venv")], text=True, stdout=subprocess.PIPE, check=True)
        directory = tempfile.TemporaryDirectory(prefix="tidemill-feast-")
        cls.addClassCleanup(directory.cleanup)
        Path(directory.name, "events.csv").write_text(events(300))
        cls.cluster = cls.enterClassContext(tidemill.Cluster(workers=2))
        cls.cluster.submit(JOB, directory.name)
        cls.cluster.wait_for_state("payments", "COMPLETED", DEADLINE_S)
        cls.proxy = CountingProxy(cls.cluster.store().address)
        cls.addClassCleanup(cls.proxy.server_close)
        cls.addClassCleanup(cls.proxy.shutdown)
        cls.path = "http://127.0.0.1:%d" % cls.proxy.server_port
        cls.python = run.stdout.strip()
        cls.sdk = FeastSdk(cls.python, cls.path)
        cls.addClassCleanup(cls.sdk.close)

    def values(self, *arguments, **options):
        outcome = self.sdk.read(*arguments, **options)
        self.assertNotIn("error", outcome)
        return outcome

    def wanted(self, view, names, keys):
        """What POST /v1/features says, in Feast's terms: by feature values and statuses."""
        status, body = self.cluster.read({"job": "payments", "features": [f"{view}.{n}" for n in names],
                                          "entities": keys})
        self.assertEqual(status, 200, body)
        out = {}
        for name, result in zip(names, body["results"]):
            found = [s == "PRESENT" for s in result["statuses"]]
            values = [v if f else None for v, f in zip(result["values"], found)]
            if "time" in name:  # in /v1/features, timestamps are microseconds
                values = [[t // 1_000_000 for t in v] if isinstance(v, list) else
                          None if v is None else v // 1_000_000 for v in values]
            out[name] = (values, result["statuses"])
        return out

    def assert_same(self, outcome, view, names, keys, prefix=""):
        for name, (values, statuses) in self.wanted(view, names, keys).items():
            got = outcome["values"][prefix + name]
            self.assertEqual(got, values, name)
            self.assertEqual(repr(got), repr(values), name)  # types and the bits of doubles
            self.assertEqual(outcome["statuses"][prefix + name], statuses, name)

    def test_present_and_missing_entities_of_several_views(self):
        before = len(self.proxy.requests)
        outcome = self.values(ROWS, features=[f"customer:{n}" for n in CUSTOMER]
                              + ["terminal:nb_tx_1d"])
        self.assertEqual(self.proxy.requests[before:], [("POST", "/get-online-features", 200)])
        keys = {k: [row[k] for row in ROWS] for k in ("customer_id", "terminal_id")}
        self.assertEqual(outcome["values"]["customer_id"], keys["customer_id"])
        self.assertEqual(outcome["values"]["terminal_id"], keys["terminal_id"])
        self.assert_same(outcome, "customer", CUSTOMER, {"customer_id": keys["customer_id"]})
        self.assert_same(outcome, "terminal", ["nb_tx_1d"], {"terminal_id": keys["terminal_id"]})
        # c5, c6 and terminal 3 are in no event; the others are in some.
        counts = outcome["values"]["count_1d"]
        self.assertEqual([v is None for v in counts], [k in ("c5", "c6") for k in keys["customer_id"]])
        self.assertGreater(min(v for v in counts if v is not None), 0)
        self.assertEqual(outcome["statuses"]["nb_tx_1d"][3], "NOT_FOUND")

    def test_list_features(self):
        outcome = self.values([{"customer_id": "c1"}],
                              features=["customer:amounts_1d", "customer:cities_1d"])
        self.assert_same(outcome, "customer", ["amounts_1d", "cities_1d"], {"customer_id": ["c1"]})
        self.assertEqual(len(outcome["values"]["amounts_1d"][0]), 3)
        self.assertEqual(len(outcome["values"]["cities_1d"][0]), 2)

    def test_composite_keys(self):
        rows = ROWS + [{"customer_id": "c1", "terminal_id": 77}]
        outcome = self.values(rows, features=["pair:visits_1d", "pair:spent_1d"])
        keys = {k: [row[k] for row in rows] for k in ("customer_id", "terminal_id")}
        self.assert_same(outcome, "pair", ["visits_1d", "spent_1d"], keys)
        self.assertIsNone(outcome["values"]["visits_1d"][-1])
        self.assertGreater(len({v for v in outcome["values"]["spent_1d"] if v is not None}), 3)
        error = self.refused([{"customer_id": "c1"}], features=["pair:visits_1d"])
        self.assertEqual(error["class"], "FeastError")
        self.assertIn("terminal_id", error["message"])

    def test_full_feature_names(self):
        names = ["amount_mean_1h", "count_1h"]
        features = [f"customer:{n}" for n in names] + ["terminal:amount_mean_1h"]
        outcome = self.values(ROWS, features=features, full_feature_names=True)
        self.assertEqual(set(outcome["values"]),
                         {"customer_id", "terminal_id", "customer__amount_mean_1h",
                          "customer__count_1h", "terminal__amount_mean_1h"})
        customers = {"customer_id": [row["customer_id"] for row in ROWS]}
        self.assert_same(outcome, "customer", names, customers, "customer__")
        self.assertEqual(self.refused(ROWS, features=features)["class"], "FeatureNameCollisionError")

    def test_a_feature_service(self):
        outcome = self.values(ROWS, service="fraud")
        keys = {k: [row[k] for row in ROWS] for k in ("customer_id", "terminal_id")}
        self.assertEqual(set(outcome["values"]) - set(keys),
                         {"count_1h", "amounts_1d", "nb_tx_1d", "visits_1d", "spent_1d"})
        self.assert_same(outcome, "customer", ["count_1h", "amounts_1d"],
                         {"customer_id": keys["customer_id"]})
        self.assert_same(outcome, "pair", ["visits_1d", "spent_1d"], keys)

    def test_keys_in_other_types(self):
        outcome = self.values([{"terminal_id": "1"}, {"terminal_id": 1.0}, {"terminal_id": 1}],
                              features=["terminal:nb_tx_1d"])
        self.assertEqual(outcome["values"]["terminal_id"], [1, 1, 1])
        self.assertEqual(len(set(outcome["values"]["nb_tx_1d"])), 1)

    def test_a_large_batch(self):
        rows = [{"customer_id": f"c{i}", "tx_amount": 1.5} for i in range(25_000)]
        outcome = self.values(rows, features=[f"customer:{n}" for n in CUSTOMER])
        self.assertEqual(len(outcome["values"]["count_1d"]), 25_000)
        self.assertEqual(outcome["values"]["count_1d"][5:], [None] * 24_995)
        self.assertNotIn("tx_amount", outcome["values"])

    def test_a_jobs_own_path(self):
        sdk = FeastSdk(self.python, self.path + "/jobs/payments")
        self.addCleanup(sdk.close)
        before = len(self.proxy.requests)
        outcome = sdk.read([{"customer_id": "c1"}], features=["customer:count_1d"])
        self.assert_same(outcome, "customer", ["count_1d"], {"customer_id": ["c1"]})
        self.assertEqual(self.proxy.requests[before:],
                         [("POST", "/jobs/payments/get-online-features", 200)])

    def refused(self, *arguments, **options):
        """What the SDK raises, after one request: it repeats those that are answered 429 or 5xx."""
        before = len(self.proxy.requests)
        outcome = self.sdk.read(*arguments, **options)
        self.assertEqual(len(self.proxy.requests), before + 1, outcome)
        self.assertIn("error", outcome)
        self.assertEqual(outcome["error"]["module"], "feast.errors", outcome)
        return outcome["error"]

    def test_what_does_not_exist_is_raised_at_once(self):
        error = self.refused(ROWS, features=["nope:count_1h"])
        self.assertEqual(error["class"], "FeatureViewNotFoundException")
        self.assertEqual(error["message"], "Feature view nope does not exist in project payments")
        error = self.refused(ROWS, service="nope")
        self.assertEqual(error["class"], "FeatureServiceNotFoundException")
        self.assertEqual(error["message"], "Feature service nope does not exist in project payments")

    def test_other_mistakes_are_raised_at_once(self):
        error = self.refused(ROWS, features=["customer:nope"])
        self.assertEqual(error["class"], "FeastError")
        self.assertIn("Feature nope not found in feature view customer", error["message"])
        error = self.refused([{"terminal_id": "x"}], features=["terminal:nb_tx_1d"])
        self.assertIn("entities.terminal_id[0]: this join key is an int64", error["message"])
        error = self.refused([{"terminal_id": None}], features=["terminal:nb_tx_1d"])
        self.assertIn("entities.terminal_id[0]", error["message"])


if __name__ == "__main__":
    unittest.main()
