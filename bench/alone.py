"""What each stage costs by itself, beside what it costs in the processes: micro benchmarks of the
same work, in nanoseconds per event of the job (an event is two rows: a customer's and a
terminal's)."""

import json
import re
import subprocess

import cluster as tidemill  # workload says where it is

# Stage -> (benchmark of micro_bench, items per event, +1 or -1).
FILES = {
    "read": [("parse_ndjson/500000", 1, 1)],
    # Loading a batch is parsing it, evaluating it, and grouping its rows by key partition.
    "evaluate": [("load_batch/65536", 1, 1), ("parse_ndjson/500000", 1, -1)],
    "scatter": [("scatter/65536", 2, 1)],
    "apply": [("apply_batch/65536", 2, 1)],
    "publish": [("frame_encode/4/65536", 2, 1)],
    "store_apply": [("frame_apply/16/65536", 2, 1)],
    # Once, in memory: a worker's disk, snapshot storage and the store's disk get each row.
    "write an increment": [("write_increment/in_memory/80000/8000", 2, 1)],
}
KAFKA = {"read": [("parse_messages/json/4000", 1, 1)]}


def measure_alone():
    """Stage -> ns per event; those of Kafka under "kafka"."""
    wanted = {name for table in (FILES, KAFKA) for parts in table.values() for name, _, _ in parts}
    run = subprocess.run(
        [tidemill.BIN / "micro_bench", "--benchmark_format=json",
         f"--benchmark_filter=^({'|'.join(map(re.escape, sorted(wanted)))})$"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    measured = {b["name"]: 1e9 * b["time_per_item"] for b in json.loads(run.stdout)["benchmarks"]}
    missing = wanted - set(measured)
    assert not missing, f"micro_bench has no {', '.join(sorted(missing))}"

    def of(table):
        return {stage: round(sum(sign * items * measured[name] for name, items, sign in parts))
                for stage, parts in table.items()}

    return {**of(FILES), "kafka": of(KAFKA)}
