#!/usr/bin/env python3
"""State that is ten times the store's memory budget: the card transactions job still equals the
independent fold, bit for bit, for a random sample of keys, and no process takes more memory than it
was given, but for a tenth.

A store has a budget for what it holds, and a worker one for what it has under way; each worker's part
of the state is several times its budget too. Memory is what the kernel says that a process had
resident at most (VmHWM), from its start to the end of the reads. The size of the state is that of
its newest snapshots: the rows as files, not as they would be in memory.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import answers  # noqa: E402
import cards  # noqa: E402
from cluster import wait_until  # noqa: E402
from processes import ProcessCluster  # noqa: E402

JOB = "large_state"
DAYS = 20  # within the longest window: no row is ever freed
MB = 1_000_000
TOLERANCE = 1.1


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--budget", type=int, default=64 * MB, help="the store's, in bytes")
    parser.add_argument("--worker-budget", type=int, default=96 * MB, help="each worker's, in bytes")
    parser.add_argument("--times", type=float, default=10, help="the state is at least so many of it")
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--terminals", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--key-partitions", type=int, default=128)
    parser.add_argument("--replay", default="max", help="pace at which it is read")
    parser.add_argument("--sample", type=int, default=1_000, help="keys of each view")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a sixth of the events: one and a half times the budget")
    options = parser.parse_args(arguments)
    if options.quick:
        parser.set_defaults(events=1_600_000, times=1.5)
        options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-memory-") as directory:
        return show(Path(directory), options)


def show(directory, options):
    paths = cards.generate(directory / "in", options.events, DAYS, partitions=2, seed=options.seed,
                           customers=options.customers, terminals=options.terminals,
                           zipf_exponent=0.5, late_share=0.02, late_by="1h")
    views, keys, end_offsets = sampled(paths, directory, options)
    interval = ["--snapshot-interval-ms", 5_000]
    with ProcessCluster(workers=options.workers,
                        worker_options=["--memory-budget-bytes", options.worker_budget, *interval],
                        store_options=["--memory-budget-bytes", options.budget, *interval]) as cluster:
        began = time.monotonic()
        yaml = cards.job_yaml(JOB, "transactions-*.csv", out_of_orderness="1h",
                              replay=options.replay)
        cluster.submit(yaml.replace("leading_edge:", f"key_partitions: {options.key_partitions}\n"
                                    "leading_edge:", 1), directory / "in")
        cluster.wait_for_state(JOB, "COMPLETED", 600)
        seconds = time.monotonic() - began
        print(f"{options.events:,} events in {seconds:.1f} s: {options.events / seconds:,.0f} a second")
        ingested = peak_bytes(cluster.store_process.pid)
        cluster.cli("snapshot", "trigger", JOB, "--wait")
        tally, read_seconds = check_sample(cluster, views, keys, end_offsets)
        print(f"{tally.answers:,} keys at random, {tally.values:,} values, 0 mismatches "
              f"({tally.answers / read_seconds:,.0f} keys a second)")
        check_evicted(cluster)
        check_state(cluster, options)
        print(f"store: at most {ingested / MB:.1f} MB resident until all had been ingested")
        check_memory(cluster, options)
    return 0


def sampled(paths, directory, options):
    """The views over the events of a random sample of keys, the keys by view, and where the files end.
    A fold of all events would take longer than everything else."""
    rng = random.Random(options.seed)
    keys = {"customer": pick(rng, options.customers, options.sample),
            "terminal_risk": pick(rng, options.terminals, options.sample)}
    customers, terminals = ({k.encode() for k in of} for of in keys.values())
    subset = directory / "sampled.csv"
    with subset.open("wb") as out:
        for number, path in enumerate(paths):
            with path.open("rb") as lines:
                header = next(lines)
                columns = header.rstrip().split(b",")
                c, t = columns.index(b"customer_id"), columns.index(b"terminal_id")
                if number == 0:
                    out.write(header)
                for line in lines:
                    fields = line.split(b",")
                    if fields[c] in customers or fields[t] in terminals:
                        out.write(line)
    views = cards.views(cards.read_events([subset]))
    return views, keys, [path.stat().st_size for path in paths]


def pick(rng, count, sample):
    return [str(number) for number in rng.sample(range(1, count + 1), sample)]


def check_sample(cluster, views, keys, end_offsets, batch=100):
    tally = answers.Tally()
    began = time.monotonic()
    for view in views:
        # A key that no event has is not found, which others than this show are about.
        present = [k for k in keys[view.name] if k in view.rows.logs]
        for begin in range(0, len(present), batch):
            part = present[begin:begin + batch]
            status, body = cluster.read(view.request(JOB, part), timeout_s=30)
            assert status == 200, f"read: {status} {body}"
            answers.check_answer(view, part, body, tally, end_offsets)
    took = time.monotonic() - began
    tally.require_none()
    assert not tally.not_ready and not tally.not_found, f"{tally.not_ready}, {tally.not_found}"
    return tally, took


def check_evicted(cluster):
    """Keys have given way, and were read from disk again."""
    def reported():
        job = cluster.job(JOB)
        return job["cold_reads"] and job
    job = wait_until(reported, "reads from disk are reported", 10)
    print(f"the store holds {job['rows']:,} rows of {job['keys']:,} keys in memory; "
          f"{job['evicted_keys']:,} keys are on disk only, {job['cold_reads']:,} were read from there")
    assert job["evicted_keys"] > 0, "no key was evicted"


def check_state(cluster, options):
    size = cluster.get(f"/v1/jobs/{JOB}/snapshots")["totals"]["total_bytes"]
    of_each = size / options.workers / options.worker_budget
    print(f"the state is {size / MB:,.0f} MB, {size / options.budget:.1f} times the store's budget; "
          f"each worker's part is {of_each:.1f} times its budget")
    assert size >= options.times * options.budget, "it is too small for this show"


def peak_bytes(pid):
    """The most that a process has had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def check_memory(cluster, options):
    over = []
    for process in (cluster.store_process, *cluster.running_workers()):
        budget = options.budget if process is cluster.store_process else options.worker_budget
        peak = peak_bytes(process.pid)
        print(f"{process.name}: at most {peak / MB:.1f} MB resident, of {budget / MB:.0f}")
        if peak > TOLERANCE * budget:
            over.append(process.name)
    assert not over, f"more than the budget and a tenth: {', '.join(over)}"


if __name__ == "__main__":
    sys.exit(main())
