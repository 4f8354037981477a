"""Where the processes of a chaos run live: a network namespace each, on one bridge.

The whole run happens in namespaces of its own (network, mounts, process ids), which enter_sandbox()
makes: whatever way it ends, the kernel ends its processes and removes its links and mounts, and
nothing outside is ever seen or touched.

    with Network() as network:
        node = network.add("worker-1")      # node.address is 10.213.0.3, node.command runs in it
        network.cut(node, other)            # node hears nothing of other any more
        network.heal()
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SUBNET = "10.213.0"
BRIDGE = "chaos"
CGROUPS = Path("/sys/fs/cgroup/memory/tidemill-chaos")
_INSIDE = "TIDEMILL_CHAOS_DIRECTORY"
_PREFIX = "tidemill-chaos-"
_PR_SET_PDEATHSIG = 1


# --- the sandbox ----------------------------------------------------------------------------------


def enter_sandbox():
    """The directory of this run. Outside of the sandbox this starts the same command in it, waits,
    cleans up and exits."""
    inside = os.environ.get(_INSIDE)
    if inside:
        _settle_in()
        tempfile.tempdir = inside
        return Path(inside)
    if os.geteuid() != 0:
        raise SystemExit("chaos: namespaces and cgroups need root")
    _remove_leftovers()
    directory = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    try:
        code = _run_inside(directory)
    finally:
        _clean_up(Path(directory))
    sys.exit(code)


def _run_inside(directory):
    child = subprocess.Popen(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
         sys.executable, *sys.argv],
        env={**os.environ, _INSIDE: directory}, preexec_fn=_die_with_parent)
    # A request to end is the child's end too; it cleans up nothing itself, as that is done here.
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            pass  # the child has got it as well, and says what it has so far


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _settle_in():
    # Python as the first process of its namespace would ignore SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    Path("/run/netns").mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "none", "/run/netns")
    _run("ip", "link", "set", "lo", "up")


def unmount_below(directory):
    """The small disks of one cluster."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in mounted:
        if Path(directory) in Path(path).parents:
            _run("umount", "-l", path)


def _clean_up(directory):
    # Processes that the kernel is still ending may write meanwhile.
    end = time.monotonic() + 10
    while directory.exists() and time.monotonic() < end:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.05)
    group = CGROUPS / directory.name
    for path in sorted(group.glob("*"), reverse=True):
        if path.is_dir():
            _remove_group(path)
    _remove_group(group)
    _remove_group(CGROUPS)


def _remove_group(path):
    try:
        path.rmdir()
    except OSError:
        pass  # not there, or a process of it is still ending; the next run removes it


def _remove_leftovers():
    """What runs have left that were ended by kill -9."""
    for place in (Path(tempfile.gettempdir()), CGROUPS):
        for path in place.glob(f"{_PREFIX}*-*"):
            pid = path.name.removeprefix(_PREFIX).split("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                _clean_up(Path(tempfile.gettempdir()) / path.name)


# --- the network ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A namespace with an address. `command`: what to put before a command so that it runs there."""

    name: str
    address: str

    @property
    def command(self):
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"]


class Network:
    """Nodes on a bridge; this script is at SUBNET.1."""

    def __init__(self):
        self.nodes = {}
        self._cut = set()  # (who hears nothing, of whom)

    def __enter__(self):
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "address", "add", f"{SUBNET}.1/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        return self

    def __exit__(self, kind, error, trace):
        for number, name in enumerate(self.nodes, 2):
            # Links first: the kernel removes a namespace, and what is in it, only some time later.
            _run("ip", "link", "delete", f"chaos{number}")
            _run("ip", "netns", "delete", name)
        _run("ip", "link", "delete", BRIDGE)

    def add(self, name):
        """A new node."""
        number = len(self.nodes) + 2
        node = Node(name, f"{SUBNET}.{number}")
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"chaos{number}", "type", "veth", "peer", "name", "eth0",
             "netns", name)
        _run("ip", "link", "set", f"chaos{number}", "master", BRIDGE, "up")
        for words in (["address", "add", f"{node.address}/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            _run("ip", "-n", name, *words)
        self.nodes[name] = node
        return node

    def cut(self, listener, speaker):
        """Nothing that `speaker` sends arrives at `listener`; the other way it does."""
        if not any(name == listener.name for name, _ in self._cut):
            _nft(listener, "add table inet chaos",
                 "add chain inet chaos in { type filter hook input priority 0; }")
        _nft(listener, f"add rule inet chaos in ip saddr {speaker.address} drop")
        self._cut.add((listener.name, speaker.name))

    def heal(self):
        """All links are whole again."""
        for name in {name for name, _ in self._cut}:
            _nft(self.nodes[name], "delete table inet chaos")
        self._cut.clear()


def _nft(node, *commands):
    _run(*node.command, "nft", "-f", "-", stdin="".join(f"{command}\n" for command in commands))


def _run(*words, stdin=""):
    run = subprocess.run([str(word) for word in words], input=stdin, text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {run.returncode}: {run.stdout}")
