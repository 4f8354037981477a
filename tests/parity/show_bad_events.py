#!/usr/bin/env python3
"""A million events with 10,000 bad, late and future-dated ones among them, through a real topic.

Malformed records, a handful of oversized ones (each is larger than a mebibyte), events dated after
their record, and events that fail in one view's expression lie at known offsets of a topic of four
partitions, beside events that are late but inside the horizon. While they are read, readers move
between workers three times. Then:
  - every good event counts, the late ones too: every key's features against a plain count,
  - every bad one is a dead letter exactly once, with its offset, reason and bytes,
  - events that come too late are counted, for each view, and change nothing,
  - no process was restarted.
"""

import argparse
import base64
import collections
import json
import math
import random
import sys
import tempfile
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import cards  # noqa: E402
import cluster as tidemill  # noqa: E402
import fold  # noqa: E402
import kafka_cards  # noqa: E402
from cluster import Cluster  # noqa: E402
from kafka import Broker  # noqa: E402
from kafka_cards import Record  # noqa: E402

JOB, TOPIC = "bad_events", "events"
PARTITIONS, DAYS, MOVES = 4, 2, 3
OVERSIZED = 8
LATEST_S = 55 * 60  # how late the late ones are, at most: allowed_lateness is an hour
KEPT_BYTES = 64 << 10  # of a dead letter's record
# Shares of what is not an ordinary event; oversized ones come besides.
SHARES = {"unparsable": 0.4, "future": 0.2, "expression": 0.02, "late": 0.2, "too_late": 0.18}

JOB_YAML = """job: {job}
allowed_lateness: 1h
leading_edge: event
sources:
  transactions:
    schema: {schema}
    event_time: event_time
    max_out_of_orderness: 1s
    max_future: 10m
    idle_after: 10m
    stream: {stream}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {{function: count, windows: [1h, 30d]}}
      - {{function: sum, column: amount, windows: [30d]}}
  terminal:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {{function: count, windows: [30d]}}
  inverse:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {{name: share, function: sum, column: 1000000 / (transaction_id + 1), windows: [30d]}}
"""
VIEWS = ("customer", "terminal", "inverse")


# --- the events -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    number: int
    time: int
    customer: str
    terminal: str
    amount: float

    def json(self):
        return json.dumps({"transaction_id": self.number, "event_time": fold.format_time(self.time),
                           "customer_id": self.customer, "terminal_id": self.terminal,
                           "amount": self.amount, "is_fraud": False},
                          separators=(",", ":")).encode()


class Workload:
    """What is written, and what must come of it."""

    def __init__(self, options):
        self.rng = random.Random(options.seed)
        self.counts = {name: round(share * options.bad) for name, share in SHARES.items()}
        self.good = []  # counted in every view; those of `failing` in all but one
        self.failing = []
        self.letters = {}  # (partition, offset) -> (reason, view, bytes)
        self.late = 0
        with tempfile.TemporaryDirectory(prefix="tidemill-events-") as directory:
            paths = cards.generate(directory, options.events, DAYS, PARTITIONS, format="ndjson",
                                   seed=options.seed, zipf_exponent=0.5)
            self.records = self._with_the_others([p.read_bytes().splitlines() for p in paths])
        self.as_of = max(e.time for e in self.good + self.failing)
        self.too_late = self._too_late_records()

    def _with_the_others(self, lines_by_partition):
        """The generated events, with the others at random places; all partitions at one pace."""
        parts = []
        for partition, lines in enumerate(lines_by_partition):
            kinds = [kind for kind, count in self.counts.items() if kind != "too_late"
                     for _ in range(count // PARTITIONS)]
            kinds += ["oversized"] * (OVERSIZED // PARTITIONS) + [None] * len(lines)
            self.rng.shuffle(kinds)
            parts.append(self._partition(partition, kinds, iter(lines)))
        longest = max(map(len, parts))
        return [part[i] for i in range(longest) for part in parts if i < len(part)]

    def _partition(self, partition, kinds, lines):
        out = []
        latest = None
        for kind in kinds:
            if kind is None:
                value = next(lines)
                event = self._event_of(value)
                self.good.append(event)
                latest = event
            else:
                value = self._other(kind, latest, partition, len(out))
            out.append(Record(partition, b"", value))
        return out

    @staticmethod
    def _event_of(line):
        record = json.loads(line)
        return Event(record["transaction_id"], fold.parse_time(record["event_time"]),
                     record["customer_id"], record["terminal_id"], record["amount"])

    def _other(self, kind, latest, partition, offset):
        """A record of that kind; notes what must become of it."""
        time_now = latest.time if latest else fold.parse_time("2018-04-01T00:00:00Z")
        event = Event(10**9 + offset, time_now, f"{kind}-{self.rng.randrange(40)}",
                      f"{self.rng.randrange(1, 1000)}", round(self.rng.uniform(1, 500), 2))
        if kind == "late":
            back = self.rng.randrange(60, LATEST_S) * fold.US_PER_SECOND
            event = Event(event.number, time_now - back, event.customer, event.terminal,
                          event.amount)
            self.late += 1
            self.good.append(event)
            return event.json()
        value, view = event.json(), ""
        if kind == "expression":
            event = Event(-1, event.time, event.customer, event.terminal, event.amount)
            value, view = event.json(), "inverse"
            self.failing.append(event)
        elif kind == "future":
            # The record is stamped now, which is later than 2018.
            tomorrow = int((time.time() + 86_400) * 1e6)
            value = Event(event.number, tomorrow, event.customer, event.terminal, 1.0).json()
        elif kind == "oversized":
            value = value[:-1] + b',"note":"' + b"x" * self.rng.randrange(1_100_000, 1_500_000) + b'"}'
        else:
            value = self._malformed(value)
        self.letters[partition, offset] = (kind, view, value)
        return value

    def _malformed(self, value):
        return self.rng.choice([
            lambda: value[:self.rng.randrange(1, len(value) - 1)],
            lambda: b"not json at all",
            lambda: value.replace(b'"amount":', b'"amount":{},"was":'),
            lambda: value.replace(b'"event_time":"2018', b'"event_time":"MMXVIII'),
            lambda: value.replace(b'"event_time"', b'"event_tme"'),
            lambda: value.replace(b'"customer_id":"', b'"customer_id":"\xff\xfe'),
            lambda: value + value,
            lambda: b"[" + value + b"]"])()

    def _too_late_records(self):
        """Events of two months before: no permitted read can see them once all else is applied."""
        first = min(e.time for e in self.good)
        return [Record(n % PARTITIONS, b"",
                       Event(n, first - 60 * fold.DAY - n, "1", "1", 1.0).json())
                for n in range(self.counts["too_late"])]


# --- checks ---------------------------------------------------------------------------------------


def expected_features(workload):
    """{view: {key: {feature: value}}} at workload.as_of."""
    recent = workload.as_of - fold.HOUR
    customers = collections.defaultdict(list)
    terminals = collections.Counter()
    shares = collections.Counter()
    for event in workload.good + workload.failing:
        customers[event.customer].append(event)
        terminals[event.terminal] += 1
    for event in workload.good:
        shares[event.customer] += 1_000_000 // (event.number + 1)
    return {
        "customer": {key: {"count_1h": sum(e.time > recent for e in events),
                           "count_30d": len(events),
                           "amount_sum_30d": math.fsum(e.amount for e in events)}
                     for key, events in customers.items()},
        "terminal": {key: {"count_30d": count} for key, count in terminals.items()},
        "inverse": {key: {"share_30d": float(total)} for key, total in shares.items()},
    }


def check_features(cluster, workload, expected):
    """Every feature of every key; how many values were compared."""
    compared = 0
    entity = {"customer": "customer_id", "terminal": "terminal_id", "inverse": "customer_id"}
    for view, by_key in expected.items():
        keys = sorted(by_key)
        names = sorted(next(iter(by_key.values())))
        for begin in range(0, len(keys), 1000):
            part = keys[begin:begin + 1000]
            status, body = cluster.read({
                "job": JOB, "features": [f"{view}.{name}" for name in names],
                "entities": {entity[view]: part}, "as_of": fold.format_time(workload.as_of)})
            assert status == 200, f"read: {status} {str(body)[:500]}"
            for name, result in zip(names, body["results"]):
                for key, value in zip(part, result["values"]):
                    want = by_key[key][name]
                    compared += 1
                    assert fold.bits(value) == fold.bits(want), (
                        f"{view}.{name} of {key} is {value!r}, counted {want!r}")
    return compared


def read_letters(cluster):
    """All dead letters of the job, page by page."""
    letters, after = [], None
    while True:
        query = {"limit": 1000, **({"after": after} if after else {})}
        page = cluster.get(f"/v1/jobs/{JOB}/dead-letters?" + urllib.parse.urlencode(query))
        letters += page["dead_letters"]
        after = page["next"]
        if after is None:
            return letters


def check_letters(cluster, workload):
    letters = read_letters(cluster)
    by_place = collections.Counter((x["partition"], x["offset"], x["view"]) for x in letters)
    twice = [place for place, count in by_place.items() if count > 1]
    assert not twice, f"more than once: {twice[:5]}"
    got = {(x["partition"], x["offset"]): x for x in letters}
    missing = workload.letters.keys() - got.keys()
    unexpected = got.keys() - workload.letters.keys()
    assert not missing, f"{len(missing)} bad records are no dead letters: {sorted(missing)[:5]}"
    assert not unexpected, f"dead letters of good records: {sorted(unexpected)[:5]}"
    for place, (reason, view, value) in workload.letters.items():
        letter = got[place]
        assert (letter["reason"], letter["view"]) == (reason, view), f"{place}: {letter}"
        assert letter["source"] == "transactions" and letter["message"], letter
        assert letter["size"] == len(value), f"{place}: size {letter['size']}, not {len(value)}"
        assert base64.b64decode(letter["bytes"]) == value[:KEPT_BYTES], f"{place}: other bytes"
    by_reason = collections.Counter(reason for reason, _, _ in workload.letters.values())
    check_counters(cluster, by_reason)
    return by_reason


def check_counters(cluster, by_reason):
    """The job's own counters, and the command line, say the same."""
    def counted():
        counts = collections.Counter()
        for entry in cluster.job(JOB)["dead_letters"]:
            counts[entry["reason"]] += entry["records"]
        return counts == by_reason

    tidemill.wait_until(counted, f"the job counts {dict(by_reason)}", 10)
    run = tidemill.run_cli("--coordinator", cluster.coordinator.address, "--json", "dead-letters",
                           JOB, "--all")
    assert run.returncode == 0, run.stderr
    shown = collections.Counter(json.loads(line)["reason"] for line in run.stdout.splitlines())
    assert shown == by_reason, f"tidemill dead-letters shows {shown}"


def too_late(cluster):
    return {view["name"]: view["too_late_rows"] for view in cluster.job(JOB)["views"]}


def check_too_late(cluster, workload):
    want = {view: len(workload.too_late) for view in VIEWS}
    tidemill.wait_until(lambda: too_late(cluster) == want,
                        f"too late per view are {want}; last seen {too_late(cluster)}", 10)


def identities(cluster):
    """Which processes and members there are: others after a restart."""
    return ({p["name"]: p["pid"] for p in cluster.file()["processes"]},
            {m["node"]: m["pid"] for m in cluster.members()})


# --- the show -------------------------------------------------------------------------------------


def move_reader(cluster, source_partition):
    """Moves the reader of a source partition to another worker, and waits until it reads there."""
    before = cluster.job(JOB)["sources"][source_partition]
    run = tidemill.run_cli("--coordinator", cluster.coordinator.address, "job", "move-reader", JOB,
                           source_partition)
    assert run.returncode == 0, f"job move-reader: {run.stdout}{run.stderr}"

    def reads_there():
        now = cluster.job(JOB)["sources"][source_partition]
        return (now["node"] != before["node"] and now["epoch"] > before["epoch"]
                and now["offset"] > before["offset"])

    tidemill.wait_until(reads_there, f"source partition {source_partition} is read elsewhere", 30)


def write_and_move(cluster, broker, workload, rate):
    """Writes everything but what comes too late; readers move while it is read."""
    feed = kafka_cards.Feed(broker, TOPIC, workload.records, rate)
    for move in range(MOVES):
        feed.wait_for(len(workload.records) * (move + 1) // (MOVES + 2))
        move_reader(cluster, move)
        assert feed.written < len(workload.records), "the last move came too late; lower the rate"
    feed.finish()
    wait_until_read(cluster, broker)


def wait_until_read(cluster, broker):
    with broker.producer() as producer:
        ends = producer.end_offsets(TOPIC, PARTITIONS)
    kafka_cards.wait_until_read(cluster, JOB, ends)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--bad", type=int, default=10_000,
                        help="malformed, late, too late and future-dated ones among them")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--rate", type=int, default=50_000, help="records written per second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    workload = Workload(options)
    print(f"data: {len(workload.records) + len(workload.too_late):,} records: "
          f"{len(workload.good):,} good ones, of them {workload.late:,} late but inside the horizon; "
          f"{len(workload.letters):,} bad ones, {OVERSIZED} of them oversized; "
          f"{len(workload.too_late):,} too late")
    with Broker() as broker, Cluster(workers=options.workers) as cluster:
        broker.create_topic(TOPIC, PARTITIONS)
        cluster.submit(JOB_YAML.format(job=JOB, schema=kafka_cards.SCHEMA,
                                       stream=kafka_cards.kafka_stream(broker.address, TOPIC)), "/")
        before = identities(cluster)
        write_and_move(cluster, broker, workload, options.rate)
        expected = expected_features(workload)
        values = check_features(cluster, workload, expected)
        assert not any(too_late(cluster).values()), f"too late already: {too_late(cluster)}"
        # Only when all else is applied is it certain what comes too late.
        kafka_cards.Feed(broker, TOPIC, workload.too_late).finish()
        wait_until_read(cluster, broker)
        check_too_late(cluster, workload)
        values += check_features(cluster, workload, expected)
        by_reason = check_letters(cluster, workload)
        assert identities(cluster) == before, f"{identities(cluster)}, before {before}"
    print(f"{values:,} values as counted; dead letters, each once: "
          + ", ".join(f"{reason} {count:,}" for reason, count in sorted(by_reason.items()))
          + f"; {len(workload.too_late):,} too late in each view; {MOVES} moves, no restart")
    return 0


if __name__ == "__main__":
    sys.exit(main())
