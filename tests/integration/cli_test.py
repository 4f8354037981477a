"""The command line with real processes: exit codes, tables, JSON, and what it says when it fails."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import cluster as tidemill
from cluster import run_cli

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3

JOB = """job: payments
sources:
  transactions:
    schema: {transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}
    event_time: event_time
    stream: {files: "*.csv"}
views:
  customer:
    source: transactions
    entity: [customer_id]
    where: amount > 1
    aggregations:
      - {function: count, windows: [1h, 1d]}
      - {function: mean, column: amount, windows: [1d]}
services:
  model: {features: [customer.*]}
"""
EVENTS = """transaction_id,event_time,customer_id,terminal_id,amount,is_fraud
1,2018-04-01T10:00:00Z,7,1,10.5,0
2,2018-04-01T11:30:00Z,7,2,2.0,1
3,2018-04-01T11:45:00Z,8,2,0.5,0
4,2018-04-01T11:50:00Z,9,2,400.25,0
5,2018-04-01T12:00:00Z,7,1,4.0,0
"""
BROKEN_JOB = JOB.replace("amount > 1", "amuont > 1").replace("1h, 1d", "1h, 1day")


def refused_address():
    """host:port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]


class Case(unittest.TestCase):
    def run_and_expect(self, code, *arguments, **options):
        run = run_cli(*arguments, **options)
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def file(self, name, text):
        directory = tempfile.TemporaryDirectory(prefix="tidemill-cli-")
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, name)
        path.write_text(text)
        return path


class WithoutClusterTest(Case):
    def test_usage(self):
        self.run_and_expect(USAGE)
        self.run_and_expect(USAGE, "no-such-command")
        self.run_and_expect(USAGE, "job", "show")
        self.run_and_expect(USAGE, "get", "payments", "--entity", "customer_id=7")
        self.run_and_expect(USAGE, "up", "--workers", "0")
        for arguments in (["--help"], ["job", "--help"], ["--version"]):
            run = self.run_and_expect(OK, *arguments)
            self.assertIn("idemill" if arguments[0] != "job" else "submit", run.stdout)

    def test_unreachable(self):
        address = refused_address()
        for command in (["cluster"], ["job", "list"], ["job", "show", "x"], ["job", "stop", "x"],
                        ["get", "x", "--entity", "a=1", "--features", "v.*"]):
            run = self.run_and_expect(UNREACHABLE, "--coordinator", address, *command)
            self.assertIn(address, run.stderr)
            self.assertIn("--coordinator", run.stderr)
            self.assertEqual(run.stdout, "")

    def test_a_valid_job(self):
        job = self.file("job.yaml", JOB)
        Path(job.parent, "a.csv").write_text(EVENTS)
        run = self.run_and_expect(OK, "validate", job)
        self.assertIn("customer.amount_mean_1d", run.stdout)
        described = json.loads(self.run_and_expect(OK, "--json", "validate", job).stdout)
        self.assertEqual(described["views"][0]["features"],
                         ["count_1h", "count_1d", "amount_mean_1d"])

    def test_every_error_of_a_job_with_its_line(self):
        job = self.file("job.yaml", BROKEN_JOB)
        Path(job.parent, "a.csv").write_text(EVENTS)
        run = self.run_and_expect(USAGE, "validate", job)
        lines = BROKEN_JOB.splitlines()
        for mistake, hint in (("amuont", "amount"), ("1day", "d")):
            number = next(i for i, line in enumerate(lines, 1) if mistake in line)
            [error] = [e for e in run.stderr.splitlines() if f"job.yaml:{number}:" in e]
            self.assertIn(mistake, error)
            self.assertIn(hint, error)
        errors = json.loads(self.run_and_expect(USAGE, "--json", "validate", job).stdout)
        self.assertEqual(len(errors["error"]["errors"]), 2)

    def test_a_missing_job_file(self):
        run = self.run_and_expect(USAGE, "validate", "/no/such/job.yaml")
        self.assertIn("/no/such/job.yaml", run.stderr)

    def test_a_training_set(self):
        job = self.file("job.yaml", JOB)
        Path(job.parent, "a.csv").write_text(EVENTS + "6,nonsense,7,1,4.0,0\n")
        spine = self.file("spine.csv", "label,event_time,customer_id\nx,2018-04-01T12:00:00Z,7\n")
        out = Path(spine.parent, "out.csv")
        run = self.run_and_expect(OK, "training-set", "--job", job, "--spine", spine, "--out", out)
        self.assertEqual(out.read_text().splitlines()[1], "x,2018-04-01T12:00:00Z,7,2,3,5.5")
        self.assertIn("1 record was not used", run.stderr)
        self.assertEqual(run.stdout, "")
        report = json.loads(self.run_and_expect(
            OK, "--json", "training-set", "--job", job, "--spine", spine, "--out", out,
            "--service", "model").stdout)
        self.assertEqual((report["rows"], report["unused"][0]["count"]), (1, 1))
        spine.write_text("event_time,customer_id\nyesterday,7\n")
        kept = out.read_text()
        run = self.run_and_expect(USAGE, "training-set", "--job", job, "--spine", spine, "--out", out)
        self.assertIn("spine.csv:2: column 'event_time'", run.stderr)
        self.assertEqual(out.read_text(), kept)
        self.assertEqual(sorted(p.name for p in out.parent.iterdir()), ["out.csv", "spine.csv"])

    def test_sql(self):
        job = self.file("job.yaml", JOB)
        Path(job.parent, "a.csv").write_text(EVENTS)
        for dialect in ("postgres", "duckdb", "spark"):
            run = self.run_and_expect(OK, "sql", "--job", job, "--dialect", dialect, "--spine", "s")
            self.assertIn("customer__amount_mean_1d", run.stdout)
        self.run_and_expect(USAGE, "sql", "--job", job, "--dialect", "mysql", "--spine", "s")

    def test_down_without_a_cluster(self):
        with tempfile.TemporaryDirectory() as directory:
            run = self.run_and_expect(FAILED, "down", "--dir", directory)
            self.assertIn(directory, run.stderr)

    def test_generated_files_are_the_same_for_a_seed(self):
        with tempfile.TemporaryDirectory() as directory:
            for out, seed in (("a", 5), ("b", 5), ("c", 6)):
                self.run_and_expect(OK, "generate", "--quiet", "--events", 500, "--seed", seed,
                                    "--out", f"{directory}/{out}")
            text = {out: Path(directory, out, "transactions-0.csv").read_text() for out in "abc"}
        self.assertEqual(text["a"], text["b"])
        self.assertNotEqual(text["a"], text["c"])
        self.assertEqual(len(text["a"].splitlines()), 501)
        self.run_and_expect(USAGE, "generate", "--format", "xml")


class WithClusterTest(Case):
    """One cluster for all: it is only read, but for the job submitted at the start."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(tidemill.Cluster(workers=2))
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tidemill-cli-"))
        cls.job_file = Path(directory, "job.yaml")
        cls.job_file.write_text(JOB)
        Path(directory, "a.csv").write_text(EVENTS)
        cls.submitted = cls.cli("job", "submit", cls.job_file, "--wait")

    @classmethod
    def cli(cls, *arguments):
        return run_cli("--coordinator", cls.cluster.coordinator.address, *arguments)

    def expect(self, code, *arguments):
        run = self.cli(*arguments)
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def test_submit_waited_for_the_end(self):
        self.assertEqual(self.submitted.returncode, OK, self.submitted.stderr)
        self.assertIn("job payments is complete: 5 records", self.submitted.stdout)

    def test_cluster(self):
        table = self.expect(OK, "cluster").stdout.splitlines()
        self.assertTrue(table[0].startswith("NODE"))
        self.assertEqual(sum("worker" in row for row in table), 2)
        self.assertEqual(sum("store" in row for row in table), 1)
        members = json.loads(self.expect(OK, "--json", "cluster").stdout)["members"]
        self.assertEqual(sum(m["key_partitions"] for m in members if m["role"] == "worker"), 128)

    def test_jobs(self):
        self.assertRegex(self.expect(OK, "job", "list").stdout, r"(?m)^ *\d+ +payments +COMPLETED")
        shown = self.expect(OK, "job", "show", "payments").stdout
        for text in ("COMPLETED", "a.csv", "rows held", "finished"):
            self.assertIn(text, shown)
        job = json.loads(self.expect(OK, "--json", "job", "show", "payments").stdout)
        self.assertEqual(job["sources"][0]["records"], 5)
        self.assertEqual(job["yaml"], JOB)
        self.assertIn("nothing", self.expect(FAILED, "job", "show", "nothing").stderr)

    def test_a_name_that_is_taken(self):
        self.assertIn("payments", self.expect(FAILED, "job", "submit", self.job_file).stderr)

    def test_a_broken_job_is_refused_whole(self):
        path = self.file("job.yaml", BROKEN_JOB.replace("job: payments", "job: broken"))
        Path(path.parent, "a.csv").write_text(EVENTS)
        run = self.expect(USAGE, "job", "submit", path)
        self.assertIn("amuont", run.stderr)
        self.assertIn("1day", run.stderr)
        self.assertNotIn("broken", self.expect(OK, "job", "list").stdout)

    def test_get(self):
        # As of 12:00:00, the latest event: (11:00, 12:00] holds two of customer 7's three events.
        run = self.expect(OK, "get", "payments", "--entity", "customer_id=7,9,404",
                          "--features", "customer.*")
        self.assertIn("as of 2018-04-01T12:00:00Z", run.stdout)
        rows = {line.split()[0]: line.split()[1:] for line in run.stdout.splitlines()[2:]}
        self.assertEqual(rows["customer.count_1h"][:2], ["2", "1"])
        self.assertEqual(rows["customer.count_1d"][0], "3")
        self.assertEqual(rows["customer.amount_mean_1d"][:2], ["5.5", "400.25"])
        self.assertIn("no rows", " ".join(rows["customer.count_1h"]))

    def test_get_as_json(self):
        run = self.expect(OK, "--json", "get", "payments", "--entity", "customer_id=7",
                          "--service", "model", "--as-of", "2018-04-01T11:30:00Z", "--offsets")
        answer = json.loads(run.stdout)
        values = {r["feature"]: r["values"] for r in answer["results"]}
        self.assertEqual(values, {"customer.count_1h": [1], "customer.count_1d": [2],
                                  "customer.amount_mean_1d": [6.25]})
        self.assertEqual(answer["offsets"]["customer"][0]["offset_vector"],
                         [[len(EVENTS), "2018-04-01T12:00:00Z"]])

    def test_get_what_is_not_there(self):
        entity = ["--entity", "customer_id=7"]
        for arguments, said in (
                (["get", "nothing", *entity, "--features", "customer.*"], "nothing"),
                (["get", "payments", *entity, "--features", "shop.*"], "shop"),
                (["get", "payments", *entity, "--features", "customer.count_2h"], "count_2h"),
                (["get", "payments", *entity, "--service", "other"], "other")):
            self.assertIn(said, self.expect(FAILED, *arguments).stderr)
        self.expect(USAGE, "get", "payments", "--entity", "shop_id=7", "--features", "customer.*")

    def test_watch_ends_after_so_many_readings(self):
        run = self.expect(OK, "get", "payments", "--entity", "customer_id=7",
                          "--features", "customer.count_1d", "--watch=0.05", "--count", 3)
        self.assertEqual(run.stdout.count("as of 2018-04-01T12:00:00Z"), 3)


class UpdateTest(Case):
    """A running job is changed: what its rows hold is there at once, what they do not fills, or is
    refused."""

    def test_a_running_job_is_updated(self):
        job = self.file("job.yaml", JOB)
        Path(job.parent, "a.csv").write_text(EVENTS)
        with tidemill.Cluster(workers=2) as cluster:
            def cli(code, *arguments):
                return self.run_and_expect(code, "--coordinator", cluster.coordinator.address,
                                           *arguments)

            def values(*features):
                run = cli(OK, "--json", "get", "payments", "--entity", "customer_id=7,9",
                          "--features", ",".join(features), "--as-of", "2018-04-01T12:00:00Z")
                return {r["feature"]: r["values"] for r in json.loads(run.stdout)["results"]}

            cli(OK, "job", "submit", job, "--wait")
            # Of another column nothing is kept, so that nobody knows it since ever.
            job.write_text(JOB.replace("windows: [1d]}", "windows: [2d]}\n"
                                       "      - {function: last, column: terminal_id, windows: [lifetime]}"))
            for arguments in ([], ["--plan"]):
                run = cli(USAGE, "job", "update", job, *arguments)
                self.assertRegex(run.stdout, r"views.customer.amount_mean_2d +added +fills +rows of "
                                             r"customer_id are kept for 1d so far")
                self.assertRegex(run.stdout,
                                 r"views.customer.terminal_id_last_lifetime +added +refused")
                self.assertIn("goes on as it was", run.stderr)
            self.assertEqual(list(values("customer.*")),
                             ["customer.count_1h", "customer.count_1d", "customer.amount_mean_1d"])

            wanted = (JOB.replace("windows: [1h, 1d]", "windows: [1h]")
                      .replace("windows: [1d]}", "windows: [1d, 45m]}\n"
                               "      - {function: max, column: amount, windows: [30m], offset: 15m,"
                               " default: 0}")
                      .replace("[customer.*]", "[customer.amount_mean_45m]"))
            job.write_text(wanted)
            planned = cli(OK, "job", "update", job, "--plan").stdout
            self.assertRegex(planned, r"views.customer.count_1d +removed +at once")
            self.assertRegex(planned, r"views.customer.amount_max_30m +added +at once")
            self.assertRegex(planned, r"services.model +other features +at once")
            self.assertIn("nothing was changed", planned)
            self.assertEqual(len(values("customer.*")), 3)
            self.assertIn("revision 1", cli(OK, "job", "update", job).stdout)

            def updated():
                names = ["customer.count_1h", "customer.amount_mean_1d",
                         "customer.amount_mean_45m", "customer.amount_max_30m"]
                return list(values("customer.*")) == names

            tidemill.wait_until(updated, "the store serves the update", 10)
            # (11:15, 12:00] of customer 7 holds 2.0 and 4.0; (11:15, 11:45] holds 2.0.
            self.assertEqual(values("customer.amount_mean_45m", "customer.amount_max_30m"),
                             {"customer.amount_mean_45m": [3.0, 400.25],
                              "customer.amount_max_30m": [2.0, 0.0]})
            shown = json.loads(cli(OK, "--json", "job", "show", "payments").stdout)
            self.assertEqual((shown["revision"], shown["yaml"]), (1, wanted))
            self.assertIn("just that already", cli(OK, "job", "update", job).stdout)
            # It is as durable as the job is.
            for program in ("tidemill-coordinator", "tidemill-store"):
                tidemill.send_signal(cluster.pid_of(program), signal.SIGKILL)

            def updated_again():
                try:
                    return updated()
                except AssertionError:  # nobody answers yet
                    return False

            tidemill.wait_until(updated_again, "the update is there after a restart", 60)


class StopTest(Case):
    def test_a_stopped_job_is_gone_from_the_store(self):
        job = self.file("job.yaml", JOB)
        Path(job.parent, "a.csv").write_text(EVENTS)
        with tidemill.Cluster(workers=1) as cluster:
            def cli(code, *arguments):
                return self.run_and_expect(code, "--coordinator", cluster.coordinator.address,
                                           *arguments)

            read = ["get", "payments", "--entity", "customer_id=7", "--features", "customer.*"]
            cli(OK, "job", "submit", job, "--wait")
            cli(OK, *read)
            cli(OK, "job", "stop", "payments")
            cluster.wait_for_state("payments", "STOPPED", 10)
            tidemill.wait_until(
                lambda: run_cli("--coordinator", cluster.coordinator.address, *read).returncode
                == FAILED, "the store has forgotten the job", 10)
            cli(FAILED, "job", "stop", "nothing")
            # Its name is free again.
            cli(OK, "job", "submit", job, "--wait")
            cli(OK, *read)


class FailedJobTest(Case):
    def test_a_source_that_is_not_what_was_read(self):
        job = self.file("job.yaml", JOB.replace('"*.csv"}', '"*.csv", follow: true}'))
        log = Path(job.parent, "a.csv")
        log.write_text(EVENTS)
        with tidemill.Cluster(workers=1) as cluster:
            def cli(code, *arguments):
                return self.run_and_expect(code, "--coordinator", cluster.coordinator.address,
                                           *arguments)

            def source():
                return json.loads(cli(OK, "--json", "job", "show", "payments").stdout)["sources"][0]

            with subprocess.Popen([str(tidemill.CLI), "--coordinator", cluster.coordinator.address,
                                   "job", "submit", str(job), "--wait"], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
                try:
                    tidemill.wait_until(
                        lambda: "payments" in cli(OK, "job", "list").stdout
                        and source()["published"] == len(EVENTS), "all is published", 20)
                    log.write_text(EVENTS.splitlines()[0] + "\n")
                    _, said = waiting.communicate(timeout=30)
                finally:
                    waiting.kill()
            self.assertEqual(waiting.returncode, FAILED, said)
            self.assertRegex(said, r"has failed: source 'transactions': .*a\.csv")
            self.assertRegex(cli(OK, "job", "list").stdout, r"payments +FAILED .*a\.csv")
            shown = cli(OK, "job", "show", "payments").stdout
            self.assertIn("FAILED", shown)
            self.assertIn("not read", shown)
            # What was computed is still served, and the name is free once the job is stopped.
            read = ["get", "payments", "--entity", "customer_id=7", "--features",
                    "customer.count_1d"]
            self.assertRegex(cli(OK, *read).stdout, r"customer.count_1d +3")
            self.assertIn("stop it first", cli(FAILED, "job", "submit", job).stderr)
            cli(FAILED, "job", "move-reader", "payments", 0)
            cli(OK, "job", "stop", "payments")
            cli(OK, "job", "submit", job)


class MoveReaderTest(Case):
    def test_a_reader_is_moved_there_and_back(self):
        job = self.file("job.yaml", JOB)
        Path(job.parent, "a.csv").write_text(EVENTS)
        with tidemill.Cluster(workers=2) as cluster:
            def cli(code, *arguments):
                return self.run_and_expect(code, "--coordinator", cluster.coordinator.address,
                                           *arguments)

            def source():
                return json.loads(cli(OK, "--json", "job", "show", "payments").stdout)["sources"][0]

            cli(OK, "job", "submit", job, "--wait")
            before = source()
            run = cli(OK, "job", "move-reader", "payments", 0)
            tidemill.wait_until(lambda: source()["node"] != before["node"], "it has moved", 10)
            self.assertIn(source()["node"], run.stdout)
            self.assertGreater(source()["epoch"], before["epoch"])
            cli(OK, "job", "move-reader", "payments", 0, "--to", before["node"])
            tidemill.wait_until(lambda: source()["node"] == before["node"], "it is back", 10)
            # It goes on where the key partitions are: nothing is read again, nothing counted twice.
            tidemill.wait_until(lambda: source()["offset"] == before["offset"], "it goes on", 10)
            self.assertEqual(source()["records"], 0)
            for code, arguments, said in ((FAILED, [0, "--to", before["node"]], "already"),
                                          (FAILED, [1], "has no source partition 1"),
                                          (FAILED, [0, "--to", "1"], "there is no worker"),
                                          (USAGE, [0, "--to", "x"], "not a node"),
                                          (USAGE, ["x"], "x")):
                self.assertIn(said, cli(code, "job", "move-reader", "payments",
                                        *arguments).stderr)
            self.assertIn("COMPLETED", cli(OK, "job", "list").stdout)
            read = cli(OK, "get", "payments", "--entity", "customer_id=7", "--features",
                       "customer.count_1d")
            self.assertRegex(read.stdout, r"customer.count_1d +3")


class UpAndDownTest(Case):
    def setUp(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="tidemill-up-"))
        self.directory = Path(directory)

    def processes(self):
        described = json.loads((self.directory / "cluster.json").read_text())
        return {p["name"]: p["pid"] for p in described["processes"]}

    def assert_all_end(self, pids):
        tidemill.wait_until(
            lambda: all(tidemill.process_state(p) in (None, "Z") for p in pids),
            f"processes {pids} end", 20)

    def test_detached_until_down(self):
        run = self.run_and_expect(OK, "up", "--detach", "--dir", self.directory,
                                  "--ports-from", 0, "--workers", 2)
        try:
            self.assertIn("tidemill down --dir", run.stdout)
            processes = self.processes()
            self.assertEqual(sorted(processes), ["coordinator", "store", "worker-1", "worker-2"])
            again = self.run_and_expect(FAILED, "up", "--detach", "--dir", self.directory,
                                        "--ports-from", 0)
            self.assertIn("already", again.stderr)
        finally:
            ended = run_cli("down", "--dir", self.directory)
        self.assertEqual(ended.returncode, OK, ended.stderr)
        self.assert_all_end(processes.values())
        self.assertFalse((self.directory / "cluster.json").exists())
        logs = sorted(p.name for p in (self.directory / "logs").iterdir())
        self.assertIn("worker-2.log", logs)

    def test_foreground_until_interrupted(self):
        command = [tidemill.CLI, "up", "--dir", self.directory, "--ports-from", "0",
                   "--workers", "1"]
        with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                              text=True) as up:
            try:
                tidemill.wait_until(lambda: (self.directory / "cluster.json").exists()
                                    or up.poll() is not None, "the cluster is up", 60)
                pids = self.processes().values()
                up.send_signal(signal.SIGINT)
                output, _ = up.communicate(timeout=30)
            finally:
                up.kill()
        self.assertEqual(up.returncode, OK)
        self.assertIn("the cluster has ended", output)
        self.assert_all_end(pids)

    def test_a_process_that_died_is_started_again(self):
        with tidemill.Cluster(workers=1) as cluster:
            worker = cluster.members("worker")[0]
            os.kill(worker["pid"], signal.SIGKILL)
            tidemill.wait_until(
                lambda: [m for m in cluster.members("worker") if m["node"] != worker["node"]],
                "another worker has joined", 30)


if __name__ == "__main__":
    unittest.main()
