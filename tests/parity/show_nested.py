#!/usr/bin/env python3
"""Lists, structs, maps and decimals: features over them equal what is computed here of the same
events, as training sets of NDJSON, CSV and Parquet, and as a store serves them; a training set in
Parquet has them as lists, structs and maps, which DuckDB reads.

Events have values that are null, empty, incomplete, have members that no column has, and come in
no order of time. No two are of one time.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import fold  # noqa: E402
from cluster import Cluster  # noqa: E402
from show_training_set import run_cli  # noqa: E402

NAME = "nested"
JOB = """
job: nested
allowed_lateness: 30d
sources:
  tx:
    schema:
      at: timestamp
      who: string
      tags: "list<string>"
      counts: "map<string, int64>"
      payload: "struct<amount: double, day: date, items: list<struct<price: decimal(6, 2), sku: string>>>"
    event_time: at
    max_out_of_orderness: 30d
    history: {files: FILE}
views:
  v:
    source: tx
    entity: who
    aggregations:
      - {name: with_a, function: count, where: "'a' = any(tags)", windows: [1h, 1d]}
      - {name: without_b, function: count, where: "'b' <> all(tags)", windows: [1d]}
      - {name: tags, function: last, column: tags, windows: [1h, 1d]}
      - {name: recent, function: last_n, n: 3, column: tags, windows: [1d]}
      - {name: kinds, function: count_distinct, column: tags, windows: [1d]}
      - {name: often, function: histogram, column: tags, windows: [1d]}
      - {name: payload, function: first, column: payload, windows: [1d]}
      - {name: different, function: first_distinct_n, n: 2, column: payload.items, windows: [1d]}
      - {name: amount, function: sum, column: payload.amount, windows: [1h, 1d]}
      - {name: price, function: sum, column: "payload.items[1].price", windows: [1d]}
      - {name: most, function: max, column: cardinality(payload.items), windows: [1d]}
      - {name: counts, function: last, column: counts, windows: [1d]}
      - {name: x, function: sum, column: "counts -> 'x'", windows: [1d]}
      - {name: text, function: last, column: "array_to_string(tags || 'z'::text, '-')", windows: [1d]}
"""
FIELDS = ["at", "who", "tags", "counts", "payload"]
PARQUET = {"at": "TIMESTAMP", "who": "VARCHAR", "tags": "VARCHAR[]", "counts": "MAP(VARCHAR, BIGINT)",
           "payload": "STRUCT(amount DOUBLE, day DATE, items STRUCT(price DECIMAL(6,2), sku VARCHAR)[])"}
KEYS = "abcdef"
FIRST = fold.parse_time("2018-04-01T00:00:00Z")
SPAN = 4 * fold.DAY


def random_event(rng, time):
    """As it is in NDJSON; prices as text of a number, which is read digit by digit."""
    tags = rng.choice([None, [], ["a"], ["b", "a"], ["a", None], ["c"] * rng.randrange(1, 4)])
    items = [{"price": rng.choice([None, Decimal(rng.randrange(0, 99999)) / 100]),
              "sku": rng.choice(["s", "t", None])} for _ in range(rng.randrange(3))]
    payload = rng.choice([None, {}, {"amount": rng.randrange(4000) / 4},
                          {"items": items, "day": "2018-04-0%d" % rng.randrange(1, 9)},
                          {"items": items, "amount": rng.randrange(4000) / 4}])
    counts = rng.choice([None, {}, {"x": rng.randrange(9)}, {"y": None, "x": -1}, {"b": 2, "a": 1}])
    return {"at": time, "who": rng.choice(KEYS), "tags": tags, "counts": counts, "payload": payload}


def whole(event):
    """As columns of these types have it: a struct has all its fields."""
    payload = event["payload"]
    if payload is not None:
        items = payload.get("items")
        payload = {"amount": payload.get("amount"), "day": payload.get("day"),
                   "items": None if items is None else [dict(item) for item in items]}
    return dict(event, payload=payload)


def text_of(value, more=False):
    """JSON; decimals are numbers. `more`: structs have members that the type does not have."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, dict):
        members = [f"{json.dumps(k)}: {text_of(v, more)}" for k, v in value.items()]
        if more and "sku" in value:
            members.insert(0, '"else": [{}, null]')
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(text_of(v, more) for v in value) + "]"
    return json.dumps(value)


def key_text(value):
    """A list as the key of a map in JSON."""
    return json.dumps(value, separators=(",", ":"))


class Files:
    def __init__(self, directory, count, seed):
        self.directory = directory
        rng = random.Random(seed)
        times = rng.sample(range(FIRST, FIRST + SPAN, 1_000_000), count)
        events = [random_event(rng, time) for time in times]
        self.events = [whole(event) for event in events]
        with (directory / "tx.ndjson").open("w") as file:
            for event in events:
                file.write(text_of(dict(event, at=fold.format_time(event["at"])), True) + "\n")
        with (directory / "tx.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(FIELDS)
            for event in events:
                out.writerow([fold.format_time(event["at"]), event["who"],
                              *("" if event[f] is None else text_of(event[f]) for f in FIELDS[2:])])
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in PARQUET.items())
        duckdb(f"copy (select * from read_json('{directory}/tx.ndjson', columns={{{columns}}})) to "
               f"'{directory}/tx.parquet' (format parquet, row_group_size 2048)")
        self.spine = [(FIRST + rng.randrange(0, SPAN, 1_000_000), rng.choice(KEYS))
                      for _ in range(count // 4)]
        with (directory / "spine.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["who", "event_time"])
            out.writerows((who, fold.format_time(time)) for time, who in self.spine)

    def train(self, of, out):
        job = self.directory / f"job_{of}.yaml"
        job.write_text(JOB.replace("FILE", f"tx.{of}"))
        to = self.directory / f"of_{of}.{out}"
        run_cli("training-set", "--job", str(job), "--spine", str(self.directory / "spine.csv"),
                "--out", str(to))
        return to


def duckdb(sql):
    """What a statement gives, as JSON rows."""
    python = subprocess.run([str(HERE.parent / "venv"), "duckdb",
                             str(HERE / "duckdb_requirements.txt")], text=True, check=True,
                            stdout=subprocess.PIPE).stdout.strip()
    program = ("import duckdb, json, sys\n"
               "print(json.dumps(duckdb.sql(sys.stdin.read()).fetchall(), default=str))"
               if sql.startswith("select") else
               "import duckdb, sys\nduckdb.execute(sys.stdin.read())\nprint('[]')")
    run = subprocess.run([python, "-c", program], input=sql, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=600)
    assert run.returncode == 0, f"duckdb: {run.stderr[-3000:]}"
    return json.loads(run.stdout)


def known(values):
    return [value for value in values if value is not None]


def total(values):
    values = known(values)
    return sum(values) if values else None


def last(values):
    values = known(values)
    return values[-1] if values else None


def any_of(tags, wanted):
    """'x' = any(tags), which a null element or no list leaves open."""
    if tags is None or wanted in tags:
        return None if tags is None else True
    return None if None in tags else False


def distinct(values):
    out = []
    for value in known(values):
        if value not in out:
            out.append(value)
    return out


def expected(events, who, as_of):
    """By name, with the windows (t - w, t]."""
    def rows(window):
        found = [e for e in events if e["who"] == who and as_of - window < e["at"] <= as_of]
        return sorted(found, key=lambda e: e["at"])

    hour, day = rows(fold.HOUR), rows(fold.DAY)
    tags = [e["tags"] for e in day]
    part = [e["payload"] or {} for e in day]
    items = [p.get("items") for p in part]
    recent, different = known(tags)[-3:], distinct(items)[:2]
    counted = {}
    for value in known(tags):
        counted[key_text(value)] = counted.get(key_text(value), 0) + 1
    texts = [None if t is None else "-".join(known(t) + ["z"]) for t in tags]
    return {
        "with_a_1h": sum(any_of(e["tags"], "a") is True for e in hour),
        "with_a_1d": sum(any_of(t, "a") is True for t in tags),
        "without_b_1d": sum(any_of(t, "b") is False for t in tags),
        "tags_1h": last(e["tags"] for e in hour), "tags_1d": last(tags),
        "recent_1d": recent or None, "kinds_1d": len(distinct(tags)), "often_1d": counted or None,
        "payload_1d": (known(e["payload"] for e in day) or [None])[0],
        "different_1d": different or None,
        "amount_1h": total((e["payload"] or {}).get("amount") for e in hour),
        "amount_1d": total(p.get("amount") for p in part),
        "price_1d": total(i[0]["price"] if i else None for i in items),
        "most_1d": max((len(i) for i in items if i is not None), default=None),
        "counts_1d": last(e["counts"] for e in day),
        "x_1d": total((e["counts"] or {}).get("x") for e in day),
        "text_1d": last(["z" if t is None else x for t, x in zip(tags, texts)]),
    }


def check(found, wanted, where):
    for name, value in wanted.items():
        # Decimals and doubles are equal if their values are.
        assert found[name] == value, f"{where}: {name} is {found[name]!r}, not {value!r}"


def check_training_sets(files):
    texts = {of: files.train(of, "csv").read_text() for of in ("ndjson", "csv", "parquet")}
    for of, text in texts.items():
        assert text == texts["ndjson"], f"the training set of {of} is another one"
    rows = list(csv.DictReader(texts["ndjson"].splitlines()))
    assert len(rows) == len(files.spine)
    values = 0
    for row, (as_of, who) in zip(rows, files.spine):
        wanted = expected(files.events, who, as_of)
        found = {}
        for name in wanted:
            cell = row[f"v__{name}"]
            found[name] = None if cell == "" else cell if name == "text_1d" else json.loads(
                cell, parse_float=Decimal)
        check(found, wanted, f"{who} at {fold.format_time(as_of)}")
        values += len(wanted)
    print(f"training sets of NDJSON, CSV and Parquet: {len(rows):,} rows, {values:,} values, "
          "0 mismatches")


def check_parquet(files):
    path = files.train("ndjson", "parquet")
    kinds = {row[0]: row[1] for row in duckdb(f"select column_name, column_type from (describe "
                                             f"select * from '{path}')")}
    payload = "STRUCT(amount DOUBLE, \"day\" DATE, items STRUCT(price DECIMAL(6,2), sku VARCHAR)[])"
    assert kinds["v__tags_1d"] == "VARCHAR[]", kinds
    assert kinds["v__recent_1d"] == "VARCHAR[][]", kinds
    assert kinds["v__payload_1d"] == payload, kinds["v__payload_1d"]
    assert kinds["v__price_1d"] == "DECIMAL(38,2)", kinds
    assert kinds["v__often_1d"] == "MAP(VARCHAR[], BIGINT)", kinds
    assert kinds["v__counts_1d"] == "MAP(VARCHAR, BIGINT)", kinds
    names = ["recent_1d", "payload_1d", "different_1d", "counts_1d"]
    chosen = ", ".join(f"cast(to_json(v__{name}) as varchar)" for name in names)
    rows = duckdb(f"select {chosen} from '{path}'")
    assert len(rows) == len(files.spine)
    for row, (as_of, who) in zip(rows, files.spine):
        wanted = expected(files.events, who, as_of)
        found = {name: None if text is None else json.loads(text, parse_float=Decimal)
                 for name, text in zip(names, row)}
        check(found, {name: wanted[name] for name in names}, f"Parquet: {who}")
    print(f"training set in Parquet: {len(rows):,} rows, 0 mismatches")


def check_served(files):
    with Cluster(workers=2) as cluster:
        cluster.submit((files.directory / "job_ndjson.yaml").read_text(), files.directory)
        cluster.wait_for_state(NAME, "COMPLETED", 180)
        asked = files.spine[:60]
        for as_of, who in asked:
            status, answer = cluster.read({"job": NAME, "features": ["v.*"],
                                           "entities": {"who": [who]},
                                           "as_of": fold.format_time(as_of)})
            assert status == 200, answer
            # Decimals come as doubles here; their digits are the training set's to show.
            found = {r["feature"].split(".")[1]: r["values"][0] for r in answer["results"]}
            wanted = json.loads(json.dumps(expected(files.events, who, as_of), default=float))
            check(found, wanted, f"served: {who} at {fold.format_time(as_of)}")
    print(f"served: {len(asked):,} (key, as_of), 0 mismatches")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-nested-") as directory:
        files = Files(Path(directory), options.events, options.seed)
        check_training_sets(files)
        check_parquet(files)
        check_served(files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
