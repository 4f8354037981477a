#!/usr/bin/env python3
"""Features over decimals: a training set equals a fold written here, digit for digit and bit for bit,
what PostgreSQL and DuckDB say to the SQL that `tidemill sql` prints, and what a store serves."""

import argparse
import csv
import json
import random
import sys
import tempfile
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import cluster as tidemill  # noqa: E402
import fold_values  # noqa: E402
import show_training_set as training  # noqa: E402

JOB = """
job: prices
sources:
  sale:
    schema: {id: int64, sold: timestamp, shop: string, price: "decimal(12, 2)", rate: "numeric(8, 5)", n: int64}
    event_time: sold
    history: {files: sale.csv}
views:
  shop:
    source: sale
    entity: [shop]
    order_by: [id]
    aggregations:
      - {function: sum, column: price, windows: [1h, 1d, lifetime]}
      - {name: tax, function: sum, column: price * rate, windows: [1d]}
      - {name: gross, function: sum, column: price * 1.19 + n, where: price > 0.5, windows: [1d]}
      - {function: mean, column: price, windows: [1d, lifetime]}
      - {function: var_samp, column: price, windows: [1d]}
      - {function: stddev_pop, column: rate, windows: [1d]}
      - {function: min, column: price, windows: [1d]}
      - {name: most, function: max, column: "coalesce(rate, 0)", windows: [1d], offset: 30m}
      - {function: last, column: price, windows: [1d]}
      - {function: last_n, column: price, n: 3, windows: [1d]}
      - {function: top_k, column: price, k: 3, windows: [1d]}
      - {function: count_distinct, column: price, windows: [1d]}
"""
HOUR = 3600
DAY = 24 * HOUR
TABLES = {
    "sale": {"id": "bigint", "sold": "timestamptz", "shop": "text", "price": "numeric(12, 2)",
             "rate": "numeric(8, 5)", "n": "bigint"},
    "spine": {"id": "bigint", "event_time": "timestamptz", "shop": "text"}}
DUCKDB = {"bigint": "BIGINT", "timestamptz": "TIMESTAMPTZ", "text": "VARCHAR",
          "numeric(12, 2)": "DECIMAL(12, 2)", "numeric(8, 5)": "DECIMAL(8, 5)"}


def moment(second):
    hours, minutes = second // HOUR % 24, second // 60 % 60
    return f"2018-04-{1 + second // DAY:02}T{hours:02}:{minutes:02}:{second % 60:02}Z"


def fixed(value, digits):
    """With so many digits behind the point; exact."""
    with localcontext() as context:
        context.prec = 60
        return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


class Sales:
    """Random events: (second, id, price, rate, n), by shop."""

    def __init__(self, directory, count, seed):
        self.rng = random.Random(seed)
        self.of = {}
        self.spine = []
        self.write(directory / "sale.csv", TABLES["sale"], count, self.sale)
        self.write(directory / "spine.csv", TABLES["spine"], count // 4, self.asked)

    @staticmethod
    def write(path, header, count, line):
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(header)
            for number in range(count):
                out.writerow(line(number))

    def second(self):
        return self.rng.randrange(0, 5 * DAY, 60)

    def number(self, most, digits):
        if self.rng.random() < 0.1:
            return None
        size = 10 ** self.rng.randrange(1, most)
        return Decimal(self.rng.randrange(-size // 10, size)).scaleb(-digits)

    def sale(self, number):
        second, shop = self.second(), self.rng.choice([*"abcdef"])
        price, rate, n = self.number(12, 2), self.number(8, 5), self.rng.randrange(-5, 100)
        self.of.setdefault(shop, []).append((second, number, price, rate, n))
        shown = ["" if x is None else str(fixed(x, d)) for x, d in ((price, 2), (rate, 5))]
        return number, moment(second), shop, *shown, n

    def asked(self, number):
        second = self.second() + self.rng.choice([0, 1])
        self.spine.append((second, self.rng.choice([*"abcdefg"])))
        return number, moment(second), self.spine[-1][1]

    def expected(self, second, shop):
        """The features in the job's order: decimals as text, doubles as floats."""
        events = sorted(e for e in self.of.get(shop, []))

        def within(window, offset=0):
            end = second - offset
            return [e for e in events if e[0] <= end and (window is None or e[0] > end - window)]

        def prices(window):
            return [e[2] for e in within(window) if e[2] is not None]

        def text(value, digits):
            return None if value is None else str(fixed(value, digits))

        def total(values, digits):
            with localcontext() as context:
                context.prec = 60
                return text(sum(values, Decimal(0)), digits) if values else None

        def mean(values):
            return float(Fraction(sum(map(Fraction, values))) / len(values)) if values else None

        def spread(values, less, root):
            if len(values) <= less:
                return None
            exact = [Fraction(x) for x in values]
            middle = sum(exact) / len(exact)
            variance = sum((x - middle) ** 2 for x in exact) / (len(exact) - less)
            return fold_values.nearest_root(variance) if root else float(variance)

        hour, day, ever = prices(HOUR), prices(DAY), prices(None)
        with localcontext() as context:
            context.prec = 60
            taxes = [e[2] * e[3] for e in within(DAY) if e[2] is not None and e[3] is not None]
            gross = [e[2] * Decimal("1.19") + e[4] for e in within(DAY)
                     if e[2] is not None and e[2] > Decimal("0.5")]
        rates = [e[3] for e in within(DAY) if e[3] is not None]
        earlier = [e[3] if e[3] is not None else Decimal(0) for e in within(DAY, offset=1800)]
        return [total(hour, 2), total(day, 2), total(ever, 2), total(taxes, 7), total(gross, 4),
                mean(day), mean(ever), spread(day, 1, False), spread(rates, 0, True),
                text(min(day, default=None), 2), text(max(earlier, default=None), 5),
                text(day[-1] if day else None, 2),
                [text(x, 2) for x in day[-3:]] or None,
                [text(x, 2) for x in sorted(day, reverse=True)[:3]] or None, len(set(day))]


def number_text(text):
    return text  # with its digits, as a decimal has them


def value_of(cell, kind, is_list):
    if cell == "":
        return None
    if kind.startswith("decimal"):
        return json.loads(cell, parse_float=number_text, parse_int=number_text) if is_list else cell
    return json.loads(cell)


def check_fold(sales, out, columns):
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(sales.spine)
    for row, (second, shop) in zip(rows, sales.spine):
        found = [value_of(row[name], kind, is_list) for name, kind, is_list, _ in columns]
        expected = sales.expected(second, shop)
        assert repr(found) == repr(expected), f"{shop} at {second}: {found}, not {expected}"
    print(f"fold: {len(rows):,} rows of {len(columns)} features, 0 mismatches")


def check_served(directory, job, sales, columns):
    rng = random.Random(9)
    names = [name.replace("__", ".") for name, _, _, _ in columns]
    decimals = {name.replace("__", ".") for name, kind, _, _ in columns if kind.startswith("decimal")}
    checked = 0
    with tidemill.Cluster(workers=2) as cluster:
        cluster.submit(job.read_text(), directory)
        cluster.wait_for_state("prices", "COMPLETED", 120)
        for second, shop in rng.sample(sales.spine, 40):
            status, body = cluster.read({"job": "prices", "features": ["shop.*"],
                                         "entities": {"shop": [shop]}, "as_of": moment(second)})
            assert status == 200, f"read: {status} {body}"
            expected = dict(zip(names, sales.expected(second, shop)))
            for result in body["results"]:
                [served] = result["values"]
                wanted = expected[result["feature"]]
                if result["feature"] in decimals and wanted is not None:
                    # Python's JSON reads them as doubles.
                    wanted = ([float(x) for x in wanted] if isinstance(wanted, list)
                              else float(wanted))
                    served = ([float(x) for x in served] if isinstance(served, list)
                              else float(served))
                assert repr(served) == repr(wanted), f"{result['feature']} of {shop} at {second}: " \
                    f"{served!r}, not {wanted!r}"
                checked += 1
    print(f"served: {checked:,} values, 0 mismatches")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-decimals-") as name:
        directory = Path(name)
        sales = Sales(directory, options.events, options.seed)
        job = directory / "job.yaml"
        job.write_text(JOB, encoding="utf-8")
        out = directory / "training.csv"
        training.run_cli("training-set", "--job", str(job), "--spine", str(directory / "spine.csv"),
                         "--out", str(out))
        columns = training.definitions(job)
        check_fold(sales, out, columns)
        duckdb = {name: {column: DUCKDB[kind] for column, kind in of.items()}
                  for name, of in TABLES.items()}
        training.compare_with_duckdb(directory, job, out, columns, duckdb, tolerance=1e-9)
        training.compare_with_postgres(directory, job, out, columns, TABLES, 1)
        check_served(directory, job, sales, columns)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
