"""One cluster with one job under a steady load, in which one scenario is acted after the other; at
the end everything is compared with the fold of the log."""

import random
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone

import check
import faults
import feeder
import readers
import truth
from experiment import Experiment
from monitor import Monitor
from chaos_cluster import STORE_HTTP, ChaosCluster, cpu_s, memory_group, resident_mb, tmpfs

SAMPLE = {"customer": 120, "terminal_risk": 6}
DISK_MB = 6000
MEMORY_MB = 8000
# What scenarios need. Files on a tmpfs count as memory of whoever wrote them, so they are not on
# the disk of the store whose memory is limited.
SMALL_DISKS = ("worker-1", "store-1")
WRONG_CLOCK = "worker-2"
LIMITED_MEMORY = "store-2"


@dataclass
class StageOutcome:
    """What is reported of a cluster's life."""

    round: int
    seed: int
    standby_replicas: int
    scenarios: list = field(default_factory=list)  # in the order in which they were acted
    seconds: float = 0.0  # fed
    events: int = 0
    other_records: int = 0
    answers: int = 0  # rows of answers compared with the fold
    values: int = 0
    mismatches: int = 0
    keys: dict = field(default_factory=dict)  # view -> keys of which all rows were counted
    catch_up_s: float = None  # after the feed had stopped
    compare_s: float = None
    resident_mb: dict = field(default_factory=dict)
    ends: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    @property
    def rate(self):
        return self.events / self.seconds if self.seconds else 0.0

    def as_dict(self):
        return {**asdict(self), "rate": self.rate}


class Stage:
    """`scenarios` are acted in their order, all with as many standbys; what is left in `rest` when
    the cluster did not recover from one needs another cluster."""

    def __init__(self, directory, network, broker, scenarios, number, seed, options):
        self.directory, self.network, self.broker = directory, network, broker
        self.rest, self.number, self.seed, self.options = list(scenarios), number, seed, options
        self.topic = f"chaos-{seed}-{int(time.time())}"
        self.outcome = StageOutcome(number, seed, scenarios[0].standby_replicas)
        self.experiments = []
        rng = random.Random(seed)
        self.keys = {
            "customer": [str(1 + n) for n in rng.sample(range(feeder.CUSTOMERS),
                                                        SAMPLE["customer"])],
            "terminal_risk": [str(1 + n) for n in rng.sample(range(feeder.TERMINALS),
                                                             SAMPLE["terminal_risk"])]}
        self.cluster = ChaosCluster(network, directory)
        self.clock = None

    # --- for experiments --------------------------------------------------------------------------

    def check_helpers(self):
        """Raises if anything that the run needs has ended."""
        self.feed.check()
        for reader in self.readers:
            reader.check()

    def end_offsets(self):
        return self._log.end_offsets(self.topic, feeder.PARTITIONS)

    def unsettled(self):
        """What still moves, or has nothing to do, though nothing is wrong."""
        rebalance = self.cluster.get("/v1/rebalance")
        moving = (rebalance.get("under_way") or 0) + (rebalance.get("waiting") or 0)
        if moving:
            return f"{moving} moves are left"
        idle = [m["node"] for m in self.cluster.members("worker") if not m["key_partitions"]]
        return f"worker {idle[0]} owns nothing yet" if idle else ""

    def cpu_times(self):
        """CPU seconds so far, by process."""
        pids = {process.name: process.pid for process in self.cluster.list if process.alive}
        pids.update(feed=self.feed.pid, broker=self.broker.pid, readers="self")
        return {name: cpu_s(pid) for name, pid in pids.items()}

    def cores_since(self, before, when):
        """Cores that each process has taken since."""
        seconds = time.monotonic() - when
        return {name: round((now - before[name]) / seconds, 3)
                for name, now in self.cpu_times().items() if name in before}

    # --- the course of it -------------------------------------------------------------------------

    def run(self, show):
        """The StageOutcome; show(outcome of an experiment) is called after each."""
        self.broker.create_topic(self.topic, feeder.PARTITIONS)
        self._equip()
        try:
            with self.broker.producer() as self._log, self.cluster:
                self._run_cluster(show)
        except Exception as error:  # noqa: BLE001: it is part of the report
            self.outcome.problems.append(f"{type(error).__name__}: {error}")
            if not isinstance(error, AssertionError):
                self.outcome.problems.append(traceback.format_exc())
        finally:
            if self.problems() or self.options.keep_logs:
                self._save_logs()
        return self.outcome

    def problems(self):
        return self.outcome.problems or any(e.outcome.problems for e in self.experiments)

    def _equip(self):
        for name in SMALL_DISKS:
            tmpfs(self.cluster.named(name).data, DISK_MB)
        self.clock = faults.WrongClock(self.cluster.named(WRONG_CLOCK))
        limited = self.cluster.named(LIMITED_MEMORY)
        limited.group = memory_group(self.options.directory, self.topic, MEMORY_MB << 20)

    def _run_cluster(self, show):
        self.cluster.submit(
            feeder.job_yaml(self.broker, self.topic, self.outcome.standby_replicas), "/")
        began = time.monotonic()
        self.feed = feeder.Feed(self.network, self.broker, self.topic, self.options.rate, self.seed,
                                self.directory / "feed.log")
        self._start_watching()
        try:
            while self.rest and self._act(self.rest.pop(0), show):
                pass
            self.feed.stop()
            self.outcome.seconds = time.monotonic() - began
            self._wait_until_served()
        finally:
            self.feed.stop()
            self._stop_watching()
        self._compare()

    def _start_watching(self):
        self.addresses = {store.name: f"{store.node.address}:{STORE_HTTP}"
                          for store in self.cluster.of("store")}
        self.readers = [readers.Reader(name, address, self.keys, f"{self.seed} {name}")
                        for name, address in self.addresses.items()]
        self.monitor = Monitor(self.cluster, self.readers, self.options.fresh_ms)
        for thread in (*self.readers, self.monitor):
            thread.start()

    def _act(self, scenario, show):
        experiment = Experiment(self, scenario, self.number, self.seed)
        self.experiments.append(experiment)
        self.outcome.scenarios.append(scenario.name)
        show(experiment.run())
        return experiment.outcome.whole

    def _stop_watching(self):
        self.monitor.stop()
        for reader in self.readers:
            reader.stop()
            _, violations, _ = reader.begin()
            self.outcome.mismatches += len(violations)
            self.outcome.problems += violations[:5]

    # --- afterwards -------------------------------------------------------------------------------

    def _wait_until_served(self):
        out = self.outcome
        out.ends = feeder.end_offsets(self.broker, self.topic)
        out.catch_up_s = check.wait_until_served(self.cluster, self.addresses, out.ends, self.keys)
        out.resident_mb = {p.name: resident_mb(p.pid) for p in self.cluster.list if p.alive}

    def _compare(self):
        out, began = self.outcome, time.monotonic()
        as_of = check.leading_edge(next(iter(self.addresses.values())), self.keys)
        log = truth.fold_log(self.broker, self.topic, out.ends, self.keys, as_of, self.directory)
        out.events, out.other_records = log.events, log.others
        out.keys = {view: len(keys) for view, keys in log.tallies.items()}
        verdict = check.Verdict()
        check.check_sample(self.addresses, log, as_of, verdict)
        check.check_all_keys(self.addresses, log, as_of, verdict)
        self._add(verdict, out)
        for experiment in self.experiments:
            verdict = check.Verdict()
            check.check_kept(experiment.kept, log, verdict)
            experiment.outcome.compared = verdict.answers
            self._add(verdict, experiment.outcome)
            out.answers, out.values = out.answers + verdict.answers, out.values + verdict.values
        out.compare_s = time.monotonic() - began

    def _add(self, verdict, outcome):
        outcome.mismatches += len(verdict.mismatches)
        outcome.problems += verdict.mismatches[:10]
        if outcome is self.outcome:
            outcome.answers, outcome.values = verdict.answers, verdict.values

    def _save_logs(self):
        place = self.options.logs / f"round-{self.number}-{self.topic}"
        place.mkdir(parents=True, exist_ok=True)
        for process in self.cluster.list:
            (place / f"{process.name}.log").write_text("\n".join(process.log_lines()))
        if hasattr(self, "monitor"):
            self._save_history(place / "history.txt")
        self.outcome.notes.append(f"logs are in {place}")

    def _save_history(self, path):
        lines = [(when, problem or "all is well") for when, problem in self.monitor.history]
        lines += [(e.fault_at, f"--- fault of {e.scenario.name}") for e in self.experiments
                  if e.fault_at is not None]
        offset = time.time() - time.monotonic()
        path.write_text("".join(
            f"{datetime.fromtimestamp(when + offset, timezone.utc):%H:%M:%S.%f} {text}\n"
            for when, text in sorted(lines)))
