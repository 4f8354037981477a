#!/usr/bin/env python3
"""Parquet, with DuckDB writing what is read and reading what is written.

Over card transactions, as a history and as a spine that DuckDB wrote in Parquet, the spine with
columns of every other type beside the keys:
  - the training set in Parquet has the spine's columns as they were, type by type and value by value,
    and every feature equals that of the same history and spine in CSV,
  - so does the training set that is made of Parquet and written as CSV, and the other way round,
  - a job over the Parquet history serves what a training set over the CSV says.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import cards  # noqa: E402
import cluster as tidemill  # noqa: E402
import fold  # noqa: E402
import show_training_set  # noqa: E402
from show_training_set import COLUMNS, JOB, definitions, run_cli  # noqa: E402


def duckdb(task):
    """What parquet_oracle.py says."""
    python = subprocess.run([str(HERE.parent / "venv"), "duckdb",
                             str(HERE / "duckdb_requirements.txt")], text=True, check=True,
                            stdout=subprocess.PIPE).stdout.strip()
    run = subprocess.run([python, str(HERE / "parquet_oracle.py")], input=json.dumps(task), text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=1200)
    assert run.returncode == 0, f"parquet_oracle: {run.stderr[-4000:]}"
    return json.loads(run.stdout)


class Files:
    """Jobs over the same history in two formats, and two spines of the same rows."""

    def __init__(self, directory, lines):
        header = ",".join(COLUMNS)
        self.directory = directory
        (directory / "history.csv").write_text("\n".join([header, *lines]) + "\n")
        self.written = duckdb({"do": "write", "csv": str(directory / "history.csv"),
                               "columns": {name: kinds[1] for name, kinds in COLUMNS.items()},
                               "history": str(directory / "history.parquet"),
                               "spine": str(directory / "spine.parquet")})
        with open(directory / "spine.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["transaction_id", "customer_id", "terminal_id", "event_time"])
            writer.writerows([f[0], f[2], f[3], f[1]] for f in (line.split(",") for line in lines))
        for kind in ("csv", "parquet"):
            self.job(kind).write_text(cards.job_yaml(JOB, f"history.{kind}", out_of_orderness="1h",
                                                     lateness="30d"))

    def job(self, kind):
        return self.directory / f"job_{kind}.yaml"

    def train(self, history, spine, out):
        """A training set of these formats; its file."""
        to = self.directory / f"of_{history}_{spine}.{out}"
        run_cli("training-set", "--job", str(self.job(history)), "--spine",
                str(self.directory / f"spine.{spine}"), "--out", str(to))
        return to


def features_in(path, count):
    """Of each row of a CSV the last cells, which are its features."""
    with open(path, newline="") as file:
        return [row[-count:] for row in csv.reader(file)]


def show_training_sets(files):
    columns = [[name, kind, is_list] for name, kind, is_list, _ in definitions(files.job("csv"))]
    plain = files.train("csv", "csv", "csv")
    mixed = files.train("parquet", "parquet", "csv")
    count = len(columns)
    assert features_in(plain, count) == features_in(mixed, count), "Parquet into CSV differs"
    for history in ("parquet", "csv"):
        found = duckdb({"do": "compare", "spine": str(files.directory / "spine.parquet"),
                        "mine": str(files.train(history, "parquet", "parquet")), "csv": str(plain),
                        "columns": columns})
        print(f"{history} history, Parquet spine: {found['rows']:,} rows of {count} features, "
              f"{len(found['mismatches'])} mismatches")
        assert not found["mismatches"], found["mismatches"]
        assert found["rows"] == files.written["rows"]


def show_served(files, lines, options):
    rng = random.Random(options.seed)
    fields = [line.split(",") for line in lines]
    first, last = (fold.parse_time(fields[i][1]) for i in (0, -1))
    asked = []
    with open(files.directory / "spine.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "terminal_id", "event_time"])
        for _ in range(options.moments):
            moment = rng.randrange(first, last)
            rows = [rng.choice(fields) for _ in range(options.keys)]
            asked.append((moment, [r[2] for r in rows], [r[3] for r in rows]))
            writer.writerows([r[2], r[3], fold.format_time(moment)] for r in rows)
    with open(files.train("csv", "csv", "csv"), newline="") as file:
        mine = list(csv.DictReader(file))
    kinds = {name: (kind, is_list) for name, kind, is_list, _ in definitions(files.job("parquet"))}
    with tidemill.Cluster(workers=2) as cluster:
        cluster.submit(files.job("parquet").read_text(), files.directory)
        cluster.wait_for_state(JOB, "COMPLETED", 180)
        values = show_training_set.compare_served(cluster, asked, mine, kinds)
    print(f"served of the Parquet history: {len(mine):,} (key, as_of), {values:,} values, 0 mismatches")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=0, help="of the history; 0: all")
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--keys", type=int, default=20, help="per moment")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    description, _, lines = cards.month_of_transactions()
    lines = lines[:options.rows] if options.rows else lines
    print(f"data: {description}; {len(lines):,} of them")
    with tempfile.TemporaryDirectory(prefix="tidemill-parquet-") as temporary:
        files = Files(Path(temporary), lines)
        show_training_sets(files)
        show_served(files, lines, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
