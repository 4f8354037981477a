"""One scenario in a cluster under load: calm, then the fault, then the wait until all is whole."""

import random
import re
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone

import cluster as tidemill
import feeder
import readers

CALM_S = 3.0
SETTLED_WITHIN_S = 60
WHOLE_WITHIN_S = 90
_LOG_LINE = re.compile(r"^time=(\S+)Z level=(warning|error) event=(\S+)")


@dataclass
class Outcome:
    """What is reported of one scenario; times in seconds from the fault."""

    scenario: str
    round: int
    seed: int
    events: int = 0  # fed while it ran
    rate: float = 0.0  # of them, per second
    answers: int = 0  # given while it ran, by all stores
    compared: int = 0  # of them, with the fold
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
    cpu: dict = field(default_factory=dict)  # process -> cores that it took before the fault
    not_ready: int = 0
    unanswered: int = 0
    whole: bool = False  # the cluster was whole again in the end
    notes: list = field(default_factory=list)
    problems: list = field(default_factory=list)


class Experiment:
    """What a scenario sees: the cluster, the broker, the network; and when things happened."""

    def __init__(self, stage, scenario, number, seed):
        self.stage, self.scenario = stage, scenario
        self.cluster, self.network, self.broker = stage.cluster, stage.network, stage.broker
        self.clock, self.options = stage.clock, stage.options
        self.rng = random.Random(f"{scenario.name} {seed}")
        self.outcome = Outcome(scenario.name, number, seed)
        self.kept = []  # answers, to be compared with the fold
        self.may_crash = set()  # names of processes that the scenario itself ends by a signal
        self.fault_at = self._fault_wall = self._healed_at = None

    # --- for scenarios ----------------------------------------------------------------------------

    def pick(self, kind):
        """Any process of a kind, by the seed."""
        return self.rng.choice([p for p in self.cluster.of(kind) if p.wanted])

    def note(self, text):
        self.outcome.notes.append(text)

    def fault(self):
        """The fault begins now."""
        self.fault_at, self._fault_wall = time.monotonic(), time.time()

    def healed(self):
        """The fault is over: what was broken is whole, though nobody may have noticed."""
        self._healed_at = time.monotonic()

    def sleep(self, seconds):
        """Lets the fault last."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.stage.check_helpers()
            time.sleep(0.05)

    def wait_until_whole(self, deadline_s=WHOLE_WITHIN_S, besides=lambda: ""):
        """Until everything is owned, restored and fresh in all stores, and stays so for a while,
        and there is nothing `besides`."""
        since = time.monotonic()
        last = ""

        def whole():
            nonlocal since, last
            self.stage.check_helpers()
            last = self.stage.monitor.problem or besides()
            if last:
                since = time.monotonic()
            return time.monotonic() - since > CALM_S

        try:
            tidemill.wait_until(whole, "everything is owned, restored and fresh", deadline_s, 0.05)
        except tidemill.DeadlinePassed as passed:
            raise tidemill.DeadlinePassed(f"{passed}; {last}") from None

    # --- the course of it -------------------------------------------------------------------------

    def run(self):
        """The Outcome; problems are in it."""
        before = len(self.cluster.ends)
        began, first = time.monotonic(), sum(self.stage.end_offsets())
        try:
            self._break_things()
            self.outcome.events = sum(self.stage.end_offsets()) - first
            self.outcome.rate = self.outcome.events / (time.monotonic() - began)
        except Exception as error:  # noqa: BLE001: it is part of the report
            self._note_error(error)
        self._gather()
        self._note_ends(self.cluster.ends[before:])
        return self.outcome

    def _note_error(self, error):
        self.outcome.problems.append(f"{type(error).__name__}: {error}")
        if not isinstance(error, AssertionError):
            self.outcome.problems.append(traceback.format_exc())

    def _break_things(self):
        self.scenario.prepare(self)
        self.wait_until_whole(SETTLED_WITHIN_S, self.stage.unsettled)
        for reader in self.stage.readers:
            reader.begin()
        calm, used = time.monotonic(), self.stage.cpu_times()
        self.sleep(CALM_S)
        self.outcome.cpu = self.stage.cores_since(used, calm)
        try:
            self.scenario.act(self)
            self.wait_until_whole()
        finally:
            if self.fault_at is not None:
                self._measure(calm)
        self.scenario.mend(self)
        self.wait_until_whole()
        self.outcome.whole = True

    def _measure(self, calm):
        traces = [reader.trace for reader in self.stage.readers]
        out, fault, until = self.outcome, self.fault_at, time.monotonic()
        out.fault_s = None if self._healed_at is None else self._healed_at - fault
        whole = self.stage.monitor.whole_since(fault)
        out.recovery_s = None if whole is None else whole - fault
        fresh_ms = self.options.fresh_ms
        out.outage_s, out.lag_outage_s = (
            readers.longest_outage(traces, fault, until, what, fresh_ms)
            for what in (readers.FRESHNESS, readers.LAG))
        for reader in self.stage.readers:
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
        signs = [(when - self.fault_at, "a member is declared dead")
                 for when in self.stage.monitor.dead.values() if when >= self.fault_at]
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

    def _gather(self):
        """What the readers have got meanwhile."""
        out = self.outcome
        for reader in self.stage.readers:
            trace, violations, kept = reader.begin()
            out.answers += trace.answers
            out.not_ready += trace.not_ready
            out.unanswered += trace.unanswered
            out.mismatches += len(violations)
            out.problems += violations[:5]
            self.kept += [row for rows in kept.values() for row in rows]

    def _note_ends(self, ends):
        crashes = [(name, code) for _, name, code in ends
                   if code < 0 and name not in self.may_crash]
        self.outcome.problems += [f"{name} crashed by signal {-code}" for name, code in crashes[:5]]
        counted = Counter((name, code) for _, name, code in ends)
        self.outcome.notes += [
            f"{name} ended with exit code {code}" + (f", {n} times" if n > 1 else "")
            for (name, code), n in counted.items()]
