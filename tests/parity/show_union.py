#!/usr/bin/env python3
"""A view over several sources: its training set equals a fold written here, bit for bit, and what
PostgreSQL and DuckDB say to the SQL that `tidemill sql` prints."""

import argparse
import csv
import random
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import show_training_set as training  # noqa: E402

JOB = """
job: united
sources:
  card:
    schema: {id: int64, paid: timestamp, customer_id: string, amount: double, shop: string, status: string}
    event_time: paid
    history: {files: card.csv}
  transfer:
    schema: {id: int64, sent: timestamp, payer: string, payee: string, quarters: int64, shop: string}
    event_time: sent
    history: {files: transfer.csv}
views:
  paid:
    union:
      - {source: card, columns: {kind: "'card'"}, where: status = 'ok'}
      - {source: transfer, columns: {customer_id: payer, amount: quarters / 4.0, kind: "'out'"}}
      - source: transfer
        columns: {customer_id: payee, amount: 0 - quarters / 4.0, kind: "'in'"}
        where: payee is distinct from payer
    entity: [customer_id]
    where: amount <> 5
    order_by: [kind, id]
    aggregations:
      - {name: n, function: count, windows: [1h, 1d, lifetime]}
      - {name: total, function: sum, column: amount, windows: [1h, 1d]}
      - {name: largest, function: max, column: amount, windows: [1d], offset: 30m, closed: both}
      - {name: cards, function: count, where: kind = 'card', windows: [1d]}
      - {name: shops, function: count_distinct, column: shop, windows: [1d]}
      - {name: kind, function: last, column: kind, windows: [1d]}
      - {name: ids, function: last_n, n: 5, column: id, windows: [1d, lifetime]}
"""
HOUR = 3600
DAY = 24 * HOUR
TABLES = {
    "card": {"id": "bigint", "paid": "timestamptz", "customer_id": "text", "amount": "double precision",
             "shop": "text", "status": "text"},
    "transfer": {"id": "bigint", "sent": "timestamptz", "payer": "text", "payee": "text",
                 "quarters": "bigint", "shop": "text"},
    "spine": {"id": "bigint", "event_time": "timestamptz", "customer_id": "text"}}
DUCKDB = {"bigint": "BIGINT", "timestamptz": "TIMESTAMPTZ", "text": "VARCHAR",
          "double precision": "DOUBLE"}


def moment(second):
    hours, minutes = second // HOUR % 24, second // 60 % 60
    return f"2018-04-{1 + second // DAY:02}T{hours:02}:{minutes:02}:{second % 60:02}Z"


class Events:
    """Random events, in files and, by customer, as the view sees them: (time, kind, id, amount,
    shop). Amounts are quarters, so that databases add them exactly, too."""

    def __init__(self, directory, count, seed):
        self.rng = random.Random(seed)
        self.directory = directory
        self.of = {}
        self.write("card", count, self.card)
        self.write("transfer", count, self.transfer)
        self.spine = []
        self.write("spine", count // 4, self.asked)

    def write(self, name, count, line):
        with (self.directory / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(TABLES[name])
            for number in range(count):
                out.writerow(line(number))

    def second(self):
        return self.rng.randrange(0, 5 * DAY, 60)  # many events of one time

    def customer(self):
        return self.rng.choice(["", *"abcdefgh"])

    def add(self, customer, *event):
        if customer and event[3] != 5:
            self.of.setdefault(customer, []).append(event)

    def card(self, number):
        second, customer = self.second(), self.customer()
        amount = self.rng.randrange(0, 8000) / 4
        shop, status = self.rng.choice("xyz"), self.rng.choice(["ok", "ok", "refused", ""])
        if status == "ok":
            self.add(customer, second, "card", number, amount, shop)
        return number, moment(second), customer, repr(amount), shop, status

    def transfer(self, number):
        second, payer, payee = self.second(), self.customer(), self.customer()
        quarters = self.rng.choice([20, self.rng.randrange(0, 10**6)])
        shop = self.rng.choice("vwx")
        self.add(payer, second, "out", number, quarters / 4.0, shop)
        if payee != payer:
            self.add(payee, second, "in", number, 0 - quarters / 4.0, shop)
        return number, moment(second), payer, payee, quarters, shop

    def asked(self, number):
        second = self.second() + self.rng.choice([0, 1])
        self.spine.append((second, self.customer()))
        return number, moment(second), self.spine[-1][1]

    def expected(self, second, customer):
        """The features, as the training set has them."""
        def within(window, offset=0, both=False):
            end = second - offset
            return [e for e in events if e[0] <= end and
                    (window is None or e[0] > end - window or (both and e[0] == end - window))]

        events = sorted(self.of.get(customer, []))
        hour, day, ever = within(HOUR), within(DAY), within(None)
        earlier = within(DAY, offset=1800, both=True)
        return [len(hour), len(day), len(ever),
                float(sum(Fraction(e[3]) for e in hour)) if hour else None,
                float(sum(Fraction(e[3]) for e in day)) if day else None,
                max((e[3] for e in earlier), default=None),
                sum(e[1] == "card" for e in day), len({e[4] for e in day}),
                day[-1][1] if day else None,
                [e[2] for e in day[-5:]] or None, [e[2] for e in ever[-5:]] or None]


def check_fold(events, out, columns):
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(events.spine)
    for row, (second, customer) in zip(rows, events.spine):
        found = [training.value_of(row[name], kind, is_list) for name, kind, is_list, _ in columns]
        expected = events.expected(second, customer)
        assert repr(found) == repr(expected), f"{customer} at {second}: {found}, not {expected}"
    print(f"fold: {len(rows):,} rows of {len(columns)} features, 0 mismatches")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4000, help="of each source")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tidemill-union-") as name:
        directory = Path(name)
        events = Events(directory, options.events, options.seed)
        job = directory / "job.yaml"
        job.write_text(JOB, encoding="utf-8")
        out = directory / "training.csv"
        training.run_cli("training-set", "--job", str(job), "--spine", str(directory / "spine.csv"),
                         "--out", str(out))
        columns = training.definitions(job)
        check_fold(events, out, columns)
        duckdb = {name: {column: DUCKDB[kind] for column, kind in of.items()}
                  for name, of in TABLES.items()}
        training.compare_with_duckdb(directory, job, out, columns, duckdb)
        training.compare_with_postgres(directory, job, out, columns, TABLES, 3)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
