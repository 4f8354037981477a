"""A cluster whose processes the test starts one by one: with options of its own, on directories that
outlive them, and without a supervisor that would start again what was killed.

    with ProcessCluster(workers=2, store_options=["--memory-budget-bytes", 80_000_000]) as cluster:
        fourth = cluster.add_worker()
        fourth.kill()

What it is asked is that of Cluster: submit, job, read, members.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import cluster as tidemill
from cluster import BIN, MARK, Cluster, HttpClient, wait_until

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Process:
    """A program of ours: its output in a log, and what it said when it was ready."""

    def __init__(self, directory, name, program, arguments, mark):
        self.directory = directory
        self.name = name
        self.program = program
        self.arguments = [str(a) for a in arguments]
        self.mark = mark
        self.log = directory / "logs" / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self):
        """Starts it; `wait_ready` waits for it."""
        self.asked_to_end = False
        self.began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(BIN / self.program), *self.arguments], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd=self.directory, preexec_fn=_die_with_parent,
                env={**os.environ, MARK: str(self.mark)})

    def wait_ready(self):
        """Until it says that it is ready; takes the addresses from what it says."""
        def ready():
            assert self.process.poll() is None, f"{self.name} ended:\n{self.text()}"
            return next((line for line in self.text().splitlines() if line.startswith("ready ")),
                        None)

        line = wait_until(ready, f"{self.name} is ready")
        said = dict(part.split("=", 1) for part in line.split()[1:])
        self.endpoint, self.http = said.get("endpoint"), said.get("http")
        return self

    def text(self):
        """What this incarnation has written to its log."""
        return self.log.read_bytes()[self.began:].decode(errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """kill -9, and waits until it is gone."""
        self.asked_to_end = True
        self.process.kill()
        self.process.wait()

    def end(self, deadline_s=10.0):
        """Asks it to end, and kills it if it does not."""
        self.asked_to_end = True
        tidemill.send_signal(self.pid, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()


def _die_with_parent():
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class ProcessCluster(Cluster):
    """A coordinator, workers and a store. `directory`: where their data, snapshots and logs are; it
    stays when the cluster ends, so that another one can go on there. Without it: a temporary one.
    Each of the options is a list of command line arguments for every process of that kind."""

    def __init__(self, workers=2, shards=1, directory=None, coordinator_options=(),
                 worker_options=(), store_options=()):
        super().__init__(workers, shards)
        self._keep = directory
        self._options = {"coordinator": coordinator_options, "worker": worker_options,
                         "store": store_options}
        self.started = []

    def __enter__(self):
        self.directory = Path(self._keep or tempfile.mkdtemp(prefix="tidemill-processes-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            print(self.logs(), flush=True)
            self._end_processes()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            print(self.logs(), flush=True)
        self._end_processes()
        if self._keep is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        self._coordinator_process = self._add(
            "coordinator", "tidemill-coordinator", "--data-dir", "coordinator",
            "--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", *self._shared(),
            *self._options["coordinator"]).wait_ready()
        self.coordinator = HttpClient(self._coordinator_process.http)
        workers = [self._new_worker(()) for _ in range(self.workers)]
        self.store_process = self._add(
            "store", "tidemill-store", *self._member("store"), "--http", "127.0.0.1:0",
            "--snapshots", "snapshots", *self._options["store"])
        for process in (*workers, self.store_process):
            self._wait_joined(process)

    def _shared(self):
        return ("--dead-letters", "dead-letters", "--snapshots", "snapshots")

    def _member(self, name):
        return ("--coordinator", self._coordinator_process.endpoint, "--listen",
                "tcp://127.0.0.1:0", "--data-dir", name, "--shards", self.shards)

    def _add(self, name, program, *arguments):
        process = Process(self.directory, name, program, arguments, self.directory)
        self.started.append(process)
        return process

    def _new_worker(self, options):
        name = f"worker-{1 + sum(p.program == 'tidemill-worker' for p in self.started)}"
        return self._add(name, "tidemill-worker", *self._member(name), *self._shared(),
                         *self._options["worker"], *options)

    def _wait_joined(self, process):
        process.wait_ready()
        wait_until(lambda: any(m["pid"] == process.pid for m in self.members()),
                   f"{process.name} has joined")

    def add_worker(self, *options):
        """Starts one more worker; it has joined when this returns."""
        process = self._new_worker(options)
        self._wait_joined(process)
        return process

    def job(self, name):
        """As Cluster's. A process that has ended by itself is not waited for."""
        for process in self.started:
            assert process.asked_to_end or process.process.poll() is None, (
                f"{process.name} has ended by itself")
        return super().job(name)

    def running_workers(self):
        return [p for p in self.started
                if p.program == "tidemill-worker" and p.process.poll() is None]

    def member_of(self, process):
        """What the coordinator says about the member that is this process."""
        return next(m for m in self.members() if m["pid"] == process.pid)

    def file(self):
        """As Cluster's: who runs."""
        return {"processes": [{"name": p.name, "pid": p.pid} for p in self.started
                              if p.process.poll() is None]}

    def cli(self, *arguments, timeout_s=60.0):
        """Runs `tidemill ARGUMENTS` on this cluster; it must succeed. What it printed."""
        run = tidemill.run_cli(*arguments, timeout_s=timeout_s, env={
            **os.environ, "TIDEMILL_COORDINATOR": f"http://{self._coordinator_process.http}"})
        assert run.returncode == 0, (f"tidemill {' '.join(map(str, arguments))}: exit "
                                     f"{run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout

    def _end_processes(self):
        # Members first: they say goodbye to a coordinator that is there to hear it.
        for process in reversed(self.started):
            process.end()
