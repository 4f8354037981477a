#!/usr/bin/env python3
"""A job that goes on from its snapshots, bit for bit against an independent fold.

  - A savepoint of four workers, in the middle of a month of card transactions: the job is stopped,
    the cluster ends, and another one of two workers starts the job from the savepoint. All features
    of all keys are those of the whole month, and what the savepoint covers is not read again.
  - The newest snapshot of twelve key partitions is damaged, each in another way. A worker that has
    nothing but snapshot storage restores the ones before, says so, and counts it; what the damaged
    ones held is read from the sources again, and the values are the same.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import answers  # noqa: E402
import cards  # noqa: E402
from cluster import wait_until  # noqa: E402
from processes import ProcessCluster  # noqa: E402

JOB = "saved"
SAVEPOINT = "in-the-middle"
KEY_PARTITIONS = 16  # of the job whose snapshots are damaged


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the transactions")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    description, header, lines = cards.month_of_transactions()
    if options.quick:
        lines = lines[::5]
    print(f"data: {description}; {len(lines):,} of them")
    with tempfile.TemporaryDirectory(prefix="tidemill-savepoint-") as temporary:
        directory = Path(temporary)
        paths = cards.split_by_blocks(header, lines, directory / "in", random.Random(options.seed))
        events = cards.read_events(paths)
        views = cards.views(events)
        show_savepoint(directory / "saved", directory / "in", events, views, options)
        show_damage(directory / "damaged", directory / "in", events, views)
    return 0


def yaml_of(job, replay=None, key_partitions=128):
    yaml = cards.job_yaml(job, "transactions_*.csv", replay=replay)
    return yaml.replace("leading_edge:", f"key_partitions: {key_partitions}\nleading_edge:", 1)


def wait_for_share(cluster, job, events, share):
    """Until that share of all records is in the store."""
    def there():
        sources = cluster.job(job)["sources"]
        return sum(s["published"] for s in sources) > share * sum(events.end_offsets)
    wait_until(there, f"{share:.0%} of {job} is in the store", 90, 0.05)


def check_complete(cluster, job, events, views):
    cluster.wait_for_state(job, "COMPLETED", 120)
    tally = answers.check_completed(cluster, job, views, events.end_offsets, max(events.times))
    tally.require_none()
    rows = cluster.job(job)["rows"]
    assert rows == 2 * len(events), f"{rows} rows held for {len(events)} events"
    return tally


# --- a savepoint ----------------------------------------------------------------------------------


def show_savepoint(directory, inputs, events, views, options):
    replay = "1000000x" if options.quick else "400000x"
    with ProcessCluster(workers=4, directory=directory) as cluster:
        cluster.submit(yaml_of(JOB, replay), inputs)
        wait_for_share(cluster, JOB, events, 0.4)
        cluster.cli("snapshot", "trigger", JOB, "--name", SAVEPOINT, "--wait")
        assert cluster.job(JOB)["state"] == "RUNNING", "the job was over before its savepoint"
        cluster.cli("job", "stop", JOB)
        needed = [p["offset"] for p in cluster.get(f"/v1/savepoints/{SAVEPOINT}")["needed_offsets"]]
    # What the workers and the store had on their own disks is lost with them.
    for path in [*directory.glob("worker-*"), directory / "store"]:
        shutil.rmtree(path)

    with ProcessCluster(workers=2, directory=directory) as cluster:
        file = inputs / "again.yaml"
        file.write_text(yaml_of(JOB))
        cluster.cli("job", "submit", file, "--from-savepoint", SAVEPOINT)
        tally = check_complete(cluster, JOB, events, views)
        job = cluster.job(JOB)
        read = sum(s["records"] for s in job["sources"])
    behind = sum(o >= needed[p] for p, o in zip(events.partitions, events.offsets))
    assert all(needed), f"the savepoint needs a source from its start: {needed}"
    assert job["from_savepoint"] == SAVEPOINT, job["from_savepoint"]
    assert read <= behind, f"{read} records were read, {behind} lie behind the savepoint"
    print(f"savepoint: taken with 4 workers, started with 2: {read:,} of {len(events):,} records were "
          f"read again; {tally.answers:,} keys, {tally.values:,} values, 0 mismatches")


# --- damage ---------------------------------------------------------------------------------------


def flip(path, share):
    """Another byte at that share of the file's length."""
    data = bytearray(path.read_bytes())
    data[min(len(data) - 1, int(share * len(data)))] ^= 0x40
    path.write_bytes(bytes(data))


def truncate(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def append(path):
    with path.open("ab") as file:
        file.write(b"garbage" * 20)


# What is done to (the manifest, the newest SST file, the newest SST file of another key partition).
DAMAGE = {
    "a flipped bit at an SST's head": lambda m, sst, other: flip(sst, 0),
    "a flipped bit in an SST's middle": lambda m, sst, other: flip(sst, 0.5),
    "a flipped bit at an SST's tail": lambda m, sst, other: flip(sst, 1),
    "an SST cut off": lambda m, sst, other: truncate(sst),
    "an empty SST": lambda m, sst, other: os.truncate(sst, 0),
    "a missing SST": lambda m, sst, other: sst.unlink(),
    "another key partition's SST": lambda m, sst, other: shutil.copyfile(other, sst),
    "garbage behind an SST": lambda m, sst, other: append(sst),
    "a flipped bit in a manifest": lambda m, sst, other: flip(m, 0.5),
    "a manifest cut off": lambda m, sst, other: truncate(m),
    "an empty manifest": lambda m, sst, other: os.truncate(m, 0),
    "a missing manifest": lambda m, sst, other: m.unlink(),
}


def retained(cluster, job, k):
    """Snapshots of a key partition that the registry retains, newest first."""
    return cluster.get(f"/v1/jobs/{job}/key-partitions/{k}/snapshots")["snapshots"]


def show_damage(directory, inputs, events, views):
    job = "damaged"
    options = ["--snapshot-interval-ms", 500]
    with ProcessCluster(workers=2, directory=directory, worker_options=options) as cluster:
        cluster.submit(yaml_of(job, "500000x", KEY_PARTITIONS), inputs)
        wait_for_share(cluster, job, events, 0.3)
        wait_until(lambda: min(p["retained"] for p in cluster.get(
            f"/v1/jobs/{job}/snapshots")["key_partitions"]) >= 2, "all have two snapshots", 60)
        for worker in cluster.running_workers():
            worker.kill()
        # What they claimed with their last breath is in the registry once they are declared dead.
        wait_until(lambda: not cluster.members("worker"), "the workers are declared dead")
        assert cluster.job(job)["state"] == "RUNNING", "the job was over before it was damaged"
        before = damage_all(cluster, job, directory / "snapshots")
        worker = cluster.add_worker()  # with nothing on a disk of its own
        tally = check_complete(cluster, job, events, views)
        check_said(cluster, worker, before)
        refused = cluster.job(job)["snapshots"]["refused"]
        metric = metric_of(cluster, f'tidemill_coordinator_job_refused_snapshots{{job="{job}"}}')
    assert refused == metric == len(DAMAGE), f"counted {refused}, metric {metric}"
    print(f"damage: {len(DAMAGE)} kinds, {refused} snapshots refused, the ones before restored; "
          f"{tally.answers:,} keys, {tally.values:,} values, 0 mismatches")


def damage_all(cluster, job, storage):
    """Damages the newest snapshot of a key partition for each kind. By key partition: the kind, the
    manifest that was damaged, and the one before."""
    snapshots = [retained(cluster, job, k) for k in range(KEY_PARTITIONS)]
    news = [new_file(of_k, storage) for of_k in snapshots]
    kinds = {}
    for k, (kind, apply) in enumerate(DAMAGE.items()):
        newest, previous = snapshots[k][:2]
        # The last key partition's are damaged by none.
        apply(storage / newest["manifest"], news[k], news[-1])
        kinds[k] = (kind, newest["manifest"], previous["manifest"])
    return kinds


def new_file(snapshots, storage):
    """The newest SST of the newest snapshot, which the one before does not have."""
    newest, previous = ({f["object"] for f in s["files"]} for s in snapshots[:2])
    new = sorted(newest - previous)
    assert new, f"the newest snapshot has nothing new: {snapshots[0]}"
    return storage / new[-1]


def check_said(cluster, worker, damaged):
    """The worker's log names each damaged snapshot and why, and what was restored instead."""
    log = worker.text()
    for kind, newest, previous in damaged.values():
        said = re.search(rf"event=snapshot_refused .*manifest={re.escape(newest)} .*", log)
        assert said, f"{kind}: no line says that {newest} is refused"
        assert f"snapshot={previous}\n" in log, f"{kind}: {previous} was not restored"
        print(f"  {kind}: {said[0].partition('reason=')[2]}")


def metric_of(cluster, name):
    status, text = cluster.coordinator.call("GET", "/metrics")
    assert status == 200, text
    line = next((line for line in text.splitlines() if line.startswith(name + " ")), None)
    assert line, f"there is no metric {name}"
    return int(float(line.split()[-1]))


if __name__ == "__main__":
    sys.exit(main())
