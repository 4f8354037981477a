"""Two coordinators over three members of etcd: whichever leads is killed, frozen, or left without
etcd's majority, and the other one takes over the same jobs with the same grants. Reads go on."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import cluster as tidemill
from cluster import BIN, ROOT, HttpClient, Unreachable, wait_until

TTL_S = 3
JOB = """
job: {name}
key_partitions: 16
sources:
  transactions:
    stream: {{generator: {{partitions: 2, events: {events}, customers: 50}}}}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {{function: count, windows: [30d]}}
"""
READ = {"job": "ha", "entities": {"customer_id": ["1", "2", "3"]},
        "features": ["customer.count_30d"]}


class Process:
    """A program of ours: its output in a log, and what it said when it was ready."""

    def __init__(self, directory, name, program, *arguments):
        self.name = name
        self.command = [str(BIN / program), *map(str, arguments)]
        self.log = directory / f"{name}.log"
        self.start(directory)

    def start(self, directory):
        self.directory = directory
        seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=directory)

        def ready():
            assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()}"
            lines = self.log.read_bytes()[seen:].decode().splitlines()
            return next((line for line in lines if line.startswith("ready ")), None)

        line = wait_until(ready, f"{self.name} is ready")
        said = dict(part.split("=", 1) for part in line.split()[1:])
        self.endpoint, self.http = said["endpoint"], said["http"]

    @property
    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        tidemill.send_signal(self.process.pid, number)

    def end(self):
        for number in (signal.SIGCONT, signal.SIGKILL):
            self.signal(number)
        self.process.wait()


class HaCluster:
    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="tidemill-ha-"))
        self.processes = []
        try:
            self.etcd("start", "--members", 3)
            addresses = self.etcd("address").strip()
            self.coordinators = [
                self.add(f"coordinator-{i}", "tidemill-coordinator", "--etcd", addresses,
                         "--etcd-ttl-s", TTL_S, "--listen", "tcp://127.0.0.1:0",
                         "--http", "127.0.0.1:0") for i in range(2)]
            # A coordinator that is started again is at the same addresses.
            for c in self.coordinators:
                c.command += ["--listen", c.endpoint, "--http", c.http]
                del c.command[5:9]
            endpoints = ",".join(c.endpoint for c in self.coordinators)
            for i in range(2):
                self.add(f"worker-{i}", "tidemill-worker", "--coordinator", endpoints,
                         "--data-dir", f"worker-{i}")
            self.store = self.add("store", "tidemill-store", "--coordinator", endpoints,
                                  "--http", "127.0.0.1:0", "--data-dir", "store")
            self.env = {**os.environ, "TIDEMILL_COORDINATOR":
                        ",".join(c.http for c in self.coordinators)}
        except BaseException:
            self.__exit__(True, None, None)
            raise
        return self

    def add(self, name, program, *arguments):
        self.processes.append(Process(self.directory, name, program, *arguments))
        return self.processes[-1]

    def __exit__(self, kind, error, trace):
        if kind is not None:
            for process in self.processes:
                lines = process.log.read_text(errors="replace").splitlines()[-30:]
                print("\n".join([f"--- {process.name}", *lines]), flush=True)
        for process in reversed(self.processes):
            process.end()
        subprocess.run([ROOT / "deploy/etcd", "--dir", self.directory / "etcd", "stop", "--now"],
                       check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def etcd(self, *arguments):
        run = subprocess.run([ROOT / "deploy/etcd", "--dir", self.directory / "etcd",
                              *map(str, arguments)], text=True, check=True, stdout=subprocess.PIPE)
        return run.stdout

    def cli(self, *arguments, timeout_s=60):
        return tidemill.run_cli(*arguments, timeout_s=timeout_s, env=self.env)

    def show(self, *arguments):
        run = self.cli("--json", *arguments)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    def submit(self, name, events=20_000, padding=0):
        file = self.directory / f"{name}.yaml"
        comment = "# " + "x" * 97 + "\n"
        file.write_text(JOB.format(name=name, events=events) + comment * (padding // 100))
        run = self.cli("job", "submit", file)
        assert run.returncode == 0, run.stderr

    def leader(self):
        """The coordinator that says it leads, once one does."""
        def found():
            for c in self.coordinators:
                if c.alive and health(c) == 200:
                    return c
            return None
        return wait_until(found, "a coordinator leads", TTL_S + 5)

    def standby(self):
        leader = self.leader()
        return next(c for c in self.coordinators if c is not leader)

    def served(self, name):
        return wait_until(
            lambda: is_served(j := self.show("job", "show", name)) and j,
            f"{name} is served to its end", 60, 0.2)

    def counts(self):
        return ask(self.store.http, "POST", "/v1/features", json.dumps(READ))


def ask(address, method, path, body=None, timeout_s=5):
    """One call on a connection of its own: (status, body)."""
    client = HttpClient(address, timeout_s)
    try:
        return client.call(method, path, body)
    finally:
        client.close()


def health(coordinator):
    """HTTP's status of /health: 200 of the one that leads; None if it does not answer."""
    try:
        return ask(coordinator.http, "GET", "/health", timeout_s=1)[0]
    except Unreachable:
        return None


def is_served(job):
    """Everything was read, and every key partition has published it to the store."""
    return all(s["finished"] and s["published"] == s["offset"] for s in job["sources"]) and \
        job["key_partitions"]["store_ready"] == job["key_partitions"]["total"]


def grants(job):
    """Who owns what, and under which epoch."""
    sources = [(s["partition"], s["node"], s["epoch"]) for s in job["sources"]]
    return job["id"], sources, job["key_partitions"]["by_node"], job["key_partitions"]["owned"]


class Reads:
    """Reads all the time, and remembers every failure."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.answers = 0
        self.values = set()
        self.failures = []

    def __enter__(self):
        self.going_on = True
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        while self.going_on:
            try:
                status, body = self.cluster.counts()
                if status == 200:
                    self.values.add(tuple(body["results"][0]["values"]))
                    self.answers += 1
                else:
                    self.failures.append((status, body))
            except Unreachable as error:
                self.failures.append(repr(error))
            time.sleep(0.02)

    def __exit__(self, *_):
        self.going_on = False
        self.thread.join()

    def check(self, test):
        test.assertEqual(self.failures, [])
        test.assertGreater(self.answers, 0)
        test.assertEqual(len(self.values), 1)  # the sources have been read to their end


class CoordinatorHaTest(unittest.TestCase):
    def setUp(self):
        self.cluster = self.enterContext(HaCluster())
        self.cluster.submit("ha")
        self.before = grants(self.cluster.served("ha"))
        self.members = self.cluster.show("cluster")["members"]

    def unchanged(self):
        self.assertEqual(grants(self.cluster.show("job", "show", "ha")), self.before)
        now = self.cluster.show("cluster")["members"]
        self.assertEqual(sorted(m["node"] for m in now if m["alive"]),
                         sorted(m["node"] for m in self.members))

    def test_killed(self):
        cluster = self.cluster
        leader, standby = cluster.leader(), cluster.standby()
        self.assertEqual(health(standby), 503)
        with Reads(cluster) as reads:
            began = time.monotonic()
            leader.signal(signal.SIGKILL)
            wait_until(lambda: health(standby) == 200, "the standby leads", TTL_S + 1.5)
            took_s = time.monotonic() - began
            time.sleep(TTL_S + 1)  # longer than a lease of members: whoever was lost would be dead
            self.unchanged()
            cluster.submit("after")
            cluster.served("after")
        reads.check(self)
        leader.process.wait()
        leader.start(leader.directory)
        wait_until(lambda: health(leader) == 503, "the former leader stands by", 10)
        standby.signal(signal.SIGTERM)  # hands over at once
        wait_until(lambda: health(leader) == 200, "the former leader leads", 2)
        self.unchanged()
        print(f"\n    led after {took_s:.2f} s, {reads.answers} reads, none failed")

    def test_frozen_past_its_lease(self):
        cluster = self.cluster
        leader, standby = cluster.leader(), cluster.standby()
        with Reads(cluster) as reads:
            leader.signal(signal.SIGSTOP)
            wait_until(lambda: health(standby) == 200, "the standby leads", TTL_S + 1.5)
            # Waits in the frozen one's socket.
            threading.Thread(target=lambda: self.post_stop(leader)).start()
            time.sleep(1)
            leader.signal(signal.SIGCONT)
            wait_until(lambda: not leader.alive, "the one that woke up has ended", 10)
        self.assertEqual(leader.process.returncode, 1)
        reads.check(self)
        self.assertNotEqual(cluster.show("job", "show", "ha")["state"], "STOPPED")
        self.unchanged()

    def post_stop(self, coordinator):
        try:
            ask(coordinator.http, "POST", "/v1/jobs/ha/stop")
        except Unreachable:
            pass

    def test_etcd_without_a_majority(self):
        cluster = self.cluster
        leader, standby = cluster.leader(), cluster.standby()
        with Reads(cluster) as reads:
            for member in (2, 3):
                cluster.etcd("stop", "--now", member)
            wait_until(lambda: not leader.alive, "the leader without a lease has ended", TTL_S + 3)
            self.assertTrue(standby.alive)
            submitted = threading.Thread(target=lambda: cluster.submit("meanwhile"))
            submitted.start()
            time.sleep(TTL_S)
            self.assertTrue(submitted.is_alive())
            cluster.etcd("start", 2, 3)
            wait_until(lambda: health(standby) == 200, "the standby leads", TTL_S + 5)
            submitted.join(30)
            cluster.served("meanwhile")
        reads.check(self)
        self.unchanged()

    def test_metadata_beyond_what_etcd_takes_at_once(self):
        cluster = self.cluster
        for i in range(3):
            cluster.submit(f"large{i}", events=100, padding=900_000)
        yaml = cluster.show("job", "show", "large1")["yaml"]
        self.assertGreater(len(yaml), 800_000)
        standby = cluster.standby()
        cluster.leader().signal(signal.SIGKILL)
        wait_until(lambda: health(standby) == 200, "the standby leads", TTL_S + 3)
        self.assertEqual(cluster.show("job", "show", "large1")["yaml"], yaml)
        self.unchanged()


if __name__ == "__main__":
    unittest.main()
