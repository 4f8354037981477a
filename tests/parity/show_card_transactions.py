#!/usr/bin/env python3
"""Every feature of a month of card transactions, bit for bit against an independent fold.

Splits the month over four CSV files so that time order between them is lost, runs three workers and
a store over them, and checks
  - while it runs: answers with their offset vectors, each against the fold of exactly the records
    that its vector covers,
  - when it is complete: every feature of every customer and every terminal,
  - with 30 days of allowed lateness: random (key, as_of) all over the month, from files that are
    out of order in themselves too.
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
import fold  # noqa: E402
from cluster import Cluster  # noqa: E402

JOB = "card_parity"
LATE_JOB = "card_parity_late"


def read_while_running(cluster, job, views, rng, options):
    """Reads until the job is complete; the (view, keys, response) triples and how long it took."""
    taken = []
    began = time.monotonic()
    latest = None
    while True:
        # The state is asked for before the read: the last answers may be of a completed job.
        state = cluster.job(job)["state"]
        view = views[len(taken) % len(views)]
        keys = rng.sample(answers.sorted_keys(view), options.entities)
        # Every fourth read asks about a time half an hour back, where late events still change
        # values.
        back = latest - fold.HOUR // 2 if latest is not None and len(taken) % 4 == 3 else None
        status, body = cluster.read(view.request(job, keys, back))
        # Meanwhile the horizon may have passed the time that was asked about.
        passed = status == 400 and back is not None and "horizon" in body["error"]["message"]
        assert passed or status in (200, 404, 503), f"read: {status} {body}"
        if status == 200 and any(body["offsets"][view.name]):
            taken.append((view, keys, body))
            latest = fold.parse_time(body["as_of"])
        elif passed:
            latest = None
        if state == "COMPLETED":
            return taken, time.monotonic() - began
        if len(taken) >= options.max_requests:
            cluster.wait_for_state(job, "COMPLETED", 180)
        assert time.monotonic() - began < 300, f"the job is not complete: {cluster.job(job)}"
        time.sleep(0.02)


def check_taken(taken, seconds, options):
    """Checks the answers taken while the job ran, and prints how many they were."""
    tally = answers.Tally()
    for view, keys, body in taken:
        answers.check_answer(view, keys, body, tally)
    tally.require_none()
    print(f"while it ran ({seconds:.1f} s): {tally.answers:,} answers at {len(tally.vectors):,} "
          f"distinct offset vectors, {tally.values:,} values, 0 mismatches "
          f"({tally.not_ready:,} keys not ready)")
    assert tally.answers >= options.min_answers, (
        f"only {tally.answers} answers while it ran; slow the replay down")


def show_running_and_complete(cluster, directory, header, lines, options):
    rng = random.Random(options.seed)
    paths = cards.split_by_blocks(header, lines, directory, rng)
    events = cards.read_events(paths)
    views = cards.views(events)
    cluster.submit(cards.job_yaml(JOB, "transactions_*.csv", replay=options.replay), directory)
    taken, seconds = read_while_running(cluster, JOB, views, rng, options)
    check_taken(taken, seconds, options)
    complete = answers.check_completed(cluster, JOB, views, events.end_offsets, max(events.times))
    complete.require_none()
    print(f"complete: {complete.answers:,} keys, {complete.values:,} values, 0 mismatches")
    check_counters(cluster.job(JOB), len(events))


def show_random_moments(cluster, directory, header, lines, options):
    rng = random.Random(options.seed + 1)
    paths = cards.split_out_of_order(header, lines, directory, rng, lateness_s=3_500)
    events = cards.read_events(paths)
    views = cards.views(events)
    yaml = cards.job_yaml(LATE_JOB, "transactions_*.csv", out_of_orderness="1h", lateness="30d")
    cluster.submit(yaml, directory)
    cluster.wait_for_state(LATE_JOB, "COMPLETED", 180)
    tally = answers.check_random_moments(cluster, LATE_JOB, views, events.end_offsets,
                                         min(events.times), max(events.times), options.moments, rng)
    tally.require_none()
    print(f"random moments: {tally.answers:,} (key, as_of) over the month, {tally.values:,} values, "
          f"0 mismatches")
    check_counters(cluster.job(LATE_JOB), len(events))


def check_counters(job, events):
    """What the job says of itself: everything read, nothing too late, nothing bad."""
    records = sum(s["records"] for s in job["sources"])
    problems = sum(s["bad_records"] for s in job["sources"]) + job["too_late_rows"]
    assert records >= events, f"{records} records read, the files hold {events}"
    assert problems == 0, f"bad or too late: {problems}"
    # One row for each of the two entities of an event, none twice and none lost.
    assert job["rows"] == 2 * events, f"{job['rows']} rows held for {events} events"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--replay", default="150000x", help="pace while it is being read")
    parser.add_argument("--entities", type=int, default=200, help="per request")
    parser.add_argument("--max-requests", type=int, default=400)
    parser.add_argument("--min-answers", type=int, default=1000)
    parser.add_argument("--moments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    description, header, lines = cards.month_of_transactions()
    print(f"data: {description}")
    with tempfile.TemporaryDirectory(prefix="tidemill-parity-") as temporary, \
            Cluster(workers=options.workers) as cluster:
        show_running_and_complete(cluster, Path(temporary, "blocks"), header, lines, options)
        show_random_moments(cluster, Path(temporary, "late"), header, lines, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
