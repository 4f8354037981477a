"""The truth: the log itself, read back by another client (kcat) once nobody writes any more, and
folded without the product. All rows of some keys are kept, for tests/parity/fold.py to compute every
feature from; of all other keys tally.c, as fast as the log can be read, computes what they have over
all time."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import cards
import fold
import fold_exact
from feeder import LABEL_DELAY, PARTITIONS, TERMINAL_WINDOWS, WINDOWS

KINDS = {"customer": "c", "terminal_risk": "t"}
COLUMNS = ("transaction_id", "customer_id", "terminal_id", "amount", "is_fraud")
SUM_UNIT = 1 << 60  # of tally.c


@dataclass(frozen=True)
class Truth:
    """What is known of the log: where it ends; all events of some keys of each view; and of all
    keys some features."""

    ends: list
    views: list
    keys: dict  # view's name -> keys of which all events are known
    tallies: dict = field(default_factory=dict)  # view's name -> key -> {feature: value}
    events: int = 0
    others: int = 0  # records that are no events


def fold_log(broker, topic, ends, keys, as_of, directory):
    """The Truth of a topic that ends at `ends`, as of a time."""
    sample, wanted, counted = (directory / name for name in ("sample", "keys", "tallies"))
    wanted.write_text("".join(f"{KINDS[view]} {key}\n" for view in keys for key in keys[view]))
    terminals_as_of = as_of - fold.parse_duration(LABEL_DELAY)
    with open(counted, "wb") as out:
        _pipe(["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", topic, "-o", "beginning", "-f",
               "%p %o %s\n"],
              [build_tally(directory), as_of, terminals_as_of, wanted, sample], out)
    with open(counted) as lines:
        tallies, events, others = read_tallies(lines)
    if events + others != sum(ends):
        raise AssertionError(f"{events + others} records of {topic} were read back, not {sum(ends)}")
    with open(sample) as lines:
        views = views_of(read_events(lines))
    return Truth(ends, views, keys, tallies, events, others)


def build_tally(directory):
    """Compiles tally.c; the program."""
    program = directory / "tally"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(Path(__file__).with_name("tally.c")),
                    "-lm"], check=True)
    return program


def _pipe(source, sink, out):
    reading = subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    counting = subprocess.Popen([str(word) for word in sink], stdin=reading.stdout, stdout=out,
                                stderr=subprocess.PIPE)
    reading.stdout.close()
    problems = [process.communicate()[1].decode() for process in (counting, reading)]
    if reading.wait() != 0 or counting.wait() != 0:
        raise AssertionError(f"reading the log back: {problems}")


def read_tallies(lines):
    """Of the output of tally.c: (tallies as in Truth, events, other records)."""
    tallies = {"customer": {}, "terminal_risk": {}}
    for line in lines:
        kind, *fields = line.split()
        if kind == "events":
            return tallies, int(fields[0]), int(fields[2])
        if kind == "c":
            tallies["customer"][fields[0]] = _customer(*map(int, fields[1:4]), *fields[4:])
        else:
            tallies["terminal_risk"][fields[0]] = _terminal(*map(int, fields[1:]))
    raise AssertionError("the tallies are cut off")


def _customer(_, count, total, least, greatest):
    if count == 0:
        return {"count_lifetime": 0, **{f"amount_{name}_lifetime": None
                                        for name in ("sum", "mean", "min", "max")}}
    return {"count_lifetime": count, "amount_sum_lifetime": fold_exact.divide(total, SUM_UNIT),
            "amount_mean_lifetime": fold_exact.divide(total, SUM_UNIT * count),
            "amount_min_lifetime": float(least), "amount_max_lifetime": float(greatest)}


def _terminal(_, count, frauds):
    return {"nb_tx_lifetime": count,
            "risk_lifetime": fold_exact.divide(frauds, count) if count else None}


def read_events(lines):
    """fold.Events of lines "PARTITION OFFSET JSON"."""
    events = fold.Events(columns={name: [] for name in COLUMNS})
    for line in lines:
        partition, offset, text = line.split(" ", 2)
        record = json.loads(text)
        events.times.append(fold.parse_time(record["event_time"]))
        events.partitions.append(int(partition))
        events.offsets.append(int(offset))
        for name in COLUMNS:
            events.columns[name].append(record[name])
        events.columns["amount"][-1] = float(record["amount"])
    assert not events.partitions or max(events.partitions) < PARTITIONS
    return events


def views_of(events):
    return cards.views(events, WINDOWS, TERMINAL_WINDOWS, LABEL_DELAY)
