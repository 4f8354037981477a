"""What is done to a cluster under load. Each scenario breaks something, says when, and mends it; it
leaves behind a cluster in which the next one can be acted."""

import contextlib
from dataclasses import dataclass
from typing import Callable

import cluster as tidemill
import faults
import stage

MB = 1 << 20
LEASE_S = 3.0
CUT_S = 10.0


@dataclass(frozen=True)
class Scenario:
    """`act` is called when all is well and calm, `prepare` before that, `mend` when all is well
    again: what these do to the cluster is no part of the fault."""

    name: str
    act: Callable
    prepare: Callable = lambda run: None
    mend: Callable = lambda run: None
    standby_replicas: int = 0
    quick: bool = False


SCENARIOS = {}


def scenario(name=None, **settings):
    def add(act):
        made = Scenario(name or act.__name__, act, **settings)
        SCENARIOS[made.name] = made
        return act
    return add


# --- processes end --------------------------------------------------------------------------------


def kill(run, process, away_s=5.0):
    run.note(f"kill -9 of {process.name}")
    run.fault()
    process.kill()
    run.sleep(away_s)
    process.start()
    run.healed()


@scenario(quick=True)
def worker_killed(run):
    kill(run, run.pick("worker"), away_s=8.0)


@scenario(standby_replicas=1)
def worker_with_standby_killed(run):
    kill(run, run.pick("worker"), away_s=8.0)


@scenario(quick=True)
def store_killed(run):
    kill(run, run.pick("store"))


@scenario()
def coordinator_killed(run):
    kill(run, run.pick("coordinator"))


@scenario()
def coordinator_gone(run):
    kill(run, run.pick("coordinator"), away_s=run.options.coordinator_gone)


@scenario(quick=True)
def worker_frozen(run):
    """A zombie: frozen past its lease, replaced, then thawed. It must end itself."""
    worker = run.pick("worker")
    zombie = worker.running
    run.note(f"SIGSTOP of {worker.name}")
    run.fault()
    worker.freeze()
    run.sleep(LEASE_S + run.rng.uniform(2, 5))
    worker.thaw()
    run.healed()
    tidemill.wait_until(lambda: zombie.poll() is not None, "the zombie has ended itself", 20)


@scenario()
def store_frozen(run):
    store = run.pick("store")
    run.note(f"SIGSTOP of {store.name}")
    run.fault()
    store.freeze()
    run.sleep(LEASE_S + run.rng.uniform(2, 5))
    store.thaw()
    run.healed()


@scenario()
def broker_restarted(run):
    run.fault()
    run.broker.stop()
    run.sleep(5)
    run.broker.start()
    run.healed()


@scenario()
def store_wiped(run):
    store = run.pick("store")
    run.note(f"{store.name} is killed and wiped")
    run.fault()
    store.kill()
    store.wipe()
    run.sleep(2)
    store.start()
    run.healed()


# --- links are cut --------------------------------------------------------------------------------


def cut(run, one, other, directions):
    """`directions`: pairs (listener, speaker)."""
    run.note(f"{one.name} and {other.name}")
    run.fault()
    for listener, speaker in directions(one.node, other.node):
        run.network.cut(listener, speaker)
    run.sleep(CUT_S)
    run.network.heal()
    run.healed()


DIRECTIONS = {"both_ways": lambda a, b: [(a, b), (b, a)], "to": lambda a, b: [(b, a)],
              "from": lambda a, b: [(a, b)]}


def pair(run, kind):
    workers = [worker for worker in run.cluster.of("worker") if worker.wanted]
    worker, *others = run.rng.sample(workers, len(workers))
    return worker, (others[0] if kind == "worker" else run.pick(kind))


for _kind in ("coordinator", "store", "worker"):
    for _way, _directions in DIRECTIONS.items():
        if _kind == "worker" and _way == "from":
            continue  # as "to": both are workers
        scenario(name=f"cut_worker_{_way}_{_kind}", quick=(_kind, _way) == ("worker", "both_ways"))(
            lambda run, kind=_kind, directions=_directions: cut(run, *pair(run, kind), directions))


# --- disks ----------------------------------------------------------------------------------------


def disk_full(run, kind):
    """One of stage.SMALL_DISKS."""
    [process] = [p for p in run.cluster.of(kind) if p.name in stage.SMALL_DISKS]
    run.note(f"the disk of {process.name} is full")
    run.fault()
    with faults.full_disk(process.data, stage.DISK_MB):
        run.sleep(12)
    run.healed()


@scenario()
def worker_disk_full(run):
    disk_full(run, "worker")


@scenario()
def store_disk_full(run):
    disk_full(run, "store")


def damage_states(run, directory, kind, only_newest=True):
    """Damages a file of the kind in every key partition's directory. A running process may remove
    one meanwhile."""
    ways = []
    for files in faults.state_files(directory, kind).values():
        with contextlib.suppress(FileNotFoundError):
            ways.append(faults.damage(files[-1] if only_newest else run.rng.choice(files), run.rng))
    assert ways, f"there are no {kind} files below {directory} to be damaged"
    run.note(f"{kind} files of {len(ways)} states are damaged: {', '.join(sorted(set(ways)))}")


def damaged_and_killed(run, process, directory, kinds):
    run.note(f"kill -9 of {process.name}")
    run.fault()
    process.kill()
    for kind in kinds:
        damage_states(run, directory, kind, only_newest=kind != "rows")
    run.sleep(1)
    process.start()
    run.healed()


@scenario()
def worker_files_damaged(run):
    worker = run.pick("worker")
    damaged_and_killed(run, worker, worker.data, ["rows", "manifest"])


@scenario()
def store_sst_damaged(run):
    store = run.pick("store")
    damaged_and_killed(run, store, store.data, ["rows"])


@scenario()
def store_manifest_damaged(run):
    store = run.pick("store")
    damaged_and_killed(run, store, store.data, ["manifest"])


@scenario()
def snapshot_sst_damaged(run):
    """Any file of rows of each key partition, perhaps one of both snapshots: then all is read again."""
    damaged_and_killed(run, run.pick("worker"), run.cluster.snapshots, ["rows"])


@scenario()
def snapshot_manifest_damaged(run):
    damaged_and_killed(run, run.pick("worker"), run.cluster.snapshots, ["manifest"])


@scenario()
def coordinator_current_damaged(run):
    """CURRENT, the file that says which of RocksDB's manifests counts: the coordinator's metadata alone
    have one."""
    coordinator = run.pick("coordinator")
    run.note(f"kill -9 of {coordinator.name}")
    run.fault()
    coordinator.kill()
    run.note("CURRENT: " + faults.damage(coordinator.data / "db" / "CURRENT", run.rng))
    run.sleep(1)
    coordinator.start()
    run.healed()


@scenario()
def worker_fsync_slow(run):
    worker = run.pick("worker")
    run.note(f"every fsync of {worker.name} takes 0.5 s longer")
    run.fault()
    with faults.slow_fsync(worker.pid, milliseconds=500):
        run.sleep(12)
    run.healed()


# --- memory, clocks -------------------------------------------------------------------------------

BUDGET_MB = 192
BUDGET_LIMIT_MB = 512


def limited(run):
    return run.cluster.named(stage.LIMITED_MEMORY)


def restart_limited(run, options, limit_mb):
    store = limited(run)
    assert store.end(), f"{store.name} did not end when it was asked to"
    store.options = options
    (store.group / "memory.limit_in_bytes").write_text(str(limit_mb * MB))
    (store.group / "memory.max_usage_in_bytes").write_text("0")
    store.start()


def with_budget(run):
    """It has a memory budget, and a cgroup that ends it at twice that."""
    run.note(f"a budget of {BUDGET_MB} MB for {limited(run).name}, and a limit of {BUDGET_LIMIT_MB}")
    restart_limited(run, [*limited(run).options, "--memory-budget-bytes", BUDGET_MB * MB],
                    BUDGET_LIMIT_MB)


def without_budget(run):
    note_disk_reads(run)
    restart_limited(run, limited(run).options[:-2], stage.MEMORY_MB)


budgeted = scenario(prepare=with_budget, mend=without_budget)


@budgeted
def store_memory_limited(run):
    """It must live within its budget: being ended for its memory counts as a crash."""
    run.fault()
    run.sleep(15)
    run.healed()


@budgeted
def store_files_damaged_in_use(run):
    """Files that a store reads keys from are damaged while it does."""
    run.sleep(5)
    run.fault()
    damage_states(run, limited(run).data, "rows", only_newest=False)
    run.sleep(10)
    run.healed()


@budgeted
def store_with_budget_wiped(run):
    """It is filled with images again, within its budget."""
    store = limited(run)
    run.fault()
    store.kill()
    store.wipe()
    run.sleep(1)
    store.start()
    run.healed()


def note_disk_reads(run):
    """Links to the files of a key partition are made when a key of it is read from disk."""
    store = limited(run)
    opened = len({link.parent for link in store.data.rglob("links-*/link-*")})
    usage = int((store.group / "memory.max_usage_in_bytes").read_text()) // MB
    run.note(f"keys of {opened} key partitions were read from disk; at most {usage} MB were in use")


@scenario()
def store_out_of_memory(run):
    """Without a budget: its memory is taken away until the kernel ends it, then given back."""
    store = limited(run)
    run.may_crash.add(store.name)
    first = store.running
    run.fault()
    limit = store.group / "memory.limit_in_bytes"
    size = stage.MEMORY_MB * MB
    while first.poll() is None and size > 4 * MB:
        size = int(size * 0.8)
        try:
            limit.write_text(str(size))
        except OSError:
            pass  # it cannot be brought below at once: the kernel ends the process meanwhile
        run.sleep(0.2)
    limit.write_text(str(stage.MEMORY_MB * MB))
    run.healed()
    run.note("it was ended" if first.poll() is not None else "it lived on with almost nothing")


@scenario()
def worker_clock_jumps(run):
    """An hour ahead, an hour behind, and right again."""
    run.note(stage.WRONG_CLOCK)
    run.fault()
    for seconds in (3600, -3600, 0):
        run.clock.jump(seconds)
        run.sleep(6)
    run.healed()


# --- growing and shrinking ------------------------------------------------------------------------


@scenario()
def worker_joins_and_drains(run):
    worker = run.cluster.add_worker()
    run.fault()
    worker.start()
    tidemill.wait_until(lambda: run.cluster.member_of(worker), "the fourth worker has joined", 20)
    tidemill.wait_until(lambda: owns(run, worker), "it has got key partitions", 60, 0.1)
    run.wait_until_whole(deadline_s=90)
    node = run.cluster.member_of(worker)["node"]
    run.note(f"it had {owns(run, worker)} key partitions")
    status, body = run.cluster.coordinator.call("POST", f"/v1/workers/{node}/drain")
    assert status == 202, f"drain: {status} {body}"
    tidemill.wait_until(lambda: drained(run, node), "it is drained", 90, 0.1)
    assert worker.end(), "the drained worker did not end when it was asked to"
    run.healed()


def owns(run, worker):
    member = run.cluster.member_of(worker)
    return member and member["key_partitions"]


def drained(run, node):
    left = [d for d in run.cluster.get("/v1/rebalance")["draining"] if d["node"] == node]
    return left and left[0]["finished"]
