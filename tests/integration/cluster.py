"""A cluster of real processes for tests: starts it, talks to it, and always ends what it started.

    with Cluster(workers=2) as cluster:
        cluster.submit(job_yaml, base_dir)
        cluster.wait_for_state("card", "COMPLETED", deadline_s=60)

Everything waits for a condition with a deadline; when one passes, the error says what was last
seen and shows the ends of the processes' logs. TIDEMILL_BIN names the directory of the binaries
(default: build/release/bin).
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("TIDEMILL_BIN", ROOT / "build/release/bin")).resolve()
CLI = BIN / "tidemill"
QUICK = os.environ.get("TIDEMILL_TEST_QUICK") == "1"
# Every process of a cluster inherits this variable, by which it is found again in /proc.
MARK = "TIDEMILL_TEST_CLUSTER"


class Unreachable(Exception):
    """No whole answer came: refused, reset, or nothing within the time limit."""


class DeadlinePassed(AssertionError):
    """A condition did not come true in time."""


def wait_until(condition, what, deadline_s=30.0, interval_s=0.02):
    """The first true answer of condition(); raises DeadlinePassed if none comes in time."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise DeadlinePassed(f"not within {deadline_s:g} s: {what}")
        time.sleep(interval_s)


class HttpClient:
    """One keep-alive connection to host:port, opened anew when it breaks."""

    def __init__(self, address, timeout_s=10.0):
        self.address = address
        self.timeout_s = timeout_s
        self._connection = None

    def call(self, method, path, body=None, timeout_s=None):
        """(status, decoded JSON or text). An idle connection that the server closed is retried."""
        for reuse in (self._connection is not None, False):
            try:
                return self._call_once(method, path, body, timeout_s or self.timeout_s)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not reuse or isinstance(error, TimeoutError):
                    raise Unreachable(f"{method} http://{self.address}{path}: {error!r}") from error
        raise AssertionError("not reached")

    def _call_once(self, method, path, body, timeout_s):
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.address, timeout=timeout_s)
            self._connection.connect()
        self._connection.sock.settimeout(timeout_s)
        self._connection.request(method, path, body,
                                 {"Content-Type": "application/json"} if body else {})
        response = self._connection.getresponse()
        text = response.read().decode()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else text

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run_cli(*arguments, timeout_s=60.0, stdin="", env=None):
    """Runs `tidemill ARGUMENTS` to its end; the answer has returncode, stdout and stderr."""
    return subprocess.run([str(CLI), *map(str, arguments)], input=stdin, text=True, timeout=timeout_s,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, check=False)


class Cluster:
    """Coordinator, workers and a store under `tidemill up`, in a temporary directory."""

    def __init__(self, workers=2, shards=1):
        self.workers = workers
        self.shards = shards
        self.directory = None
        self.coordinator = None
        self._store_address = None
        self._store_client = None

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="tidemill-cluster-"))
        try:
            self._start()
        except BaseException:
            self._end_processes()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            print(self.logs(), flush=True)
        self._end_processes()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        run = run_cli("up", "--detach", "--dir", self.directory, "--ports-from", 0,
                      "--workers", self.workers, "--shards", self.shards,
                      env={**os.environ, MARK: str(self.directory)})
        if run.returncode != 0:
            raise AssertionError(f"tidemill up: exit {run.returncode}\n{run.stdout}{run.stderr}"
                                 + self.logs())
        self.coordinator = HttpClient(self._coordinator_address())

    def _coordinator_address(self):
        return self.file()["coordinator"].removeprefix("http://")

    def file(self):
        """What `tidemill up` wrote about the cluster it runs."""
        return json.loads((self.directory / "cluster.json").read_text())

    # --- the cluster ------------------------------------------------------------------------------

    def get(self, path):
        """A GET of the coordinator that must succeed."""
        status, body = self.coordinator.call("GET", path)
        assert status == 200, f"GET {path}: {status} {body}"
        return body

    def members(self, role=None):
        """Live members, in order of node id."""
        alive = [m for m in self.get("/v1/cluster")["members"] if m["alive"]]
        return sorted((m for m in alive if role in (None, m["role"])), key=lambda m: m["node"])

    def submit(self, yaml, base_dir):
        """Submits a job; its id."""
        query = urllib.parse.urlencode({"base_dir": str(base_dir)}, quote_via=urllib.parse.quote)
        status, body = self.coordinator.call("POST", f"/v1/jobs?{query}", yaml)
        assert status == 201, f"submit: {status} {body}"
        return body["id"]

    def job(self, name):
        return self.get(f"/v1/jobs/{name}")

    def wait_for_state(self, name, state, deadline_s):
        """The job's description once it is in that state."""
        last = {}

        def reached():
            last.update(self.job(name))
            return last["state"] == state

        try:
            wait_until(reached, f"job {name} is {state}", deadline_s, 0.1)
        except DeadlinePassed as error:
            last.pop("yaml", None)
            raise DeadlinePassed(f"{error}; last seen: {json.dumps(last)}") from None
        return last

    # --- reading ----------------------------------------------------------------------------------

    def store(self):
        """A client for the store; for the last one known while none is alive or while the
        coordinator does not answer."""
        try:
            live = [m["http"] for m in self.members("store")]
        except Unreachable:
            live = []
        if live and live[0] != self._store_address:
            self._store_address = live[0]
            self._store_client = HttpClient(live[0])
        if self._store_client is None:
            raise Unreachable("no store is known")
        return self._store_client

    def read(self, request, timeout_s=10.0):
        """POST /v1/features: (status, body)."""
        return self.store().call("POST", "/v1/features", json.dumps(request), timeout_s)

    # --- processes --------------------------------------------------------------------------------

    def processes(self):
        """Pids of every process of this cluster: found by the environment they inherited."""
        mark = f"{MARK}={self.directory}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environment = (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if mark in environment and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return sorted(found)

    def pid_of(self, program):
        """The one process that runs this program ("tidemill-coordinator")."""
        pids = [pid for pid in self.processes() if program_of(pid) == program]
        assert len(pids) == 1, f"{len(pids)} processes run {program}"
        return pids[0]

    def coordinator_answers(self):
        """True if the coordinator serves requests."""
        try:
            return self.coordinator.call("GET", "/health", timeout_s=1)[0] == 200
        except Unreachable:
            return False

    def logs(self, lines=40):
        """The last lines of every log of the cluster."""
        parts = []
        for path in sorted((self.directory / "logs").glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append("\n".join([f"--- {path.name}", *tail]))
        return "\n" + "\n".join(parts)

    def _end_processes(self):
        # Frozen ones would not hear SIGTERM; the supervisor goes first, or it restarts the others.
        for sig in (signal.SIGCONT, signal.SIGTERM):
            for pid in self.processes():
                send_signal(pid, sig)
        try:
            wait_until(lambda: not self._running(), "processes end", 10)
        except DeadlinePassed:
            for _ in range(5):
                for pid in self.processes():
                    send_signal(pid, signal.SIGKILL)
            wait_until(lambda: not self._running(), "killed processes are gone", 10)

    def _running(self):
        return [pid for pid in self.processes() if process_state(pid) not in (None, "Z")]


def send_signal(pid, sig):
    """Sends a signal; a process that is gone already is fine."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def program_of(pid):
    """The file name of the program that a process runs, None if it is gone."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def process_state(pid):
    """The state letter of /proc/<pid>/stat ('T' is stopped), None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
