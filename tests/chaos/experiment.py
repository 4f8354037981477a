"""One run of one scenario: a fresh cluster and topic, a steady feed, readers, the fault, and then the
comparison of everything with the fold of the log."""

import random
import re
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone

import check
import cluster as tidemill
import feeder
import readers
from processes import STORE_HTTP, ChaosCluster

WARM_UP_S = 8.0
CALM_S = 3.0
SAMPLE = {"customer": 300, "terminal_risk": 100}
_LOG_LINE = re.compile(r"^time=(\S+)Z level=(warning|error) event=(\S+)")


@dataclass
class Outcome:
    """What is reported of a run; times in seconds from the fault."""

    scenario: str
    seed: int
    events: int = 0
    answers: int = 0  # given while it ran, by all stores
    compared: int = 0  # of them and of the final ones, with the fold
    mismatches: int = 0
    detection_s: float = None
    detected_by: str = ""
    warnings: dict = field(default_factory=dict)  # event of a log since the fault -> lines
    fault_s: float = None  # how long it lasted
    recovery_s: float = None  # until everything was owned, restored and fresh in every store
    outage_s: float = None  # by what answers say of their freshness
    lag_outage_s: float = None  # by event times
    outage_by_store_s: dict = field(default_factory=dict)
    freshness_p99_ms: dict = field(default_factory=dict)  # before and since the fault
    lag_p99_ms: dict = field(default_factory=dict)
    not_ready: int = 0
    unanswered: int = 0
    catch_up_s: float = None  # after the feed had stopped
    ends: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    problems: list = field(default_factory=list)


class Monitor(threading.Thread):
    """Asks the coordinator how things are, all the time, and looks at what the readers get."""

    def __init__(self, cluster, all_readers, fresh_ms):
        super().__init__(daemon=True)
        self._readers, self._fresh_ms = all_readers, fresh_ms
        self._coordinator = tidemill.HttpClient(cluster.coordinator.address, timeout_s=1)
        self._ending = threading.Event()
        self.problem = "not asked yet"
        self.history = []  # (when, what is wrong or "")
        self.dead = {}  # node -> when it was seen dead
        self.job = {}

    def stop(self):
        self._ending.set()
        self.join()

    def run(self):
        while not self._ending.wait(0.1):
            try:
                self.problem = self._look() or self._stale()
            except (tidemill.Unreachable, KeyError) as error:
                self.problem = f"no coordinator: {error}"
            if not self.history or self.history[-1][1] != self.problem:
                self.history.append((time.monotonic(), self.problem))

    def whole_since(self, fault):
        """When the last problem since the fault was over; the fault, if there was none; None, if it
        is not over."""
        if self.history[-1][1]:
            return None
        since = fault
        for when, problem in self.history:
            if when >= fault and not problem:
                since = when
        return since

    def _stale(self):
        now = time.monotonic()
        for reader in self._readers:
            stale = readers.staleness(reader.trace, feeder.KEY_PARTITIONS, now - 1.0,
                                      self._fresh_ms)
            if stale:
                return f"{reader.store}: {stale}"
        return ""

    def _get(self, path):
        status, body = self._coordinator.call("GET", path)
        if status != 200:
            raise tidemill.Unreachable(f"{path}: {status}")
        return body

    def _look(self):
        for member in self._get("/v1/cluster")["members"]:
            if not member["alive"]:
                self.dead.setdefault(member["node"], time.monotonic())
        job = self.job = self._get(f"/v1/jobs/{feeder.JOB}")
        if job["state"] != "RUNNING":
            return f"the job is {job['state']}: {job['error']}"
        held = job["key_partitions"]
        if held["owned"] < held["total"]:
            return f"{held['total'] - held['owned']} key partitions have no owner"
        if job.get("restoring"):
            return f"{job['restoring']} key partitions are being restored"
        if held["store_ready"] < held["total"]:
            return f"{held['total'] - held['store_ready']} key partitions are not in every store"
        for source in job["sources"]:
            if source["error"]:
                return f"source partition {source['partition']}: {source['error']}"
        standbys = job.get("standbys") or {"total": 0, "caught_up": 0}
        if standbys["caught_up"] < standbys["total"]:
            return f"{standbys['total'] - standbys['caught_up']} standbys are behind"
        return ""


class Experiment:
    """What a scenario sees: the cluster, the broker, the network; and when things happened."""

    def __init__(self, directory, network, broker, scenario, seed, options):
        self.directory, self.network, self.broker = directory, network, broker
        self.scenario, self.seed, self.options = scenario, seed, options
        self.rng = random.Random(seed)
        self.topic = f"{scenario.name.replace('_', '-')}-{seed}-{int(time.time())}"
        self.outcome = Outcome(scenario.name, seed)
        self.keys = {
            "customer": [str(1 + n) for n in self.rng.sample(range(feeder.CUSTOMERS),
                                                             SAMPLE["customer"])],
            "terminal_risk": [str(1 + n) for n in self.rng.sample(range(feeder.TERMINALS),
                                                                  SAMPLE["terminal_risk"])]}
        self.cluster = None
        self.may_crash = set()  # names of processes that the scenario itself ends by a signal
        self._fault_at = self._fault_wall = self._healed_at = None

    # --- for scenarios ----------------------------------------------------------------------------

    def pick(self, kind):
        """Any process of a kind, by the seed."""
        return self.rng.choice(self.cluster.of(kind))

    def note(self, text):
        self.outcome.notes.append(text)

    def fault(self):
        """The fault begins now."""
        self._fault_at, self._fault_wall = time.monotonic(), time.time()

    def healed(self):
        """The fault is over: what was broken is whole, though nobody may have noticed."""
        self._healed_at = time.monotonic()

    def sleep(self, seconds):
        """Lets the fault last."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_helpers()
            time.sleep(0.05)

    def wait_until_whole(self, deadline_s=60):
        """Until everything is owned, restored and fresh in all stores, and stays so for a while."""
        since = time.monotonic()

        def whole():
            nonlocal since
            self._check_helpers()
            if self.monitor.problem:
                since = time.monotonic()
            return time.monotonic() - since > CALM_S

        try:
            tidemill.wait_until(whole, "everything is owned, restored and fresh", deadline_s, 0.05)
        except tidemill.DeadlinePassed as passed:
            raise tidemill.DeadlinePassed(f"{passed}; {self.monitor.problem}") from None

    def _check_helpers(self):
        """Raises if anything that the run needs has ended."""
        self.feed.check()
        for reader in self.readers:
            reader.check()

    # --- the course of it -------------------------------------------------------------------------

    def run(self):
        """The Outcome; problems are in it."""
        self.broker.create_topic(self.topic, feeder.PARTITIONS)
        try:
            self._run_cluster()
        except Exception as error:  # noqa: BLE001: it is part of the report
            self.outcome.problems.append(f"{type(error).__name__}: {error}")
            if not isinstance(error, AssertionError):
                self.outcome.problems.append(traceback.format_exc())
        finally:
            if self.cluster is not None and (self.outcome.problems or self.options.keep_logs):
                self._save_logs()
            self._forget_topic()
        return self.outcome

    def _run_cluster(self):
        cluster = ChaosCluster(self.network, self.directory)
        self.cluster = cluster
        self.scenario.prepare(self)
        with cluster:
            cluster.submit(feeder.job_yaml(self.broker, self.topic, self.scenario.standby_replicas),
                           "/")
            self.feed = feeder.Feed(self.network, self.broker, self.topic, self.options.rate,
                                    self.seed, self.directory / "feed.log")
            self._start_watching()
            try:
                self._break_things()
                self.feed.stop()
                self._wait_until_served()
            finally:
                self.feed.stop()
                self._stop_watching()
                self._note_ends()
            self._compare()

    def _start_watching(self):
        self.addresses = {store.name: f"{store.node.address}:{STORE_HTTP}"
                          for store in self.cluster.of("store")}
        self.readers = [readers.Reader(name, address, self.keys, f"{self.seed} {name}")
                        for name, address in self.addresses.items()]
        self.monitor = Monitor(self.cluster, self.readers, self.options.fresh_ms)
        for thread in (*self.readers, self.monitor):
            thread.start()

    def _break_things(self):
        warm = time.monotonic()
        self.wait_until_whole(deadline_s=60)
        self.sleep(max(0.0, warm + WARM_UP_S - time.monotonic()))
        calm = time.monotonic() - CALM_S
        self.scenario.act(self)
        try:
            self.wait_until_whole(deadline_s=90)
        finally:
            self._measure(calm)

    def _measure(self, calm):
        traces = [reader.trace for reader in self.readers]
        out, fault, until = self.outcome, self._fault_at, time.monotonic()
        out.fault_s = None if self._healed_at is None else self._healed_at - fault
        whole = self.monitor.whole_since(fault)
        out.recovery_s = None if whole is None else whole - fault
        fresh_ms = self.options.fresh_ms
        out.outage_s, out.lag_outage_s = (
            readers.longest_outage(traces, fault, until, what, fresh_ms)
            for what in (readers.FRESHNESS, readers.LAG))
        for reader in self.readers:
            out.outage_by_store_s[reader.store] = readers.longest_outage(
                [reader.trace], fault, until, readers.LAG, fresh_ms)
        for name, begin, end in (("before", calm, fault), ("since", fault, until)):
            out.freshness_p99_ms[name] = readers.percentile(
                readers.all_of(traces, begin, end, readers.FRESHNESS), 0.99)
            out.lag_p99_ms[name] = readers.percentile(
                readers.all_of(traces, begin, end, readers.LAG), 0.99)
        out.detection_s, out.detected_by = self._detection()

    def _detection(self):
        """The first sign of the fault: a member declared dead, or a line of a log."""
        signs = [(when - self._fault_at, "a member is declared dead")
                 for when in self.monitor.dead.values() if when >= self._fault_at]
        for process in self.cluster.list:
            for line in process.log_lines():
                found = _LOG_LINE.match(line)
                if not found:
                    continue
                when = datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc).timestamp()
                if when >= self._fault_wall:
                    signs.append((when - self._fault_wall, f"{process.name}: {found[3]}"))
                    self.outcome.warnings[found[3]] = self.outcome.warnings.get(found[3], 0) + 1
        return min(signs, default=(None, ""))

    # --- afterwards -------------------------------------------------------------------------------

    def _wait_until_served(self):
        out = self.outcome
        out.ends = feeder.end_offsets(self.broker, self.topic)
        out.events = sum(out.ends)
        out.catch_up_s = check.wait_until_served(self.cluster, self.addresses, out.ends, self.keys)

    def _compare(self):
        out = self.outcome
        events = feeder.read_back(self.broker, self.topic, self.keys["customer"],
                                  self.keys["terminal_risk"], self.directory)
        truth = check.Truth(out.ends, feeder.views_of(events), self.keys)
        verdict = check.Verdict()
        as_of = check.leading_edge(next(iter(self.addresses.values())), self.keys)
        check.check_stores(self.addresses, truth, as_of, verdict)
        for reader in self.readers:
            for kept in reader.kept.values():
                check.check_kept(kept, truth, verdict)
        out.compared = verdict.answers
        out.mismatches += len(verdict.mismatches)
        out.problems += verdict.mismatches[:10]

    def _stop_watching(self):
        out = self.outcome
        self.monitor.stop()
        for reader in self.readers:
            reader.stop()
            out.answers += reader.trace.answers
            out.not_ready += reader.trace.not_ready
            out.unanswered += reader.trace.unanswered
            out.mismatches += len(reader.violations)
            out.problems += reader.violations[:5]

    def _note_ends(self):
        out = self.outcome
        crashes = self.cluster.crashes(self.may_crash)
        out.problems += [f"{name} crashed by signal {-code}" for name, code in crashes[:5]]
        ends = Counter((name, code) for _, name, code in self.cluster.ends)
        out.notes += [f"{name} ended with exit code {code}" + (f", {n} times" if n > 1 else "")
                      for (name, code), n in ends.items()]

    def _save_logs(self):
        place = self.options.logs / f"{self.scenario.name}-{self.seed}"
        place.mkdir(parents=True, exist_ok=True)
        for process in self.cluster.list:
            (place / f"{process.name}.log").write_text("\n".join(process.log_lines()))
        if hasattr(self, "monitor"):
            began = self._fault_at or 0.0
            (place / "history.txt").write_text("".join(
                f"{when - began:9.2f} {problem or 'all is well'}\n"
                for when, problem in self.monitor.history))
        self.note(f"logs are in {place}")

    def _forget_topic(self):
        try:
            self.broker.delete_topic(self.topic)
        except AssertionError as error:
            self.note(f"the topic was not deleted: {error}")
