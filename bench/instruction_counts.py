"""Instructions per item of the micro benchmarks, counted by valgrind, and how they compare with a record."""

import json
import os
import platform
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MEASURED = "tidemill_measured"  # bench/micro/harness.cc: what a benchmark measures runs below it

# Small inputs: valgrind takes fifty times as long. Each of them does its work twice, and the second
# time counts.
BENCHMARKS = [
    "parse_ndjson/4000",
    "parse_csv/4000",
    "parse_messages/json/4000",
    "parse_messages/avro/4000",
    "parse_messages/protobuf/4000",
    "evaluate/condition",
    "evaluate/choice",
    "evaluate/text",
    "load_batch/4096",
    "scatter/4096",
    "apply_batch/4096",
    "append/uniform/16384/4096",
    "append/zipf/16384/4096",
    "append/zipf_disordered/16384/4096",
    "append_late/6000",
    "read/dozen/1",
    "read/dozen/60",
    "read/dozen/600",
    "read/dozen/60000",
    "frame_encode/2/4096",
    "frame_apply/2/4096",
    "write_increment/in_memory/8000/8000",
    "restore/16000",
]

# Nothing of the caller's environment reaches a benchmark, and mimalloc gives no memory back, as when
# it does depends on the clock.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "MIMALLOC_ALLOW_DECOMMIT": "0", "MIMALLOC_PAGE_RESET": "0"}


class CannotCount(Exception):
    """Says why, and what would help."""


# --- counting -------------------------------------------------------------------------------------


def instructions_in(profile):
    """The sum of a callgrind profile, given as text."""
    found = re.search(r"^(?:totals|summary): (\d+)", profile, re.MULTILINE)
    if not found or int(found[1]) == 0:
        raise CannotCount(f"valgrind has counted nothing below {MEASURED}: was it inlined?")
    return int(found[1])


def count(program, name):
    """Instructions per item of one benchmark."""
    with tempfile.TemporaryDirectory(prefix="tidemill-instructions-") as directory:
        profile, report = Path(directory) / "profile", Path(directory) / "report.json"
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}",
             "--collect-atstart=no", f"--toggle-collect={MEASURED}",
             str(program), f"--benchmark_filter=^{name}$",
             # A time that the first iteration takes in any case: there is no other.
             "--benchmark_min_time=0.000000001",
             f"--benchmark_out={report}", "--benchmark_out_format=json"],
            env=ENVIRONMENT, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", errors="replace")
        if run.returncode != 0:
            raise CannotCount(f"{name} ended with {run.returncode}:\n{(run.stdout + run.stderr)[-4000:]}")
        try:
            ran = json.loads(report.read_text())["benchmarks"]
        except (OSError, ValueError):
            ran = []
        if [b["name"] for b in ran] != [name]:
            raise CannotCount(f"{program} has no benchmark {name}; {run.stderr[-1000:]}")
        if ran[0].get("error_occurred"):
            raise CannotCount(f"{name}: {ran[0]['error_message']}")
        items = ran[0]["iterations"] * ran[0]["items"]
        return instructions_in(profile.read_text()) / items


def count_all(program, names, jobs):
    """Name -> instructions per item, `jobs` at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(names, pool.map(lambda name: count(program, name), names)))


# --- what counts depend on ------------------------------------------------------------------------


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8").stdout.split("\n")[0]
    except OSError:
        return "none"


def vectors():
    """The widest vectors that valgrind shows to programs: libraries choose their code by it."""
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    return next((wide for wide in ("avx2", "avx") if wide in known), "none")


def cache_of(build):
    """CMake's settings of a build directory."""
    try:
        lines = (build / "CMakeCache.txt").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":", 1)[0]: line.split("=", 1)[1] for line in lines
            if "=" in line and ":" in line.split("=", 1)[0]}


def made_with(program):
    """What the counts of a program depend on, beside its sources."""
    cache = cache_of(Path(program).resolve().parents[1])
    return {
        "machine": platform.machine(),
        "vectors": vectors(),
        "build": cache.get("CMAKE_BUILD_TYPE", "unknown")
        + (f" {cache['TIDEMILL_SANITIZE']}" if cache.get("TIDEMILL_SANITIZE") else ""),
        "compiler": first_line(cache.get("CMAKE_CXX_COMPILER", "c++"), "--version"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": first_line("valgrind", "--version"),
    }


# Counts are compared only if these are as recorded; other differences are said.
MUST_AGREE = ("machine", "vectors", "build")


def differences(recorded, now):
    return [key for key in now if recorded.get(key) != now[key]]


# --- comparing ------------------------------------------------------------------------------------


@dataclass
class Compared:
    name: str
    recorded: float | None
    counted: float | None
    verdict: str  # "same", "fewer", "MORE", "NOT RECORDED", "NOT COUNTED"

    @property
    def ratio(self):
        return self.counted / self.recorded if self.recorded and self.counted else None

    @property
    def failed(self):
        return self.verdict.isupper()


def verdict(recorded, counted, margin):
    if recorded is None:
        return "NOT RECORDED"
    if counted is None:
        return "NOT COUNTED"
    if counted > recorded * (1 + margin):
        return "MORE"
    return "fewer" if counted < recorded * (1 - margin) else "same"


def compare(recorded, counted, margin):
    """Each benchmark of either, in the order in which they are counted."""
    names = list(counted) + [name for name in recorded if name not in counted]
    return [Compared(name, recorded.get(name), counted.get(name),
                     verdict(recorded.get(name), counted.get(name), margin)) for name in names]


def table(compared):
    def shown(value, form):
        return format(value, form) if value is not None else "-"

    width = max((len(c.name) for c in compared), default=0)
    lines = [f"{'instructions per item':{width}} {'recorded':>12} {'now':>12} {'ratio':>7}"]
    lines += [f"{c.name:{width}} {shown(c.recorded, ',.1f'):>12} {shown(c.counted, ',.1f'):>12} "
              f"{shown(c.ratio, '.3f'):>7}{'' if c.verdict == 'same' else '  ' + c.verdict}"
              for c in compared]
    return "\n".join(lines)


def read_record(path):
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        return {"made_with": {}, "instructions_per_item": {}}


def write_record(path, counted, with_what):
    """Renews what was counted, and keeps the rest of a record that was made with the same."""
    before = read_record(path)
    kept = before["instructions_per_item"] if not differences(before["made_with"], with_what) else {}
    counts = kept | {name: round(value, 1) for name, value in counted.items()}
    ordered = {name: counts[name] for name in BENCHMARKS if name in counts}
    Path(path).write_text(
        json.dumps({"made_with": with_what, "instructions_per_item": ordered}, indent=2) + "\n")


def spread(rounds):
    """Of several counts of the same: the greatest difference between two of a benchmark, as a share."""
    return max((max(r[name] for r in rounds) / min(r[name] for r in rounds) - 1
                for name in rounds[0]), default=0.0)


def usable_processors():
    return len(os.sched_getaffinity(0))
