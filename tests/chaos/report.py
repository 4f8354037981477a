"""The table of what was measured, printed and as JSON."""

import json
from collections import defaultdict
from dataclasses import asdict

COLUMNS = [("scenario", 28), ("round", 5), ("events/s", 8), ("answers", 8), ("wrong", 5),
           ("detection s", 11), ("fault s", 7), ("recovery s", 10), ("outage s", 8),
           ("lag outage s", 12), ("p99 ms", 7), ("lag p99 ms", 10)]
TIMES = [("detection", "detection_s"), ("recovery", "recovery_s"), ("outage", "outage_s"),
         ("lag outage", "lag_outage_s")]


def _row(cells, columns):
    return "  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
                     for i, (cell, w) in enumerate(zip(cells, columns)))


def heading():
    return _row([name for name, _ in COLUMNS], [w for _, w in COLUMNS])


def line(outcome):
    cells = [outcome.scenario, outcome.round, f"{outcome.rate:,.0f}", f"{outcome.answers:,}",
             outcome.mismatches, _seconds(outcome.detection_s), _seconds(outcome.fault_s),
             _seconds(outcome.recovery_s), _seconds(outcome.outage_s),
             _seconds(outcome.lag_outage_s), _or_dash(outcome.freshness_p99_ms.get("since")),
             _or_dash(outcome.lag_p99_ms.get("since"))]
    return _row(cells, [w for _, w in COLUMNS])


def _seconds(value):
    return "-" if value is None else f"{value:.2f}"


def _or_dash(value):
    return "-" if value is None else f"{value:.0f}"


def show(outcome):
    """One line, and what is to be said besides."""
    print(line(outcome), flush=True)
    notes = list(outcome.notes)
    if outcome.detected_by:
        notes.append(f"noticed by {outcome.detected_by}")
    if outcome.warnings:
        notes.append("warnings: " + ", ".join(f"{event} {n}" for event, n in
                                              sorted(outcome.warnings.items())))
    _show_all(notes, outcome.problems)


def show_stage(stage, outcomes):
    """What came of a cluster and its scenarios when everything was compared."""
    keys = ", ".join(f"{n:,} of {view}" for view, n in stage.keys.items())
    print(f"round {stage.round}, {len(stage.scenarios)} scenarios, standby_replicas "
          f"{stage.standby_replicas}: {stage.events:,} events in {stage.seconds:.0f} s, "
          f"{stage.rate:,.0f} a second; {stage.answers:,} rows of answers and {stage.values:,} "
          f"values compared with the fold, of all keys ({keys or 'none'}); wrong: "
          f"{stage.mismatches + sum(o.mismatches for o in outcomes)}", flush=True)
    cores = defaultdict(list)
    for outcome in outcomes:
        for name, value in outcome.cpu.items():
            cores[name].append(value)
    figures = [f"{name} {sorted(values)[len(values) // 2]:.2f}" for name, values in cores.items()]
    notes = [f"cores when all was well: {', '.join(figures)}",
             "resident MB at the end: " + ", ".join(f"{name} {mb:,}" for name, mb in
                                                    stage.resident_mb.items()),
             f"at the end of the log after {_seconds(stage.catch_up_s)} s; compared in "
             f"{_seconds(stage.compare_s)} s", *stage.notes]
    problems = [f"{o.scenario}: {problem}" for o in outcomes for problem in o.problems]
    _show_all(notes, stage.problems + problems)


def _show_all(notes, problems):
    for note in notes:
        print(f"    {note}", flush=True)
    for problem in problems:
        print(f"    PROBLEM: {problem}", flush=True)


def show_worst(outcomes):
    """The longest times of each scenario over all rounds."""
    by_name = defaultdict(list)
    for outcome in outcomes:
        by_name[outcome.scenario].append(outcome)
    widths = [28, 5, *(12 for _ in TIMES)]
    print(_row(["longest, s", "times", *(name for name, _ in TIMES)], widths))
    for name, same in by_name.items():
        print(_row([name, len(same), *(_longest(same, what) for _, what in TIMES)], widths))


def _longest(outcomes, what):
    known = [getattr(outcome, what) for outcome in outcomes]
    return "-" if not known or None in known else f"{max(known):.2f}"


def write(path, stages, outcomes, options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rate": options.rate, "stages": [s.as_dict() for s in stages],
                                "runs": [asdict(o) for o in outcomes]}, indent=1))
