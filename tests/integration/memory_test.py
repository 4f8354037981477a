"""What takes memory, as workers and stores of a running job tell it: together it is all that they
take, and what each holds is there."""

import tempfile
import unittest
import urllib.request
from pathlib import Path

import cluster as tidemill
from cluster import Cluster
from watch import Watch

WORKER = {"changes", "unsent", "staged", "reads", "kafka", "network", "sorting", "uploads", "other"}
STORE = {"rows", "summaries", "keys", "open_files", "changes", "staged", "network", "sorting",
         "uploads", "other"}


class MemoryTest(unittest.TestCase):
    def test_all_of_it_is_told(self):
        with tempfile.TemporaryDirectory(prefix="tidemill-memory-") as directory, \
                Cluster(workers=1) as cluster:
            watch = Watch.of_cards(cluster, "memory", Path(directory), rows=50_000, seconds=20)
            watch.read_until_answered(deadline_s=30)
            most = {}

            def seen():
                for member in cluster.members():
                    memory = member["memory"]
                    for consumer, bytes_ in memory.items():
                        at = (member["role"], consumer)
                        most[at] = max(most.get(at, 0), bytes_)
                    if memory.get("other", 0) > 0:
                        self.assertEqual(sum(memory.values()), member["resident_bytes"])
                return all(most.get(at, 0) > 0 for at in (
                    ("worker", "changes"), ("worker", "reads"), ("worker", "other"),
                    ("store", "rows"), ("store", "keys"), ("store", "changes"), ("store", "other")))

            tidemill.wait_until(seen, "every consumer that a job has has been told", 30, 0.1)
            for role, consumers in (("worker", WORKER), ("store", STORE)):
                # What both kinds count of the process is told by both.
                told = {consumer for at, consumer in most if at == role}
                self.assertLessEqual(consumers, told)
            address = cluster.file()["coordinator"]
            with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
                metrics = answer.read().decode()
            self.assertIn('role="store",consumer="rows"} ', metrics)
            self.assertIn('tidemill_coordinator_job_bytes_per_row{job="memory"} ', metrics)
            self.assertNotIn('tidemill_coordinator_job_bytes_per_row{job="memory"} 0\n', metrics)


if __name__ == "__main__":
    unittest.main()
