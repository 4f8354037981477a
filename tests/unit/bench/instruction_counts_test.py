"""The guard of instruction counts (bench/instructions) notices what it is there for."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[3] / "bench"
sys.path.insert(0, str(BENCH))
sys.dont_write_bytecode = True

import instruction_counts as counts  # noqa: E402

_loader = importlib.machinery.SourceFileLoader("instructions", str(BENCH / "instructions"))
guard = importlib.util.module_from_spec(importlib.util.spec_from_loader("instructions", _loader))
_loader.exec_module(guard)

HERE = {"machine": "x86_64", "vectors": "avx2", "build": "Release", "compiler": "c++ 12",
        "libc": "glibc 2.36", "valgrind": "valgrind-3.19.0"}
FIRST, SECOND = counts.BENCHMARKS[:2]


class Comparing(unittest.TestCase):
    def test_the_margin_is_held_on_both_sides(self):
        for counted, wanted in [(100, "same"), (103, "same"), (103.1, "MORE"), (97, "same"),
                                (96.9, "fewer"), (None, "NOT COUNTED")]:
            self.assertEqual(counts.verdict(100, counted, 0.03), wanted)
        self.assertEqual(counts.verdict(None, 5, 0.03), "NOT RECORDED")

    def test_one_of_many_is_found_and_named(self):
        compared = counts.compare({"a": 100, "b": 200, "gone": 1}, {"a": 100, "b": 207, "new": 9}, 0.03)
        self.assertEqual([(c.name, c.verdict) for c in compared],
                         [("a", "same"), ("b", "MORE"), ("new", "NOT RECORDED"), ("gone", "NOT COUNTED")])
        self.assertEqual([c.name for c in compared if c.failed], ["b", "new", "gone"])
        lines = counts.table(compared).splitlines()
        self.assertRegex(lines[2], r"^b +200.0 +207.0 +1.035  MORE$")

    def test_a_gain_is_no_failure(self):
        [compared] = counts.compare({"a": 100}, {"a": 50}, 0.03)
        self.assertFalse(compared.failed)
        self.assertIn("0.500  fewer", counts.table([compared]))


class Counting(unittest.TestCase):
    def test_the_sum_of_a_profile(self):
        self.assertEqual(counts.instructions_in("events: Ir\nfn=(1)\n3 40\n\ntotals: 1234\n"), 1234)

    def test_a_profile_of_nothing_is_an_error(self):
        for profile in ("totals: 0\n", "", "events: Ir\n"):
            with self.assertRaisesRegex(counts.CannotCount, "tidemill_measured"):
                counts.instructions_in(profile)

    def test_the_function_that_is_counted_is_there(self):
        self.assertIn(counts.MEASURED, (BENCH / "micro/harness.cc").read_text())

    def test_how_far_rounds_differ(self):
        self.assertAlmostEqual(counts.spread([{"a": 100, "b": 10}, {"a": 101, "b": 10}]), 0.01)


class Guarding(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.record = Path(directory.name) / "record.json"
        self.results = Path(directory.name) / "results.json"

    def guard(self, counted, *line, made_with=None):
        """Exit code and output for a program that takes so many instructions."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = guard.main(
                ["--record-file", str(self.record), "--results", str(self.results), *line],
                count_all=lambda program, names, jobs: {n: counted[n] for n in names if n in counted},
                made_with=lambda program: made_with or HERE)
        return code, out.getvalue()

    def recorded(self):
        return json.loads(self.record.read_text())["instructions_per_item"]

    def test_more_than_the_margin_fails(self):
        self.assertEqual(self.guard({FIRST: 1000, SECOND: 50}, "--record")[0], 0)
        self.assertEqual(self.guard({FIRST: 1029, SECOND: 50})[0], 0)
        self.assertEqual(json.loads(self.results.read_text()), {"passed": 2, "failed": 0, "skipped": 0})
        code, out = self.guard({FIRST: 1031, SECOND: 50})
        self.assertEqual(code, 1)
        self.assertRegex(out, FIRST + r" .*1\.031  MORE")
        self.assertEqual(json.loads(self.results.read_text()), {"passed": 1, "failed": 1, "skipped": 0})

    def test_the_record_it_reads_is_what_counts(self):
        self.guard({FIRST: 1000}, "--record")
        record = json.loads(self.record.read_text())
        record["instructions_per_item"][FIRST] *= 0.96  # as if a change had made it that much dearer
        self.record.write_text(json.dumps(record))
        self.assertEqual(self.guard({FIRST: 1000})[0], 1)

    def test_what_is_not_recorded_or_no_longer_counted_fails(self):
        self.assertEqual(self.guard({FIRST: 1000})[0], 1)
        self.guard({FIRST: 1000, SECOND: 50}, "--record")
        self.assertEqual(self.guard({FIRST: 1000})[0], 1)

    def test_a_part_is_compared_and_recorded_alone(self):
        self.guard({FIRST: 1000, SECOND: 50}, "--record")
        self.assertEqual(self.guard({FIRST: 1000}, "--only", FIRST)[0], 0)
        self.guard({FIRST: 500}, "--only", FIRST, "--record")
        self.assertEqual(self.recorded(), {FIRST: 500, SECOND: 50})

    def test_another_build_is_not_compared(self):
        self.guard({FIRST: 1000}, "--record")
        code, out = self.guard({FIRST: 9000}, made_with=HERE | {"build": "Debug"})
        self.assertEqual(code, 0)
        self.assertIn("build: recorded with Release, here Debug", out)
        self.assertIn("not compared", out)
        self.assertEqual(json.loads(self.results.read_text())["passed"], 0)
        self.assertGreater(json.loads(self.results.read_text())["skipped"], 0)

    def test_another_library_is_compared_and_named(self):
        self.guard({FIRST: 1000}, "--record")
        code, out = self.guard({FIRST: 9000}, made_with=HERE | {"libc": "glibc 2.41"})
        self.assertEqual(code, 1)
        self.assertIn("libc: recorded with glibc 2.36, here glibc 2.41", out)


class Record(unittest.TestCase):
    def test_it_is_of_what_is_counted(self):
        record = counts.read_record(BENCH / "instructions.json")
        self.assertEqual(list(record["instructions_per_item"]), counts.BENCHMARKS)
        self.assertEqual(record["made_with"]["build"], "Release")


if __name__ == "__main__":
    unittest.main()
