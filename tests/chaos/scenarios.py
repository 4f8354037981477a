"""What is done to a cluster under load. Each scenario breaks something, says when, and mends it."""

from dataclasses import dataclass
from typing import Callable

import cluster as tidemill
import faults
from processes import memory_group, tmpfs

MB = 1 << 20
LEASE_S = 3.0
CUT_S = 10.0
SMALL_DISK_MB = 400


@dataclass(frozen=True)
class Scenario:
    """`prepare` is called before anything is started, `act` when all is well and calm."""

    name: str
    act: Callable
    prepare: Callable = lambda run: None
    standby_replicas: int = 0
    quick: bool = False


SCENARIOS = {}


def scenario(prepare=None, standby_replicas=0, quick=False, name=None):
    def add(act):
        made = Scenario(name or act.__name__, act, prepare or (lambda run: None), standby_replicas,
                        quick)
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
    worker, *others = run.rng.sample(run.cluster.of("worker"), 3)
    return worker, (others[0] if kind == "worker" else run.pick(kind))


for _kind in ("coordinator", "store", "worker"):
    for _way, _directions in DIRECTIONS.items():
        if _kind == "worker" and _way == "from":
            continue  # as "to": both are workers
        scenario(name=f"cut_worker_{_way}_{_kind}", quick=(_kind, _way) == ("worker", "both_ways"))(
            lambda run, kind=_kind, directions=_directions: cut(run, *pair(run, kind), directions))


# --- disks ----------------------------------------------------------------------------------------


def on_small_disk(kind):
    def prepare(run):
        tmpfs(run.cluster.of(kind)[0].data, SMALL_DISK_MB)
    return prepare


def disk_full(run, process):
    run.note(f"the disk of {process.name} is full")
    run.fault()
    ballast = faults.fill_disk(process.data)
    run.sleep(12)
    faults.give_room(ballast)
    run.healed()


@scenario(prepare=on_small_disk("worker"))
def worker_disk_full(run):
    disk_full(run, run.cluster.of("worker")[0])


@scenario(prepare=on_small_disk("store"))
def store_disk_full(run):
    disk_full(run, run.cluster.of("store")[0])


def damage_states(run, directory, kind, only_newest=True):
    """Damages a file of the kind in every key partition's directory."""
    states = faults.state_files(directory, kind)
    ways = {faults.damage(files[-1] if only_newest else run.rng.choice(files), run.rng)
            for files in states.values()}
    run.note(f"{kind} files of {len(states)} states are damaged: {', '.join(sorted(ways))}")


def damaged_and_killed(run, process, directory, kinds):
    run.note(f"kill -9 of {process.name}")
    run.fault()
    process.kill()
    for kind in kinds:
        damage_states(run, directory, kind, only_newest=kind != "sst")
    run.sleep(1)
    process.start()
    run.healed()


@scenario()
def worker_files_damaged(run):
    worker = run.pick("worker")
    damaged_and_killed(run, worker, worker.data, ["sst", "manifest", "rocksdb"])


@scenario()
def store_sst_damaged(run):
    store = run.pick("store")
    damaged_and_killed(run, store, store.data, ["sst"])


@scenario()
def store_manifest_damaged(run):
    store = run.pick("store")
    damaged_and_killed(run, store, store.data, ["manifest", "rocksdb"])


@scenario()
def snapshot_sst_damaged(run):
    """Any SST file of each key partition, perhaps one of both snapshots: then all is read again."""
    damaged_and_killed(run, run.pick("worker"), run.cluster.snapshots, ["sst"])


@scenario()
def snapshot_manifest_damaged(run):
    damaged_and_killed(run, run.pick("worker"), run.cluster.snapshots, ["manifest"])


@scenario()
def worker_fsync_slow(run):
    worker = run.pick("worker")
    run.note(f"every fsync of {worker.name} takes 0.5 s longer")
    run.fault()
    with faults.slow_fsync(worker.pid, milliseconds=500):
        run.sleep(12)
    run.healed()


# --- memory, clocks -------------------------------------------------------------------------------

STORE_BUDGET_MB = 64


def with_budget(run):
    """One store has a memory budget, and a cgroup that ends it a quarter above."""
    store = run.cluster.of("store")[0]
    store.options += ["--memory-budget-bytes", STORE_BUDGET_MB * MB]
    store.group = memory_group(run.options.directory, f"{run.topic}-budget",
                               STORE_BUDGET_MB * MB * 5 // 4)


@scenario(prepare=with_budget)
def store_memory_limited(run):
    """It must live within its budget: being ended for its memory counts as a crash."""
    run.note(f"a budget of {STORE_BUDGET_MB} MB, and a limit a quarter above")
    run.fault()
    run.sleep(20)
    run.healed()
    note_disk_reads(run)


@scenario(prepare=with_budget)
def store_files_damaged_in_use(run):
    """Files that a store reads keys from are damaged while it does."""
    store = run.cluster.of("store")[0]
    run.note(f"a budget of {STORE_BUDGET_MB} MB for {store.name}")
    run.sleep(10)
    run.fault()
    for kind in ("sst", "rocksdb"):
        damage_states(run, store.data, kind, only_newest=False)
    run.sleep(10)
    run.healed()
    note_disk_reads(run)


@scenario(prepare=with_budget)
def store_with_budget_wiped(run):
    """It is filled with images again, within its budget."""
    store = run.cluster.of("store")[0]
    run.note(f"a budget of {STORE_BUDGET_MB} MB for {store.name}, which is killed and wiped")
    run.sleep(10)
    run.fault()
    store.kill()
    store.wipe()
    run.sleep(1)
    store.start()
    run.healed()
    run.sleep(5)
    note_disk_reads(run)


def note_disk_reads(run):
    """A RocksDB is opened over the files of a key partition when a key of it is read from disk."""
    store = run.cluster.of("store")[0]
    opened = len(list(store.data.rglob("db-*/CURRENT")))
    usage = int((store.group / "memory.max_usage_in_bytes").read_text()) // MB
    run.note(f"keys of {opened} key partitions were read from disk; at most {usage} MB were in use")


def in_group(run):
    store = run.cluster.of("store")[0]
    store.group = memory_group(run.options.directory, f"{run.topic}-store", 4096 * MB)


@scenario(prepare=in_group)
def store_out_of_memory(run):
    """Without a budget: its memory is taken away until the kernel ends it, then given back."""
    store = run.cluster.of("store")[0]
    run.may_crash.add(store.name)
    first = store.running
    run.fault()
    limit = store.group / "memory.limit_in_bytes"
    size = 4096 * MB
    while first.poll() is None and size > 4 * MB:
        size = int(size * 0.8)
        try:
            limit.write_text(str(size))
        except OSError:
            pass  # it cannot be brought below at once: the kernel ends the process meanwhile
        run.sleep(0.2)
    limit.write_text(str(4096 * MB))
    run.healed()
    run.note("it was ended" if first.poll() is not None else "it lived on with almost nothing")


def with_wrong_clock(run):
    run.clock = faults.WrongClock(run.cluster.of("worker")[0])


@scenario(prepare=with_wrong_clock)
def worker_clock_jumps(run):
    """An hour ahead, an hour behind, and right again."""
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
