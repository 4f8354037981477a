#!/usr/bin/env python3
"""A running job that is changed, against an independent fold of its events.

Events are written to a file that the job follows. Half way it is updated: with a window that is
wider than its rows were kept for, with a column that its rows do not have, and with a view over
another column and a condition of that kind. Each value is then that of all rows, or says from which as_of on it is, and until then it
is that of the rows which are all there; in the end no value says so. What an update takes out comes
back with all its history.
"""

import argparse
import datetime
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import cluster as tidemill  # noqa: E402
from cluster import wait_until  # noqa: E402

START = datetime.datetime(2024, 3, 1, tzinfo=datetime.timezone.utc)
HOUR = 3600
CUSTOMERS = 20
LATENESS = HOUR  # max_out_of_orderness and allowed_lateness together
NEW = """      - {name: least, function: min, column: "greatest(amount, 50)", windows: [8h]}
  large:
    source: tx
    entity: [customer]
    aggregations:
      - {function: count, where: amount > 50, windows: [12h]}
      - {name: doubled, function: sum, column: amount * 2, windows: [12h]}
"""


def yaml_of(windows, more="", count="{function: count, windows: [6h]}"):
    return f"""job: updated
key_partitions: 8
leading_edge: event
allowed_lateness: 30m
sources:
  tx:
    schema: {{id: int64, at: timestamp, customer: string, amount: int64}}
    event_time: at
    max_out_of_orderness: 30m
    stream: {{files: in.csv, follow: true}}
views:
  customer:
    source: tx
    entity: [customer]
    aggregations:
      - {count}
      - {{function: sum, column: amount, windows: [{windows}]}}
{more}"""


def text_of(seconds):
    return (START + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(micros):
    return micros / 1e6 - START.timestamp()


def events_of(seed, hours):
    """(seconds, customer, amount), some of them late by less than the horizon."""
    chance = random.Random(seed)
    out = []
    for second in range(0, hours * HOUR, 97):
        late = chance.randrange(1500) if chance.random() < 0.1 else 0
        out.append((max(0, second - late), chance.randrange(CUSTOMERS), chance.randrange(100)))
    return out


FOLDS = {
    "customer.count_6h": (6, len),
    "customer.amount_sum_6h": (6, sum),
    "customer.amount_sum_48h": (48, sum),
    "customer.least_8h": (8, lambda amounts: min(max(a, 50) for a in amounts)),
    "large.count_12h": (12, lambda amounts: sum(a > 50 for a in amounts)),
    "large.doubled_12h": (12, lambda amounts: sum(2 * a for a in amounts)),
}


def expected(feature, rows, customer, as_of, since=None):
    """By a plain loop over the events; `since`: of those alone that are not older."""
    hours, fold = FOLDS[feature]
    amounts = [a for t, c, a in rows if c == customer and as_of - hours * HOUR < t <= as_of
               and (since is None or t >= since)]
    if not amounts and "count" not in feature:
        return None
    return fold(amounts)


class Show:
    def __init__(self, cluster, directory, events):
        self.cluster, self.directory, self.events = cluster, directory, events
        self.path = directory / "in.csv"
        self.path.write_text("id,at,customer,amount\n")
        self.written = 0
        self.filling = self.complete = 0

    def write_until(self, share):
        """Appends events up to that share of them all, and waits until the store has them."""
        until = int(len(self.events) * share)
        with self.path.open("a") as out:
            for number in range(self.written, until):
                at, customer, amount = self.events[number]
                out.write(f"{number},{text_of(at)},{customer},{amount}\n")
        self.written = until

        def there():
            job = self.cluster.job("updated")
            source = job["sources"][0]
            return (source["records"] >= until and source["published"] == source["offset"] and
                    source["applied"] == source["offset"])
        wait_until(there, f"{until} events to be published", 60)

    def check(self, features):
        """Every value is the fold's, of all rows or of those that it says; how many say so."""
        rows = self.events[:self.written]
        status, body = self.cluster.read({"job": "updated", "features": features, "entities": {
            "customer": [str(c) for c in range(CUSTOMERS)]}})
        assert status == 200, body
        as_of = seconds_of(micros_of(body["as_of"]))
        filling = 0
        for result in body["results"]:
            feature = result["feature"]
            for customer in range(CUSTOMERS):
                since = result.get("complete_since_us", [None] * CUSTOMERS)[customer]
                oldest = None
                if since is not None:
                    assert seconds_of(since) > as_of, f"{feature} fills at {as_of}, until {since}"
                    oldest = seconds_of(since) - FOLDS[feature][0] * HOUR
                    filling += 1
                want = expected(feature, rows, customer, as_of, oldest)
                got = result["values"][customer]
                assert got == want, (f"{feature} of {customer} as of {as_of} is {got}, and not "
                                     f"{want}; complete since {since}")
                self.complete += since is None
        self.filling += filling
        return filling

    def update(self, yaml, plan=False):
        path = self.directory / "job.yaml"
        path.write_text(yaml)
        done = tidemill.run_cli("--coordinator", self.cluster.coordinator.address, "job", "update",
                                str(path), *(["--plan"] if plan else []))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait_for(self, feature):
        def known():
            status, _ = self.cluster.read({"job": "updated", "features": [feature],
                                           "entities": {"customer": ["1"]}})
            return status == 200
        wait_until(known, f"{feature} to be served", 30)

    def shown_as_filling(self):
        job = self.cluster.job("updated")
        return {f"{view['name']}.{f['feature']}" for view in job["views"]
                for f in view.get("filling", [])}


def micros_of(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hours", type=int, default=240, help="of event time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    events = events_of(options.seed, options.hours)
    with tempfile.TemporaryDirectory(prefix="tidemill-update-") as temporary, \
            tidemill.Cluster(workers=2) as cluster:
        show = Show(cluster, Path(temporary), events)
        cluster.submit(yaml_of("6h"), temporary)
        show.write_until(0.4)
        assert show.check(["customer.*"]) == 0
        wide = yaml_of("6h, 48h", NEW)
        planned = show.update(wide, plan=True)
        print(planned)
        assert planned.count("fills") == 5 and "48h" in planned, planned
        show.update(wide)
        for feature in ("customer.least_8h", "large.count_12h"):
            show.wait_for(feature)
        everything = ["customer.*", "large.*"]
        assert show.check(everything) > 0, "nothing says that it is not complete"
        # Owners and readers take the change over with their next view of the cluster.
        show.write_until(0.45)
        assert show.check(everything) > 0
        filling = show.shown_as_filling()
        assert "customer.amount_sum_48h" in filling and "large.count_12h" in filling, filling
        assert "customer.count_6h" not in filling, filling
        shown = tidemill.run_cli("--coordinator", cluster.coordinator.address, "job", "show",
                                 "updated").stdout
        assert "COMPLETE FROM" in shown and "customer.amount_sum_48h" in shown, shown
        got = tidemill.run_cli("--coordinator", cluster.coordinator.address, "get", "updated",
                               "--features", "customer.amount_sum_48h", "--entity", "customer=1")
        assert "fills: complete from" in got.stdout, got.stdout + got.stderr
        for share in (0.5, 0.6, 0.7, 0.8):
            show.write_until(share)
            show.check(everything)
        assert show.check(everything) == 0, "it is complete by now"
        # What goes comes back with what came meanwhile.
        show.update(yaml_of("48h", count="{function: sum, column: amount, windows: [6h]}")
                    .replace("      - {function: sum, column: amount, windows: [48h]}\n", ""))
        show.write_until(0.9)
        show.update(wide)
        show.wait_for("large.count_12h")
        show.write_until(1)
        assert show.check(everything) == 0, "it was there all the time"
        assert not show.shown_as_filling()
        print(f"{show.complete:,} values equal the fold of all rows; {show.filling:,} said that "
              "they fill, and equal the fold of the rows that they are of")
    return 0


if __name__ == "__main__":
    sys.exit(main())
