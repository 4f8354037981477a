"""Card transactions through a topic: the records, which partition gets them, and in which order."""

import threading
import time
import zlib
from dataclasses import dataclass

import cluster as tidemill

SCHEMA = ("{transaction_id: int64, event_time: timestamp, customer_id: string, "
          "terminal_id: string, amount: double, is_fraud: bool}")


def kafka_stream(broker, topic, **settings):
    """The `stream:` of a job that reads a topic."""
    settings = {"format": "json", **settings}
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return f'{{kafka: {{brokers: "{broker}", topic: {topic}{more}}}}}'


# --- records --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    partition: int
    key: bytes
    value: bytes


def partition_of(key, partitions):
    return zlib.crc32(key) % partitions


def json_of(line):
    """A CSV line of the data set as a JSON object."""
    number, moment, customer, terminal, amount, fraud = line.split(",")
    flag = "true" if fraud in ("1", "true") else "false"
    return (f'{{"transaction_id":{number},"event_time":"{moment}","customer_id":"{customer}",'
            f'"terminal_id":"{terminal}","amount":{amount},"is_fraud":{flag}}}').encode()


def records_of(lines, partitions):
    """JSON records keyed by customer, in order of the lines."""
    out = []
    for line in lines:
        key = line.split(",")[2].encode()
        out.append(Record(partition_of(key, partitions), key, json_of(line)))
    return out


def lose_time_order(records, partitions, rng, block=1_500):
    """The same records, each partition's in its order, but the partitions at changing paces: the
    first ones write their early records early, the last ones late."""
    queues = [[r for r in records if r.partition == p] for p in range(partitions)]
    positions = [0] * partitions
    out = []
    while len(out) < len(records):
        progress = len(out) / len(records)
        weights = [(0.3 + max(0.0, 1 - abs(progress * partitions - p)))
                   * (positions[p] < len(queues[p])) for p in range(partitions)]
        p = rng.choices(range(partitions), weights)[0]
        out += queues[p][positions[p]:positions[p] + block]
        positions[p] += block
    return out


class Feed:
    """Writes records to a topic from a thread of its own, at most `rate` a second (None: as fast as
    it goes)."""

    def __init__(self, broker, topic, records, rate=None):
        self._broker, self._topic, self._records, self._rate = broker, topic, records, rate
        self._error = None
        self.written = 0  # handed to the producer
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with self._broker.producer() as producer:
                began = time.monotonic()
                for record in self._records:
                    producer.send(self._topic, record.partition, record.value, record.key)
                    self.written += 1
                    if self._rate and self.written % 500 == 0:
                        time.sleep(max(0.0, began + self.written / self._rate - time.monotonic()))
                producer.flush()
        except BaseException as error:  # noqa: BLE001: raised again by whoever waits
            self._error = error

    def wait_for(self, count, deadline_s=120):
        """Until so many records are handed to the producer."""
        tidemill.wait_until(lambda: self._error or self.written >= count,
                            f"{count} records are written", deadline_s)
        if self._error:
            raise self._error

    def finish(self, deadline_s=180):
        """Until all records are in the log."""
        self._thread.join(deadline_s)
        if self._error:
            raise self._error
        assert not self._thread.is_alive(), f"only {self.written} records are written"


def wait_until_read(cluster, job, end_offsets, deadline_s=120):
    """Until everything up to the end offsets (by partition of the topic) is in the store, and the store
    answers for all keys; the job."""
    last = {}

    def there():
        last.update(cluster.job(job))
        published = {s["partition"]: s["published"] for s in last["sources"]}
        ready = last["key_partitions"]["store_ready"] == last["key_partitions"]["total"]
        return ready and [published.get(p, 0)
                          for p in range(len(end_offsets))] == list(end_offsets)

    try:
        tidemill.wait_until(there, f"{job} has read and published {end_offsets}", deadline_s, 0.05)
    except tidemill.DeadlinePassed as passed:
        sources = [{k: s.get(k) for k in ("partition", "offset", "applied", "published", "error")}
                   for s in last.get("sources", [])]
        raise tidemill.DeadlinePassed(
            f"{passed}; {last.get('state')} {last.get('error', '')}: {sources}") from None
    return last
