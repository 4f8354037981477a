#!/usr/bin/env python3
"""Training sets, equal to what databases say and to what was served.

Over a month of card transactions, all of them as the spine:
  - every feature of every row equals PostgreSQL's and DuckDB's result of the SQL that `tidemill sql`
    prints: exactly, and where they add doubles to 1e-12 of the exact value. Where a database's own
    rounding is farther off, the independent fold in fractions says what is exact: the training set
    has those bits, and there are few such rows,
  - random (key, as_of) equal what the store serves, bit for bit.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import cards  # noqa: E402
import cluster as tidemill  # noqa: E402
import fold  # noqa: E402
from postgres import Postgres  # noqa: E402

JOB = "card_training"
TOLERANCE = 1e-12
MOST_ROUNDED = 50
# Databases add these as doubles.
APPROXIMATE = {"mean", "sum", "var_pop", "var_samp", "stddev_pop", "stddev_samp"}
# The columns of the history, as (PostgreSQL, DuckDB) have them.
COLUMNS = {"transaction_id": ("bigint", "BIGINT"), "event_time": ("timestamptz", "TIMESTAMPTZ"),
           "customer_id": ("text", "VARCHAR"), "terminal_id": ("text", "VARCHAR"),
           "amount": ("double precision", "DOUBLE"), "is_fraud": ("boolean", "BOOLEAN")}


def run_cli(*arguments, timeout_s=300):
    run = tidemill.run_cli(*arguments, timeout_s=timeout_s)
    assert run.returncode == 0, f"tidemill {arguments[0]}: {run.stderr}"
    return run.stdout


def definitions(job):
    """[name in the training set, type, is a list, is approximate] of every feature of the job."""
    views = json.loads(run_cli("validate", str(job), "--json"))["views"]
    return [[f"{v['view']}__{f['feature']}", f["type"], f["list"],
             f["function"] in APPROXIMATE and f["type"] == "DOUBLE"]
            for v in views for f in v["definitions"]]


def compare(task):
    """What duckdb_oracle.py says of the task."""
    python = subprocess.run([str(HERE.parent / "venv"), "duckdb",
                             str(HERE / "duckdb_requirements.txt")], text=True, check=True,
                            stdout=subprocess.PIPE).stdout.strip()
    run = subprocess.run([python, str(HERE / "duckdb_oracle.py")], input=json.dumps(task), text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=1200)
    assert run.returncode == 0, f"duckdb_oracle: {run.stderr[-4000:]}"
    return json.loads(run.stdout)


def report(name, found, history=None):
    """Fails if anything differs, unless it is the database that is not exact about the history."""
    wrong = sum(found["mismatches"].values())
    rounded = 0
    if history and 0 < wrong == len(found["deviations"]) <= MOST_ROUNDED:
        exact = exact_values(history, found["deviations"])
        rounded = sum(same(mine, value)
                      for (_, _, mine), value in zip(found["deviations"], exact))
    print(f"{name}: {found['rows']:,} rows, {wrong - rounded} mismatches, "
          f"at most {found['worst']:.1e} apart; {rounded} values of the training set are exact and "
          "the database's are not")
    assert wrong == rounded, f"{name}: {found['mismatches']}, as {found['examples']}"


def exact_values(history, deviations):
    """Of [transaction_id, column of the training set, ...] each, by the fold."""
    events = cards.read_events([history])
    at = {number: i for i, number in enumerate(events.columns["transaction_id"])}
    views = {view.name: view for view in cards.views(events)}
    values = []
    for number, column, _ in deviations:
        view_name, _, feature_name = column.partition("__")
        view = views[view_name]
        [feature] = [f for f in view.features if f.name == feature_name]
        key = events.columns[view.join_key][at[number]]
        values += view.rows.fold(key, [feature], events.times[at[number]])
    return values


def duckdb_sql(job, spine_table="spine"):
    return run_cli("sql", "--job", str(job), "--dialect", "duckdb", "--spine", spine_table)


def duckdb_task(job, history, out):
    """The task of comparing with DuckDB, which runs the statement of the job."""
    types = {name: kinds[1] for name, kinds in COLUMNS.items()}
    return {"mine": str(out), "id": "transaction_id", "columns": definitions(job),
            "tables": {name: [str(history), types] for name in ("transactions", "spine")},
            "sql": duckdb_sql(job), "tolerance": TOLERANCE}


def ask_postgres(job, history, out):
    """Runs the job's statement in PostgreSQL, its results into `out`; the seconds it took."""
    statement = run_cli("sql", "--job", str(job), "--dialect", "postgres", "--spine", "spine")
    columns = ", ".join(f"{name} {kinds[0]}" for name, kinds in COLUMNS.items())
    outputs = ["transaction_id"]
    for name, _, is_list, _ in definitions(job):
        outputs.append(f'to_json("{name}") as "{name}"' if is_list else f'"{name}"')
    with Postgres() as database:
        database.psql(f"create table transactions ({columns});\n"
                      f"\\copy transactions from '{history}' csv header\n"
                      "create index on transactions (customer_id, event_time);\n"
                      "create index on transactions (terminal_id, event_time);\n"
                      "create table spine as select * from transactions;\n"
                      "analyze;\n")
        began = time.monotonic()
        database.psql(f"set jit = off; set work_mem = '64MB';\n"
                      f"create unlogged table result as {statement}\n")
        seconds = time.monotonic() - began
        database.psql(f"\\copy (select {', '.join(outputs)} from result) to '{out}' csv header\n")
    return seconds


def compare_with_duckdb(directory, job, out, columns, tables, tolerance=TOLERANCE):
    """`out`, whose rows have an id, with DuckDB's result over `tables`: {name: {column: type of
    DuckDB}}, of CSV files of these names in `directory`."""
    files = {name: [str(directory / f"{name}.csv"), of] for name, of in tables.items()}
    report("DuckDB", compare({"mine": str(out), "id": "id", "columns": columns, "tables": files,
                              "sql": duckdb_sql(job), "tolerance": tolerance}))


def compare_with_postgres(directory, job, out, columns, tables, index_count):
    """The same with PostgreSQL, types as it has them. It gets the indexes that the statement's heading
    names, as it names them: so many."""
    statement = run_cli("sql", "--job", str(job), "--dialect", "postgres", "--spine", "spine")
    indexes = [line[3:] for line in statement.splitlines() if line.startswith("-- create index")]
    assert len(indexes) == index_count, statement
    outputs = ["id"] + [f'to_json("{name}") as "{name}"' if is_list else f'"{name}"'
                        for name, _, is_list, _ in columns]
    theirs = directory / "postgres.csv"
    with Postgres() as database:
        for name, of in tables.items():
            kinds = ", ".join(f"{column} {kind}" for column, kind in of.items())
            database.psql(f"create table {name} ({kinds});\n"
                          f"\\copy {name} from '{directory / name}.csv' csv header\n")
        database.psql("\n".join(indexes) + "\nanalyze;\n")
        database.psql(f"create unlogged table result as {statement}\n")
        database.psql(f"\\copy (select {', '.join(outputs)} from result) to '{theirs}' csv header\n")
    report("PostgreSQL", compare({"mine": str(out), "id": "id", "columns": columns,
                                  "theirs": str(theirs), "tolerance": TOLERANCE}))


def without_times(job_text):
    """PostgreSQL's JSON has times as text: the list of times stays out of the comparison with it."""
    return "\n".join(line for line in job_text.splitlines() if "time_first_n" not in line) + "\n"


def show_databases(directory, history, options):
    job = directory / "job.yaml"
    job.write_text(cards.job_yaml(JOB, history.name))
    out = directory / "training.csv"
    began = time.monotonic()
    run_cli("training-set", "--job", str(job), "--spine", str(history), "--out", str(out))
    print(f"training-set: {time.monotonic() - began:.1f} s")
    task = duckdb_task(job, history, out)
    found = compare(task)
    print(f"DuckDB: {found['seconds']:.1f} s")
    report("DuckDB", found, history)
    untimed = directory / "untimed.yaml"
    untimed.write_text(without_times(job.read_text()))
    theirs = directory / "postgres.csv"
    print(f"PostgreSQL: {ask_postgres(untimed, history, theirs):.1f} s")
    columns = definitions(untimed)
    report("PostgreSQL", compare({"mine": str(out), "id": "transaction_id", "columns": columns,
                                  "theirs": str(theirs), "tolerance": TOLERANCE}), history)


def value_of(cell, type_name, is_list):
    """What a cell of a training set says, as the store's JSON would."""
    if cell == "":
        return None
    return cell if type_name == "STRING" and not is_list else json.loads(cell)


def same(mine, served):
    return repr(mine) == repr(served)  # repr tells 1 from 1.0, and every double from every other


def show_served(directory, history, lines, options):
    rng = random.Random(options.seed)
    job = directory / "late.yaml"
    job.write_text(cards.job_yaml(JOB, history.name, out_of_orderness="1h", lateness="30d"))
    fields = [line.split(",") for line in lines]
    first, last = (fold.parse_time(fields[i][1]) for i in (0, -1))
    moments = [rng.randrange(first, last) for _ in range(options.moments)]
    spine = directory / "moments.csv"
    asked = []
    with open(spine, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "terminal_id", "event_time"])
        for moment in moments:
            rows = [rng.choice(fields) for _ in range(options.keys)]
            asked.append((moment, [r[2] for r in rows], [r[3] for r in rows]))
            writer.writerows([r[2], r[3], fold.format_time(moment)] for r in rows)
    out = directory / "moments_out.csv"
    run_cli("training-set", "--job", str(job), "--spine", str(spine), "--out", str(out))
    with open(out, newline="") as file:
        mine = list(csv.DictReader(file))
    kinds = {name: (type_name, is_list) for name, type_name, is_list, _ in definitions(job)}
    with tidemill.Cluster(workers=2) as cluster:
        cluster.submit(job.read_text(), directory)
        cluster.wait_for_state(JOB, "COMPLETED", 180)
        values = compare_served(cluster, asked, mine, kinds)
    print(f"served: {len(mine):,} (key, as_of), {values:,} values, 0 mismatches")


def compare_served(cluster, asked, mine, kinds):
    values = 0
    row = 0
    for moment, customers, terminals in asked:
        request = {"job": JOB, "features": ["customer.*", "terminal_risk.*"],
                   "entities": {"customer_id": customers, "terminal_id": terminals},
                   "as_of": fold.format_time(moment)}
        status, body = cluster.read(request)
        assert status == 200, f"read: {status} {body}"
        for result in body["results"]:
            name = result["feature"].replace(".", "__")
            for i, served in enumerate(result["values"]):
                cell = mine[row + i][name]
                values += 1
                assert same(value_of(cell, *kinds[name]), served), (
                    f"{name} of {customers[i]}, {terminals[i]} at {request['as_of']}: "
                    f"the training set has {cell}, {served!r} was served")
        row += len(customers)
    return values


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=0, help="of the history; 0: all")
    parser.add_argument("--moments", type=int, default=500)
    parser.add_argument("--keys", type=int, default=20, help="per moment")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    description, header, lines = cards.month_of_transactions()
    if options.rows:
        lines = lines[:options.rows]
    print(f"data: {description}; {len(lines):,} of them")
    with tempfile.TemporaryDirectory(prefix="tidemill-training-") as temporary:
        directory = Path(temporary)
        history = directory / "transactions.csv"
        history.write_text("\n".join([header, *lines]) + "\n")
        show_databases(directory, history, options)
        show_served(directory, history, lines, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
