"""Workers die, or freeze and wake up as zombies, in the middle of a job: every value stays that of
the offset vector it carries, and at the end nothing is lost or counted twice."""

import os
import signal
import tempfile
import unittest
from pathlib import Path

import cluster as tidemill
from cluster import Cluster
from watch import Watch


class WorkerLossTest(unittest.TestCase):
    def watched(self, cluster, directory, job, seconds=30):
        watch = Watch.of_cards(cluster, job, Path(directory), rows=100_000, seconds=seconds)
        watch.read_until_answered(deadline_s=30)
        watch.read_for(2)
        self.assertEqual(cluster.job(job)["state"], "RUNNING")
        return watch

    def test_killed_in_the_middle(self):
        with tempfile.TemporaryDirectory(prefix="tidemill-loss-") as directory, \
                Cluster(workers=3) as cluster:
            watch = self.watched(cluster, directory, "loss")
            lost = cluster.members("worker")[0]
            os.kill(lost["pid"], signal.SIGKILL)
            everything = watch.read_until_complete(deadline_s=120)
            self.assertNotIn(lost["node"], [m["node"] for m in cluster.members()])
            print(f"\n    {watch.tally.answers:,} answers through the loss, {everything.values:,} "
                  f"values at the end, 0 mismatches")

    def test_frozen_until_replaced_then_woken(self):
        with tempfile.TemporaryDirectory(prefix="tidemill-zombie-") as directory, \
                Cluster(workers=3) as cluster:
            watch = self.watched(cluster, directory, "zombie")
            frozen = cluster.members("worker")[0]
            os.kill(frozen["pid"], signal.SIGSTOP)
            tidemill.wait_until(
                lambda: frozen["node"] not in [m["node"] for m in cluster.members()],
                "the frozen worker is declared dead", 30)
            watch.read_for(1)
            tidemill.send_signal(frozen["pid"], signal.SIGCONT)
            everything = watch.read_until_complete(deadline_s=120)
            tidemill.wait_until(
                lambda: tidemill.process_state(frozen["pid"]) in (None, "Z"),
                "the worker that woke up has ended itself", 30)
            print(f"\n    {watch.tally.answers:,} answers, {everything.values:,} values at the end, "
                  f"0 mismatches")


class CoordinatorLossTest(unittest.TestCase):
    def test_killed_in_the_middle(self):
        with tempfile.TemporaryDirectory(prefix="tidemill-coordinator-") as directory, \
                Cluster(workers=2) as cluster:
            watch = Watch.of_cards(cluster, "headless", Path(directory), rows=100_000, seconds=30)
            watch.read_until_answered(deadline_s=30)
            before = watch.offsets_read()
            os.kill(cluster.pid_of("tidemill-coordinator"), signal.SIGKILL)
            # The data path needs no coordinator: reads are answered while it is away.
            watch.read_for(1)
            tidemill.wait_until(cluster.coordinator_answers, "the coordinator is back", 30)
            tidemill.wait_until(lambda: watch.offsets_read() > before, "reading goes on", 30)
            everything = watch.read_until_complete(deadline_s=120)
            print(f"\n    {everything.values:,} values at the end, 0 mismatches")


if __name__ == "__main__":
    unittest.main()
