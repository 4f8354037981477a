"""Snapshot storage in S3, against a real server: deploy/s3-server."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from cluster import BIN, ROOT

SCRIPT = ROOT / "deploy/s3-server"
CHECK = BIN / "s3_storage_check"
BUCKET = "tidemill-test"


class S3Server:
    """A server with a bucket; `environment` is what a process needs to use it.

        with S3Server() as s3:
            run([..., "--snapshots", s3.location("jobs")], env=s3.environment)
    """

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="tidemill-s3-"))
        try:
            self.address = self.run("start")
            self.run("bucket", "create", BUCKET)
            self.environment = {**os.environ, "no_proxy": "127.0.0.1", **self._keys()}
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._end()

    def _end(self):
        try:
            self.run("stop", "--now")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _keys(self):
        lines = self.run("credentials").splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines)

    def run(self, *arguments):
        """Runs deploy/s3-server; its output. Raises if it fails."""
        run = subprocess.run([str(SCRIPT), "--dir", str(self.directory), *arguments], text=True,
                             timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False)
        if run.returncode != 0:
            raise AssertionError(f"deploy/s3-server {' '.join(arguments)}: exit "
                                 f"{run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout.strip()

    def location(self, prefix):
        return f"s3://{BUCKET}/{prefix}?endpoint={self.address}"

    @property
    def objects(self):
        """The directory in which the bucket's objects are files."""
        return self.directory / "data" / BUCKET


class S3Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s3 = cls.enterClassContext(S3Server())

    def check(self, name):
        """One of the tests of s3_storage_check."""
        run = subprocess.run([str(CHECK), f"--gtest_filter=S3.{name}"], text=True, timeout=120,
                             check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={**self.s3.environment,
                                  "TIDEMILL_S3_LOCATION": self.s3.location("check")})
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("[  PASSED  ] 1 test", run.stdout)

    def test_put_get_remove(self):
        self.check("WhatIsPutIsThere")

    def test_files_in_one_request_and_in_parts(self):
        self.check("FilesGoUpAndDown")

    def test_listing_of_many_pages(self):
        self.check("AListingGoesOnOverManyPages")

    def test_wrong_secret(self):
        self.check("AWrongSecretIsAnErrorThatSaysSo")

    def test_missing_bucket(self):
        self.check("AMissingBucketIsAnErrorThatSaysSo")

    def test_no_server(self):
        self.check("NoServerIsWorthAnotherTry")

    def test_snapshot_up_and_down(self):
        self.check("ASnapshotGoesUpAndDown")
        self.assertTrue(list(self.s3.objects.rglob("manifest-*")))

    def test_server_keeps_address_keys_and_data(self):
        with S3Server() as s3:
            before = s3.environment
            s3.run("stop")
            self.assertEqual(s3.run("start"), s3.address)
            self.assertEqual(s3.run("status").split()[0], "running,")
            self.assertIn(f"AWS_ACCESS_KEY_ID={before['AWS_ACCESS_KEY_ID']}",
                          s3.run("credentials"))
            self.assertTrue(s3.objects.is_dir())


if __name__ == "__main__":
    unittest.main()
