"""Counts the tests of all suites: tally.py RESULTS SUITE...; prints what failed, a table, then the total.

A suite of ctest leaves ctest.xml (one entry per program) and <program>.json (GoogleTest's cases);
a Python suite leaves python.json. A suite that left nothing counts as one failure, and so does a
program that failed without a failed case of its own: it crashed, hung, or is no GoogleTest.
"""

import json
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

MESSAGE_CHARACTERS = 600


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)  # a text each

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        return self


def gtest_cases(path):
    counts = Counts()
    for suite in json.loads(path.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            if case.get("failures"):
                counts.failed += 1
                why = case["failures"][0].get("failure", "")[:MESSAGE_CHARACTERS]
                counts.failures.append(f"{suite['name']}.{case['name']}: {why}")
            elif case.get("result") == "COMPLETED":
                counts.passed += 1
            else:
                counts.skipped += 1
    return counts


def ctest_program(entry, directory):
    failed = entry.get("status") == "fail" or entry.find("failure") is not None
    cases = directory / f"{entry.get('name')}.json"
    try:
        counts = gtest_cases(cases)
    except (OSError, ValueError, KeyError):
        counts = Counts(passed=0 if failed else 1)
    if failed and counts.failed == 0:
        counts.failed = 1
        counts.failures.append(f"{entry.get('name')}: ended without a failed case: it crashed or hung")
    return counts


def suite_counts(directory):
    counts = Counts()
    python = directory / "python.json"
    ctest = directory / "ctest.xml"
    if python.exists():
        counts += Counts(**json.loads(python.read_text()))
    elif ctest.exists():
        for entry in xml.parse(ctest).getroot().iter("testcase"):
            counts += ctest_program(entry, directory)
    else:
        counts.failed = 1
    return counts


def main():
    results, suites = Path(sys.argv[1]), sys.argv[2:]
    total = Counts()
    for suite in suites:
        counts = suite_counts(results / suite)
        skipped = f", {counts.skipped} skipped" if counts.skipped else ""
        print(f"{suite:12} {counts.passed:6} passed, {counts.failed} failed{skipped}")
        total += counts
    for failure in total.failures:
        print(f"failed: {failure}")
    print(f"{total.passed} passed, {total.failed} failed")
    return 0 if total.failed == 0 and total.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
