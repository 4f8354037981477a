#!/usr/bin/env python3
"""Logs that are no longer what a job has read: each stops the job, says what happened and what to
do, and loses nothing that was computed.

With a real broker: a topic deleted and created again, with fewer and with more records than were
read; a log that lost its end, as when a broker comes back from an old backup; and records deleted
before what is in no snapshot and in no store could be read again. Each time the job becomes FAILED with an error
that names the topic, the partition and the offsets, and every feature is served as before. Records that are
deleted when snapshots or a store hold what they were read for are not missed.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import cluster as tidemill  # noqa: E402
import kafka_cards  # noqa: E402
from kafka import Broker  # noqa: E402
from processes import ProcessCluster  # noqa: E402

PARTITIONS, CUSTOMERS = 2, 50
# A broker that is started on older data than it had may do nothing for a minute.
RECOVERY_S = 600
FEATURES = ["customer.count_lifetime", "customer.amount_sum_1d", "customer.amount_last_n_lifetime"]
JOB_YAML = """job: {job}
leading_edge: event
sources:
  transactions:
    schema: {schema}
    event_time: event_time
    max_out_of_orderness: 1h
    stream: {stream}
views:
  customer:
    source: transactions
    entity: [customer_id]
    order_by: [transaction_id]
    aggregations:
      - {{function: count, windows: [lifetime]}}
      - {{function: sum, column: amount, windows: [1d]}}
      - {{function: last_n, column: amount, n: 5, windows: [lifetime]}}
"""


class Case:
    """One job over one topic, which has been read to its end when this is made."""

    def __init__(self, cluster, broker, name, records):
        self.cluster, self.broker, self.name = cluster, broker, name
        self.topic = name.replace("_", "-")
        self.broker.create_topic(self.topic, PARTITIONS)
        self.write(records)
        stream = kafka_cards.kafka_stream(broker.address, self.topic)
        cluster.submit(JOB_YAML.format(job=name, schema=kafka_cards.SCHEMA, stream=stream), "/")
        self.wait_until_read()

    def write(self, records, seed=0):
        """That many records to each partition; another seed, other records."""
        with self.broker.producer() as producer:
            for number in range(records * PARTITIONS):
                line = (f"{number},2018-04-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:"
                        f"{number % 60:02d}Z,{number % CUSTOMERS},{seed},{number % 97 + seed}.25,0")
                producer.send(self.topic, number % PARTITIONS, kafka_cards.json_of(line))
            producer.flush()

    def wait_until_read(self):
        with self.broker.producer() as producer:
            ends = producer.end_offsets(self.topic, PARTITIONS)
        kafka_cards.wait_until_read(self.cluster, self.name, ends)
        self.before = self.values()

    def values(self):
        status, body = self.cluster.read({
            "job": self.name, "features": FEATURES,
            "entities": {"customer_id": [str(c) for c in range(CUSTOMERS)]}})
        assert status == 200, f"read: {status} {body}"
        return repr([(r["feature"], r["values"], r["statuses"]) for r in body["results"]])

    def expect_failed(self, *told, served=True):
        """The job fails with an error that has each of `told` in it, and its features stay."""
        job = self.cluster.wait_for_state(self.name, "FAILED", RECOVERY_S)
        error = job["error"]
        print(f"{self.name}: {error}", flush=True)
        for pattern in (self.topic, r"partition \d", *told, "submit it anew"):
            assert re.search(pattern, error), f"'{pattern}' is not in the error"
        assert "NOT_FOUND" not in self.before and "NOT_READY" not in self.before, self.before
        if served:
            after = self.values()
            assert after == self.before, f"values changed:\n{self.before}\n{after}"
        shown = tidemill.run_cli("--coordinator", self.cluster.coordinator.address, "job", "show",
                                 self.name)
        assert "FAILED" in shown.stdout and self.topic in shown.stdout, shown.stdout

    def stop(self):
        status, body = self.cluster.coordinator.call("POST", f"/v1/jobs/{self.name}/stop")
        assert status == 202, f"stop: {status} {body}"


def recreated_with_fewer(cluster, broker):
    case = Case(cluster, broker, "recreated_with_fewer", records=1000)
    recreate(case, 100)
    # On a busy machine it may be missed for so long first that it counts as deleted.
    case.expect_failed("created again|does not exist any more")
    case.stop()


def recreated_with_more(cluster, broker):
    case = Case(cluster, broker, "recreated_with_more", records=1000)
    recreate(case, 3000)
    # On a busy machine it may be missed for so long first that it counts as deleted.
    case.expect_failed("created again|does not exist any more")
    case.stop()


def recreate(case, records):
    case.broker.delete_topic(case.topic)
    case.broker.create_topic(case.topic, PARTITIONS)
    case.write(records, seed=7)


def truncated(cluster, broker):
    """The broker comes back with the data that it had earlier."""
    case = Case(cluster, broker, "truncated", records=1000)
    backup = broker.directory / "data.backup"
    broker.stop()
    shutil.copytree(broker.directory / "data", backup)
    broker.start()
    case.write(500, seed=3)
    case.wait_until_read()
    broker.stop()
    shutil.rmtree(broker.directory / "data")
    backup.rename(broker.directory / "data")
    broker.start()
    case.expect_failed("ends at offset 1000 now", "read it up to offset 1500", "truncated")
    case.stop()


def covered_by_snapshots(cluster, broker):
    """Records are deleted that no snapshot needs any more; then a worker dies, and the job goes on."""
    case = Case(cluster, broker, "covered_by_snapshots", records=1000)
    cluster.cli("snapshot", "trigger", case.name, "--wait")
    broker.delete_records(case.topic, {p: 600 for p in range(PARTITIONS)})
    cluster.running_workers()[0].kill()
    case.write(500, seed=3)
    case.wait_until_read()
    assert cluster.job(case.name)["state"] == "RUNNING"
    print(f"{case.name}: it was read on", flush=True)
    case.stop()
    cluster.add_worker()


def covered_by_store(cluster, broker):
    """Records are deleted that are in no snapshot; then a worker dies, and the store gives those that
    follow it what it has."""
    case = Case(cluster, broker, "covered_by_store", records=1000)
    broker.delete_records(case.topic, {p: 600 for p in range(PARTITIONS)})
    cluster.running_workers()[0].kill()
    case.write(500, seed=3)
    case.wait_until_read()
    job = cluster.job(case.name)
    assert job["state"] == "RUNNING"
    status, body = cluster.read({"job": case.name, "features": FEATURES[:1],
                                 "entities": {"customer_id": [str(c) for c in range(CUSTOMERS)]}})
    counts = body["results"][0]["values"]
    assert status == 200 and counts == [1500 * PARTITIONS // CUSTOMERS] * CUSTOMERS, counts
    print(f"{case.name}: it was read on", flush=True)
    case.stop()


def beyond_retention(cluster, broker):
    """Records are deleted after they were read; then a worker and the store die, and what is in no
    snapshot must be read again from the start."""
    case = Case(cluster, broker, "beyond_retention", records=1000)
    broker.delete_records(case.topic, {p: 600 for p in range(PARTITIONS)})
    assert case.cluster.job(case.name)["state"] == "RUNNING"
    cluster.store_process.kill()
    cluster.running_workers()[0].kill()
    case.expect_failed("begins at offset 600 now", "offset 0", "retention", served=False)
    case.stop()


CASES = (recreated_with_fewer, recreated_with_more, truncated, covered_by_snapshots,
         covered_by_store, beyond_retention)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=[c.__name__ for c in CASES])
    options = parser.parse_args(arguments)
    # No snapshot is taken unless a case asks for it.
    rarely = ["--snapshot-interval-ms", 3_600_000]
    # A broker of its own for each: one that was started on older data is of little use afterwards.
    for case in CASES:
        if options.cases and case.__name__ not in options.cases:
            continue
        with Broker() as broker, ProcessCluster(options.workers, worker_options=rarely) as cluster:
            case(cluster, broker)
    return 0


if __name__ == "__main__":
    sys.exit(main())
