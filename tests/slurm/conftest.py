"""A real SLURM on this machine: one controller and two nodes, each in a process namespace of its own, without systemd.

Debian's slurm-wlm 22.05 and munge. A node's namespace is the node: killing it takes everything that ran there along.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.runs import CHECKOUT, RUN, Pace, metrics, wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "unshare")
PORTS = range(21000, 29000, 10)  # below those that the system hands out by itself

CONFIGURATION = """
ClusterName=trial
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/munge.sock,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0
PriorityType=priority/basic
JobRequeue=1
ReturnToService=1
SlurmctldTimeout=30
SlurmdTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=3600
MaxArraySize=10001
MaxJobCount=20000
GresTypes=gpu
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port={first}-{second} CPUs=4 RealMemory=16000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES DefMemPerCPU=100 MaxTime=INFINITE State=UP
PartitionName=short Nodes=ALL MaxTime=30 State=UP
"""


@dataclass
class Cluster:
    """The daemons, and what a user does at their terminal."""

    folder: Path
    lock: int
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Cluster:
        folder.chmod(0o755)
        for name in ("etc", "run", "log", "state", "spool/n1", "spool/n2", "munge"):
            (folder / name).mkdir(parents=True)
        port, lock = _ports()
        text = CONFIGURATION.format(folder=folder, port=port, first=port + 1, second=port + 2)
        (folder / "etc" / "slurm.conf").write_text(text)
        # Two different devices: SLURM hands them out as if they were GPUs.
        (folder / "etc" / "gres.conf").write_text("NodeName=n[1-2] Name=gpu File=/dev/null,/dev/zero\n")
        (folder / "munge" / "key").write_bytes(os.urandom(128))
        (folder / "munge" / "key").chmod(0o400)
        sbin = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
        # Other machines' leases are taken for dead after these seconds instead of 60.
        extra = {"SLURM_CONF": str(folder / "etc" / "slurm.conf"), "UNCERTAINTY_BENCH_DEAD_SECONDS": "10"}
        return cls(folder, lock, {**os.environ, **extra, "PATH": sbin})

    def start(self) -> None:
        munge = self.folder / "munge"
        options = {"key-file": "key", "socket": "munge.sock", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        self._daemon("munged", "munged", "-F", *(f"--{key}={munge / name}" for key, name in options.items()))
        wait_for((munge / "munge.sock").exists)
        self.start_controller("-c")
        for node in ("n1", "n2"):
            self.start_node(node)
        wait_for(lambda: self.ask("sinfo", "-h", "-o", "%T") == "idle", 60)

    def start_controller(self, *options: str) -> None:
        self._daemon("slurmctld", "slurmctld", "-D", *options)

    def start_node(self, name: str) -> None:
        isolated = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child=KILL")
        self._daemon(name, *isolated, "slurmd", "-D", "-N", name, cwd=self.folder / "spool" / name)

    def kill(self, name: str) -> None:
        """A daemon, and with a node all that runs on it, gone at once."""
        self.daemons[name].kill()
        self.daemons.pop(name).wait()

    def stop(self) -> None:
        if "slurmctld" in self.daemons:
            self.call("scancel", "--full", "-u", "root", check=False)
        for name in ("n1", "n2"):
            if name in self.daemons:
                self.kill(name)
        for name in ("slurmctld", "munged"):
            if name in self.daemons:
                self.daemons[name].terminate()
                try:
                    self.daemons[name].wait(10)
                except subprocess.TimeoutExpired:
                    self.kill(name)
        os.close(self.lock)

    def heal(self) -> None:
        """Between two tests: nothing queued, both nodes up."""
        self.call("scancel", "--full", "-u", "root", check=False)
        if "slurmctld" not in self.daemons:
            self.start_controller()
        for name in ("n1", "n2"):
            if name not in self.daemons:
                self.start_node(name)
        wait_for(lambda: not self.ask("squeue", "-h"), 60)

        def idle() -> bool:
            for name in ("n1", "n2"):
                self.call("scontrol", "update", f"NodeName={name}", "State=RESUME", check=False)
            return self.ask("sinfo", "-h", "-o", "%T") == "idle"

        if self.ask("sinfo", "-h", "-o", "%T") != "idle":
            wait_for(idle, 60)

    def call(self, *command: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=check, timeout=timeout
        )

    def requeued(self) -> None:
        """Start a requeued job now: it waits until its credential has expired (two minutes; here 11 s)."""
        wait_for(lambda: any("PENDING" in line for line in self.jobs()), 150)
        busy = ("alloc", "mix", "comp")  # the job's end is still being seen to
        wait_for(lambda: not any(word in self.ask("sinfo", "-h", "-o", "%T") for word in busy), 60)
        time.sleep(2)  # a credential made in the second that the old one was revoked in is taken for that one
        for line in self.jobs("%i"):
            self.call("scontrol", "update", f"JobId={line}", "StartTime=now", check=False)

    def ask(self, *command: str) -> str:
        return self.call(*command, check=False).stdout.strip()

    def jobs(self, form: str = "%i %T") -> list[str]:
        return self.ask("squeue", "-h", "-r", "-o", form).splitlines()

    def _daemon(self, name: str, *command: str, cwd: Path | None = None) -> None:
        with open(self.folder / "log" / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen(
                command, env=self.environment, cwd=cwd or self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )


def _ports() -> tuple[int, int]:
    """Three free ports that no other cluster of these tests takes, and the lock on them."""
    for first in PORTS:
        lock = os.open(f"/tmp/uncertainty-bench-ports-{first}.lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        return first, lock
    raise RuntimeError("no free ports")


@pytest.fixture(scope="session")
def running_cluster():
    missing = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if missing:
        pytest.skip(f"no SLURM here: {', '.join(missing)} (apt-get install slurm-wlm munge)")
    isolated = ["unshare", "--fork", "--pid", "--mount-proc", "true"]
    if os.geteuid() or subprocess.run(isolated, capture_output=True).returncode:
        pytest.skip("a SLURM of one's own needs root and process namespaces")
    # munge refuses a socket below a folder that others cannot enter, as pytest's are.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster.make(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def cluster(running_cluster):
    running_cluster.heal()
    return running_cluster


@pytest.fixture
def terminal(cluster, tmp_path):
    """`terminal("status")` runs the command line where jobs can be submitted, its folders below tmp_path."""
    started = []

    def call(*arguments: str, wait: float | None = 240, code: int | None = 0, cwd: Path = tmp_path):
        process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "bench.py"), *arguments],
            cwd=cwd,
            env=cluster.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        if wait is None:
            return process
        output, _ = process.communicate(timeout=wait)
        assert code is None or process.returncode == code, output
        return output

    yield call
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


ON_SLURM = ("--slurm", "--mem", "1G")


@pytest.fixture
def pace(cluster, tmp_path):
    """How long an epoch lasts, in jobs and on this machine."""
    pace = Pace(tmp_path / "pace")
    cluster.environment |= pace.variable
    return pace


@pytest.fixture(scope="session")
def undisturbed(running_cluster, tmp_path_factory):
    """The metrics of three seeds of RUN, done on this machine."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, str(CHECKOUT / "bench.py"), *RUN[:-1], "3"]
    environment = {key: value for key, value in running_cluster.environment.items() if key != "SLOW_FILE"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=240)
    return metrics(folder / "runs")


def job_processes(runs: Path) -> list[int]:
    """The processes of the jobs that were submitted from a runs folder: those of submitit, then what came of them."""
    children: dict[int, list[int]] = {}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().split(b"\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(path.name))
        if (
            b"submitit.core._submit" in command
            and b"srun" not in command[0]
            and str(runs).encode() in b" ".join(command)
        ):
            found.append(int(path.name))
    for pid in found:
        found += children.get(pid, [])
    return list(dict.fromkeys(found))
