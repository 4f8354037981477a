"""Writes Parquet files with DuckDB, and compares with DuckDB what became of them; run by the Python
of tests/venv that has it. Reads a task (JSON) from stdin, by its key "do":

write    {csv, columns: {name: type}, history, spine}: the rows of the CSV as two Parquet files, the
         spine with columns of other types beside them
compare  {spine, mine, csv, columns: [[name, type, is_list]]}: the training set `mine`, in Parquet,
         has the spine's columns as they are there, and beside them what `csv`, the same training set
         as CSV, says, in these types
Prints {rows, mismatches: {what: count}}.
"""

import json
import sys

import duckdb

# What a feature's type is in DuckDB.
TYPES = {"BOOL": "BOOLEAN", "INT32": "INTEGER", "INT64": "BIGINT", "DOUBLE": "DOUBLE",
         "STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMP WITH TIME ZONE"}
# Columns that no job knows, of types that pass through.
PASSING = {
    "label": "cast(transaction_id % 2 as TINYINT)",
    "price": "cast(amount as DECIMAL(12, 2))",
    "wide": "cast(transaction_id as DECIMAL(30, 4))",
    "day": "cast(event_time as DATE)",
    "nanos": "cast('2018-04-01 00:00:00.123456789' as TIMESTAMP_NS)",
    "clock": "cast(event_time at time zone 'UTC' as TIME)",
    "tags": "case when transaction_id % 3 = 0 then null else [customer_id, null, terminal_id] end",
    "pair": "{'a': transaction_id, 'b': [amount]}",
    "counts": "map([customer_id], [transaction_id])",
    "raw": "unhex(md5(customer_id))",
    "uid": "cast(md5(terminal_id) as UUID)",
    "unsigned": "cast(transaction_id as UBIGINT)",
    "single": "cast(amount as FLOAT)",
}


def write(task):
    types = task["columns"]
    read = {c: "INTEGER" if t == "BOOLEAN" else t for c, t in types.items()}  # 0 and 1 in the data
    select = ", ".join(f"cast({c} as {t}) as {c}" for c, t in types.items())
    passing = ", ".join(f"{value} as {name}" for name, value in PASSING.items())
    duckdb.execute(f"create table events as select {select} from "
                   f"read_csv('{task['csv']}', header=true, columns={json.dumps(read)})")
    duckdb.execute(f"copy events to '{task['history']}' (format parquet, row_group_size 4096, codec zstd)")
    duckdb.execute(f"copy (select {passing}, transaction_id, customer_id, terminal_id, event_time "
                   f"from events) to '{task['spine']}' (format parquet, row_group_size 2048)")
    return {"rows": duckdb.execute("select count(*) from events").fetchone()[0], "mismatches": {}}


def types_of(path):
    return {row[0]: row[1] for row in duckdb.execute(f"describe select * from '{path}'").fetchall()}


def from_text(name, type_name, is_list):
    """A text of a training set in CSV as a value; times are microseconds there."""
    kind = TYPES[type_name]
    if type_name == "TIMESTAMP" and is_list:
        return f"list_transform(cast(cast({name} as JSON) as BIGINT[]), lambda t: make_timestamptz(t))"
    if type_name == "TIMESTAMP":
        return f"make_timestamptz(cast({name} as BIGINT))"
    return f"cast(cast({name} as JSON) as {kind}[])" if is_list else f"cast({name} as {kind})"


def compare(task):
    mismatches = {}
    spine, mine = types_of(task["spine"]), types_of(task["mine"])
    wanted = dict(spine)
    for name, type_name, is_list in task["columns"]:
        wanted[name] = TYPES[type_name] + ("[]" if is_list else "")
    if list(mine.items()) != list(wanted.items()):
        mismatches["types"] = sorted(set(wanted.items()) ^ set(mine.items()))
    duckdb.execute(f"create table mine as select row_number() over () as row, * from '{task['mine']}'")
    duckdb.execute(f"create table spine as select row_number() over () as row, * from '{task['spine']}'")
    features = ", ".join(f"{from_text(n, t, l)} as {n}" for n, t, l in task["columns"])
    duckdb.execute(f"create table text as select row_number() over () as row, {features} from "
                   f"read_csv('{task['csv']}', header=true, all_varchar=true, allow_quoted_nulls=false)")
    for table, names in (("spine", spine), ("text", [name for name, _, _ in task["columns"]])):
        for name in names:
            count = duckdb.execute(
                f"select count(*) from mine full join {table} using (row) "
                f"where mine.{name} is distinct from {table}.{name}").fetchone()[0]
            if count:
                mismatches[name] = count
    return {"rows": duckdb.execute("select count(*) from mine").fetchone()[0], "mismatches": mismatches}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    duckdb.execute("set timezone = 'UTC'")
    print(json.dumps({"write": write, "compare": compare}[asked["do"]](asked)))
