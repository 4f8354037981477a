"""The processes of a Tidemill cluster, each in its own network namespace, and what restarts them.

A process that ends by itself is started again after a second, as a service manager would; one that a
scenario has killed stays away until the scenario starts it. Ends are written down: a process that
crashes is a violation, whatever was done to it.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import cluster as tidemill
from topology import CGROUPS

COORDINATOR_PORT, COORDINATOR_HTTP = 7100, 7180
WORKER_PORT = 7200
STORE_PORT, STORE_HTTP = 7300, 7380
RESTART_AFTER_S = 1.0
SNAPSHOT_INTERVAL_MS = 3000


class Process:
    """One process and its directory. `environment` and `options` may be changed while it is down."""

    def __init__(self, kind, node, directory, options):
        self.kind = kind
        self.node = node
        self.directory = directory
        self.options = options
        self.environment = {}
        self.group = None  # a memory cgroup, by its directory
        self.running = None
        self.wanted = False  # it is to run, and started again if it ends
        self.ended_at = None
        self.lock = threading.RLock()  # the supervisor's and the scenario's changes
        self.log = directory / "process.log"

    @property
    def name(self):
        return self.node.name

    @property
    def data(self):
        return self.directory / "data"

    @property
    def pid(self):
        return self.running.pid

    @property
    def alive(self):
        return self.running is not None and self.running.poll() is None

    def start(self):
        with self.lock, self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [*self.node.command, str(tidemill.BIN / f"tidemill-{self.kind}"),
                 *map(str, self.options)],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.environment}, start_new_session=True,
                preexec_fn=self._join_group)
            self.wanted, self.ended_at = True, None

    def _join_group(self):
        if self.group is not None:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def kill(self):
        """kill -9; it stays away."""
        with self.lock:
            self.wanted = False
            self.running.kill()
            self.running.wait()

    def end(self, patience_s=20):
        """As an operator would: SIGTERM; it stays away. True if it ended by itself."""
        with self.lock:
            self.wanted = False
            self.running.terminate()
        try:
            self.running.wait(patience_s)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def freeze(self):
        self.running.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.running.send_signal(signal.SIGCONT)

    def wipe(self):
        """Its data are gone; it must not run."""
        for path in self.data.glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def log_lines(self):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.splitlines()


class ChaosCluster(tidemill.Cluster):
    """Coordinator, three workers, two stores; the interface of the tests' Cluster."""

    def __init__(self, network, directory, workers=3, stores=2):
        super().__init__(workers)
        self.network = network
        self.directory = directory
        self.snapshots = directory / "snapshots"
        self.list = [self._make("coordinator", "coordinator")]
        self.list += [self._make("worker", f"worker-{i + 1}") for i in range(workers)]
        self.list += [self._make("store", f"store-{i + 1}") for i in range(stores)]
        self.ends = []  # (wall time, name, exit code) of those that nobody had ended
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def __enter__(self):
        for process in self.list:
            process.start()
        self.coordinator = tidemill.HttpClient(
            f"{self.of('coordinator')[0].node.address}:{COORDINATOR_HTTP}", timeout_s=5)
        self._supervisor.start()
        try:
            tidemill.wait_until(self._complete, "all members have joined", 60, 0.1)
        except BaseException:
            print(self.logs(), flush=True)
            self._end()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._end()

    def _complete(self):
        return self.coordinator_answers() and len(self.members()) >= len(self.list) - 1

    def of(self, kind):
        return [process for process in self.list if process.kind == kind]

    def named(self, name):
        [process] = [process for process in self.list if process.name == name]
        return process

    def member_of(self, process):
        """What the coordinator says of the living member that this process is; None: of none."""
        for member in self.members():
            if f"//{process.node.address}:" in member["endpoint"]:
                return member
        return None

    def add_worker(self):
        """One more, which is not started yet."""
        process = self._make("worker", f"worker-{len(self.of('worker')) + 1}")
        self.list.append(process)
        return process

    def _make(self, kind, name):
        node = self.network.add(name)
        directory = self.directory / name
        directory.mkdir(parents=True)
        coordinator = f"{self.network.nodes['coordinator'].address}:{COORDINATOR_PORT}"
        options = ["--data-dir", directory / "data"]
        if kind == "coordinator":
            options += ["--listen", f"tcp://{coordinator}",
                        "--http", f"{node.address}:{COORDINATOR_HTTP}"]
        else:
            port = WORKER_PORT if kind == "worker" else STORE_PORT
            options += ["--coordinator", f"tcp://{coordinator}", "--listen",
                        f"tcp://{node.address}:{port}",
                        "--snapshot-interval-ms", SNAPSHOT_INTERVAL_MS]
        if kind == "store":
            options += ["--http", f"{node.address}:{STORE_HTTP}"]
        else:
            options += ["--dead-letters", self.directory / "dead-letters"]
        options += ["--snapshots", self.snapshots]
        return Process(kind, node, directory, options)

    # --- supervision ------------------------------------------------------------------------------

    def _supervise(self):
        while not self._stopping.wait(0.05):
            for process in list(self.list):
                with process.lock:
                    if process.wanted and not process.alive:
                        self._ended(process)

    def _ended(self, process):
        now = time.monotonic()
        if process.ended_at is None:
            process.ended_at = now
            self.ends.append((time.time(), process.name, process.running.returncode))
        elif now > process.ended_at + RESTART_AFTER_S:
            process.start()

    def _end(self):
        self._stopping.set()
        self._supervisor.join()
        for process in self.list:
            if process.alive:
                process.kill()


def cpu_s(pid):
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def memory_group(run_directory, name, limit_bytes):
    """A memory cgroup (v1) with a limit, for Process.group."""
    group = CGROUPS / run_directory.name / name
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.limit_in_bytes").write_text(str(limit_bytes))
    return group


def tmpfs(path, megabytes):
    """A small disk at `path`; it goes with the sandbox."""
    Path(path).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(path)],
                   check=True)
