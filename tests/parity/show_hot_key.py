#!/usr/bin/env python3
"""A key with 10,000 events a second for an hour: memory stays within the budgets, answers say their
resolution, and they are the same, bit for bit, however the rows came together.

The events are the generator's, all of one customer, and are replayed as fast as they can be read. It
is done twice: once with two workers, and once with one, and a store that is killed and started again
on the way. Both must give the same answers at the same times. Counts are compared with those of
DuckDB over the same events: what an answer calls exact must be exact, and what it calls approximate
that of a window whose ends are off by less than its resolution.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import cards  # noqa: E402
from processes import ProcessCluster  # noqa: E402

JOB = "hot_key"
CUSTOMER = "1"
MB = 1_000_000
START = datetime.datetime(2018, 4, 1, tzinfo=datetime.timezone.utc)
WINDOWS = {"1m": 60_000_000, "10m": 600_000_000, "30m": 1_800_000_000, "lifetime": None}  # us
# Of all events; the job's source has them, and cards.generate() writes them.
GENERATED = {"seed": 7, "partitions": 2, "customers": 1, "terminals": 5_000, "late_share": 0.05,
             "late_by": "4s"}

YAML = """
job: {job}
key_partitions: 4
leading_edge: event
allowed_lateness: 10m
sources:
  payments:
    max_out_of_orderness: 5s
    stream:
      generator: {{{generated}, events: {events}, events_per_second: {rate}, replay: max}}
views:
  customer:
    source: payments
    entity: [customer_id]
    max_rows: {max_rows}
    order_by: [transaction_id]
    aggregations:
      - {{function: count, windows: [{windows}, lifetime]}}
      - {{function: stddev, column: amount, windows: [{windows}]}}
      - {{function: last_n, n: 5, column: transaction_id, windows: [{windows}]}}
      - {{function: count_distinct, column: terminal_id, windows: [{windows}]}}
      - {{function: approx_percentile, percentile: 0.99, column: amount, windows: [{windows}]}}
"""


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--events", type=int, default=36_000_000)
    parser.add_argument("--rate", type=int, default=10_000, help="a second of event time")
    parser.add_argument("--max-rows", type=int, default=250_000)
    parser.add_argument("--budget-mb", type=int, default=512,
                        help="each worker's and the store's, of which they may be a tenth over")
    parser.add_argument("--times", type=int, default=12, help="that answers are compared at")
    parser.add_argument("--quick", action="store_true", help="a sixtieth: 1,000 a second, ten minutes")
    options = parser.parse_args(arguments)
    if options.quick:
        parser.set_defaults(events=600_000, rate=1_000, max_rows=5_000)
        options = parser.parse_args(arguments)
    first = run(options, workers=2, restart=False)
    second = run(options, workers=1, restart=True)
    check(first, options)
    differ = [when for when in first if first[when] != second[when]]
    assert not differ, f"other answers at {', '.join(differ)}"
    print(f"{len(first)} times, {sum(len(a) for a in first.values())} values of both runs: "
          "the same, bit for bit")
    return 0


def run(options, workers, restart):
    budget = ["--memory-budget-bytes", options.budget_mb * MB]
    with tempfile.TemporaryDirectory(prefix="tidemill-hot-key-") as directory, \
            ProcessCluster(workers=workers, worker_options=budget, store_options=budget) as cluster:
        cluster.submit(YAML.format(job=JOB, events=options.events // 2, rate=options.rate,
                                   max_rows=options.max_rows,
                                   windows=", ".join(w for w in WINDOWS if w != "lifetime"),
                                   generated=", ".join(f"{k}: {v}" for k, v in GENERATED.items())),
                       Path(directory))
        watch(cluster, options, restart)
        answers = {}
        seconds = options.events / options.rate
        for step in range(options.times):
            when = START + datetime.timedelta(
                seconds=seconds - 1, microseconds=-int(step * 37_123_457 % 300_000_000))
            answers[when.isoformat()] = read(cluster, when)
        last = answers[max(answers)]
        for name, value, resolution in last:
            print(f"  {name}: {str(value)[:60]}, resolution {resolution / 1e6:g} s")
        return answers


def watch(cluster, options, restart):
    """Until all is read; prints how large the processes are."""
    began, printed, peaks = time.monotonic(), 0, {}
    while True:
        state = cluster.job(JOB)
        resident = {p.name: resident_bytes(p.pid)
                    for p in (*cluster.running_workers(), cluster.store_process)}
        peaks = {name: max(size, peaks.get(name, 0)) for name, size in resident.items()}
        now = time.monotonic() - began
        if now - printed >= 5 or state["state"] == "COMPLETED":
            printed = now
            sizes = ", ".join(f"{name} {size / MB:.0f}" for name, size in resident.items())
            print(f"{now:6.1f} s: MB resident: {sizes}; {state['rows']:,} rows in memory, window "
                  f"state {state.get('state_bytes', 0) / MB:.1f} MB", flush=True)
        if restart and now > 3:
            cluster.store_process.kill()
            cluster.store_process.start()
            restart = False
        if state["state"] == "COMPLETED":
            break
        time.sleep(0.5)
    print("at most: " + ", ".join(f"{name} {peak / MB:.0f} MB" for name, peak in peaks.items())
          + f", of {options.budget_mb}")
    over = [name for name, peak in peaks.items() if peak > 1.1 * options.budget_mb * MB]
    assert not over, f"more than the budget and a tenth: {', '.join(over)}"


def resident_bytes(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def read(cluster, when):
    status, body = cluster.read({"job": JOB, "features": ["customer.*"],
                                 "entities": {"customer_id": [CUSTOMER]},
                                 "as_of": when.isoformat().replace("+00:00", "Z")})
    assert status == 200, f"read: {status} {body}"
    body = json.loads(body) if isinstance(body, (str, bytes)) else body
    return [(r["feature"], r["values"][0], r["resolution_us"][0]) for r in body["results"]]


def check(answers, options):
    """Counts lie between those of DuckDB for the window, and for one that is shorter by the
    resolution at both ends."""
    counts = []  # (name, value, resolution, after, until), times in us
    for when, values in answers.items():
        until = microseconds(datetime.datetime.fromisoformat(when))
        for name, value, resolution in values:
            window = name.removeprefix("customer.count_")
            if window in WINDOWS:
                after = until - WINDOWS[window] if WINDOWS[window] else 0
                counts.append((f"{name} at {when}", value, resolution, after, until))
    wanted = sorted({time for _, _, resolution, after, until in counts
                     for time in (after, after + resolution, until - resolution, until)})
    events = dict(zip(wanted, events_until(wanted, options)))
    approximate = 0
    for name, value, resolution, after, until in counts:
        approximate += resolution > 0
        most = events[until] - events[after]
        least = events[until - resolution] - (events[after + resolution] if after else 0)
        assert least <= value <= most, (f"{name}: {value}, resolution {resolution} us; DuckDB counts "
                                        f"{least} to {most}")
    assert approximate > 0, "no answer is approximate"
    print(f"{len(counts)} counts, {approximate} of them approximate, are as DuckDB's; all "
          f"{sum(r > 0 for a in answers.values() for _, _, r in a)} approximate values say so")


def events_until(times_us, options):
    python = subprocess.run([str(HERE.parent / "venv"), "duckdb", str(HERE / "duckdb_requirements.txt")],
                            check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="tidemill-hot-key-") as directory:
        files = cards.generate(directory, options.events, 1, format="csv",
                               **{**GENERATED, "events_per_second": options.rate})
        task = {"files": [str(f) for f in files], "times_us": times_us}
        run = subprocess.run([python, str(HERE / "event_counts.py")], input=json.dumps(task), text=True,
                             stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def microseconds(time):
    return (time - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // \
        datetime.timedelta(microseconds=1)


if __name__ == "__main__":
    sys.exit(main())
