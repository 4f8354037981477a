"""What the cluster is fed: card payments written to a topic at the time at which they are made; the
job over them; and, afterwards, the truth: the log itself, read back by another client (kcat)."""

import json
import subprocess
import time

import cards
import cluster as tidemill
import fold
import kafka
import kafka_cards

JOB = "chaos"
PARTITIONS = 4
KEY_PARTITIONS = 32
CUSTOMERS, TERMINALS = 50_000, 5_000
# Short, so that within a run rows are folded into the summaries of lifetime windows, and freed.
WINDOWS = ["10s", "1m", "lifetime"]
TERMINAL_WINDOWS = ["10s", "lifetime"]
LABEL_DELAY = "5s"


def broker_on(network):
    """A broker in its own namespace, not started yet."""
    node = network.add("broker")
    broker = kafka.Broker("--host", node.address, prefix=node.command)
    broker.node = node
    return broker


def job_yaml(broker, topic, standby_replicas):
    stream = kafka_cards.kafka_stream(broker.address, topic)
    return cards.job_yaml(JOB, None, WINDOWS, TERMINAL_WINDOWS, out_of_orderness="2s",
                          lateness="5s", stream=stream, label_delay=LABEL_DELAY) + (
        f"key_partitions: {KEY_PARTITIONS}\nstandby_replicas: {standby_replicas}\n")


class Feed:
    """`tidemill generate --live` in a namespace of its own: a steady rate, for as long as it runs.

    A fiftieth of the events is dated back by up to 30 s, far beyond the horizon; some records are
    no events."""

    def __init__(self, network, broker, topic, rate, seed, log):
        self._node = network.nodes.get("feeder") or network.add("feeder")
        now = fold.format_time(int(time.time()) * fold.US_PER_SECOND)
        options = {"kafka": broker.address, "topic": topic, "partitions": PARTITIONS,
                   "events": 10_000_000_000, "events-per-second": rate, "start-time": now,
                   "customers": CUSTOMERS, "terminals": TERMINALS, "zipf-exponent": 0.5,
                   "late-share": 0.02, "late-by": "30s", "tie-share": 0.05,
                   "malformed-share": 0.0005, "seed": seed}
        words = [f"--{name}={value}" for name, value in options.items()]
        with open(log, "ab") as out:
            self._process = subprocess.Popen(
                [*self._node.command, str(tidemill.CLI), "generate", "--live", "--quiet", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._log = log

    def check(self):
        """Raises if it has ended."""
        if self._process.poll() is not None:
            raise AssertionError(f"the feed ended: {open(self._log).read()[-2000:]}")

    def stop(self):
        """Nothing is written any more when this returns. What it had not sent yet is nobody's loss:
        the log is the truth."""
        self._process.kill()
        self._process.wait()


def end_offsets(broker, topic):
    """Where the topic ends, once nobody writes any more."""
    with broker.producer() as producer:
        ends = producer.end_offsets(topic, PARTITIONS)
        while True:
            time.sleep(0.3)
            again = producer.end_offsets(topic, PARTITIONS)
            if again == ends:
                return ends
            ends = again


def read_back(broker, topic, customers, terminals, directory):
    """The events of the topic that concern any of these keys, as fold.Events."""
    patterns = directory / "keys"
    patterns.write_text("".join([f'"customer_id":"{key}"\n' for key in customers]
                                + [f'"terminal_id":"{key}"\n' for key in terminals]))
    columns = ("transaction_id", "customer_id", "terminal_id", "amount", "is_fraud")
    events = fold.Events(columns={name: [] for name in columns})
    for partition in range(PARTITIONS):
        for line in _matching_lines(broker, topic, partition, patterns):
            offset, _, text = line.partition(" ")
            record = json.loads(text)
            events.times.append(fold.parse_time(record["event_time"]))
            events.partitions.append(partition)
            events.offsets.append(int(offset))
            for name in columns:
                events.columns[name].append(record[name])
            events.columns["amount"][-1] = float(record["amount"])
    return events


def _matching_lines(broker, topic, partition, patterns):
    kcat = subprocess.Popen(
        ["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", topic, "-p", str(partition), "-o",
         "beginning", "-f", "%o %s\n"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    grep = subprocess.Popen(["grep", "-F", "-f", str(patterns)], stdin=kcat.stdout, text=True,
                            stdout=subprocess.PIPE, env={"LC_ALL": "C"})
    kcat.stdout.close()
    yield from grep.stdout
    problem = kcat.stderr.read().decode()
    if kcat.wait() != 0 or grep.wait() > 1:
        raise AssertionError(f"reading {topic} {partition} back: {problem}")


def views_of(events):
    return cards.views(events, WINDOWS, TERMINAL_WINDOWS, LABEL_DELAY)
