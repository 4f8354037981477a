"""The store freezes under load, dies, comes back with what is on its disk, dies again, and comes back
empty: ingestion never waits for it, and no read ever gets a wrong value, a false zero or a false
NOT_FOUND."""

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
    def test_frozen_then_killed_then_wiped(self):
        with tempfile.TemporaryDirectory(prefix="tidemill-outage-") as directory, \
                Cluster(workers=2) as cluster:
            watch = Watch.of_cards(cluster, "outage", Path(directory), rows=150_000,
                                   seconds=FROZEN_S + 35)
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

            self.kill(cluster, store, wipe=False)
            watch.read_until_answered(deadline_s=30)
            from_disk = watch.tally.answers
            watch.read_for(3)
            image_bytes = cluster.job("outage")["image_bytes_sent"]
            self.kill(cluster, cluster.members("store")[0], wipe=True)
            watch.read_until_answered(deadline_s=30)
            everything = watch.read_until_complete(deadline_s=120)
            self.assertGreater(cluster.job("outage")["image_bytes_sent"], image_bytes)
            print(f"    {from_disk:,} answers until it was back from its disk, {watch.tally.answers:,} in "
                  f"all, {everything.values:,} values at the end, 0 mismatches")

    def kill(self, cluster, store, wipe):
        """Until its supervisor has started it again."""
        os.kill(store["pid"], signal.SIGKILL)
        if wipe:
            tidemill.wait_until(lambda: tidemill.process_state(store["pid"]) in ("Z", None), "it is dead")
            os.rename(cluster.directory / "store", cluster.directory / "wiped")
        tidemill.wait_until(lambda: self.restarted(cluster, store), "the store is back", 30)

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
