"""Ways to break a machine: its disk, its files, its memory, its clock."""

import os
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def full_disk(directory, size_mb):
    """The tmpfs at `directory`, of that size, has no room left meanwhile."""
    _shrink(directory)
    ballast = directory / "ballast"
    _fill(ballast)
    try:
        yield
    finally:
        _resize(directory, f"{size_mb}m")
        ballast.unlink()


def _shrink(directory):
    """To what is used just now."""
    for _ in range(50):
        disk = os.statvfs(directory)
        try:
            return _resize(directory, (disk.f_blocks - disk.f_bfree) * disk.f_bsize)
        except subprocess.CalledProcessError:
            pass  # more is used already
    raise AssertionError(f"the disk at {directory} could not be made smaller")


def _resize(directory, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", str(directory)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _fill(path):
    """Takes all the room that has become free meanwhile."""
    with open(path, "wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while out.write(b"\0" * size) == size:
                    pass
            except OSError:
                pass  # the disk is full


# --- files ----------------------------------------------------------------------------------------


def damage(path, rng):
    """Damages a file in one of several ways; which. FileNotFoundError if it is gone."""
    size = path.stat().st_size
    how = rng.choice(["a bit flipped", "a block of zeros", "cut off", "emptied", "something behind"])
    with open(path, "r+b") as file:
        if how == "a bit flipped":
            at = rng.randrange(max(1, size))
            file.seek(at)
            byte = file.read(1) or b"\0"
            file.seek(at)
            file.write(bytes([byte[0] ^ (1 << rng.randrange(8))]))
        elif how == "a block of zeros":
            file.seek(rng.randrange(max(1, size)))
            file.write(b"\0" * min(512, size))
        elif how == "cut off":
            file.truncate(rng.randrange(max(1, size)))
        elif how == "emptied":
            file.truncate(0)
        else:
            file.seek(0, os.SEEK_END)
            file.write(rng.randbytes(64))
    return how


def state_files(directory, kind):
    """Files of states below a directory: "rows" (SST files and logs) or "manifest", by key partition's
    directory, the newest last."""
    patterns = {"rows": ["*.sst", "*.log"], "manifest": ["manifest-*"]}[kind]
    found = {}
    for place in sorted(directory.rglob("k-*")):
        if place.is_dir():
            files = [path for pattern in patterns for path in place.rglob(pattern)
                     if path.is_file() and not path.name.endswith((".tmp", ".partial"))]
            if files:
                found[place] = sorted(files, key=lambda path: (path.stat().st_mtime, path.name))
    return found


# --- slow disks, wrong clocks ---------------------------------------------------------------------


@contextmanager
def slow_fsync(pid, milliseconds):
    """Every fsync and fdatasync of a process takes so much longer."""
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-p", str(pid), "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
         "-e", f"inject=fsync,fdatasync:delay_enter={milliseconds * 1000}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
        if strace.poll() is not None:
            raise AssertionError("strace did not stay with the process")
    finally:
        strace.terminate()
        strace.wait()


class WrongClock:
    """The wall clock of a process, to be set off while it runs; its monotonic clock stays right."""

    def __init__(self, process):
        library = process.directory / "wrong_clock.so"
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", str(library),
                        str(Path(__file__).with_name("wrong_clock.c"))], check=True)
        self._file = process.directory / "clock"
        self._file.write_bytes(bytes(8))
        process.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self._file)}

    def jump(self, seconds):
        """From now on it is off by so much."""
        with open(self._file, "r+b", buffering=0) as file:
            file.write(struct.pack("<q", seconds * 1_000_000))
