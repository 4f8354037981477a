"""What the processes of a cluster cost while something is going on, and reads at a steady rate
meanwhile."""

import json
import random
import threading
import time
from pathlib import Path

from workload import (READ_FEATURES, TICKS_PER_SECOND, cpu_seconds, memory_bytes, percentile,
                      processes_of)

import cluster as tidemill  # workload says where it is
from processes import ProcessCluster

STAGES = ["read", "evaluate", "scatter", "apply", "publish", "store_apply"]
SNAPSHOT_INTERVAL_MS = 10_000
REPORTS_S = 1.0  # two intervals of reports, and some
ANSWER_S = 60.0
MB = 1_000_000


class BusyCluster(ProcessCluster):
    """One whose coordinator may take long to answer: the disk may be busy with what is measured."""

    def __enter__(self):
        cluster = super().__enter__()
        cluster.coordinator.timeout_s = ANSWER_S
        return cluster


def start_cluster(options, worker_budget=None, store_budget=None):
    """A cluster with snapshots every 10 s and budgets of memory in bytes, those of the options
    unless said otherwise."""
    interval = ["--snapshot-interval-ms", SNAPSHOT_INTERVAL_MS]
    return BusyCluster(
        workers=options.workers,
        worker_options=[*interval, "--memory-budget-bytes", worker_budget or options.worker_budget],
        store_options=[*interval, "--memory-budget-bytes", store_budget or options.store_budget])


def memory_of(cluster):
    """Process -> resident now and at most so far, its budget, and what takes it, if it says so."""
    by_pid = {m["pid"]: m for m in cluster.members()}
    out = {}
    for name, pid in processes_of(cluster).items():
        out[name] = memory_bytes(pid)
        member = by_pid.get(pid, {})
        if member.get("memory_budget_bytes"):
            out[name]["budget"] = member["memory_budget_bytes"]
            out[name]["peak_of_budget"] = round(
                out[name]["peak_rss"] / member["memory_budget_bytes"], 3)
        if member.get("memory"):
            out[name]["by_consumer"] = member["memory"]
    return out


# --- CPU time -------------------------------------------------------------------------------------


def thread_seconds(pid):
    """Thread -> (kind, CPU time). "low priority": threads that write and upload snapshots and
    restore standbys; "librdkafka": its own threads; "other": all that is left."""
    tasks = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, rest = (task / "stat").read_text().partition(" (")[2].rpartition(") ")
        except OSError:  # it has ended
            continue
        fields = rest.split()
        tasks[int(task.name)] = (name, int(fields[16]),
                                 (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND)
    usual = tasks[pid][1] if pid in tasks else 0

    def kind(name, nice):
        if name.startswith("rdk:"):
            return "librdkafka"
        return "low priority" if nice > usual else "other"

    return {tid: (kind(name, nice), seconds) for tid, (name, nice, seconds) in tasks.items()}


class Meter:
    """CPU time, stages and memory from when it is made until `figures` is asked for."""

    def __init__(self, cluster, job):
        self._cluster = cluster
        self._job = job
        self._pids = processes_of(cluster)
        self._stages = self._stage_ns()
        self._threads = {name: thread_seconds(pid) for name, pid in self._pids.items()}
        self._cpu = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        self.began = time.monotonic()

    def _stage_ns(self):
        stages = self._cluster.job(self._job)["stages"]
        return {stage: stages[stage]["cpu_ns"] if stage in stages else 0 for stage in STAGES}

    def cpu(self):
        """Process -> seconds since."""
        return {name: cpu_seconds(pid) - self._cpu[name] for name, pid in self._pids.items()}

    def _by_kind(self):
        """Kind of thread -> seconds since, over all processes."""
        out = {}
        for name, pid in self._pids.items():
            before = self._threads[name]
            for tid, (kind, seconds) in thread_seconds(pid).items():
                out[kind] = out.get(kind, 0) + seconds - before.get(tid, (kind, 0))[1]
        return {kind: round(seconds, 2) for kind, seconds in sorted(out.items())}

    def figures(self, events, size, began=None):
        """Of so many events, of `size` bytes in all, that were read from `began` (since the meter
        was made, without it) until now."""
        seconds = time.monotonic() - (began or self.began)
        cpu = self.cpu()
        by_kind = self._by_kind()
        total = sum(cpu.values())
        memory = memory_of(self._cluster)
        time.sleep(REPORTS_S)  # the last reports of stages are in
        job = self._cluster.job(self._job)
        return {
            "events": events, "bytes": size, "seconds": round(seconds, 3),
            "events_per_second": round(events / seconds),
            "cpu_seconds": {name: round(s, 2) for name, s in cpu.items()},
            "cpu_seconds_total": round(total, 2),
            "cpu_seconds_by_threads": by_kind,
            "events_per_cpu_second": round(events / total),
            "events_per_cpu_second_of_each": {
                name: round(events / s) for name, s in cpu.items() if s},
            "ns_per_event": round(1e9 * total / events),
            "stages_ns_per_event": self._stages_per_event(events, total, by_kind),
            "memory": memory, **state_figures(job),
        }

    def _stages_per_event(self, events, cpu_total, by_kind):
        """As the processes account for it, and the threads that are apart from it; the rest is
        exchange, loops, the network's threads, the store's snapshots, reads, the control plane."""
        out = {stage: round((ns - self._stages[stage]) / events)
               for stage, ns in self._stage_ns().items()}
        for kind in ("low priority", "librdkafka"):
            if kind in by_kind:
                out[kind] = round(1e9 * by_kind[kind] / events)
        out["rest"] = round(1e9 * cpu_total / events) - sum(out.values())
        return out


def state_figures(job):
    """How large the state is: as rows and keys in the store's memory, and as the workers' files. An
    event is a row of its customer and one of its terminal."""
    keys, rows = max(1, job["keys"]), max(1, job["rows"])
    files = job["snapshots"]["total_bytes"]
    return {"keys": job["keys"], "rows": job["rows"], "state_bytes": job["state_bytes"],
            "state_bytes_per_key": round(job["state_bytes"] / keys, 1),
            "state_bytes_per_row": round(job["state_bytes"] / rows, 2),
            "state_bytes_per_event": round(2 * job["state_bytes"] / rows, 2),
            "rows_per_key": round(rows / keys, 1),
            "snapshot_bytes": files,
            **{counter: job[counter] for counter in (
                "full_chunks", "recut_chunks", "freed_rows", "evicted_keys", "cold_reads",
                "image_bytes_sent", "session_gaps", "too_late_rows")}}


# --- waiting --------------------------------------------------------------------------------------


def sources_of(cluster, job, name):
    """Descriptions of a source's partitions, in order."""
    described = cluster.job(job)
    assert described["state"] == "RUNNING", f"{job} is {described['state']}: {described['error']}"
    return sorted((s for s in described["sources"] if s["source"] == name),
                  key=lambda s: s["index"])


def wait_published(cluster, job, name, ends, deadline_s=7_200):
    """Until all before these offsets of a source is in the store."""
    def there():
        published = [s["published"] for s in sources_of(cluster, job, name)]
        return len(published) == len(ends) and all(p >= e for p, e in zip(published, ends))

    tidemill.wait_until(there, f"{job} has read {name} up to {ends}", deadline_s, 0.1)


def wait_warm(cluster, job, workload, began=None):
    """Until the window before is in the store; figures of how fast that was, since the job was
    submitted (now, without it)."""
    began = began or time.monotonic()
    each = workload.events // workload.partitions
    wait_published(cluster, job, "warm_up", [each] * workload.partitions)
    seconds = time.monotonic() - began
    events = each * workload.partitions
    return {"events": events, "seconds": round(seconds, 1),
            "events_per_second": round(events / seconds)}


def wait_written():
    """Until what was read so far has been written as snapshots: an interval, and some."""
    time.sleep(1.2 * SNAPSHOT_INTERVAL_MS / 1e3)


# --- reads meanwhile ------------------------------------------------------------------------------


def read_body(job, customers):
    return json.dumps({"job": job, "features": READ_FEATURES,
                       "entities": {"customer_id": [str(c) for c in customers]}})


class SteadyReads:
    """Reads of 12 features of one customer, so many a second, from a thread. An open loop: a read's
    latency counts from when it was due."""

    def __init__(self, cluster, job, customers, per_second):
        self._job = job
        self._customers = customers
        self._per_second = per_second
        self._client = tidemill.HttpClient(cluster.store().address)
        self._stop = threading.Event()
        self._error = None
        self._latencies = []
        self._failed = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            rng = random.Random(2)
            due = time.monotonic()
            while not self._stop.is_set():
                time.sleep(max(0.0, due - time.monotonic()))
                body = read_body(self._job, [rng.randint(1, self._customers)])
                self._read(body, due)
                due += 1 / self._per_second
        except BaseException as error:  # noqa: BLE001: raised again by end()
            self._error = error

    def _read(self, body, due):
        try:
            status, _ = self._client.call("POST", "/v1/features", body)
        except tidemill.Unreachable:
            status = None
        self._failed += status != 200
        self._latencies.append(time.monotonic() - due)

    def clear(self):
        """Forgets what has been measured."""
        self._latencies, self._failed = [], 0

    def end(self):
        """Figures."""
        self._stop.set()
        self._thread.join(30)
        if self._error:
            raise self._error
        ms = [1e3 * s for s in self._latencies]
        return {"client": "python, open loop", "per_second": self._per_second, "reads": len(ms),
                "errors": self._failed,
                **{name: round(percentile(ms, p), 3) if ms else None
                   for name, p in (("p50_ms", 50), ("p99_ms", 99), ("p999_ms", 99.9))}}
