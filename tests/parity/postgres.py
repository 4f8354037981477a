"""A PostgreSQL server of its own in a temporary directory: no network, another user than root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

BIN = Path("/usr/lib/postgresql/15/bin")


def _user():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no user 'postgres' or 'nobody' to run PostgreSQL as")


class Postgres:
    """Locale C.UTF-8: strings compare by bytes, and lower() and upper() know all letters."""

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="tidemill-postgres-"))
        self.run = _user()
        if self.run:
            os.chown(self.directory, self.run["user"], self.run["group"])
        data = self.directory / "data"
        try:
            self._call(BIN / "initdb", "-D", data, "-U", "tidemill", "-A", "trust", "-E", "UTF8",
                       "--locale=C.UTF-8", "--no-sync")
            settings = f"-k {self.directory} -c listen_addresses= -c fsync=off -c timezone=UTC"
            self._call(BIN / "pg_ctl", "-D", data, "-w", "-t", "60", "-o", settings,
                       "-l", self.directory / "log", "start")
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_):
        self._call(BIN / "pg_ctl", "-D", self.directory / "data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _call(self, *command):
        done = subprocess.run([str(part) for part in command], cwd=self.directory,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, **self.run)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stdout}")

    def psql(self, script):
        """Runs a script; its rows as text, without headers, fields separated by '|'."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                               "-h", str(self.directory), "-U", "tidemill", "-d", "postgres"],
                              input=script, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout
