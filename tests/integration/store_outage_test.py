"""The store freezes under load, dies, and comes back empty: ingestion never waits for it, and no
read ever gets a wrong value, a false zero or a false NOT_FOUND."""

import os
import signal
import tempfile
import unittest
from pathlib import Path

import cluster as tidemill
from cluster import Cluster
from watch import Watch

FROZEN_S = float(os.environ.get("TIDEMILL_OUTAGE_S", 6 if tidemill.QUICK else 30))


class StoreOutageTest(unittest.TestCase):
    def test_frozen_then_killed_and_empty(self):
        with tempfile.TemporaryDirectory(prefix="tidemill-outage-") as directory, \
                Cluster(workers=2) as cluster:
            watch = Watch.of_cards(cluster, "outage", Path(directory), rows=150_000,
                                   seconds=FROZEN_S + 25)
            watch.read_until_answered(deadline_s=30)
            watch.read_for(3)
            store = cluster.members("store")[0]

            read_before = watch.offsets_read()
            progress = self.freeze(cluster, watch, store)
            third = len(progress) // 3
            print(f"\n    frozen {FROZEN_S:g} s: {progress[-1] - read_before:,} bytes read meanwhile, "
                  f"{watch.unanswered} reads unanswered")
            for begin, end in ((0, third), (third, 2 * third), (2 * third, len(progress) - 1)):
                self.assertGreater(progress[end], progress[begin], "ingestion stood still")

            os.kill(store["pid"], signal.SIGKILL)
            tidemill.wait_until(lambda: self.restarted(cluster, store), "the store is back", 30)
            watch.read_until_answered(deadline_s=30)
            answered = watch.tally.answers
            everything = watch.read_until_complete(deadline_s=120)
            self.assertGreater(cluster.job("outage")["images_sent"], 0)
            print(f"    {answered:,} answers through the outage, {everything.values:,} values at the "
                  f"end, 0 mismatches")

    @staticmethod
    def freeze(cluster, watch, store):
        """Stops the store for FROZEN_S, reading on; what the sources had read, over time."""
        os.kill(store["pid"], signal.SIGSTOP)
        progress = []
        watch.read_for(FROZEN_S, timeout_s=0.3,
                       each=lambda: progress.append(watch.offsets_read()))
        assert tidemill.process_state(store["pid"]) in ("T", "t", None)
        return progress

    @staticmethod
    def restarted(cluster, dead):
        stores = cluster.members("store")
        return len(stores) == 1 and stores[0]["node"] != dead["node"]


if __name__ == "__main__":
    unittest.main()
