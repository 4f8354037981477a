"""What memory does: state that is ten times the budget, with answers checked against a fold; what
a key takes; and the resident memory of every process over minutes at full rate."""

import random
import subprocess
import tempfile
import time
from pathlib import Path

from measure import (MB, Meter, SteadyReads, memory_of, sources_of, start_cluster, state_figures,
                     wait_written)
from workload import (FUNCTIONS, TERMINAL_OFFSET, TERMINAL_WINDOWS, WINDOWS, Workload, job_yaml,
                      memory_bytes, percentile, processes_of)

import answers
import cards
import fold

JOB = "bench"
STATE_BYTES_PER_ROW = 20.5  # in the store; only if it was not measured in this run
LEAST_STORE_BUDGET = 48 * MB  # less is refused
LEAST_WORKER_BUDGET = 64 * MB
SAMPLE = {"customer": 1_000, "terminal_risk": 200}
TOLERANCE = 1.1
NO_END = '    not_after: "9000-01-01T00:00:00Z"\n'
SOAK_WINDOWS = 1.5  # before it is watched
DRIFT = 0.05  # of the last fifth against the first: flat
# The store's budget meanwhile, beside the rows of a window of customers and 37 days of terminals.
SOAK_ROOM, SOAK_ROWS = 1.4, 1 + 37 / 30
SIZE_CUSTOMERS, SIZE_ROWS = 200_000, 60


# --- a budget of a tenth --------------------------------------------------------------------------


def sampled_views(paths, workload, directory):
    """The views of the job over the events of a random sample of keys, and the keys of each."""
    rng = random.Random(8)
    keys = {"customer": [str(n) for n in rng.sample(range(1, workload.customers + 1),
                                                    min(SAMPLE["customer"], workload.customers))],
            "terminal_risk": [str(n) for n in rng.sample(range(1, workload.terminals + 1),
                                                         SAMPLE["terminal_risk"])]}
    patterns = directory / "patterns"
    patterns.write_text("".join(f'"{column}":"{key}"\n' for column, of in
                                (("customer_id", keys["customer"]),
                                 ("terminal_id", keys["terminal_risk"])) for key in of))
    found = directory / "sampled.ndjson"
    with found.open("wb") as out:
        run = subprocess.run(["grep", "-h", "-F", "-f", patterns, *paths], stdout=out, check=False,
                             env={"LC_ALL": "C"})
    assert run.returncode == 0, f"grep found none of {len(keys['customer'])} customers"
    events = cards.read_events([found])
    customer = [f for name in FUNCTIONS for f in fold.aggregation(
        name if name == "count" else f"amount_{name}", name, None if name == "count" else "amount",
        WINDOWS)]
    terminal = [*fold.aggregation("nb_tx", "count", None, TERMINAL_WINDOWS, TERMINAL_OFFSET),
                *fold.aggregation("risk", "mean", "cast(is_fraud as double)", TERMINAL_WINDOWS,
                                  TERMINAL_OFFSET)]
    return [view_of(events, "customer", "customer_id", customer),
            view_of(events, "terminal_risk", "terminal_id", terminal)], keys


def view_of(events, name, join_key, features):
    order = fold.order_of(features)
    rows = fold.View(events, join_key, {c: cards.COLUMNS[c] for c in order}, order=order)
    return answers.ViewUnderTest(name, join_key, tuple(features), rows)


def check_sample(cluster, views, keys, end_offsets, batch=100):
    """Reads all features of the sample, bit for bit; figures."""
    tally = answers.Tally()
    began = time.monotonic()
    for view in views:
        present = [key for key in keys[view.name] if key in view.rows.logs]
        for begin in range(0, len(present), batch):
            part = present[begin:begin + batch]
            status, body = cluster.read(view.request(JOB, part), timeout_s=60)
            assert status == 200, f"read: {status} {body}"
            answers.check_answer(view, part, body, tally, end_offsets)
    tally.require_none()
    assert not tally.not_ready and not tally.not_found, (
        f"{tally.not_ready} keys not ready, {tally.not_found} values not found")
    return {"keys": tally.answers, "values": tally.values, "mismatches": tally.mismatches,
            "seconds": round(time.monotonic() - began, 1)}


def measure_budget(workload, options, bytes_per_row):
    """All events of a window into a store whose budget is a tenth of what they take in memory."""
    state = round(2 * bytes_per_row * workload.events)
    store = max(LEAST_STORE_BUDGET, round(state / 10))
    worker = max(LEAST_WORKER_BUDGET, round(state / 10 / options.workers))
    paths = workload.files()
    with tempfile.TemporaryDirectory(prefix="tidemill-budget-") as directory:
        views, keys = sampled_views(paths, workload, Path(directory))
        with start_cluster(options, worker, store) as cluster:
            cluster.submit(job_yaml(JOB, f'{{files: "{paths[0].parent}/*.ndjson"}}'), directory)
            tally = run_budget(cluster, workload, paths, views, keys)
            return {"state_bytes": state, "times_the_budget": round(state / store, 1),
                    "store_budget": store, "worker_budget": worker, **tally,
                    "within": within_budget(cluster)}


def run_budget(cluster, workload, paths, views, keys):
    pids = processes_of(cluster)
    began = time.monotonic()
    job = cluster.wait_for_state(JOB, "COMPLETED", 7_200)
    seconds = time.monotonic() - began
    sizes = [path.stat().st_size for path in paths]
    peak = {name: memory_bytes(pid)["peak_rss"] for name, pid in pids.items()}
    wait_written()
    checked = check_sample(cluster, views, keys, sizes)
    time.sleep(1)  # a report
    job = cluster.job(JOB)
    return {"events": workload.events, "seconds": round(seconds, 1),
            "events_per_second": round(workload.events / seconds), "checked": checked,
            "peak_while_ingesting": peak, "memory": memory_of(cluster), **state_figures(job)}


def within_budget(cluster):
    """Process -> whether it never took more than its budget and a tenth."""
    return {name: figures["peak_rss"] <= TOLERANCE * figures["budget"]
            for name, figures in memory_of(cluster).items() if "budget" in figures}


# --- a key ----------------------------------------------------------------------------------------


def measure_size(workload, options):
    """Customers with 60 rows each on average: what they take, accounted for, resident, and on
    disk."""
    customers = min(SIZE_CUSTOMERS, workload.customers)
    of = Workload(customers, workload.terminals, customers * SIZE_ROWS, 0, options.files)
    with tempfile.TemporaryDirectory() as nothing, start_cluster(options) as cluster:
        before = memory_of(cluster)
        cluster.submit(job_yaml(JOB, of.before(), terminals=False), nothing)
        cluster.wait_for_state(JOB, "COMPLETED", 3_600)
        wait_written()
        after = memory_of(cluster)
        grown = {name: after[name]["rss"] - before[name]["rss"] for name in after}
        return {"bytes_per_key_resident": {name: round(size / customers) for name, size
                                           in grown.items()}, **state_figures(cluster.job(JOB))}


# --- minutes at full rate -------------------------------------------------------------------------


def measure_soak(workload, options):
    """Events without end from the generator; memory once a second, once rows are freed
    as fast as they come. The store's budget is what its state takes, and some."""
    store = LEAST_STORE_BUDGET + round(
        SOAK_ROOM * SOAK_ROWS * STATE_BYTES_PER_ROW * workload.events)
    with tempfile.TemporaryDirectory() as nothing, \
            start_cluster(options, store_budget=store) as cluster:
        # The warm-up goes on for ever here: nothing else is read. Event times may pass today.
        cluster.submit(job_yaml(JOB, workload.before(events=0), source_settings=NO_END), nothing)
        # Terminals look back 37 days, and rows are freed by tiles of some days.
        wait_records(cluster, round(SOAK_WINDOWS * workload.events))
        reads = SteadyReads(cluster, JOB, workload.customers, options.reads_per_second)
        meter = Meter(cluster, JOB)
        first = records_of(cluster)
        samples = sample_memory(cluster, options.soak)
        events = records_of(cluster) - first
        figures = meter.figures(events, 0)
        figures["reads_meanwhile"] = reads.end()
        figures["over_time"] = {name: over_time(of) for name, of in samples.items()}
        figures["within"] = within_budget(cluster)
        figures["flat"] = {name: o["drift"] <= DRIFT for name, o in figures["over_time"].items()}
        return figures


def records_of(cluster):
    return sum(s["published"] for s in sources_of(cluster, JOB, "transactions"))


def wait_records(cluster, events):
    end = time.monotonic() + 7_200
    while records_of(cluster) < events:
        assert time.monotonic() < end, f"{events} events were not read"
        time.sleep(0.5)


def sample_memory(cluster, seconds):
    """Process -> resident bytes, once a second."""
    pids = processes_of(cluster)
    samples = {name: [] for name in pids}
    began = time.monotonic()
    for number in range(int(seconds)):
        time.sleep(max(0.0, began + number + 1 - time.monotonic()))
        for name, pid in pids.items():
            samples[name].append(memory_bytes(pid)["rss"])
    return samples


def over_time(rss):
    """Medians of each fifth, and how much more the last is than the first."""
    fifth = max(1, len(rss) // 5)
    medians = [percentile(rss[n * fifth:(n + 1) * fifth], 50) for n in range(5)]
    medians = [m for m in medians if m is not None]
    return {"samples": len(rss), "least": min(rss), "most": max(rss), "medians_of_fifths": medians,
            "drift": round(medians[-1] / medians[0] - 1, 4)}
