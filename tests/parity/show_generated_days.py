#!/usr/bin/env python3
"""120 generated days with a few very large keys, late and tied events, bit for bit against an
independent fold: chunks fill up, late rows cut them anew, and old rows are freed on the way.

Checks answers while the job runs, each against the fold of exactly the records that its offset
vector covers, every feature of every key when it is complete, and random moments within the allowed
lateness. Events later than every permitted read can see may be dropped, and must not show.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import answers  # noqa: E402
import cards  # noqa: E402
import fold  # noqa: E402
from cluster import Cluster  # noqa: E402
from show_card_transactions import check_taken, read_while_running  # noqa: E402

JOB = "generated_days"
DAYS = 120
WINDOWS = ["1h", "1d", "7d"]
LATENESS = "1d"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=800_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replay", default="700000x", help="pace while it is being read")
    parser.add_argument("--entities", type=int, default=200, help="per request")
    parser.add_argument("--max-requests", type=int, default=200)
    parser.add_argument("--min-answers", type=int, default=1000)
    parser.add_argument("--moments", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-days-") as directory:
        return show(Path(directory), options)


def show(directory, options):
    # Exponent 1 gives the busiest customer about a tenth of all events. Late events are dated back
    # by up to nine days: further than a customer's longest window and the allowed lateness reach.
    paths = cards.generate(directory, options.events, DAYS, partitions=2, seed=options.seed,
                           customers=5_000, terminals=10_000, zipf_exponent=1.0, late_share=0.05,
                           late_by="9d", tie_share=0.2)
    events = cards.read_events(paths)
    views = cards.views(events, WINDOWS, WINDOWS)
    largest = Counter(events.columns["customer_id"]).most_common(3)
    print(f"data: {len(events):,} generated events over {DAYS} days; largest keys "
          + ", ".join(f"{rows:,} rows" for _, rows in largest))
    rng = random.Random(options.seed)
    with Cluster(workers=options.workers) as cluster:
        cluster.submit(cards.job_yaml(JOB, "transactions-*.csv", WINDOWS, WINDOWS,
                                      lateness=LATENESS, replay=options.replay), directory)
        taken, seconds = read_while_running(cluster, JOB, views, rng, options)
        check_taken(taken, seconds, options)
        check_refused(cluster, views[0], min(events.times))
        check_at_the_end(cluster, views, events, rng, options)
        check_counters(cluster.job(JOB), len(events))
    return 0


def check_refused(cluster, view, as_of):
    """What lies before the horizon may have been freed: a read of it is refused, and says so."""
    horizon = cluster.job(JOB)["horizon"]
    status, body = cluster.read(view.request(JOB, answers.sorted_keys(view)[:1], as_of))
    assert status == 400, f"a read before the horizon {horizon}: {status} {body}"
    assert "horizon" in body["error"]["message"], body


def check_at_the_end(cluster, views, events, rng, options):
    last = max(events.times)
    tally = answers.check_completed(cluster, JOB, views, events.end_offsets, last,
                                    all_found=False)
    tally.require_none()
    print(f"complete: {tally.answers:,} keys, {tally.values:,} values, 0 mismatches")
    moments = answers.check_random_moments(cluster, JOB, views, events.end_offsets,
                                           last - fold.parse_duration(LATENESS), last,
                                           options.moments, rng)
    moments.require_none()
    print(f"random moments: {moments.answers:,} (key, as_of) over the allowed lateness, "
          f"{moments.values:,} values, 0 mismatches")


def check_counters(job, events):
    """The paths that this is about were taken, and no row is unaccounted for."""
    counters = {name: job[name] for name in ("full_chunks", "recut_chunks", "freed_rows",
                                             "too_late_rows", "rows")}
    print(", ".join(f"{name} {value:,}" for name, value in counters.items()))
    for name, value in counters.items():
        assert value > 0, f"{name} is 0"
    # A row is too late by the worker's horizon; the store's follows from frame to frame, so that it
    # may still take a row that was too late, and free it then.
    held = job["rows"] + job["freed_rows"]
    assert held <= 2 * events <= held + job["too_late_rows"], f"{held} rows, of {2 * events}"


if __name__ == "__main__":
    sys.exit(main())
