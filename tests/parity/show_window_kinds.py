#!/usr/bin/env python3
"""Every function over every kind of window, each way to close it and an offset, read from a store and
compared bit for bit with an independent fold: sliding, lifetime, tumbling and hopping by the clock
and by days, weeks and months of several time zones, sessions, with and without a default.

The events lie around the changes of clocks of autumn 2018, some of them on the boundaries, in files
that together have no order in time.
"""

import argparse
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import answers  # noqa: E402
import cards  # noqa: E402
import fold  # noqa: E402
from cluster import Cluster  # noqa: E402

JOB = "window_kinds"
FIRST, DAYS = "2018-09-20T00:00:00Z", 70
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo"]

# Function, column, parameter, its value, default as a job writes it and as it is answered.
FUNCTIONS = [
    ("count", None, None, 0, None, None),
    *((name, "amount", None, 0, "-1", -1.0) for name in (
        "sum", "mean", "min", "max", "var_pop", "var_samp", "stddev_pop", "stddev_samp")),
    ("first", "terminal_id", None, 0, "none", "none"),
    ("last", "is_fraud", None, 0, "false", False),
    ("first_n", "transaction_id", "n", 3, "[]", []),
    ("last_n", "amount", "n", 4, "[0, 1.5]", [0.0, 1.5]),
    ("first_distinct_n", "terminal_id", "n", 3, "[]", []),
    ("last_distinct_n", "terminal_id", "n", 3, "['it''s none']", ["it's none"]),
    ("count_distinct", "terminal_id", "exact_up_to", 1000, None, None),
    ("top_k", "amount", "k", 3, "[]", []),
    ("bottom_k", "terminal_id", "k", 2, "[]", []),
]
# What a job says of the windows, and the features of that.
KINDS = [
    ("windows: [5h, lifetime]", lambda *a: fold.aggregation(*a[:3], ["5h", "lifetime"], **a[3])),
    ("windows: [6h, lifetime], every: 90m",
     lambda *a: fold.stepped(*a[:3], ["6h", "lifetime"], "90m", **a[3])),
    *(("windows: [%s], every: %s, timezone: %s" % (", ".join(windows), every, zone),
       lambda *a, w=windows, e=every, z=zone: fold.stepped(*a[:3], w, e, z, **a[3]))
      for windows, every, zone in (
          (["1d", "3d"], "1d", "Europe/Berlin"), (["5d", "1w"], "2d", "America/Sao_Paulo"),
          (["1w"], "1w", "America/New_York"), (["1mo", "2mo"], "1mo", "Europe/Berlin"))),
    ("windows: [session], gap: 7h, max_length: 3d",
     lambda *a: [fold.session(*a[:3], "7h", "3d", **a[3])]),
]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=8_000)
    parser.add_argument("--customers", type=int, default=40)
    parser.add_argument("--moments", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-windows-") as directory:
        return show(Path(directory), options)


def show(directory, options):
    rng = random.Random(options.seed)
    events = cards.read_events(write_events(directory, options, rng))
    aggregations = list(every_aggregation())
    features = [f for _, group in aggregations for f in group]
    view = answers.ViewUnderTest("customer", "customer_id", tuple(features),
                                 rows_of(events, features), lifetime=True)
    print(f"{len(events):,} events of {options.customers} customers, {len(features):,} features")
    with Cluster(workers=2) as cluster:
        cluster.submit(job_yaml([line for line, _ in aggregations]), directory)
        cluster.wait_for_state(JOB, "COMPLETED", deadline_s=120)
        last = max(events.times)
        tally = answers.check_completed(cluster, JOB, [view], events.end_offsets, last, batch=10)
        tally.require_none()
        print(f"complete: {tally.values:,} values, 0 mismatches")
        check_moments(cluster, view, events, options, rng)
    return 0


def check_moments(cluster, view, events, options, rng):
    tally = answers.Tally()
    keys = answers.sorted_keys(view)
    for _ in range(options.moments):
        part = rng.sample(keys, 3)
        as_of = rng.choice(events.times) + rng.choice((0, 0, 1, rng.randrange(fold.DAY)))
        status, body = cluster.read(view.request(JOB, part, as_of=as_of))
        assert status == 200, f"read: {status} {str(body)[:500]}"
        answers.check_answer(view, part, body, tally, events.end_offsets)
    tally.require_none()
    print(f"random moments: {tally.answers:,} (key, as_of), {tally.values:,} values, 0 mismatches")


def rows_of(events, features):
    order = fold.order_of(features)
    return fold.View(events, "customer_id", {c: cards.COLUMNS[c] for c in order}, order=order)


def write_events(directory, options, rng):
    """Bursts of activity and single events; a tenth of them where a day begins somewhere."""
    start = fold.parse_time(FIRST)
    lines = []
    moment = [start + rng.randrange(DAYS * fold.DAY) for _ in range(options.customers)]
    for number in range(options.events):
        customer = rng.randrange(options.customers)
        pause = rng.choice((fold.MINUTE, fold.HOUR, 7 * fold.HOUR, 30 * fold.HOUR))
        moment[customer] += rng.choice((pause, rng.randrange(pause)))
        time = start + (moment[customer] - start) % (DAYS * fold.DAY)
        if rng.random() < 0.1:
            time = fold.stepped_window(
                fold.stepped("", "count", None, ["lifetime"], "1d", rng.choice(ZONES))[0], time)[1]
        lines.append(f"{number},{fold.format_time(time)},c{customer},t{rng.randrange(12)},"
                     f"{rng.choice((0.0, -2.5, rng.uniform(-9, 99)))!r},{rng.randrange(2)}")
    header = "transaction_id,event_time,customer_id,terminal_id,amount,is_fraud"
    return cards.write_files(header, [lines[0::2], lines[1::2]], directory)


def every_aggregation():
    """(line of a job, features)."""
    for function, column, parameter, n, default, value in FUNCTIONS:
        for number, (windows, features) in enumerate(KINDS):
            for closed in ("right", "left", "both", "neither"):
                for offset in ("0s", "50h"):
                    name = f"{function}_{number}_{closed}_{offset}"
                    line = f"{{name: {name}, function: {function}, {windows}, closed: {closed}"
                    line += f", column: {column}" if column else ""
                    line += f", {parameter}: {n}" if parameter else ""
                    line += f", offset: {offset}"
                    stands = default is not None and offset == "50h"
                    line += f", default: {default}}}" if stands else "}"
                    group = features(name, function, column,
                                     {"offset": offset, "closed": closed, "n": n})
                    if stands:
                        group = [replace(f, default=value) for f in group]
                    yield line, group


def job_yaml(lines):
    aggregations = "\n".join(f"      - {line}" for line in lines)
    return f"""job: {JOB}
leading_edge: event
allowed_lateness: {DAYS + 1}d
sources:
  transactions:
    schema: {{transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}}
    event_time: event_time
    max_out_of_orderness: {DAYS}d
    stream: {{files: "transactions_*.csv"}}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
{aggregations}
"""


if __name__ == "__main__":
    sys.exit(main())
