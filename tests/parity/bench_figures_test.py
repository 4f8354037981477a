"""How bench/run takes its figures, without running it."""

import collections
import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "bench")]

import cluster as tidemill  # noqa: E402
import freshness  # noqa: E402
import memory  # noqa: E402
import reads  # noqa: E402
import workload  # noqa: E402

REDIS = """====== HMGET customer:__rand_int__ f0 ======
  50000 requests completed in 0.51 seconds

Latency by percentile distribution:
0.000% <= 0.039 milliseconds (cumulative count 12)
50.000% <= 0.047 milliseconds (cumulative count 30123)
98.438% <= 0.079 milliseconds (cumulative count 49250)
99.219% <= 0.119 milliseconds (cumulative count 49610)
99.805% <= 0.207 milliseconds (cumulative count 49903)
99.902% <= 0.303 milliseconds (cumulative count 49952)
100.000% <= 1.207 milliseconds (cumulative count 50000)

Cumulative distribution of latencies:
99.994% <= 0.407 milliseconds (cumulative count 49997)

Summary:
  throughput summary: 98231.82 requests per second
"""


def small(zipf=0.0):
    return workload.Workload(customers=100, terminals=10, events=6_000, zipf=zipf, partitions=2)


class FiguresTest(unittest.TestCase):
    def test_redis_benchmark_percentiles_are_those_reached(self):
        self.assertEqual(reads.parse_redis_benchmark(REDIS), {
            "commands_per_second": 98_232, "p50_ms": 0.047, "p99_ms": 0.119, "p999_ms": 0.303})

    def test_redis_benchmark_that_failed_is_no_figure(self):
        with self.assertRaisesRegex(AssertionError, "Could not connect"):
            reads.parse_redis_benchmark("Could not connect to Redis")

    def test_memory_that_grows_is_not_flat(self):
        self.assertEqual(memory.over_time([100] * 50)["drift"], 0)
        grown = memory.over_time([100 + n for n in range(50)])
        self.assertGreater(grown["drift"], memory.DRIFT)
        self.assertEqual((grown["least"], grown["most"]), (100, 149))
        # One burst is none.
        self.assertEqual(memory.over_time([100] * 45 + [900] + [100] * 4)["drift"], 0)

    def test_probes_are_due_within_their_slice_and_stamped(self):
        plan = freshness.Plan(small(), 1_700_000_000.0, 1_000.0, 0.1)
        for partition in range(2):
            for number, due in enumerate(plan.dues[partition]):
                self.assertLessEqual(number * freshness.SLICE_S, due)
                self.assertLess(due, (number + 1) * freshness.SLICE_S)
                self.assertIn(f'"amount":{due!r}'.encode(), plan.probe(partition, number))
        # Nothing before it is due.
        self.assertEqual([plan.events_due(s) for s in (0, 0.0019, 0.0021)], [0, 0, 1])
        keys = {plan.probe_key(p, n) for p in range(2) for n in range(1_000)}
        self.assertEqual(len(keys), 2 * freshness.PROBE_KEYS)
        self.assertTrue(all(int(key) > 100 for key in keys))

    def test_a_probe_is_seen_once_and_at_the_first_answer_that_holds_it(self):
        reader = freshness.Reader.__new__(freshness.Reader)
        reader._plan = freshness.Plan(small(), 1_000.0, 1_000.0, 10)
        reader._waiting = collections.OrderedDict(
            a=collections.deque([1.0, 4.0, 5.0, 6.0]), b=collections.deque([4.5]))
        reader.freshness_ms = []
        reader._take([5.0, None], 1_005.5)  # what is due in the ramp does not count
        self.assertEqual(reader.freshness_ms, [1_500.0, 500.0])
        reader._take([5.0, 4.5], 1_006.5)
        self.assertEqual(reader.freshness_ms, [1_500.0, 500.0, 2_000.0])
        self.assertEqual([list(dues) for dues in reader._waiting.values()], [[6.0], []])

    def test_keys_have_the_rows_that_are_said(self):
        before, reads.ROWS_OF_KEYS = reads.ROWS_OF_KEYS, {1: 3, 60: 2}
        try:
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / "keys.ndjson"
                keys, events = reads.write_keys(path)
                lines = path.read_text().splitlines()
        finally:
            reads.ROWS_OF_KEYS = before
        self.assertEqual((events, len(lines)), (123, 123))
        for rows, of in keys.items():
            for key in of:
                self.assertEqual(sum(f'"customer_id":"{key}"' in line for line in lines), rows)

    def test_the_job_is_valid_with_and_without_a_warm_up(self):
        with tempfile.TemporaryDirectory() as directory:
            stream = f'{{files: "{directory}/*.ndjson", follow: true}}'
            for yaml in (workload.job_yaml("bench", stream),
                         workload.job_yaml("bench", stream, warm_up=small(1.0).before()),
                         workload.job_yaml("bench", small().before(events=0),
                                           source_settings=memory.NO_END)):
                path = Path(directory) / "job.yaml"
                path.write_text(yaml)
                run = tidemill.run_cli("validate", path)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()
