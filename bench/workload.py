"""What the macro benchmarks run on: generated card transactions, the job over them, and what the
processes of a cluster cost."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/parity")]

import cluster as tidemill  # noqa: E402

CUSTOMERS, TERMINALS, DAYS = 100_000, 10_000, 30
WINDOWS = ["1h", "1d", "7d", "30d"]
FUNCTIONS = ["count", "sum", "mean", "min", "max"]
TERMINAL_WINDOWS = ["1d", "7d", "30d"]
TERMINAL_OFFSET = "7d"
READ_FEATURES = [f"customer.{name}_{w}" for name in ("count", "amount_mean", "amount_max")
                 for w in WINDOWS]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
DATA = ROOT / "build/bench-data"


@dataclass(frozen=True)
class Workload:
    """Events of a window of 30 days, and those of the 30 days before, which fill the state."""

    customers: int
    terminals: int
    events: int  # of a window
    zipf: float
    partitions: int

    @property
    def events_per_second(self):
        """Of event time."""
        return self.events / (DAYS * 86_400)

    @property
    def keys_text(self):
        return f"Zipf {self.zipf:.1f}" if self.zipf else "uniform"

    def files(self):
        """Generated NDJSON files of a window, one a partition."""
        return sorted(generate(self.events, self.zipf, self.partitions, self.customers,
                               self.terminals).glob("*.ndjson"))

    def before(self, end="2018-04-01T00:00:00Z", events=None):
        """As a job writes it: a stream of the window that ends at a time, from the generator. With
        events=0 one that begins there and has no end."""
        import fold
        begin = fold.parse_time(end) - DAYS * fold.DAY
        each = self.events // self.partitions if events is None else events
        return (f'{{generator: {{seed: 2, partitions: {self.partitions}, events: {each}, '
                f'customers: {self.customers}, terminals: {self.terminals}, '
                f'zipf_exponent: {self.zipf:g}, start_time: "{fold.format_time(begin)}", '
                f'events_per_second: {self.events_per_second!r}}}}}')


def generate(rows, zipf, partitions, customers=CUSTOMERS, terminals=TERMINALS):
    """The directory of generated NDJSON files, `partitions` of them with `rows` events in all; made
    if it is not there."""
    of = "" if customers == CUSTOMERS else f"-customers-{customers}"
    of += "" if terminals == TERMINALS else f"-terminals-{terminals}"
    directory = DATA / f"rows-{rows}-zipf-{zipf:g}-files-{partitions}{of}"
    if not directory.exists():
        generate_into(directory, partitions, rows // partitions, customers=customers,
                      terminals=terminals, zipf_exponent=zipf,
                      events_per_second=rows / (DAYS * 86_400))
    return directory


def generate_into(directory, partitions, events_each, **options):
    """Files of `tidemill generate`; options are the command's, with underscores."""
    making = directory.with_suffix(".partial")
    shutil.rmtree(making, ignore_errors=True)
    words = [word for name, value in options.items()
             for word in (f"--{name.replace('_', '-')}", value)]
    run = tidemill.run_cli("generate", "--quiet", "--out", making, "--format", "ndjson",
                           "--partitions", partitions, "--events", events_each, *words,
                           timeout_s=3_600)
    if run.returncode != 0:
        sys.exit(f"bench: {run.stderr}")
    making.rename(directory)


def job_yaml(name, stream, settings="", warm_up=None, source_settings="", terminals=True):
    """The job over a `stream:`: 26 features of two entities. `settings`: further lines of the job,
    or of its source. `warm_up`: a stream whose events come before, into the same views.
    `terminals`: else it has the 20 features of customers alone."""
    windows = ", ".join(WINDOWS)
    terminal_windows = ", ".join(TERMINAL_WINDOWS)
    aggregations = "\n".join(
        f"      - {{function: {f}{'' if f == 'count' else ', column: amount'}, "
        f"windows: [{windows}]}}"
        for f in FUNCTIONS)
    if warm_up is None:
        sources, of = _source("transactions", stream, source_settings), "source: transactions"
    else:
        # A source that has ended shall not hold the horizon back, and live events may be written a
        # moment after each other's.
        more = "    idle_after: 1s\n    max_out_of_orderness: 1s\n"
        sources = (_source("transactions", stream, more + source_settings)
                   + _source("warm_up", warm_up, more))
        of = "union: [{source: transactions}, {source: warm_up}]"
    risk = f"windows: [{terminal_windows}], offset: {TERMINAL_OFFSET}"
    second = f"""  terminal_risk:
    {of}
    entity: [terminal_id]
    aggregations:
      - {{name: nb_tx, function: count, {risk}}}
      - {{name: risk, function: mean, column: cast(is_fraud as double), {risk}}}
"""
    return f"""job: {name}
leading_edge: event
{settings}sources:
{sources}views:
  customer:
    {of}
    entity: [customer_id]
    aggregations:
{aggregations}
{second if terminals else ""}"""


def _source(name, stream, more=""):
    return f"""  {name}:
    schema: {{transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}}
    event_time: event_time
{more}    stream: {stream}
"""


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def memory_bytes(pid):
    """Resident now, and at most so far."""
    lines = dict(line.split(":", 1) for line in
                 Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {name: int(lines[field].split()[0]) * 1024
            for name, field in (("rss", "VmRSS"), ("peak_rss", "VmHWM"))}


def processes_of(cluster):
    """Name -> pid of the coordinator, the workers and the store."""
    return {p["name"]: p["pid"] for p in cluster.file()["processes"]}


def machine():
    """What this runs on, for the head of a report."""
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in processors if "model name" in line),
                 "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": os.cpu_count(), "memory_gb": round(memory / 1e9, 1),
            "kernel": platform.release()}


def percentile(values, p):
    """The least value that at least p percent of the values are not above; None of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] if ordered else None
