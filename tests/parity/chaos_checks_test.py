"""The checks of tests/chaos notice what they are for."""

import random
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chaos"))

import cards  # noqa: E402
import check  # noqa: E402
import faults  # noqa: E402
import feeder  # noqa: E402
import fold  # noqa: E402
import readers  # noqa: E402
import scenarios  # noqa: E402
import truth  # noqa: E402

CHAOS = Path(__file__).resolve().parents[1] / "chaos"
_loader = SourceFileLoader("chaos_run", str(CHAOS / "run"))
chaos_run = module_from_spec(spec_from_loader("chaos_run", _loader))
_loader.exec_module(chaos_run)

AS_OF = "2026-01-01T00:01:00Z"


def events_of(rows):
    """rows: (offset in partition 0, second of the minute, customer, amount)"""
    names = ("transaction_id", "customer_id", "terminal_id", "amount", "is_fraud")
    events = fold.Events(columns={name: [] for name in names})
    for offset, second, customer, amount in rows:
        events.times.append(fold.parse_time(f"2026-01-01T00:00:{second:02}Z"))
        events.partitions.append(0)
        events.offsets.append(offset)
        for name, value in zip(names, (offset, customer, "7", amount, False)):
            events.columns[name].append(value)
    return events


def answer(key_partition, vector, count, status="PRESENT", freshness=5):
    return {"as_of": AS_OF,
            "results": [{"feature": "customer.count_lifetime", "values": [count],
                         "statuses": [status], "freshness_ms": [freshness]}],
            "offsets": {"customer": [{"key_partition": key_partition, "version": [1, 1],
                                      "offset_vector": [[o, AS_OF] for o in vector]}]}}


class ReaderTest(unittest.TestCase):
    def setUp(self):
        self.reader = readers.Reader("store", "127.0.0.1:1", {}, 1)

    def take(self, *arguments, **named):
        self.reader._take("customer", ["1"], answer(*arguments, **named), whole=False)
        return self.reader.violations

    def test_progress_is_fine(self):
        self.take(3, [1, 0], 1)
        self.assertEqual(self.take(3, [2, 4], 3), [])
        self.assertEqual(self.reader.trace.answers, 2)

    def test_vector_that_goes_back(self):
        self.take(3, [5, 7], 1)
        self.assertIn("went back", self.take(3, [6, 6], 2)[0])

    def test_vector_that_gets_shorter(self):
        self.take(3, [5, 7], 1)
        self.assertIn("went back", self.take(3, [5], 1)[0])

    def test_count_that_falls(self):
        self.take(3, [5], 4)
        self.assertIn("4 before", self.take(3, [5], 3)[0])

    def test_key_that_is_not_found_any_more(self):
        self.take(3, [5], 4)
        self.assertTrue(self.take(3, [5], 0, status="NOT_FOUND"))

    def test_not_ready_with_a_value(self):
        self.assertIn("NOT_READY", self.take(3, [5], 0, status="NOT_READY")[0])

    def test_a_new_period_goes_on_from_the_one_before(self):
        self.take(3, [5], 4)
        trace, violations, _ = self.reader.begin()
        self.assertEqual((trace.answers, violations), (1, []))
        self.assertEqual(len(self.reader.trace.samples[3]), 1)
        self.assertIn("went back", self.take(3, [4], 4)[0])
        self.assertEqual(self.reader.trace.answers, 1)

    def test_not_ready_is_no_violation_and_not_fresh(self):
        self.take(3, [5], 4)
        self.assertEqual(self.take(3, [5], None, status="NOT_READY"), [])
        self.assertEqual([ms for _, ms, _ in self.reader.trace.samples[3]], [5, None])


class FreshnessTest(unittest.TestCase):
    def trace(self, samples):
        trace = readers.Trace()
        trace.samples[0] = [(*sample, sample[1]) for sample in samples]
        return trace

    def test_outage_is_the_longest_time_without_a_fresh_answer(self):
        every_tenth = [(t / 10, 20) for t in range(0, 31)]
        late = [(t / 10, 2000) for t in range(31, 50)]
        again = [(t / 10, 20) for t in range(50, 61)]
        outage = readers.longest_outage([self.trace(every_tenth + late + again)], 1.0, 6.0,
                                        readers.FRESHNESS, 1000)
        self.assertAlmostEqual(outage, 2.0)

    def outage(self, *traces):
        return readers.longest_outage(traces, 0.0, 5.0, readers.LAG, 1000)

    def test_other_store_covers(self):
        silent = self.trace([(0.0, 20), (5.0, 20)])
        serving = self.trace([(t / 10, 20) for t in range(0, 51)])
        self.assertEqual(self.outage(silent, serving), 0.0)
        self.assertAlmostEqual(self.outage(silent), 5.0)

    def test_staleness(self):
        trace = self.trace([(10.0, 20)])
        self.assertEqual(readers.staleness(trace, 1, 9.0, 1000), "")
        self.assertIn("no answer", readers.staleness(trace, 1, 11.0, 1000))
        self.assertIn("[1]", readers.staleness(trace, 2, 9.0, 1000))
        self.assertIn("1500", readers.staleness(self.trace([(10.0, 1500)]), 1, 9.0, 1000))


class FoldTest(unittest.TestCase):
    """An answer at its own offset vector."""

    def setUp(self):
        events = events_of([(0, 10, "1", 2.5), (1, 20, "1", 4.0), (2, 30, "2", 1.0)])
        self.truth = truth.Truth([3], truth.views_of(events), {"customer": ["1"]})

    def kept(self, vector, change=None, status="PRESENT"):
        view = self.truth.views[0]
        expected = view.rows.fold("1", view.features, fold.parse_time(AS_OF), vector)
        values = {f.name: fold.as_json(v) for f, v in zip(view.features, expected)}
        values.update(change or {})
        return readers.Kept("store", "customer", "1", fold.parse_time(AS_OF), vector, values,
                            {name: status for name in values}, True)

    def mismatches(self, kept):
        verdict = check.Verdict()
        check.check_kept([kept], self.truth, verdict)
        self.assertEqual(verdict.answers, 1)
        return verdict.mismatches

    def test_right_answers(self):
        self.assertEqual(self.mismatches(self.kept([2])), [])
        self.assertEqual(self.mismatches(self.kept([0], status="NOT_FOUND")), [])

    def test_wrong_value(self):
        [text] = self.mismatches(self.kept([1], {"count_lifetime": 2}))
        self.assertIn("count_lifetime is 2, the fold says 1", text)

    def test_false_not_found(self):
        self.assertTrue(self.mismatches(self.kept([1], status="NOT_FOUND")))


class AllKeysTest(unittest.TestCase):
    """What is known of all keys is compared with what a store answers."""

    def mismatches(self, **change):
        answered = {"count_lifetime": 2, "amount_sum_lifetime": 6.5, "at": 3, "status": "PRESENT",
                    **change}
        names = ("count_lifetime", "amount_sum_lifetime")
        body = {"results": [{"feature": f"customer.{name}", "values": [answered[name]],
                             "statuses": [answered["status"]]} for name in names],
                "offsets": {"customer": [{"offset_vector": [[answered["at"], AS_OF]]}]}}

        class Store:
            def call(self, *_):
                return 200, body

        known = truth.Truth([3], [], {}, {"customer": {"1": {"count_lifetime": 2,
                                                             "amount_sum_lifetime": 6.5}}})
        verdict = check.Verdict()
        check._check_tallies(Store(), "store", "customer", ["1"], known, fold.parse_time(AS_OF),
                             verdict)
        self.assertEqual((verdict.answers, verdict.values), (1, 2))
        return verdict.mismatches

    def test_all_is_noticed(self):
        self.assertEqual(self.mismatches(), [])
        self.assertIn("count_lifetime is 1", self.mismatches(count_lifetime=1)[0])
        self.assertIn("6.500000000000001", self.mismatches(amount_sum_lifetime=6.500000000000001)[0])
        self.assertIn("NOT_FOUND", self.mismatches(status="NOT_FOUND")[0])
        self.assertIn("is at [2]", self.mismatches(at=2)[0])


class OrderTest(unittest.TestCase):
    def test_every_scenario_is_in_every_round_and_the_seed_decides_the_order(self):
        everything = list(scenarios.SCENARIOS.values())
        orders = [chaos_run.groups(everything, seed) for seed in (1, 1, 2)]
        for order in orders:
            self.assertEqual(sorted(s.name for group in order for s in group),
                             sorted(scenarios.SCENARIOS))
            self.assertTrue(all(len({s.standby_replicas for s in group}) == 1 for group in order))
        self.assertEqual(orders[0], orders[1])
        self.assertNotEqual(orders[0], orders[2])


class TallyTest(unittest.TestCase):
    """The fast fold of all keys is the slow fold of each."""

    def test_tallies(self):
        rng = random.Random(7)
        records = [self.record(rng, number) for number in range(3000)]
        records[100] = '{"transaction_id":100,"event_time":"2018-04-01T00:00:00Z"}}'
        lines = [f"{n % 4} {n // 4} {record}\n" for n, record in enumerate(records)]
        as_of = fold.parse_time(AS_OF)
        with tempfile.TemporaryDirectory() as directory:
            tallies, events, others, sample = self.tally(Path(directory), lines, as_of)
        self.assertEqual((events, others), (2999, 1))
        wanted = [line for line in lines
                  if '"customer_id":"3"' in line or '"terminal_id":"2"' in line]
        self.assertEqual(sample, wanted)
        for view in truth.views_of(truth.read_events(lines[:100] + lines[101:])):
            self.assertEqual(set(tallies[view.name]), set(view.rows.logs))
            for key, counted in tallies[view.name].items():
                values = dict(zip((f.name for f in view.features),
                                  view.rows.fold(key, view.features, as_of)))
                self.assertEqual({name: fold.bits(value) for name, value in counted.items()},
                                 {name: fold.bits(values[name]) for name in counted}, key)

    def record(self, rng, number):
        """Within the two minutes around AS_OF; some just where a window ends."""
        time = fold.parse_time(AS_OF) + rng.choice([rng.randrange(-60_000_000, 60_000_000), 0, 1,
                                                    -5_000_000, -4_999_999])
        return (f'{{"transaction_id":{number},"event_time":"{fold.format_time(time)}",'
                f'"customer_id":"{rng.randrange(40)}","terminal_id":"{rng.randrange(10)}",'
                f'"amount":{rng.randrange(1, 10**6) / 100:.2f},'
                f'"is_fraud":{rng.choice(["true", "false"])}}}')

    def tally(self, directory, lines, as_of):
        keys, sample = directory / "keys", directory / "sample"
        keys.write_text("c 3\nt 2\n")
        delay = fold.parse_duration(feeder.LABEL_DELAY)
        program = truth.build_tally(directory)
        run = subprocess.run([program, str(as_of), str(as_of - delay), keys, sample], text=True,
                             input="".join(lines), stdout=subprocess.PIPE, check=True)
        with open(sample) as copied:
            return *truth.read_tallies(run.stdout.splitlines()), list(copied)


class DamageTest(unittest.TestCase):
    def test_every_way_changes_the_file(self):
        with tempfile.TemporaryDirectory() as directory:
            ways = set()
            for seed in range(40):
                path = Path(directory, "file")
                path.write_bytes(bytes(range(1, 256)) * 8)
                before = path.read_bytes()
                ways.add(faults.damage(path, random.Random(seed)))
                self.assertNotEqual(path.read_bytes(), before)
            self.assertEqual(len(ways), 5)

    def test_files_are_found_by_key_partition(self):
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory, "job-00000001", "k-00003")
            (place / "links-1").mkdir(parents=True)
            for name in ("a.sst", "manifest-1-2", "manifest-1-2.tmp", "b.log",
                         "links-1/link-0"):
                (place / name).write_text("x")
            found = {kind: [path.name for path in files]
                     for kind in ("rows", "manifest")
                     for files in faults.state_files(Path(directory), kind).values()}
            self.assertEqual(found, {"rows": ["a.sst", "b.log"], "manifest": ["manifest-1-2"]})


class JobTest(unittest.TestCase):
    def test_windows_of_the_job_are_those_of_the_fold(self):
        class Broker:
            address = "127.0.0.1:1"
        yaml = feeder.job_yaml(Broker, "topic", 1)
        self.assertIn("standby_replicas: 1", yaml)
        for view in truth.views_of(events_of([(0, 1, "1", 1.0)])):
            self.assertTrue(view.lifetime)
        self.assertIn(f"offset: {feeder.LABEL_DELAY}", yaml)
        self.assertNotIn(cards.LABEL_DELAY + "}", yaml)


if __name__ == "__main__":
    unittest.main()
