"""How fast events are read as fast as it goes, after a window of them: from NDJSON files, and from
a topic of a real broker; and what it costs merely to parse the same files and to consume the same
topic.

The measured events lie ready before they may be read: files are linked into the directory that the
job follows; records are written in one transaction, which is committed when the state is warm.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from measure import (Meter, SteadyReads, sources_of, start_cluster, wait_published, wait_warm,
                     wait_written)
from workload import DATA, cpu_seconds, job_yaml

import cluster as tidemill  # workload says where it is
from kafka import Broker

JOB = "bench"
TOPIC = "transactions"
TRANSACTION_S = 7_200  # the longest that deploy/kafka takes


def measure_files(workload, options):
    paths = workload.files()
    size = sum(path.stat().st_size for path in paths)
    DATA.mkdir(parents=True, exist_ok=True)
    live = Path(tempfile.mkdtemp(prefix="live-", dir=DATA))
    try:
        with start_cluster(options) as cluster:
            stream = f'{{files: "{live}/*.ndjson", follow: true}}'
            submitted = submit(cluster, stream, workload, live)

            def release():
                for path in paths:
                    os.link(path, live / path.name)
                # Files are looked for once a second.
                tidemill.wait_until(
                    lambda: len(sources_of(cluster, JOB, "transactions")) == len(paths),
                    "the files are found", 30, 0.02)
                return time.monotonic()

            figures = replay(cluster, workload, options, submitted, size,
                             [path.stat().st_size for path in paths], release)
        figures["parse_only"] = run_json("parse_only_bench", *paths)
        return figures
    finally:
        shutil.rmtree(live)


def measure_kafka(workload, options, written):
    """The broker's CPU time is in no figure but its own. `written` is called once the files are
    in the topic."""
    os.environ.setdefault("KAFKA_HEAP", "1g")
    paths = workload.files()
    with Broker() as broker:
        broker.create_topic(TOPIC, len(paths))
        broker_pid = int((broker.directory / "pid").read_text())
        settings = {"transactional.id": "bench",
                    "transaction.timeout.ms": str(1_000 * TRANSACTION_S)}
        with broker.producer(settings) as producer, start_cluster(options) as cluster:
            counts, size = write_open_transaction(producer, paths)
            written()
            stream = f'{{kafka: {{brokers: "{broker.address}", topic: {TOPIC}, format: json}}}}'
            submitted = submit(cluster, stream, workload, DATA)
            broker_cpu = [0.0]

            def release():
                broker_cpu[0] = cpu_seconds(broker_pid)
                began = time.monotonic()
                producer.end_transaction()
                return began

            figures = replay(cluster, workload, options, submitted, size, counts, release)
            figures["broker_cpu_seconds"] = round(cpu_seconds(broker_pid) - broker_cpu[0], 2)
        figures["consume_only"] = run_json("kafka_consume_bench", broker.address, TOPIC)
        return figures


def write_open_transaction(producer, paths):
    """Writes each file to a partition of its own, for nobody to read yet; records of each, and
    bytes of all."""
    producer.begin_transaction()
    counts, size = [0] * len(paths), 0
    for partition, path in enumerate(paths):
        with path.open("rb") as lines:
            for line in lines:
                producer.send(TOPIC, partition, line[:-1])
                counts[partition] += 1
                size += len(line) - 1
    producer.flush(600)
    return counts, size


def submit(cluster, stream, workload, directory):
    """When that was."""
    cluster.submit(job_yaml(JOB, stream, warm_up=workload.before()), directory)
    return time.monotonic()


def replay(cluster, workload, options, submitted, size, ends, release):
    """Figures of the events that may be read once `release` has been called, which says since when,
    until all before these ends are in the store."""
    warm = wait_warm(cluster, JOB, workload, submitted)
    reads = SteadyReads(cluster, JOB, workload.customers, options.reads_per_second)
    wait_written()
    reads.clear()
    meter = Meter(cluster, JOB)
    began = release()
    wait_published(cluster, JOB, "transactions", ends)
    figures = meter.figures(workload.events, size, began)
    figures["reads_meanwhile"] = reads.end()
    wait_written()
    # All that the events cost, with a last round of snapshots and what processes do when idle.
    figures["cpu_seconds_until_written"] = round(sum(meter.cpu().values()), 2)
    figures["warm_up"] = warm
    bad = sum(s["bad_records"] for s in sources_of(cluster, JOB, "transactions"))
    assert bad == 0, f"{bad} records were no events"
    return figures


def run_json(program, *arguments):
    """What a program of ours prints."""
    run = subprocess.run([tidemill.BIN / program, *map(str, arguments)], stdout=subprocess.PIPE,
                         text=True, check=True)
    return json.loads(run.stdout)
