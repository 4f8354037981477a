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
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import answers  # noqa: E402
import cards  # noqa: E402
import fold  # noqa: E402
from cluster import Cluster  # noqa: E402

JOB = "window_kinds"
FIRST, DAYS = "2018-09-20T00:00:00Z", 70
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo"]

# Function, column, parameters as a job writes them and as the fold knows them, and the default as a
# job writes it and as it is answered.
NO_DEFAULT = (None, None)
FUNCTIONS = [
    ("count", None, "", {}, NO_DEFAULT),
    *((name, "amount", "", {}, ("-1", -1.0)) for name in (
        "sum", "mean", "min", "max", "var_pop", "var_samp", "stddev_pop", "stddev_samp", "skew",
        "skew_pop", "kurtosis", "kurtosis_pop")),
    ("first", "terminal_id", "", {}, ("none", "none")),
    ("last", "is_fraud", "", {}, ("false", False)),
    ("first_n", "transaction_id", "n: 3", {"n": 3}, ("[]", [])),
    ("last_n", "amount", "n: 4", {"n": 4}, ("[0, 1.5]", [0.0, 1.5])),
    ("first_distinct_n", "terminal_id", "n: 3", {"n": 3}, ("[]", [])),
    ("last_distinct_n", "terminal_id", "n: 3", {"n": 3}, ("['it''s none']", ["it's none"])),
    ("count_distinct", "terminal_id", "exact_up_to: 1000", {"n": 1000}, NO_DEFAULT),
    ("approx_count_distinct", "transaction_id", "precision: 5", {"n": 5}, NO_DEFAULT),
    ("approx_percentile", "amount", "percentile: 0.9, relative_accuracy: 0.02, max_buckets: 24",
     {"percentile": Fraction(9, 10), "accuracy": Fraction(2, 100), "bound": 24}, ("-1", -1.0)),
    ("top_k", "amount", "k: 3", {"n": 3}, ("[]", [])),
    ("bottom_k", "terminal_id", "k: 2", {"n": 2}, ("[]", [])),
    ("histogram", "terminal_id", "max_values: 8", {"bound": 8}, ("{}", {})),
    ("top_k_by_frequency", "amount", "k: 3", {"n": 3, "bound": 10_000}, ("[]", [])),
    ("bottom_k_by_frequency", "is_fraud", "k: 2, counts: true",
     {"n": 2, "bound": 10_000, "counts": True}, ("{}", {})),
    ("decayed_sum", "amount", "half_life: 6h", {"half_life": 6 * fold.HOUR}, ("-1", -1.0)),
    ("decayed_count", None, "half_life: 50m", {"half_life": 50 * fold.MINUTE}, NO_DEFAULT),
    *((name, column, f"by: {by}, max_groups: {most}{more}", {"by": by, "max_groups": most, **of_fold},
       ("{}", {}))
      for name, column, by, most, more, of_fold in (
          ("count", None, "terminal_id", 20, "", {}),
          ("sum", "amount", "terminal_id", 5, "", {}),
          ("last", "transaction_id", "is_fraud", 2, "", {}),
          ("stddev_samp", "amount", "is_fraud", 2, "", {}),
          ("count_distinct", "terminal_id", "is_fraud", 1, ", exact_up_to: 1000", {"n": 1000}),
          ("decayed_sum", "amount", "terminal_id", 7, ", half_life: 6h",
           {"half_life": 6 * fold.HOUR}))),
]
FUNCTIONS_PER_VIEW = 5  # a view is read at once, and there is a limit to that
# What a job says of the windows, and the features of that.
KINDS = [
    (["5h", "lifetime"], "", fold.aggregation, ()),
    (["6h", "lifetime"], "every: 90m", fold.stepped, ("90m",)),
    *((windows, f"every: {every}, timezone: {zone}", fold.stepped, (every, zone))
      for windows, every, zone in (
          (["1d", "3d"], "1d", "Europe/Berlin"), (["5d", "1w"], "2d", "America/Sao_Paulo"),
          (["1w"], "1w", "America/New_York"), (["1mo", "2mo"], "1mo", "Europe/Berlin"))),
    (["session"], "gap: 7h, max_length: 3d",
     lambda name, function, column, windows, **others: [
         fold.session(name, function, column, "7h", "3d", **others)], ()),
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
    parts = [list(aggregations(FUNCTIONS[begin:begin + FUNCTIONS_PER_VIEW]))
             for begin in range(0, len(FUNCTIONS), FUNCTIONS_PER_VIEW)]
    views = [view_under_test(f"part_{number}", [f for _, group in part for f in group], events)
             for number, part in enumerate(parts)]
    features = sum(len(view.features) for view in views)
    print(f"{len(events):,} events of {options.customers} customers, {features:,} features")
    with Cluster(workers=2) as cluster:
        cluster.submit(job_yaml([[line for line, _ in part] for part in parts]), directory)
        cluster.wait_for_state(JOB, "COMPLETED", deadline_s=120)
        last = max(events.times)
        tally = answers.check_completed(cluster, JOB, views, events.end_offsets, last, batch=10)
        tally.require_none()
        print(f"complete: {tally.values:,} values, 0 mismatches")
        check_moments(cluster, views, events, options, rng)
    return 0


def check_moments(cluster, views, events, options, rng):
    tally = answers.Tally()
    keys = answers.sorted_keys(views[0])
    for number in range(options.moments):
        view = views[number % len(views)]
        part = rng.sample(keys, 3)
        as_of = rng.choice(events.times) + rng.choice((0, 0, 1, rng.randrange(fold.DAY)))
        status, body = cluster.read(view.request(JOB, part, as_of=as_of))
        assert status == 200, f"read: {status} {str(body)[:500]}"
        answers.check_answer(view, part, body, tally, events.end_offsets)
    tally.require_none()
    print(f"random moments: {tally.answers:,} (key, as_of), {tally.values:,} values, 0 mismatches")


def view_under_test(name, features, events):
    order = fold.order_of(features)
    rows = fold.View(events, "customer_id", {c: cards.COLUMNS[c] for c in order}, order=order)
    return answers.ViewUnderTest(name, "customer_id", tuple(features), rows, lifetime=True)


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


def aggregations(functions):
    """(line of a job, features)."""
    for function, column, parameters, of_fold, default in functions:
        for number, (windows, kind, features, more) in enumerate(KINDS):
            if "half_life" in of_fold:  # what decays has no lifetime windows
                windows = [w for w in windows if w != "lifetime"]
            for closed in ("right", "left", "both", "neither"):
                for offset in ("0s", "50h"):
                    name = f"{function}_{number}_{closed}_{offset}"
                    group = features(name, function, column, windows, *more, offset=offset,
                                     closed=closed, **of_fold)
                    fields = [f"name: {name}", f"function: {function}",
                              f"windows: [{', '.join(windows)}]", kind, parameters,
                              f"closed: {closed}", f"offset: {offset}",
                              column and f"column: {column}"]
                    if default is not NO_DEFAULT and offset == "50h":
                        fields.append(f"default: {default[0]}")
                        group = [replace(f, default=default[1]) for f in group]
                    yield "{" + ", ".join(field for field in fields if field) + "}", group


def job_yaml(parts):
    views = "".join(f"""  part_{number}:
    source: transactions
    entity: [customer_id]
    aggregations:
""" + "".join(f"      - {line}\n" for line in lines) for number, lines in enumerate(parts))
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
{views}"""


if __name__ == "__main__":
    sys.exit(main())
