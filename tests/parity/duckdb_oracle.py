"""Compares a training set with what a database gave for the printed SQL; run by the Python of
tests/venv that has DuckDB, which does the comparing, and is one of the databases.

Reads a description of the comparison (JSON) from stdin:
    mine      the training set, a CSV
    id        its column that tells rows apart
    columns   [[name, type, is_list, is_approximate]] of the features, types as `validate --json` says
    tables    {name: [CSV, {column: type}]} to load
    sql       the statement to run, or
    theirs    the CSV that another database wrote: id and features, lists as JSON
    tolerance relative, of approximate columns
    threads   that DuckDB may use
Prints {rows, seconds, cpu_seconds, mismatches: {column: count}, examples, worst, deviations}: of
approximate columns up to 100 mismatches each, as [id, column, value in the training set].
"""

import json
import resource
import sys
import time

import duckdb

TYPES = {"BOOL": "BOOLEAN", "INT32": "INTEGER", "INT64": "BIGINT", "DOUBLE": "DOUBLE",
         "STRING": "VARCHAR", "TIMESTAMP": "BIGINT"}


def duckdb_type(type_name):
    return TYPES.get(type_name, type_name)  # "decimal(12, 2)" is DuckDB's own name


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def typed(column, type_name, is_list):
    """A text of the training set, or JSON of a database, as a value."""
    if is_list:
        return f"cast(cast({column} as JSON) as {duckdb_type(type_name)}[])"
    return f"cast({column} as {duckdb_type(type_name)})"


def load(database, tables):
    for name, (path, columns) in tables.items():
        # Flags are 0 and 1 in the data.
        read = {c: "INTEGER" if t == "BOOLEAN" else t for c, t in columns.items()}
        select = ", ".join(f"cast({c} as {t}) as {c}" for c, t in columns.items())
        database.execute(f"create table {name} as select {select} from "
                         f"read_csv('{path}', header=true, columns={json.dumps(read)})")


def run_statement(database, task):
    """Runs the statement into table theirs; seconds and CPU seconds."""
    load(database, task["tables"])
    began, cpu = time.monotonic(), cpu_seconds()
    database.execute("create table raw as " + task["sql"])
    spent = time.monotonic() - began, cpu_seconds() - cpu
    outputs = [task["id"]]
    for name, type_name, is_list, _ in task["columns"]:
        value = f'"{name}"'
        if type_name == "TIMESTAMP" and is_list:
            value = f"list_transform({value}, lambda t: epoch_us(t))"
        elif type_name == "TIMESTAMP":
            value = f"epoch_us({value})"
        outputs.append(f'{value} as "{name}"')
    database.execute(f"create table theirs as select {', '.join(outputs)} from raw")
    return spent


def read_theirs(database, task):
    columns = [f"cast({task['id']} as BIGINT) as {task['id']}"]
    for name, type_name, is_list, _ in task["columns"]:
        columns.append(typed(f'"{name}"', type_name, is_list) + f' as "{name}"')
    database.execute(f"create table theirs as select {', '.join(columns)} from "
                     f"read_csv('{task['theirs']}', header=true, all_varchar=true)")


def difference(name, is_approximate, tolerance):
    mine, theirs = f'm."{name}"', f't."{name}"'
    if not is_approximate:
        return f"{mine} is distinct from {theirs}"
    # Relative to the exact value: the training set's is that, rounded once.
    return (f"(({mine} is null) <> ({theirs} is null) or "
            f"abs({mine} - {theirs}) > {tolerance} * abs({mine}))")


def compare(database, task):
    id_column = task["id"]
    columns = [f"cast({id_column} as BIGINT) as {id_column}"]
    columns += [typed(f'"{name}"', t, is_list) + f' as "{name}"'
                for name, t, is_list, _ in task["columns"]]
    database.execute(f"create table mine as select {', '.join(columns)} from "
                     f"read_csv('{task['mine']}', header=true, all_varchar=true)")
    joined = f"from mine m join theirs t using ({id_column})"
    sums = [f"count(*) filter (where {difference(n, a, task['tolerance'])})"
            for n, _, _, a in task["columns"]]
    counts = database.execute(f"select count(*), {', '.join(sums)} {joined}").fetchone()
    rows = {table: database.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("mine", "theirs")}
    assert counts[0] == rows["mine"] == rows["theirs"], f"{counts[0]} rows are in both of {rows}"
    mismatches, examples, deviations, worst = {}, [], [], 0.0
    for (name, _, _, approximate), wrong in zip(task["columns"], counts[1:]):
        if approximate:
            deviation = database.execute(
                f'select max(abs(m."{name}" - t."{name}") / nullif(abs(m."{name}"), 0)) {joined}')
            worst = max(worst, deviation.fetchone()[0] or 0.0)
        if wrong:
            mismatches[name] = wrong
            where = difference(name, approximate, task["tolerance"])
            examples += [[name, *map(str, row)] for row in database.execute(
                f'select {id_column}, m."{name}", t."{name}" {joined} where {where} limit 3'
            ).fetchall()]
            if approximate:
                deviations += [[row, name, value] for row, value in database.execute(
                    f'select {id_column}, m."{name}" {joined} where {where} limit 100').fetchall()]
    return {"rows": counts[0], "mismatches": mismatches, "examples": examples[:10], "worst": worst,
            "deviations": deviations}


def main():
    task = json.load(sys.stdin)
    database = duckdb.connect()
    database.execute(f"set timezone = 'UTC'; set threads = {task.get('threads', 2)}")
    seconds = cpu = 0.0
    if "sql" in task:
        seconds, cpu = run_statement(database, task)
    else:
        read_theirs(database, task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = compare(database, task) if "mine" in task else {}
    json.dump({**report, "seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}, sys.stdout)


if __name__ == "__main__":
    main()
