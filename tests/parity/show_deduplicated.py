#!/usr/bin/env python3
"""Views that deduplicate: their training set equals a fold written here, bit for bit, what PostgreSQL
and DuckDB say to the SQL that `tidemill sql` prints, and what a store serves.

Events come again: as they were, or at another time, with another amount, to another customer; from
another source, or under no id at all. Files have no order in time.
"""

import argparse
import csv
import random
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import fold  # noqa: E402
import show_training_set as training  # noqa: E402
from cluster import Cluster  # noqa: E402
from fold_duplicates import Deduplicate  # noqa: E402
from postgres import Postgres  # noqa: E402

NAME = "once"
JOB = """
job: once
allowed_lateness: 30d
sources:
  card:
    schema: {id: int64, paid: timestamp, customer_id: string, amount: double, shop: string, ok: bool}
    event_time: paid
    max_out_of_orderness: 30d
    history: {files: [card_0.csv, card_1.csv]}
  transfer:
    schema: {number: int64, sent: timestamp, payer: string, quarters: int64, shop: string}
    event_time: sent
    max_out_of_orderness: 30d
    history: {files: transfer.csv}
views:
  plain: {VIEW}
    aggregations:
      - {name: n, function: count, windows: [1h, 1d]}
      - {name: total, function: sum, column: amount, windows: [1h, 1d]}
      - {name: largest, function: max, column: amount, windows: [1d], offset: 30m, closed: both}
      - {name: at_x, function: count, where: shop = 'x', windows: [1d], closed: left}
      - {name: shops, function: count_distinct, column: shop, windows: [1d]}
      - {name: ids, function: last_n, n: 5, column: id, windows: [1d]}
      - {name: places, function: first_distinct_n, n: 3, column: shop, windows: [1d]}
  more: {VIEW}
    aggregations:
      - {name: stay, function: sum, column: amount, windows: [session], gap: 40m, max_length: 5h}
      - {name: days, function: count, windows: [1d, 2d], every: 1d, timezone: Europe/Berlin}
      - {name: hours, function: stddev_samp, column: amount, windows: [3h], every: 90m}
      - {name: each, function: sum, column: amount, by: shop, windows: [1d]}
      - {name: faded, function: decayed_sum, column: amount, half_life: 3h, windows: [1d]}
""".replace("{VIEW}", """
    union:
      - {source: card}
      - {source: transfer, columns: {id: number, customer_id: payer, amount: quarters / 4.0, ok: true}}
    entity: [customer_id]
    where: ok
    deduplicate: {by: [id], within: 2h}""")
WITHIN = 2 * fold.HOUR
TABLES = {
    "card": {"id": "bigint", "paid": "timestamptz", "customer_id": "text",
             "amount": "double precision", "shop": "text", "ok": "boolean"},
    "transfer": {"number": "bigint", "sent": "timestamptz", "payer": "text", "quarters": "bigint",
                 "shop": "text"},
    "spine": {"row": "bigint", "event_time": "timestamptz", "customer_id": "text"}}
DUCKDB = {"bigint": "BIGINT", "timestamptz": "TIMESTAMPTZ", "text": "VARCHAR",
          "double precision": "DOUBLE", "boolean": "BOOLEAN"}
CUSTOMERS = "abcdefgh"
FIRST = fold.parse_time("2018-04-01T00:00:00Z")
SPAN = 5 * fold.DAY


def features():
    """By view, as the job has them."""
    plain = [
        *fold.aggregation("n", "count", None, ["1h", "1d"]),
        *fold.aggregation("total", "sum", "amount", ["1h", "1d"]),
        *fold.aggregation("largest", "max", "amount", ["1d"], offset="30m", closed="both"),
        *fold.aggregation("at_x", "count", None, ["1d"], closed="left"),
        *fold.aggregation("shops", "count_distinct", "shop", ["1d"], n=10_000),
        *fold.aggregation("ids", "last_n", "id", ["1d"], n=5),
        *fold.aggregation("places", "first_distinct_n", "shop", ["1d"], n=3)]
    more = [
        fold.session("stay", "sum", "amount", "40m", "5h"),
        *fold.stepped("days", "count", None, ["1d", "2d"], "1d", "Europe/Berlin"),
        *fold.stepped("hours", "stddev_samp", "amount", ["3h"], "90m"),
        *fold.aggregation("each", "sum", "amount", ["1d"], by="shop"),
        *fold.aggregation("faded", "decayed_sum", "amount", ["1d"], half_life=3 * fold.HOUR)]
    return {"plain": plain, "more": more}


class Events:
    """Random events, in files and as the views see them. Amounts are quarters, so that databases add
    them exactly, too."""

    def __init__(self, directory, count, seed):
        self.rng = random.Random(seed)
        self.directory = directory
        rows = self.again([self.event(number) for number in range(count)])
        self.rng.shuffle(rows)
        parts = [rows[0::3], rows[1::3], [row for row in rows[2::3] if row[5]]]  # transfers are ok
        self.write("card_0", "card", map(self.as_card, parts[0]))
        self.write("card_1", "card", map(self.as_card, parts[1]))
        self.write("transfer", "transfer", map(self.as_transfer, parts[2]))
        self.seen = [row for part in parts for row in part]
        self.spine = [(FIRST + self.rng.randrange(0, SPAN, fold.MINUTE) + self.rng.choice((0, 1)),
                       self.rng.choice(CUSTOMERS)) for _ in range(count // 4)]
        self.write("spine", "spine", ((n, fold.format_time(t), who)
                                      for n, (t, who) in enumerate(self.spine)))

    def event(self, number):
        """(id, time, customer, amount, shop, ok), with few ids, and many of one time."""
        rng = self.rng
        return [rng.choice((number, number, rng.randrange(50), None)),
                FIRST + rng.randrange(0, SPAN, fold.MINUTE), rng.choice([None, *CUSTOMERS]),
                rng.randrange(1, 8000) / 4, rng.choice(["x", "y", "z", None]), rng.random() < 0.9]

    def again(self, rows):
        """And some of them once more, changed or not, up to twice the time later."""
        out = list(rows)
        for _ in range(len(rows)):
            row = list(self.rng.choice(out))
            row[1] += self.rng.choice((0, 0, WITHIN, WITHIN - 1, -WITHIN // 2,
                                       self.rng.randrange(0, 2 * WITHIN, fold.MINUTE)))
            other = self.rng.choice(out)
            for field in self.rng.sample(range(2, 6), self.rng.choice((0, 0, 1))):
                row[field] = other[field]
            out.append(row)
        return out

    def as_card(self, row):
        number, time, who, amount, shop, ok = row
        return number, fold.format_time(time), who, repr(amount), shop, str(ok).lower()

    def as_transfer(self, row):
        number, time, who, amount, shop, _ = row
        return number, fold.format_time(time), who, int(amount * 4), shop

    def write(self, name, table, lines):
        with (self.directory / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(TABLES[table])
            out.writerows(lines)

    def views(self):
        """By name: of each feature its rows for the fold, as `at_x` has a condition of its own."""
        columns = dict(zip(("id", "time", "customer_id", "amount", "shop", "ok"), zip(*self.seen)))
        events = fold.Events(list(columns["time"]), [0] * len(self.seen),
                             list(range(len(self.seen))), columns)
        shops = columns["shop"]

        def view(of, name):
            order = fold.order_of(of)
            at_x = [lambda i: shops[i] == "x"] if name == "plain" else []
            # The first condition is the view's own, which every row that there is passes.
            once = Deduplicate(("id",), WITHIN, lambda i: columns["ok"][i], (lambda i: True, *at_x))
            values = {c: (lambda e, c=c: e.columns[c]) for c in dict.fromkeys(["id", *order])}
            return [fold.View(events, "customer_id", values, where, order, once)
                    for where in (None, *at_x)]

        return {name: (of, view(of, name)) for name, of in features().items()}


def expected(views, names, key, as_of):
    out = []
    for name in names:
        of, (rows, *at_x) = views[name]
        for feature in of:
            chosen = at_x[0] if feature.name == "at_x_1d" else rows
            out += chosen.fold(key, [feature], as_of)
    return out


def check_fold(events, views, out, columns):
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(events.spine)
    for row, (as_of, key) in zip(rows, events.spine):
        found = [training.value_of(row[name], kind, is_list or name == "more__each_1d")
                 for name, kind, is_list, _ in columns]
        wanted = expected(views, ("plain", "more"), key, as_of)
        assert repr(found) == repr(wanted), f"{key} at {as_of}: {found}, not {wanted}"
    print(f"fold: {len(rows):,} rows of {len(columns)} features, 0 mismatches")


def sql(job, dialect):
    return training.run_cli("sql", "--job", str(job), "--dialect", dialect, "--spine", "spine")


def check_duckdb(directory, job, out, columns):
    tables = {name: [str(directory / ("card_*.csv" if name == "card" else f"{name}.csv")),
                     {c: DUCKDB[t] for c, t in of.items()}] for name, of in TABLES.items()}
    training.report("DuckDB", training.compare(
        {"mine": str(out), "id": "row", "columns": columns, "tables": tables,
         "sql": sql(job, "duckdb"), "tolerance": training.TOLERANCE}))


def check_postgres(directory, job, out, columns):
    statement = sql(job, "postgres")
    outputs = ["row"] + [f'to_json("{name}") as "{name}"' if is_list else f'"{name}"'
                         for name, _, is_list, _ in columns]
    theirs = directory / "postgres.csv"
    with Postgres() as database:
        for name, of in TABLES.items():
            kinds = ", ".join(f"{column} {kind}" for column, kind in of.items())
            database.psql(f"create table {name} ({kinds});\n")
        for name in ("card_0", "card_1", "transfer", "spine"):
            table = name.partition("_")[0]
            database.psql(f"\\copy {table} from '{directory / name}.csv' csv header\n")
        indexes = [line[3:] for line in statement.splitlines() if line.startswith("-- create index")]
        database.psql("\n".join(indexes) + "\nanalyze;\n")
        database.psql(f"create unlogged table result as {statement}\n")
        database.psql(f"\\copy (select {', '.join(outputs)} from result) to '{theirs}' csv header\n")
    training.report("PostgreSQL", training.compare(
        {"mine": str(out), "id": "row", "columns": columns, "theirs": str(theirs),
         "tolerance": training.TOLERANCE}))


def check_served(directory, events, views):
    values = 0
    with Cluster(workers=2) as cluster:
        cluster.submit((directory / "job.yaml").read_text(), directory)
        cluster.wait_for_state(NAME, "COMPLETED", 120)
        for as_of, key in events.spine[:400]:
            names = [f"{name}.{feature.name}" for name, of in features().items() for feature in of]
            status, body = cluster.read({"job": NAME, "features": names,
                                         "entities": {"customer_id": [key]},
                                         "as_of": fold.format_time(as_of)})
            assert status == 200, f"read: {status} {body}"
            served = {result["feature"]: result["values"][0] for result in body["results"]}
            for name, value in zip(names, expected(views, ("plain", "more"), key, as_of)):
                values += 1
                assert repr(served[name]) == repr(fold.as_json(value)), (
                    f"{name} of {key} at {as_of}: {served[name]!r}, not {value!r}")
    print(f"served: {values:,} values, 0 mismatches")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=4000, help="before some of them come again")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-once-") as name:
        directory = Path(name)
        events = Events(directory, options.events, options.seed)
        views = events.views()
        job = directory / "job.yaml"
        job.write_text(JOB, encoding="utf-8")
        out = directory / "training.csv"
        training.run_cli("training-set", "--job", str(job), "--spine", str(directory / "spine.csv"),
                         "--out", str(out))
        check_fold(events, views, out, training.definitions(job))
        plain = directory / "plain.yaml"
        plain.write_text(JOB[:JOB.index("  more:")], encoding="utf-8")
        check_duckdb(directory, plain, out, training.definitions(plain))
        check_postgres(directory, plain, out, training.definitions(plain))
        check_served(directory, events, views)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
