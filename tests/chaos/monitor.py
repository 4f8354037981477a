"""Asks the coordinator how things are, all the time, and looks at what the readers get."""

import threading
import time

import cluster as tidemill
import feeder
import readers


class Monitor(threading.Thread):
    """`problem`: what is not as it should be just now, or nothing."""

    def __init__(self, cluster, all_readers, fresh_ms):
        super().__init__(daemon=True)
        self._readers, self._fresh_ms = all_readers, fresh_ms
        self._coordinator = tidemill.HttpClient(cluster.coordinator.address, timeout_s=1)
        self._ending = threading.Event()
        self.problem = "not asked yet"
        self.history = []  # (when, what is wrong or "")
        self.dead = {}  # node -> when it was seen dead

    def stop(self):
        self._ending.set()
        self.join()

    def run(self):
        while not self._ending.wait(0.1):
            try:
                self.problem = self._look() or self._stale()
            except (tidemill.Unreachable, KeyError) as error:
                self.problem = f"no coordinator: {error}"
            if not self.history or self.history[-1][1] != self.problem:
                self.history.append((time.monotonic(), self.problem))

    def whole_since(self, fault):
        """When the last problem since the fault was over; the fault, if there was none; None, if it
        is not over."""
        if self.history[-1][1]:
            return None
        since = fault
        for when, problem in self.history:
            if when >= fault and not problem:
                since = when
        return since

    def _stale(self):
        now = time.monotonic()
        for reader in self._readers:
            stale = readers.staleness(reader.trace, feeder.KEY_PARTITIONS, now - 1.0,
                                      self._fresh_ms)
            if stale:
                return f"{reader.store}: {stale}"
        return ""

    def _get(self, path):
        status, body = self._coordinator.call("GET", path)
        if status != 200:
            raise tidemill.Unreachable(f"{path}: {status}")
        return body

    def _look(self):
        for member in self._get("/v1/cluster")["members"]:
            if not member["alive"]:
                self.dead.setdefault(member["node"], time.monotonic())
        job = self._get(f"/v1/jobs/{feeder.JOB}")
        if job["state"] != "RUNNING":
            return f"the job is {job['state']}: {job['error']}"
        held = job["key_partitions"]
        if held["owned"] < held["total"]:
            return f"{held['total'] - held['owned']} key partitions have no owner"
        if job.get("restoring"):
            return f"{job['restoring']} key partitions are being restored"
        if held["store_ready"] < held["total"]:
            return f"{held['total'] - held['store_ready']} key partitions are not in every store"
        for source in job["sources"]:
            if source["error"]:
                return f"source partition {source['partition']}: {source['error']}"
        standbys = job.get("standbys") or {"total": 0, "caught_up": 0}
        if standbys["caught_up"] < standbys["total"]:
            return f"{standbys['total'] - standbys['caught_up']} standbys are behind"
        return ""
