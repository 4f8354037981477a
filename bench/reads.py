"""How fast features are read: 12 of one entity, and of 500, beside Redis's HMGET of as many fields;
and of keys with ever more rows."""

import json
import random
import re
import socket
import subprocess
import tempfile
from pathlib import Path

from measure import read_body, start_cluster, wait_warm
from workload import (READ_FEATURES, ROOT, cpu_seconds, job_yaml, processes_of)

import cluster as tidemill  # workload says where it is
import fold

JOB = "bench"
FIELDS = len(READ_FEATURES)
ROWS_OF_KEYS = {1: 2_000, 60: 2_000, 600: 500, 60_000: 8}  # rows of a key -> how many such keys


def with_load(address, store_pid, bodies, entities, connections, seconds):
    """Figures of reads with these bodies, by wrk, and what they cost the store."""
    before = cpu_seconds(store_pid)
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
        file.write("\n".join(bodies) + "\n")
        file.flush()
        run = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", ROOT / "bench/reads.lua",
             f"http://{address}/v1/features", "--", file.name],
            stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(run.stdout.splitlines()[-1])
    cpu = cpu_seconds(store_pid) - before
    return {"entities": entities, "features": FIELDS, "connections": connections, **figures,
            "requests_per_second": round(figures["requests"] / figures["seconds"]),
            "requests_per_cpu_second": round(figures["requests"] / max(1e-9, cpu)),
            "cpu_us_per_request": round(1e6 * cpu / max(1, figures["requests"]), 1)}


def with_load_of_customers(cluster, workload, entities, connections, seconds):
    """The same, of so many random customers in each request."""
    rng = random.Random(1)
    bodies = [read_body(JOB, [rng.randint(1, workload.customers) for _ in range(entities)])
              for _ in range(2_000 if entities == 1 else 200)]
    return with_load(cluster.store().address, processes_of(cluster)["store"], bodies, entities,
                     connections, seconds)


def measure_reads(workload, options):
    """Of a store that holds a whole window."""
    with tempfile.TemporaryDirectory() as nothing, start_cluster(options) as cluster:
        stream = f'{{files: "{nothing}/*.ndjson", follow: true}}'
        cluster.submit(job_yaml(JOB, stream, warm_up=workload.before()), nothing)
        wait_warm(cluster, JOB, workload)
        return [with_load_of_customers(cluster, workload, entities, connections,
                                       options.read_seconds)
                for entities, connections in ((1, 1), (1, 10), (500, 1), (500, 10))]


# --- Redis ----------------------------------------------------------------------------------------


class Redis:
    """A server of ours, with a hash of as many fields for each customer."""

    def __init__(self, customers):
        self.customers = customers
        self._directory = tempfile.TemporaryDirectory(prefix="tidemill-redis-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._server = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", self._directory.name], stdout=subprocess.DEVNULL)

    def __enter__(self):
        try:
            tidemill.wait_until(lambda: self._cli("ping").stdout.strip() == b"PONG",
                                "redis-server answers", 30, 0.1)
            self._fill()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._server.terminate()
        self._server.wait(30)
        self._directory.cleanup()

    @property
    def pid(self):
        return self._server.pid

    def version(self):
        info = self._cli("info", "server").stdout.decode()
        return re.search(r"redis_version:(\S+)", info)[1]

    def _cli(self, *words, **options):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def _fill(self):
        rng = random.Random(3)
        with subprocess.Popen(["redis-cli", "-p", str(self.port), "--pipe"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as pipe:
            for number in range(self.customers):
                # As redis-benchmark writes __rand_int__.
                words = ["HSET", f"customer:{number:012}"]
                for field in range(FIELDS):
                    words += [f"f{field}", f"{rng.random() * 100:.15g}"]
                text = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
                pipe.stdin.write(f"*{len(words)}\r\n{text}".encode())
        size = int(self._cli("dbsize").stdout)
        assert size == self.customers, f"Redis has {size} of {self.customers} hashes"

    def hmget(self, connections, pipeline, seconds):
        """Figures of redis-benchmark: HMGET of all fields of random customers, so many commands in
        a request."""
        rate = self._benchmark(connections, pipeline, 50_000)["commands_per_second"]
        before = cpu_seconds(self.pid)
        figures = self._benchmark(connections, pipeline, max(50_000, round(rate * seconds)))
        cpu = cpu_seconds(self.pid) - before
        return {"connections": connections, "pipeline": pipeline, "fields": FIELDS, **figures,
                "commands_per_cpu_second": round(figures["commands"] / max(1e-9, cpu))}

    def _benchmark(self, connections, pipeline, commands):
        run = subprocess.run(
            ["redis-benchmark", "-p", str(self.port), "-c", str(connections), "-P", str(pipeline),
             "-n", str(commands), "-r", str(self.customers), "--precision", "3",
             "HMGET", "customer:__rand_int__", *(f"f{field}" for field in range(FIELDS))],
            stdout=subprocess.PIPE, text=True, check=True)
        return {"commands": commands, **parse_redis_benchmark(run.stdout)}


def parse_redis_benchmark(text):
    """Its rate, and the least latencies of which it says that so many percent are not above."""
    reached = [(float(p), float(ms)) for p, ms in
               re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds \(cumulative count", text)]
    rate = re.search(r"throughput summary: ([\d.]+) requests per second", text)
    assert rate and reached, f"redis-benchmark said:\n{text[-2_000:]}"
    return {"commands_per_second": round(float(rate[1])),
            **{name: min(ms for percent, ms in reached if percent >= p)
               for name, p in (("p50_ms", 50), ("p99_ms", 99), ("p999_ms", 99.9))}}


def measure_redis(workload, options):
    with Redis(workload.customers) as redis:
        return {"version": redis.version(), "runs": [
            redis.hmget(connections, pipeline, options.read_seconds)
            for pipeline, connections in ((1, 1), (1, 10), (500, 1), (500, 10))]}


# --- by rows per key ------------------------------------------------------------------------------


def write_keys(path):
    """Events of keys with so many rows each, evenly over 30 days, in order of time: (rows -> keys,
    how many events)."""
    rng = random.Random(4)
    end = fold.parse_time("2018-05-01T00:00:00Z")
    keys, events, number = {}, [], 0
    for rows, count in ROWS_OF_KEYS.items():
        step = 30 * fold.DAY / rows
        keys[rows] = range(number + 1, number + 1 + count)
        for key in keys[rows]:
            for row in range(rows):
                # The newest within the last hour: all windows of the dozen hold rows.
                back = (row + rng.random()) * step if row else rng.random() * min(step, fold.HOUR)
                events.append((end - int(back), key))
        number += count
    events.sort()
    with path.open("w") as out:
        for i, (time, key) in enumerate(events):
            out.write(f'{{"transaction_id":{i},"event_time":"{fold.format_time(time)}",'
                      f'"customer_id":"{key}","terminal_id":"{i % 1_000}",'
                      f'"amount":{rng.randrange(1, 20_000) / 100},"is_fraud":false}}\n')
    return keys, len(events)


def measure_cost(options):
    """Reads of one key, by how many rows it has."""
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as directory, start_cluster(options) as cluster:
        keys, events = write_keys(Path(directory) / "keys.ndjson")
        cluster.submit(job_yaml(JOB, f'{{files: "{directory}/keys.ndjson"}}'), directory)
        job = cluster.wait_for_state(JOB, "COMPLETED", 600)
        assert job["rows"] == 2 * events, f"{job['rows']} rows of {events} events"
        out = []
        for rows, of in keys.items():
            bodies = [read_body(JOB, [rng.choice(of)]) for _ in range(2_000)]
            figures = with_load(cluster.store().address, processes_of(cluster)["store"], bodies, 1,
                                1, options.read_seconds)
            out.append({"rows": rows, "keys": len(of), **figures})
        return out
