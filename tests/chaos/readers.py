"""Readers that ask both stores for random keys all the while, and check on the spot what can be
checked without the fold: a key that had rows has them for ever, its count never falls, and no key
partition's offset vector goes back, over restarts of the store too. What is answered is kept, to be
compared with the fold afterwards; how fresh it was is kept for every key partition."""

import json
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import cluster as tidemill
import fold
from feeder import CUSTOMERS, JOB, KEY_PARTITIONS

PERIOD_S = 0.05
KEYS_AT_ONCE = 12
KEPT = {"customer": 40, "terminal_risk": 3}  # in one scenario, by each reader
VIEWS = {"customer": ("customer_id", "count_lifetime"),
         "terminal_risk": ("terminal_id", "nb_tx_lifetime")}


@dataclass
class Kept:
    """One row of an answer."""

    store: str
    view: str
    key: str
    as_of: int
    vector: list
    values: dict  # feature -> value
    statuses: dict
    whole: bool  # all features of the view were asked for


@dataclass
class Trace:
    """What one store answered over time, per key partition: (when, freshness in ms, lag in ms), or
    None for both: no answer. The freshness is what the answer says; the lag is how far behind the
    clock the event times are that the slowest source partition has reached, which is known without
    believing anybody."""

    samples: dict = field(default_factory=lambda: defaultdict(list))
    answers: int = 0
    not_ready: int = 0
    unanswered: int = 0


def moment(text):
    """Microseconds; None: before any event."""
    return None if text == "-infinity" else fold.parse_time(text)


class Reader(threading.Thread):
    """Reads one store. `keys`: view -> keys to ask for."""

    def __init__(self, name, address, keys, seed):
        super().__init__(daemon=True)
        self.store = name
        self.client = tidemill.HttpClient(address, timeout_s=1.0)
        self.keys = keys
        self.rng = random.Random(seed)
        self.trace = Trace()
        self.violations = []
        self.kept = {view: [] for view in VIEWS}
        self._seen = defaultdict(int)
        self._lock = threading.Lock()
        self._vectors = {}  # key partition -> the newest
        self._counts = {}  # (view, key) -> count over all time
        self.places = {}  # key partition -> a customer in it
        self._ending = threading.Event()
        self._error = None

    def begin(self):
        """Begins a new period; (trace, violations, kept) of the one before."""
        with self._lock:
            old = self.trace, self.violations, self.kept
            trace = Trace()
            for key_partition, samples in old[0].samples.items():
                trace.samples[key_partition] = samples[-1:]
            self.trace, self.violations = trace, []
            self.kept = {view: [] for view in VIEWS}
            self._seen.clear()
        return old

    def stop(self):
        self._ending.set()
        self.join()
        self.check()

    def check(self):
        """Raises what has ended it, if anything has."""
        if self._error is not None:
            raise self._error

    def run(self):
        try:
            turn = 0
            while not self._ending.is_set():
                began = time.monotonic()
                self._read(turn)
                turn += 1
                self._ending.wait(max(0.0, began + PERIOD_S - time.monotonic()))
        except Exception as error:  # noqa: BLE001: raised again by stop()
            self._error = error

    def _read(self, turn):
        if turn % 4 == 0:
            view = self.rng.choice(list(VIEWS))
            keys = self.rng.sample(self.keys[view], min(KEYS_AT_ONCE, len(self.keys[view])))
            self._ask(view, keys, f"{view}.*", whole=True)
        elif turn % 2 == 0 and len(self.places) < KEY_PARTITIONS or not self.places:
            scouts = [str(1 + n) for n in self.rng.sample(range(CUSTOMERS), KEYS_AT_ONCE)]
            self._ask("customer", scouts, "customer.count_lifetime", whole=False)
        else:
            self._ask("customer", list(self.places.values()), "customer.count_lifetime",
                      whole=False)

    def _ask(self, view, keys, features, whole):
        join_key, _ = VIEWS[view]
        request = {"job": JOB, "features": [features], "entities": {join_key: keys},
                   "offsets": True}
        now = time.monotonic()
        try:
            status, body = self.client.call("POST", "/v1/features", json.dumps(request))
        except tidemill.Unreachable:
            status = None
        with self._lock:
            if status == 200:
                self._take(view, keys, body, whole)
            else:
                self._take_none(status, body if status else "", now)

    def _take_none(self, status, body, now):
        if status not in (None, 404, 503):
            self.violations.append(f"{self.store} answered {status} {body}")
        self.trace.unanswered += 1
        for key_partition in self.places:
            self.trace.samples[key_partition].append((now, None, None))

    def _take(self, view, keys, body, whole):
        now = time.monotonic()
        wall_us = time.time() * 1e6
        as_of = moment(body["as_of"])
        columns = {result["feature"].partition(".")[2]: result for result in body["results"]}
        count = columns[VIEWS[view][1]]
        # Rows of one answer may stand at different vectors, none behind those of answers before.
        before = dict(self._vectors)
        for row, key in enumerate(keys):
            version = body["offsets"][view][row]
            if count["statuses"][row] == "NOT_READY":
                self._take_not_ready(view, key, columns, row, now)
                continue
            vector = [offset for offset, _ in version["offset_vector"]]
            key_partition = version["key_partition"]
            self.trace.answers += 1
            self._check_progress(view, key, before.get(key_partition, []), key_partition, vector)
            self._check_count(view, key, vector, count, row)
            self._note_freshness(view, key, key_partition, version, count, row, now, wall_us)
            self._keep(Kept(self.store, view, key, as_of, vector,
                            {name: c["values"][row] for name, c in columns.items()},
                            {name: c["statuses"][row] for name, c in columns.items()}, whole))

    def _take_not_ready(self, view, key, columns, row, now):
        self.trace.not_ready += 1
        if any(column["values"][row] is not None for column in columns.values()):
            self.violations.append(f"{self.store} {view} {key}: NOT_READY with a value")
        if view == "customer":
            for key_partition, customer in self.places.items():
                if customer == key:
                    self.trace.samples[key_partition].append((now, None, None))

    def _check_progress(self, view, key, before, key_partition, vector):
        if any(then > now for then, now in zip(before, vector)) or len(before) > len(vector):
            self.violations.append(f"{self.store}: key partition {key_partition} went back from "
                                   f"{before} to {vector} ({view} {key})")
        reached = self._vectors.get(key_partition, vector)
        self._vectors[key_partition] = max(reached, vector, key=sum)

    def _check_count(self, view, key, vector, count, row):
        counted = self._counts.get((view, key), 0)
        value, status = count["values"][row], count["statuses"][row]
        if value < counted or (counted and status == "NOT_FOUND"):
            self.violations.append(f"{self.store} {view} {key}: {value} {status} at {vector}, and "
                                   f"{counted} before")
        self._counts[view, key] = max(counted, value)

    def _note_freshness(self, view, key, key_partition, version, count, row, now, wall_us):
        freshness = count["freshness_ms"][row]
        reached = [moment(text) for _, text in version["offset_vector"]]
        lag = None if None in reached else (wall_us - min(reached)) / 1000
        self.trace.samples[key_partition].append((now, freshness, lag))
        if view == "customer":
            self.places.setdefault(key_partition, key)

    def _keep(self, kept):
        """A sample over the whole period, each row with the same odds; of whole rows only."""
        if not kept.whole or kept.as_of is None:
            return
        self._seen[kept.view] += 1
        rows = self.kept[kept.view]
        if len(rows) < KEPT[kept.view]:
            rows.append(kept)
            return
        place = self.rng.randrange(self._seen[kept.view])
        if place < KEPT[kept.view]:
            rows[place] = kept


# --- figures --------------------------------------------------------------------------------------

FRESHNESS, LAG = 1, 2  # places in a sample


def longest_outage(traces, since, until, what, fresh_ms):
    """The longest time within [since, until] in which no store gave an answer for some key partition
    that was fresher than that; 0 if it is no longer than a few turns of the readers."""
    worst = 0.0
    for key_partition in set().union(*(trace.samples for trace in traces)):
        fresh = sorted(sample[0] for trace in traces for sample in trace.samples[key_partition]
                       if sample[what] is not None and sample[what] < fresh_ms
                       and since <= sample[0] <= until)
        edges = [since, *fresh, until]
        worst = max([worst, *(b - a for a, b in zip(edges, edges[1:]))])
    return worst if worst > 5 * PERIOD_S else 0.0


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def all_of(traces, since, until, what):
    """All freshness, or all lag, of answers within [since, until], in ms."""
    return [sample[what] for trace in traces for samples in trace.samples.values()
            for sample in samples if sample[what] is not None and since <= sample[0] <= until]


def staleness(trace, key_partitions, since, fresh_ms):
    """What keeps a store from being fresh in all key partitions since then, or nothing. By event
    times: what answers say of their freshness is the word of processes that may be broken."""
    stale, unasked = [], []
    for key_partition in range(key_partitions):
        samples = trace.samples.get(key_partition)
        if not samples or samples[-1][0] < since:
            unasked.append(key_partition)
        elif samples[-1][LAG] is None or samples[-1][LAG] >= fresh_ms:
            stale.append((key_partition, samples[-1][LAG]))
    if unasked:
        return f"no answer yet for key partitions {unasked}"
    return f"lag (ms) by key partition: {stale[:6]}" if stale else ""
