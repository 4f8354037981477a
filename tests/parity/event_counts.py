"""How many events of CSV files are not later than given times, by DuckDB; run by the Python of
tests/venv that has it. Reads {"files": [path], "times_us": [us since 1970]} (JSON) from stdin, and
prints a count for each time."""

import json
import sys

import duckdb


def main():
    task = json.load(sys.stdin)
    database = duckdb.connect()
    database.execute("create table times as select unnest(?) as us", [task["times_us"]])
    database.execute(
        "create table moments as select epoch_us(cast(event_time as timestamp)) as us, count(*) as n "
        "from read_csv(?, header=true, columns={'transaction_id': 'BIGINT', 'event_time': 'VARCHAR', "
        "'customer_id': 'BIGINT', 'terminal_id': 'BIGINT', 'amount': 'DOUBLE', 'is_fraud': 'VARCHAR'}) "
        "group by 1", [task["files"]])
    counts = database.execute(
        "with running as (select us, sum(n) over (order by us) as total from moments) "
        "select t.us, coalesce(r.total, 0) from times t asof left join running r on t.us >= r.us"
    ).fetchall()
    by_time = {at: int(total) for at, total in counts}
    print(json.dumps([by_time[at] for at in task["times_us"]]))


if __name__ == "__main__":
    main()
