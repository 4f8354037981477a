"""What the macro benchmarks run on: generated card transactions, the job over them, and what the
processes of a cluster cost."""

import os
import platform
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

import cluster as tidemill  # noqa: E402

CUSTOMERS, TERMINALS, DAYS = 100_000, 10_000, 30
WINDOWS = ["1h", "1d", "7d", "30d"]
FUNCTIONS = ["count", "sum", "mean", "min", "max"]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def generate(rows, zipf, partitions, customers=CUSTOMERS):
    """The directory of generated NDJSON files, `partitions` of them with `rows` events in all; made if
    it is not there."""
    of = "" if customers == CUSTOMERS else f"-customers-{customers}"
    directory = ROOT / f"build/bench-data/rows-{rows}-zipf-{zipf:g}-files-{partitions}{of}"
    if not directory.exists():
        making = directory.with_suffix(".partial")
        shutil.rmtree(making, ignore_errors=True)
        run = tidemill.run_cli(
            "generate", "--quiet", "--out", making, "--format", "ndjson",
            "--partitions", partitions, "--events", rows // partitions, "--customers", customers,
            "--terminals", TERMINALS, "--zipf-exponent", zipf,
            "--events-per-second", rows / (DAYS * 86_400), timeout_s=1_800)
        if run.returncode != 0:
            sys.exit(f"bench: {run.stderr}")
        making.rename(directory)
    return directory


def job_yaml(name, stream, settings=""):
    """The job over a `stream:`: 26 features of two entities. `settings`: further lines of the job."""
    windows = ", ".join(WINDOWS)
    aggregations = "\n".join(
        f"      - {{function: {f}{'' if f == 'count' else ', column: amount'}, windows: [{windows}]}}"
        for f in FUNCTIONS)
    return f"""job: {name}
leading_edge: event
{settings}sources:
  transactions:
    schema: {{transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}}
    event_time: event_time
    stream: {stream}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
{aggregations}
  terminal_risk:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {{name: nb_tx, function: count, windows: [1d, 7d, 30d], offset: 7d}}
      - {{name: risk, function: mean, column: cast(is_fraud as double), windows: [1d, 7d, 30d], offset: 7d}}
"""


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def processes_of(cluster):
    """Name -> pid of the coordinator, the workers and the store."""
    return {p["name"]: p["pid"] for p in cluster.file()["processes"]}


def machine():
    """What this runs on, for the head of a report."""
    model = next((line.split(":")[1].strip() for line in
                  Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": os.cpu_count(), "memory_gb": round(memory / 1e9, 1),
            "kernel": platform.release()}


def percentile(values, p):
    """The least value that at least p percent of the values are not above; None of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] if ordered else None
