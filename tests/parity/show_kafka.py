#!/usr/bin/env python3
"""A month of card transactions through a real Kafka topic, bit for bit what files give.

The reference is a job over files, itself checked against the independent fold. The same job then
reads the same transactions from topics of 4 partitions, keyed by customer and written at changing
paces, so that there is no time order between partitions, three workers reading:
  - straight through,
  - while the broker is away for 20 s in the middle,
  - while the topic gets two more partitions in the middle,
  - while a worker is killed in the middle.
At the end every feature of every customer and terminal, lists and lifetime windows included, must
have the very bits of the reference.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import answers  # noqa: E402
import cards  # noqa: E402
import cluster as tidemill  # noqa: E402
import fold  # noqa: E402
import kafka_cards  # noqa: E402
from cluster import Cluster  # noqa: E402
from kafka import Broker  # noqa: E402

FILES_JOB = "cards_files"
PARTITIONS, MORE_PARTITIONS = 4, 6
WINDOWS = ["1h", "1d", "7d", "lifetime"]
TERMINAL_WINDOWS = ["1d", "7d", "lifetime"]
BATCH = 500
# Beyond its bound a count of distinct values is an estimate, of which the fold knows nothing: it must
# be the same estimate all the same.
ESTIMATES = """  estimates:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {name: terminals, function: count_distinct, column: terminal_id, exact_up_to: 16,
         windows: [7d, lifetime]}
"""


def job_yaml(name, stream):
    return cards.job_yaml(name, None, WINDOWS, TERMINAL_WINDOWS, stream=stream) + ESTIMATES


def views_of(events):
    """(the views that the fold knows, all views)"""
    folded = cards.views(events, WINDOWS, TERMINAL_WINDOWS)
    features = fold.aggregation("terminals", "count_distinct", "terminal_id", ["7d", "lifetime"])
    estimates = answers.ViewUnderTest("estimates", "customer_id", tuple(features), folded[0].rows,
                                      True)
    return folded, [*folded, estimates]


# --- the reference --------------------------------------------------------------------------------


def run_from_files(cluster, directory, header, lines, rng):
    """The job over files, checked against the fold: (views, as_of, rows of answers)."""
    paths = cards.split_by_blocks(header, lines, directory, rng)
    events = cards.read_events(paths)
    folded, views = views_of(events)
    as_of = max(events.times)
    cluster.submit(job_yaml(FILES_JOB, '{files: "transactions_*.csv"}'), directory)
    cluster.wait_for_state(FILES_JOB, "COMPLETED", 180)
    tally = answers.check_completed(cluster, FILES_JOB, folded, events.end_offsets, as_of)
    tally.require_none()
    print(f"from files: {tally.answers:,} keys, {tally.values:,} values, 0 mismatches with the fold")
    rows = read_all(cluster, FILES_JOB, views, as_of)
    stop(cluster, FILES_JOB)
    return views, as_of, rows


def read_all(cluster, job, views, as_of, vector=None):
    """{(view, key): its values and statuses, exactly}, of every key of every view. `vector`: what
    every answer must cover."""
    rows = {}
    for view in views:
        names = [f"{view.name}.{feature.name}" for feature in view.features]
        keys = sorted(view.rows.logs)
        for begin in range(0, len(keys), BATCH):
            part = keys[begin:begin + BATCH]
            status, body = cluster.read(view.request(job, part, as_of, offsets=vector is not None))
            assert status == 200, f"read of {job}: {status} {str(body)[:500]}"
            columns = {result["feature"]: result for result in body["results"]}
            for row, key in enumerate(part):
                # repr() of a float is exact, and tells it from an integer.
                rows[view.name, key] = repr([(columns[n]["values"][row], columns[n]["statuses"][row])
                                             for n in names])
                if vector is not None:
                    covers = [o for o, _ in body["offsets"][view.name][row]["offset_vector"]]
                    assert covers == vector, f"{job}: {view.name} {key} is at {covers}, not {vector}"
    return rows


def stop(cluster, job):
    status, body = cluster.coordinator.call("POST", f"/v1/jobs/{job}/stop")
    assert status == 202, f"stop of {job}: {status} {body}"


# --- the runs from the topic ----------------------------------------------------------------------


class Run:
    """One job over one topic, from its start to the comparison."""

    def __init__(self, cluster, broker, name, lines, options):
        self.cluster, self.broker, self.name, self.lines = cluster, broker, name, lines
        self.options = options
        self.rng = random.Random(options.seed)
        self.topic = name.replace("_", "-")
        self.partitions = PARTITIONS
        broker.create_topic(self.topic, PARTITIONS)
        stream = kafka_cards.kafka_stream(broker.address, self.topic)
        cluster.submit(job_yaml(name, stream), "/")
        self.began = time.monotonic()

    def feed(self, lines, rate=None):
        records = kafka_cards.records_of(lines, self.partitions)
        ordered = kafka_cards.lose_time_order(records, self.partitions, self.rng)
        return kafka_cards.Feed(self.broker, self.topic, ordered, rate)

    def job(self):
        return self.cluster.job(self.name)

    def wait_for_applied(self, records):
        """Until that many records are applied; fewer than all, or it is no middle."""
        tidemill.wait_until(
            lambda: sum(s["applied"] for s in self.job()["sources"]) >= records,
            f"{self.name} has applied {records} records", 60)

    def compare(self, views, as_of, reference):
        """Every answer must be the reference's."""
        with self.broker.producer() as producer:
            ends = producer.end_offsets(self.topic, self.partitions)
        assert sum(ends) == len(self.lines), f"{self.topic} ends at {ends}"
        job = kafka_cards.wait_until_read(self.cluster, self.name, ends)
        seconds = time.monotonic() - self.began
        assert job["state"] == "RUNNING", f"{self.name} is {job['state']}: {job.get('error')}"
        rows = read_all(self.cluster, self.name, views, as_of, ends)
        wrong = [key for key in reference if rows[key] != reference[key]]
        for key in wrong[:5]:
            print(f"{self.name} {key}:\n  topic {rows[key]}\n  files {reference[key]}")
        assert not wrong, f"{self.name}: {len(wrong)} of {len(reference)} keys differ"
        stop(self.cluster, self.name)
        features = sum(len(v.features) * len(v.rows.logs) for v in views)
        print(f"{self.name}: {len(self.lines):,} records over {self.partitions} partitions in "
              f"{seconds:.1f} s; {len(rows):,} keys, {features:,} values, all bits as from files",
              flush=True)


def straight(run):
    run.feed(run.lines).finish()


def broker_away(run):
    """The broker stops while half of the records are written, and is away for a while."""
    feed = run.feed(run.lines, run.options.rate)
    feed.wait_for(len(run.lines) // 2)
    run.wait_for_applied(len(run.lines) // 4)
    run.broker.stop()
    before = sum(s["applied"] for s in run.job()["sources"])
    end = time.monotonic() + run.options.outage
    while time.monotonic() < end:
        assert run.job()["state"] == "RUNNING", f"without the broker: {run.job()}"
        time.sleep(0.5)
    applied = sum(s["applied"] for s in run.job()["sources"])
    assert before <= applied < len(run.lines), f"{applied} records applied without the broker"
    run.broker.start()
    feed.finish()


def more_partitions(run):
    half = len(run.lines) // 2
    run.feed(run.lines[:half]).finish()
    run.wait_for_applied(half // 2)
    run.broker.add_partitions(run.topic, MORE_PARTITIONS)
    run.partitions = MORE_PARTITIONS
    # At once: what the new partitions get before anybody has noticed them must not be missed.
    run.feed(run.lines[half:]).finish()


def worker_killed(run):
    """The worker that reads partition 0 dies while records are written."""
    feed = run.feed(run.lines, run.options.rate)
    feed.wait_for(len(run.lines) // 2)
    run.wait_for_applied(len(run.lines) // 4)
    reader = run.job()["sources"][0]["node"]
    [worker] = [m for m in run.cluster.members("worker") if m["node"] == reader]
    os.kill(worker["pid"], signal.SIGKILL)
    feed.finish()
    tidemill.wait_until(lambda: reader not in [m["node"] for m in run.cluster.members()],
                        "the killed worker is known to be dead", 30)


SCENARIOS = {"straight": straight, "broker_away": broker_away, "more_partitions": more_partitions,
             "worker_killed": worker_killed}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, help="only the first ones of the month")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--outage", type=float, default=20, help="seconds without the broker")
    parser.add_argument("--rate", type=int, default=40_000, help="records written per second")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    description, header, lines = cards.month_of_transactions()
    lines = lines[:options.rows]
    print(f"data: {description}" + (f", the first {len(lines):,}" if options.rows else ""))
    with tempfile.TemporaryDirectory(prefix="tidemill-kafka-show-") as directory, \
            Broker() as broker, Cluster(workers=options.workers) as cluster:
        reference = run_from_files(cluster, Path(directory, "files"), header, lines,
                                   random.Random(options.seed))
        for name in options.scenarios:
            run = Run(cluster, broker, f"cards_{name}", lines, options)
            SCENARIOS[name](run)
            run.compare(*reference)
    return 0


if __name__ == "__main__":
    sys.exit(main())
