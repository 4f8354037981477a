"""How fresh features are while events come at half of the rate at which they can be read at most.

An open loop: events are written when they are due, whatever Tidemill does. All carry the time at
which they are due as their event time. Among them are probes, events of keys of their own whose
amount is that time, too: the greatest amount of the last hour of such a key says which probes a
read has seen. The freshness of a probe is the time at which a read first saw it, minus the time at
which it was due.

Files: lines that `tidemill generate` has made, appended to followed files in slices. Kafka:
`tidemill generate --live` writes to a topic, and a producer writes the probes into the same
partitions.
"""

import collections
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

from measure import Meter, start_cluster, wait_warm
from workload import DATA, generate_into, job_yaml, percentile

import cluster as tidemill  # workload says where it is
import fold
import reads
from kafka import Broker, Producer

JOB = "bench"
TOPIC = "transactions"
FEATURE = "customer.amount_max_1h"
SLICE_S = 0.005  # between writes
PROBE_KEYS = 64  # of each partition
READ_EVERY_S = 0.004
RAMP_S = 3.0  # probes due before do not count
LOADS = (1, 500)  # entities of each load of reads
FORK = multiprocessing.get_context("fork")


class Plan:
    """When which events are due: known to the feeder and to the reader."""

    def __init__(self, workload, start, rate, seconds, loads_seconds=0):
        self.start = start  # wall clock, seconds
        self.rate = rate
        self.seconds = seconds  # with probes
        self.seconds_fed = seconds + loads_seconds
        self.partitions = workload.partitions
        self._customers = workload.customers
        rng = random.Random(6)
        self.slices = int(seconds / SLICE_S)
        self.slices_fed = int(self.seconds_fed / SLICE_S)
        # One probe of each partition in each slice: seconds since the start.
        self.dues = [[(n + rng.random()) * SLICE_S for n in range(self.slices)]
                     for _ in range(self.partitions)]

    def probe_key(self, partition, number):
        return str(self._customers + 1 + partition * PROBE_KEYS + number % PROBE_KEYS)

    def probe(self, partition, number):
        """Of a slice that has one."""
        due = self.dues[partition][number]
        moment = fold.format_time(int((self.start + due) * 1e6))
        return (f'{{"transaction_id":0,"event_time":"{moment}",'
                f'"customer_id":"{self.probe_key(partition, number)}","terminal_id":"1",'
                f'"amount":{due!r},"is_fraud":false}}').encode()

    def events_due(self, seconds):
        """Of one partition, not counting probes: those whose period is over."""
        return int(self.rate / self.partitions * seconds)


# --- feeders: processes of their own --------------------------------------------------------------


def each_slice(plan, slices, write):
    """Calls write(slice) at the end of each; by how much later each ended, in ms."""
    late = []
    for number in range(slices):
        end = plan.start + (number + 1) * SLICE_S
        time.sleep(max(0.0, end - time.time()))
        write(number)
        late.append(1e3 * (time.time() - end))
    return late


def feed_files(plan, paths, directory, answers):
    """Appends the lines of generated files, and probes, to live ones."""
    inputs = [path.open("rb") for path in paths]
    outputs = [(directory / f"live-{p}.ndjson").open("wb", buffering=0)
               for p in range(plan.partitions)]
    written = [0] * plan.partitions

    def write(number):
        due = plan.events_due((number + 1) * SLICE_S)
        for p, (lines, out) in enumerate(zip(inputs, outputs)):
            text = b"".join(islice(lines, due - written[p]))
            written[p] = due
            out.write(text + plan.probe(p, number) + b"\n" if number < plan.slices else text)

    late = each_slice(plan, plan.slices_fed, write)
    answers.put({"late_ms": late, "events": sum(written)})


def feed_probes(plan, address, done, answers):
    """Writes probes to a topic; what else goes there, another program writes."""
    with Producer(address, {"linger.ms": "2"}) as producer:
        late = each_slice(plan, plan.slices, lambda number: [
            producer.send(TOPIC, p, plan.probe(p, number)) for p in range(plan.partitions)])
        answers.put({"late_ms": late})
        done.wait()


# --- the reader -----------------------------------------------------------------------------------


class Reader:
    """Reads all probe keys over and over, and notes when each probe was first seen."""

    def __init__(self, cluster, plan):
        self._plan = plan
        self._client = tidemill.HttpClient(cluster.store().address)
        self._waiting = collections.OrderedDict()  # key -> dues of its probes that were not seen
        for p in range(plan.partitions):
            for number, due in enumerate(plan.dues[p]):
                self._waiting.setdefault(plan.probe_key(p, number), collections.deque()).append(due)
        self._body = json.dumps({"job": JOB, "features": [FEATURE],
                                 "entities": {"customer_id": list(self._waiting)}})
        self.freshness_ms, self.intervals_ms, self.read_ms = [], [], []

    def run(self, deadline_s):
        """Until all have been seen."""
        before = time.time()
        while any(self._waiting.values()):
            assert time.time() < self._plan.start + self._plan.seconds + deadline_s, (
                f"{sum(map(len, self._waiting.values()))} probes were not seen within "
                f"{deadline_s} s after the last")
            asked = time.time()
            status, answer = self._client.call("POST", "/v1/features", self._body)
            now = time.time()
            assert status == 200, f"read: {status} {answer}"
            self._take(answer["results"][0]["values"], now)
            self.intervals_ms.append(1e3 * (now - before))
            self.read_ms.append(1e3 * (now - asked))
            before = now
            time.sleep(READ_EVERY_S)

    def _take(self, values, now):
        since = now - self._plan.start
        for dues, newest in zip(self._waiting.values(), values):
            while newest is not None and dues and dues[0] <= newest:
                due = dues.popleft()
                if due >= RAMP_S:
                    self.freshness_ms.append(1e3 * (since - due))


def idle_ticks():
    """(idle, all) time of the processors."""
    fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def watch(cluster, workload, plan, rate, options, finish):
    """Figures; `finish` says what the feeder did, when all has been written."""
    reader = Reader(cluster, plan)
    time.sleep(max(0.0, plan.start - time.time()))
    idle = idle_ticks()
    meter = Meter(cluster, JOB)
    reader.run(60)
    now = idle_ticks()
    cpu = sum(meter.cpu().values())
    loads = [reads.with_load_of_customers(cluster, workload, entities, 1, options.read_seconds)
             for entities in LOADS]
    left_s = plan.start + plan.seconds_fed - time.time()
    fed = finish()
    late = fed.pop("late_ms")[:plan.slices]
    return {
        "rate": round(rate), "seconds": plan.seconds, "probes": len(reader.freshness_ms),
        **{name: round(percentile(reader.freshness_ms, p), 2)
           for name, p in (("p50_ms", 50), ("p99_ms", 99), ("p999_ms", 99.9))},
        "max_ms": round(max(reader.freshness_ms), 2),
        "read_every_ms_p50": round(percentile(reader.intervals_ms, 50), 2),
        "read_p50_ms": round(percentile(reader.read_ms, 50), 2),
        "feeder_late_p99_ms": round(percentile(late, 99), 2),
        "feeder_late_max_ms": round(max(late), 2),
        "machine_idle_share": round((now[0] - idle[0]) / max(1, now[1] - idle[1]), 3),
        "cpu_seconds": round(cpu, 2), "reads": loads, "fed_while_reading": left_s > 0, **fed}


# --- the two inputs -------------------------------------------------------------------------------


def soon(seconds):
    return float(int(time.time() + seconds) + 1)


def start_warm(cluster, stream, base, workload):
    """Submits the job, and waits until it has read the window up to now."""
    now = fold.format_time(int(time.time()) * fold.US_PER_SECOND)
    cluster.submit(job_yaml(JOB, stream, warm_up=workload.before(now)), base)
    wait_warm(cluster, JOB, workload)


def loads_seconds(options):
    """That the loads of reads take, begun when the last probe has been seen."""
    return len(LOADS) * (options.read_seconds + 2) + 5


def generated_lines(workload, directory, rate, seconds):
    """(files, start): lines that are due from a time on that is yet to come."""
    each = int(rate / workload.partitions * seconds)
    ahead_s = 3 + each * workload.partitions / 1_000_000
    while True:
        start = soon(ahead_s)
        shutil.rmtree(directory, ignore_errors=True)
        generate_into(directory, workload.partitions, each, customers=workload.customers,
                      terminals=workload.terminals, zipf_exponent=workload.zipf,
                      events_per_second=rate, seed=7,
                      start_time=fold.format_time(int(start) * fold.US_PER_SECOND))
        if time.time() < start - 1:
            return sorted(directory.glob("*.ndjson")), start
        ahead_s *= 2  # the machine is slower than that


def of_files(workload, rate, options):
    seconds = options.freshness_seconds
    DATA.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="fresh-", dir=DATA))
    try:
        with start_cluster(options) as cluster:
            live = directory / "live"
            live.mkdir()
            start_warm(cluster, f'{{files: "{live}/*.ndjson", follow: true}}', live, workload)
            paths, start = generated_lines(workload, directory / "lines", rate,
                                           seconds + loads_seconds(options))
            plan = Plan(workload, start, rate, seconds, loads_seconds(options))
            answers = FORK.SimpleQueue()
            feeder = FORK.Process(target=feed_files, args=(plan, paths, live, answers), daemon=True)
            feeder.start()

            def finish():
                fed = answers.get()
                feeder.join()
                return fed

            return watch(cluster, workload, plan, rate, options, finish)
    finally:
        shutil.rmtree(directory)


def of_kafka(workload, rate, options):
    seconds = options.freshness_seconds
    os.environ.setdefault("KAFKA_HEAP", "1g")
    with Broker() as broker, start_cluster(options) as cluster:
        broker.create_topic(TOPIC, workload.partitions)
        stream = f'{{kafka: {{brokers: "{broker.address}", topic: {TOPIC}, format: json}}}}'
        start_warm(cluster, stream, DATA, workload)
        start = soon(3)
        plan = Plan(workload, start, rate, seconds, loads_seconds(options))
        each = plan.events_due(plan.seconds_fed)
        live = subprocess.Popen(
            [str(tidemill.CLI), "generate", "--live", "--quiet", "--kafka", broker.address,
             "--topic", TOPIC, "--partitions", str(workload.partitions), "--events", str(each),
             "--events-per-second", repr(rate), "--customers", str(workload.customers),
             "--terminals", str(workload.terminals), "--zipf-exponent", str(workload.zipf),
             "--seed", "7", "--client", "linger.ms=2",
             "--start-time", fold.format_time(int(start) * fold.US_PER_SECOND)])
        answers, done = FORK.SimpleQueue(), FORK.Event()
        feeder = FORK.Process(target=feed_probes, args=(plan, broker.address, done, answers),
                              daemon=True)
        feeder.start()

        ended = []
        waiter = threading.Thread(target=lambda: ended.extend([live.wait(), time.time()]),
                                  daemon=True)
        waiter.start()

        def finish():
            fed = answers.get()
            waiter.join(plan.seconds_fed + 60)
            assert ended and ended[0] == 0, "tidemill generate --live failed"
            done.set()
            feeder.join()
            # The last event was due at the end of the plan.
            behind_ms = 1e3 * (ended[1] - plan.start - plan.seconds_fed)
            return {**fed, "events": each * workload.partitions,
                    "generator_ended_late_ms": round(max(0.0, behind_ms), 1)}

        try:
            return watch(cluster, workload, plan, rate, options, finish)
        finally:
            live.kill()
