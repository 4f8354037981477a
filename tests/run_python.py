"""Runs the unittest modules (*_test.py) of one directory and leaves the counts in a file."""

import argparse
import json
import sys
import time
import unittest
from pathlib import Path


class TimedResult(unittest.TextTestResult):
    """Says how long each test took: these tests run whole clusters."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)
        self.stream.flush()

    def stopTest(self, test):
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")
        self.stream.flush()
        super().stopTest(test)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--results", type=Path, help="where to write the counts, as JSON")
    parser.add_argument("-k", dest="pattern", help="only tests with this in their name")
    arguments = parser.parse_args()

    # The suites share the cluster harness and the fold.
    tests = Path(__file__).resolve().parent
    sys.path[:0] = [str(tests / "integration"), str(tests / "parity")]
    loader = unittest.TestLoader()
    if arguments.pattern:
        loader.testNamePatterns = [f"*{arguments.pattern}*"]
    tests = loader.discover(str(arguments.directory), pattern="*_test.py")
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2,
                                      resultclass=TimedResult).run(tests)
    failed = len(outcome.failures) + len(outcome.errors) + len(outcome.unexpectedSuccesses)
    counts = {"passed": outcome.testsRun - failed - len(outcome.skipped), "failed": failed,
              "skipped": len(outcome.skipped)}
    if arguments.results:
        arguments.results.write_text(json.dumps(counts))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
