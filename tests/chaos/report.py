"""The table of what was measured, printed and as JSON."""

import json
from dataclasses import asdict

COLUMNS = [("scenario", 28), ("run", 3), ("seed", 6), ("events", 10), ("answers", 8),
           ("compared", 8), ("wrong", 5), ("detection s", 11), ("fault s", 7), ("recovery s", 10),
           ("outage s", 8), ("lag outage s", 12), ("p99 ms", 7), ("lag p99 ms", 10)]


def heading():
    return "  ".join(f"{name:<{w}}" if i == 0 else f"{name:>{w}}"
                     for i, (name, w) in enumerate(COLUMNS))


def line(run, outcome):
    cells = [outcome.scenario, run, outcome.seed, f"{outcome.events:,}", f"{outcome.answers:,}",
             f"{outcome.compared:,}", outcome.mismatches, _seconds(outcome.detection_s),
             _seconds(outcome.fault_s), _seconds(outcome.recovery_s), _seconds(outcome.outage_s),
             _seconds(outcome.lag_outage_s), _or_dash(outcome.freshness_p99_ms.get("since")),
             _or_dash(outcome.lag_p99_ms.get("since"))]
    return "  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
                     for i, (cell, (_, w)) in enumerate(zip(cells, COLUMNS)))


def _seconds(value):
    return "-" if value is None else f"{value:.2f}"


def _or_dash(value):
    return "-" if value is None else f"{value:.0f}"


def show(run, outcome):
    """One line, and what is to be said besides."""
    print(line(run, outcome), flush=True)
    notes = list(outcome.notes)
    if outcome.detected_by:
        notes.append(f"noticed by {outcome.detected_by}")
    if outcome.warnings:
        notes.append("warnings: " + ", ".join(f"{event} {n}" for event, n in
                                              sorted(outcome.warnings.items())))
    for note in notes:
        print(f"    {note}", flush=True)
    for problem in outcome.problems:
        print(f"    PROBLEM: {problem}", flush=True)


def write(path, outcomes, options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rate": options.rate, "runs": [asdict(o) for o in outcomes]},
                               indent=1))
