"""What the cluster is fed: card payments written to a topic at the time at which they are made; and the
job over them."""

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
CUSTOMERS, TERMINALS = 20_000, 1_000
# Short, so that rows are soon folded into the summaries of lifetime windows, and freed: the state is
# some hundred MB at any rate, and a store that is filled anew is full within seconds.
WINDOWS = ["5s", "20s", "lifetime"]
TERMINAL_WINDOWS = ["5s", "lifetime"]
LABEL_DELAY = "5s"
# Batches as of a producer that is in no hurry: they spare the broker, and its disk.
CLIENT = ["linger.ms=20", "compression.codec=lz4"]


def broker_on(network):
    """A broker in its own namespace, not started yet."""
    node = network.add("broker")
    return Broker("--host", node.address, prefix=node.command)


class Broker(kafka.Broker):
    @property
    def pid(self):
        return int((self.directory / "pid").read_text())


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
        words += [word for setting in CLIENT for word in ("--client", setting)]
        with open(log, "ab") as out:
            self._process = subprocess.Popen(
                [*self._node.command, str(tidemill.CLI), "generate", "--live", "--quiet", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._log = log

    @property
    def pid(self):
        return self._process.pid

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

