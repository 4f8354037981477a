"""The card transactions that parity tests run on: files, the job over them, and its views' folds."""

import gzip
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cluster as tidemill
import fold
from answers import ViewUnderTest

CUSTOMER_WINDOWS = ["1h", "1d", "7d", "30d", "lifetime"]
TERMINAL_WINDOWS = ["1d", "7d", "30d", "lifetime"]
LABEL_DELAY = "7d"


@dataclass(frozen=True)
class Aggregation:
    """One entry of a view's aggregations. `column` is what the job says, an expression or None."""

    name: str
    function: str
    column: str = None
    parameter: str = ""  # n, k or exact_up_to
    n: int = 0
    lists: bool = False  # over the shortest and the longest window only

    def yaml(self, windows, offset):
        column = f", column: {self.column}" if self.column else ""
        parameter = f", {self.parameter}: {self.n}" if self.parameter else ""
        return (f"      - {{name: {self.name}, function: {self.function}{column}{parameter}, "
                f"windows: [{', '.join(self.windows(windows))}], offset: {offset}}}")

    def windows(self, windows):
        return list(dict.fromkeys([windows[0], windows[-1]])) if self.lists else windows

    def features(self, windows, offset):
        # Unless a job says otherwise, count_distinct is exact up to 10,000.
        n = self.n or (10_000 if self.function == "count_distinct" else 0)
        return fold.aggregation(self.name, self.function, self.column, self.windows(windows),
                                offset, n=n)


CUSTOMER = [
    Aggregation("count", "count"),
    *(Aggregation(f"amount_{function}", function, "amount")
      for function in ("sum", "mean", "min", "max", "stddev_samp")),
    Aggregation("terminal_first", "first", "terminal_id", lists=True),
    Aggregation("fraud_last", "last", "is_fraud", lists=True),
    Aggregation("time_first_n", "first_n", "event_time", "n", 3, lists=True),
    Aggregation("amount_last_n", "last_n", "amount", "n", 10, lists=True),
    Aggregation("terminal_first_distinct_n", "first_distinct_n", "terminal_id", "n", 5, lists=True),
    Aggregation("terminal_last_distinct_n", "last_distinct_n", "terminal_id", "n", 5, lists=True),
    Aggregation("terminal_count_distinct", "count_distinct", "terminal_id", lists=True),
    Aggregation("fraud_count_distinct", "count_distinct", "is_fraud", "exact_up_to", 16, lists=True),
    Aggregation("amount_top_k", "top_k", "amount", "k", 5, lists=True),
    Aggregation("terminal_bottom_k", "bottom_k", "terminal_id", "k", 3, lists=True),
]
CUSTOMER_ORDER_BY = ["transaction_id"]
# Without an order_by: rows of one time are ordered by the columns below.
TERMINAL = [
    Aggregation("nb_tx", "count"),
    Aggregation("risk", "mean", "cast(is_fraud as double)"),
    Aggregation("customer_last_n", "last_n", "customer_id", "n", 5, lists=True),
    Aggregation("amount_first", "first", "amount", lists=True),
]


def job_yaml(name, files, windows=CUSTOMER_WINDOWS, terminal_windows=TERMINAL_WINDOWS,
             out_of_orderness="1m", lateness=None, replay=None, stream=None,
             label_delay=LABEL_DELAY):
    """A job over `files` (a pattern, relative to the job's base_dir), or over a `stream` as a job
    writes it. Windows may be lifetime; those of terminals end `label_delay` ago."""
    lateness = f"allowed_lateness: {lateness}\n" if lateness else ""
    replay = f", replay: {replay}" if replay else ""
    stream = stream or f'{{files: "{files}"{replay}}}'
    customer = "\n".join(a.yaml(windows, "0s") for a in CUSTOMER)
    terminal = "\n".join(a.yaml(terminal_windows, label_delay) for a in TERMINAL)
    return f"""job: {name}
leading_edge: event
{lateness}sources:
  transactions:
    schema: {{transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}}
    event_time: event_time
    max_out_of_orderness: {out_of_orderness}
    stream: {stream}
views:
  customer:
    source: transactions
    entity: [customer_id]
    order_by: [{', '.join(CUSTOMER_ORDER_BY)}]
    aggregations:
{customer}
  terminal_risk:
    source: transactions
    entity: [terminal_id]
    aggregations:
{terminal}
"""


def read_events(paths):
    """The events of the files, in the order of source partitions (sorted paths)."""
    return fold.read_files(sorted(paths), {"transaction_id": int, "customer_id": str,
                                           "terminal_id": str, "amount": float, "is_fraud": _flag})


def _flag(value):
    known = {"0": False, "1": True, "false": False, "true": True}
    return value if isinstance(value, bool) else known[str(value)]


# What the aggregations compute with, by the names they use.
COLUMNS = {
    **{name: lambda e, name=name: e.columns[name]
       for name in ("transaction_id", "customer_id", "terminal_id", "amount", "is_fraud")},
    "event_time": lambda e: e.times,
    "cast(is_fraud as double)": lambda e: [float(f) for f in e.columns["is_fraud"]],
}


def _view(events, name, join_key, aggregations, windows, offset, order_by):
    features = tuple(f for a in aggregations for f in a.features(windows, offset))
    order = fold.order_of(features, order_by)
    rows = fold.View(events, join_key, {c: COLUMNS[c] for c in order}, order=order)
    return ViewUnderTest(name, join_key, features, rows, "lifetime" in windows)


def views(events, windows=CUSTOMER_WINDOWS, terminal_windows=TERMINAL_WINDOWS,
          label_delay=LABEL_DELAY):
    """Both views of job_yaml() over the events."""
    return [
        _view(events, "customer", "customer_id", CUSTOMER, windows, "0s", CUSTOMER_ORDER_BY),
        _view(events, "terminal_risk", "terminal_id", TERMINAL, terminal_windows, label_delay, ()),
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
