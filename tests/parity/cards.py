"""The card transactions that parity tests run on: files, the job over them, and its views' folds."""

import gzip
import os
import random
import tempfile
from pathlib import Path

import cluster as tidemill
import fold
from answers import ViewUnderTest

CUSTOMER_WINDOWS = ["1h", "1d", "7d", "30d"]
TERMINAL_WINDOWS = ["1d", "7d", "30d"]
CUSTOMER_FUNCTIONS = ["count", "sum", "mean", "min", "max", "stddev_samp"]


def job_yaml(name, files, windows=CUSTOMER_WINDOWS, terminal_windows=TERMINAL_WINDOWS,
             out_of_orderness="1m", lateness=None, replay=None):
    """A job over `files` (a pattern, relative to the job's base_dir)."""
    lateness = f"allowed_lateness: {lateness}\n" if lateness else ""
    replay = f", replay: {replay}" if replay else ""
    aggregations = "\n".join(
        f"      - {{name: {_name(function)}, function: {function}"
        + ("" if function == "count" else ", column: amount")
        + f", windows: [{', '.join(windows)}]}}" for function in CUSTOMER_FUNCTIONS)
    terminal = ", ".join(terminal_windows)
    return f"""job: {name}
{lateness}sources:
  transactions:
    schema: {{transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}}
    event_time: event_time
    max_out_of_orderness: {out_of_orderness}
    stream: {{files: "{files}"{replay}}}
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
      - {{name: nb_tx, function: count, windows: [{terminal}], offset: 7d}}
      - {{name: risk, function: mean, column: cast(is_fraud as double), windows: [{terminal}], offset: 7d}}
"""


def _name(function):
    return function if function == "count" else f"amount_{function}"


def read_events(paths):
    """The events of the files, in the order of source partitions (sorted paths)."""
    return fold.read_files(sorted(paths), {"customer_id": str, "terminal_id": str,
                                           "amount": float, "is_fraud": _flag})


def _flag(value):
    known = {"0": False, "1": True, "false": False, "true": True}
    return value if isinstance(value, bool) else known[str(value)]


def views(events, windows=CUSTOMER_WINDOWS, terminal_windows=TERMINAL_WINDOWS):
    """Both views of job_yaml() over the events."""
    customer = []
    for function in CUSTOMER_FUNCTIONS:
        column = None if function == "count" else "amount"
        customer += fold.aggregation(_name(function), function, column, windows)
    terminal = (fold.aggregation("nb_tx", "count", None, terminal_windows, "7d")
                + fold.aggregation("risk", "mean", "fraud", terminal_windows, "7d"))
    return [
        ViewUnderTest("customer", "customer_id", tuple(customer),
                      fold.View(events, "customer_id", {"amount": lambda e: e.columns["amount"]})),
        ViewUnderTest("terminal_risk", "terminal_id", tuple(terminal),
                      fold.View(events, "terminal_id",
                                {"fraud": lambda e: [float(f) for f in e.columns["is_fraud"]]})),
    ]


# --- files ----------------------------------------------------------------------------------------


def month_of_transactions():
    """(description, header, lines in event-time order): the public data set if it is at hand."""
    default = tidemill.ROOT.parent / "shared/data/card_transactions_2018-04.csv.gz"
    path = Path(os.environ.get("TIDEMILL_CARD_TRANSACTIONS", default))
    if path.exists():
        with gzip.open(path, "rt") as text:
            header, *lines = text.read().splitlines()
        return f"{path.name}, {len(lines):,} transactions", header, lines
    with tempfile.TemporaryDirectory(prefix="tidemill-month-") as directory:
        [path] = generate(directory, events=288_000, days=30, format="csv", zipf_exponent=0)
        header, *lines = path.read_text().splitlines()
    lines.sort(key=lambda line: line.split(",")[1])
    return f"`tidemill generate`, {len(lines):,} transactions", header, lines


def generate(directory, events, days, partitions=1, **options):
    """`tidemill generate`: `events` over `days`, in all partitions together; the files' paths.
    Options are those of the command, with underscores."""
    options = {"out": directory, "partitions": partitions, "events": events // partitions,
               "events_per_second": events / (days * 86_400), **options}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    run = tidemill.run_cli("generate", "--quiet", *arguments, timeout_s=120)
    assert run.returncode == 0, f"tidemill generate: {run.stderr}"
    return sorted(Path(directory).glob("transactions-*.*"))


def written_month(rows, seed=20180401):
    """A month of transactions that the product's generator has no part in: (header, lines)."""
    rng = random.Random(seed)
    start = fold.parse_time("2018-04-01T00:00:00Z") // fold.US_PER_SECOND
    times = sorted(rng.randrange(30 * 86_400) for _ in range(rows))
    lines = []
    for number, second in enumerate(times):
        moment = fold.format_time((start + second) * fold.US_PER_SECOND)
        lines.append(f"{number},{moment},{rng.randrange(5_000)},{rng.randrange(10_000)},"
                     f"{round(rng.lognormvariate(3.6, 0.9), 2)},{int(rng.random() < 0.01)}")
    return "transaction_id,event_time,customer_id,terminal_id,amount,is_fraud", lines


def split_by_blocks(header, lines, directory, rng, files=4, block_lines=1_500):
    """Deals blocks of lines to files at changing odds: each file is in event-time order, but covers
    the month at a pace of its own, so that together they have no order in time."""
    dealt = [[] for _ in range(files)]
    blocks = range(0, len(lines), block_lines)
    for number, begin in enumerate(blocks):
        progress = number / max(1, len(blocks) - 1)
        # File 0 holds mostly early days, the last file mostly late ones.
        weights = [0.3 + max(0.0, 1 - abs(progress * (files - 1) - f)) for f in range(files)]
        dealt[rng.choices(range(files), weights)[0]] += lines[begin:begin + block_lines]
    return write_files(header, dealt, directory)


def split_out_of_order(header, lines, directory, rng, lateness_s, files=4):
    """Deals single lines to files, each late by up to `lateness_s` behind its file's latest."""
    dealt = [[] for _ in range(files)]
    for line in lines:
        time = fold.parse_time(line.split(",")[1]) // fold.US_PER_SECOND
        dealt[rng.randrange(files)].append((time + rng.uniform(0, lateness_s), line))
    return write_files(header, [[line for _, line in sorted(part)] for part in dealt], directory)


def write_files(header, parts, directory):
    """Writes transactions_<i>.csv; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, part in enumerate(parts):
        path = directory / f"transactions_{number}.csv"
        path.write_text("\n".join([header, *part]) + "\n")
        paths.append(path)
    return paths
