"""What of the SLURM path needs no SLURM: settings, packing, times, states, devices."""

import json
import pickle
from dataclasses import dataclass

import pytest

from benchmarks.cli.flags import Parser, slurm
from benchmarks.cli.verbs.status import status
from benchmarks.launch import devices, scheduler
from benchmarks.launch.journal import Journal, Launch
from benchmarks.launch.scheduler import QueuedTask
from benchmarks.launch.slurm import packing
from benchmarks.launch.slurm.executor import SlurmJobs
from benchmarks.launch.slurm.settings import SlurmSettings
from benchmarks.launch.status import RunsStatus
from benchmarks.plan.paths import Sources
from benchmarks.plan.spec import RunSpec
from benchmarks.store.lease import Lease, process
from benchmarks.store.record import write_record
from benchmarks.store.runs import Store
from benchmarks.train.context import RunContext
from common.errors import UserError
from tests.benchmarks.store.test_foreign_files import record_of


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("30", 30), ("0:30", 1), ("5:01", 6), ("1:30:00", 90), ("2-0", 2880), ("1-02:03:04", 1440 + 124)),
        *(("infinite", None), ("0", None), ("1:2:3:4", None), ("-5", None), ("a", None), ("", None), ("5m", None)),
    ],
)
def test_slurms_times(text, minutes):
    assert scheduler.minutes(text) == minutes


def _settings(tmp_path, monkeypatch, *arguments, toml=None):
    monkeypatch.chdir(tmp_path)
    if toml is not None:
        (tmp_path / "slurm.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    parser = Parser()
    slurm(parser)
    return SlurmSettings.from_flags(parser.parse_args(["--slurm", *arguments]))


def test_flags_win_over_the_file(tmp_path, monkeypatch):
    toml = 'partition = "a"\ntime = "2:00:00"\n[set]\nexclude = "n1"\nnice = 5\n'
    settings = _settings(tmp_path, monkeypatch, "--partition", "b", "--slurm-set", "nice=7", "--mem", "16G", toml=toml)
    assert (settings.partition, settings.time, settings.mem) == ("b", 120, "16G")
    assert settings.set == {"exclude": "n1", "nice": 7}


@pytest.mark.parametrize(
    ("arguments", "toml", "words"),
    [
        (["--time", "soon"], None, ["--time soon", "minutes"]),
        (["--mem", "much"], None, ["--mem much"]),
        (["--gpus-per-node", "-1"], None, ["--gpus-per-node -1"]),
        (["--time", "²"], None, ["--time ²", "minutes"]),
        (["--time", "9" * 5000], None, ["--time", "minutes"]),
        (["--mem", "16 G"], None, ["--mem 16 G", "e.g. 16G"]),
        (["--mem", "16G\n"], None, ["--mem"]),
        (["--gpus-per-node", "many"], None, ["--gpus-per-node many", "a100:2"]),
        (["--gpus-per-node", "a100:"], None, ["--gpus-per-node a100:"]),
        (["--cpus-per-task", "99999999999"], None, ["--cpus-per-task"]),
        (["--gpus-per-node", "1", "--slurm-set", "gres=gpu:1"], None, ["--gpus-per-node", "gres", "one of them"]),
        (["--slurm-set", "gpus=1"], None, ["'gpus'", "--gpus-per-node"]),
        (["--slurm-set", "gpus-per-task=1"], None, ["'gpus_per_task'", "--gpus-per-node"]),
        (["--slurm-set", "tres-per-task=gres/gpu:1"], None, ["'tres_per_task'", "--gpus-per-node"]),
        (["--slurm-set", "nice=1", "--slurm-set", "nice=2"], None, ["nice", "given twice"]),
        (["--slurm-set", 'additional_parameters={"output": "x"}'], None, ["'output'", "own affair"]),
        (["--slurm-set", 'additional_parameters={"no-requeue": true}'], None, ["'no_requeue'", "own affair"]),
        (["--slurm-set", "additional_parameters=3"], None, ["additional_parameters"]),
        (["--slurm-set", "comment={}"], None, ["'comment'", "a text, a number or true"]),
        (["--slurm-set", "hold=false"], None, ["'hold'"]),
        (["--slurm-set", "setup=[3]"], None, ["'setup'", "a line"]),
        (["--slurm-set", "setup=a\nb"], None, ["one line"]),
        ([], "set = 3", ["slurm.toml", "set"]),
        ([], b"\xff", ["slurm.toml", "UTF-8"]),
        ([], "x = " + 50_000 * "[", ["slurm.toml", "recursion"]),
        (["--slurm-set", "night"], None, ["--slurm-set night", "KEY=VALUE"]),
        (["--slurm-set", "job-name=x"], None, ["job_name", "own affair"]),
        (["--slurm-set", "partition=x"], None, ["--partition"]),
        (["--slurm-set", "a b=x"], None, ["a b"]),
        (["--partition", "a\nrm -r x"], None, ["--partition", "one line"]),
        (["--slurm-set", "comment=a\nrm -r x"], None, ["one line"]),
        ([], "partitoin = 'x'", ["slurm.toml", "partitoin", "partition, account"]),
        ([], "partition", ["slurm.toml"]),
        ([], "array_parallelism = 0", ["slurm.toml", "array_parallelism 0"]),
        ([], "time = true", ["slurm.toml", "time True", "number"]),
    ],
)
def test_wrong_settings_are_one_line(tmp_path, monkeypatch, arguments, toml, words):
    with pytest.raises(UserError) as error:
        _settings(tmp_path, monkeypatch, *arguments, toml=toml)
    assert all(word in str(error.value) for word in words) and str(error.value).isprintable()


@pytest.mark.parametrize(
    ("arguments", "gpus", "lines"),
    [
        ([], 0, []),
        (["--gpus-per-node", "2"], 2, ["#SBATCH --gpus-per-node=2"]),
        (["--gpus-per-node", "a100:2"], 2, ["#SBATCH --gpus-per-node=a100:2"]),
        (["--slurm-set", "gres=gpu"], 1, ["#SBATCH --gres=gpu"]),
        (["--slurm-set", "gres=gpu:4"], 4, ["#SBATCH --gres=gpu:4"]),
        (["--slurm-set", "gres=gpu:a100:1"], 1, ["#SBATCH --gres=gpu:a100:1"]),
        (["--slurm-set", "gres=nvme:1,gpu:a100:3(S:0-1)"], 3, ["#SBATCH --gres='nvme:1,gpu:a100:3(S:0-1)'"]),
        (["--slurm-set", "gres=nvme:1"], 0, ["#SBATCH --gres=nvme:1"]),
        (["--mem", "32g"], 0, ["#SBATCH --mem=32G"]),
        (["--slurm-set", "setup=a", "--slurm-set", "setup=b c"], 0, ["a", "b c"]),
        (["--slurm-set", 'setup=["a", "b"]'], 0, ["a", "b"]),
        (["--slurm-set", 'additional_parameters={"mail-type": "END"}'], 0, ["#SBATCH --mail-type=END"]),
    ],
)
def test_what_sbatch_is_given(tmp_path, monkeypatch, arguments, gpus, lines):
    settings = _settings(tmp_path, monkeypatch, *arguments)
    assert settings.gpus == gpus
    monkeypatch.setattr("benchmarks.launch.scheduler.available", lambda: True)
    launch = Launch(command="x", data=tmp_path, specs=())
    context = RunContext(runs=tmp_path, sources=Sources(tmp_path))
    monkeypatch.setattr("submitit.slurm.slurm.shutil.which", lambda name: f"/usr/bin/{name}")
    jobs = SlurmJobs(context, settings, launch, device="auto", jobs=None, wait=False)
    assert jobs.at_once == max(gpus, 1)
    jobs.minutes, jobs.tasks = 5, [()]
    script = jobs.preview().splitlines()
    assert [line for line in script if line in lines] == lines
    assert sum("gpu" in line for line in script if line.startswith("#SBATCH")) == (gpus > 0)


@dataclass(frozen=True)
class Run:
    """As much of a spec as packing looks at."""

    run_id: str
    members: tuple = ()


def _packed(seconds, at_once=1, **options):
    runs = [Run(f"{number}") for number in range(len(seconds))]
    took = {run.run_id: one for run, one in zip(runs, seconds, strict=True)}
    jobs = packing.pack(runs, took, at_once, **options)
    assert [run for job in jobs for run in job] == runs
    return [len(job) for job in jobs], packing.time_limit(jobs, took, at_once)


def test_short_runs_share_a_job_and_long_ones_have_their_own():
    assert _packed([100] * 12) == ([6, 6], 35)
    assert _packed([3600] * 3) == ([1, 1, 1], 135)
    assert _packed([100] * 12, runs_per_job=5) == ([5, 5, 2], 35)
    assert _packed([3600] * 8, at_once=4) == ([4, 4], 135)
    assert _packed([10, 5000, 10]) == ([2, 1], 185)
    assert _packed([1]) == ([1], 20)


def test_an_ensemble_comes_into_one_job_with_its_members():
    one, two, other = Run("1"), Run("2"), Run("3")
    ensemble = Run("e", (one, two))
    jobs = packing.pack([one, other, two, ensemble], dict.fromkeys(("1", "2", "3", "e"), 3600.0), 1)
    assert jobs == [(one, two, ensemble), (other,)]


@pytest.mark.parametrize(
    ("visible", "count", "found"),
    [
        ("", 0, ["cpu"]),
        ("0,2", 2, ["cuda:0", "cuda:1"]),  # CUDA counts what it is shown from 0
        ("MIG-a,MIG-b", 1, ["MIG-a", "MIG-b"]),
        ("MIG-a", 0, ["cpu"]),
    ],
)
def test_what_the_scheduler_shows_is_what_is_used(monkeypatch, visible, count, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert devices.devices("auto") == found
    assert devices.parts(found) == (2 if visible == "MIG-a,MIG-b" else None)
    assert devices.make_visible("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match="cuda:7"):
        devices.devices("cuda:7")


def test_a_part_of_a_gpu_is_all_that_its_run_sees(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a,MIG-b")
    assert devices.make_visible("MIG-b") == "cuda:0"
    assert devices.os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-b"


@pytest.fixture
def submitted(specs, tmp_path, monkeypatch):
    """Two runs in two jobs of an array, and what SLURM says of them: `queue[task]`, or None for no answer."""
    runs = specs("baseline", "scn")
    launch = Launch(command="x", data=tmp_path, specs=tuple(runs), jobs=("7",))
    launch = launch.model_copy(update={"arrays": ((((runs[0].run_id,), (runs[1].run_id,)),))})
    launch.save(tmp_path)
    queue = {}
    monkeypatch.setattr("benchmarks.launch.scheduler.tasks", lambda names: queue.get("answer"))

    def look(*tasks, answer=True):
        found = {(launch.job_name(0), number): task for number, task in enumerate(tasks) if task}
        queue["answer"] = found if answer else None
        return [one.state for one in RunsStatus(tmp_path).look(runs).values()], RunsStatus(tmp_path).look(runs)

    return runs, launch, look


def test_states_from_files_and_queue(submitted, tmp_path):
    runs, launch, look = submitted
    waits, works = QueuedTask("7_0", "PENDING", "", "Priority"), QueuedTask("7_1", "RUNNING", "n1", "None")
    states, found = look(waits, works)
    assert states == ["queued", "queued"]
    assert [one.detail for one in found.values()] == ["job 7_0, Priority", "job 7_1, next on n1"]
    assert look(answer=False)[0] == ["unknown", "unknown"]
    logs = launch.folder(tmp_path)
    logs.mkdir()
    (logs / "7_1_0_log.out").write_text("ImportError: no torch\n\n")
    states, found = look(waits, None)
    assert states == ["queued", "failed"]
    assert "7_1 ended without a result: ImportError: no torch" in (last := found[runs[1].run_id]).detail
    assert last.log == logs / "7_1_0_log.out" and not last.final
    folder = Store(tmp_path).run(runs[1])
    Lease.take(folder.path, 0, "another launch")
    assert look(waits, None)[0] == ["queued", "running"]
    Lease.take(folder.path, 1, launch.id)
    assert look(waits, works)[0] == ["queued", "running"] and look(answer=False)[0] == ["unknown", "running"]
    assert look(waits, None)[0] == ["queued", "failed"]  # however alive its lease looks: its job has gone
    (folder.path / "lease-2").unlink()
    folder.write_failure("ValueError: old", "", "another launch")
    assert look(waits, works)[0] == ["queued", "queued"]  # that was before
    folder.write_failure("ValueError: new", "", launch.id)
    states, found = look(waits, works)
    assert states == ["queued", "failed"] and found[runs[1].run_id].final


def test_a_run_that_is_to_be_done_again_is_queued_until_it_is(submitted, tmp_path):
    """`--force --slurm`: its launch is forgotten only when no job of it is left."""
    runs, launch, look = submitted
    folders = {spec.run_id: Store(tmp_path).run(spec) for spec in runs}
    for spec in runs:
        write_record(folders[spec.run_id].record, record_of(spec))
    redo = {run_id: folder.fingerprint() for run_id, folder in folders.items()}
    launch.model_copy(update={"redo": redo}).save(tmp_path)
    logs, journal = launch.folder(tmp_path), Journal(tmp_path)
    logs.mkdir()
    waits = QueuedTask("7_0", "PENDING", "", "Priority")
    states, found = look(waits, QueuedTask("7_1", "PENDING", "", "Priority"))
    assert states == ["queued", "queued"] and "to be done again" in found[runs[0].run_id].detail
    journal.prune()
    assert look(answer=False)[0] == ["unknown", "unknown"]
    journal.prune()
    again = folders[runs[1].run_id].record
    again.write_text(again.read_text() + " ")  # done again: another record
    assert look(waits, None)[0] == ["queued", "done"] and logs.exists()
    states, found = look(None, None)
    assert states == ["done", "done"] and "7_0 ended without doing it again" in found[runs[0].run_id].detail
    journal.prune()
    assert journal.all() == [] and not logs.exists()


@pytest.mark.parametrize(
    ("launcher", "redo", "kept"), [({}, True, True), ({}, False, False), ({"pid": 2**22 + 1}, True, False)]
)
def test_a_local_launch_has_ended_when_its_runs_or_its_launcher_have(specs, tmp_path, launcher, redo, kept):
    (spec,) = specs("baseline")
    folder = Store(tmp_path).run(spec)
    write_record(folder.record, record_of(spec))
    launch = Launch(command="x", data=tmp_path, specs=(spec,), launcher={**dict(process()), **launcher})
    launch = launch.model_copy(update={"redo": {spec.run_id: folder.fingerprint()} if redo else {}})
    launch.save(tmp_path)
    assert RunsStatus(tmp_path).look()[spec.run_id].state == ("queued" if kept else "done")
    (journal := Journal(tmp_path)).prune()
    assert bool(journal.all()) is kept


def test_a_cancelled_launch_is_no_queue(submitted, tmp_path):
    _, launch, look = submitted
    launch.model_copy(update={"cancelled": True}).save(tmp_path)
    assert look(QueuedTask("7_0", "PENDING", "", ""), None)[0] == ["absent", "absent"]


class Trap:
    """A pickle that would leave a file where it was loaded."""

    def __reduce__(self):
        return open, ("trapped", "w")


def test_a_strangers_folder_is_looked_at_without_harm(specs, tmp_path, monkeypatch, capsys):
    from bench import main

    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    (spec,) = specs("baseline")
    folder = Store(runs).run(spec).path
    (runs / ".launches" / "0123456789ab").mkdir(parents=True)
    for name in ("1_submitted.pkl", "1_0_result.pkl", "1_0_log.out"):
        (runs / ".launches" / "0123456789ab" / name).write_bytes(pickle.dumps(Trap()))
    for number, content in enumerate(("", "[]", '{"id": "$(touch trapped)"}', "\0", json.dumps({"id": "x" * 12}))):
        (runs / ".launches" / f"{number}.json").write_text(content)
    (runs / ".launches" / "folder.json").mkdir()
    folder.mkdir(parents=True)
    for name in ("record.json", "failure.json", "progress.json", "lease-1", "checkpoint.pt", "predictions.npz"):
        (folder / name).write_bytes(pickle.dumps(Trap()))
    assert Journal(runs).all() == []
    assert "corrupt" in status(runs)
    for command in (["status"], ["status", "--json"], ["report", "summary"], ["retry"]):
        assert main([*command, "--runs", str(runs)]) in (0, 2), command
    assert not list(tmp_path.rglob("trapped"))


def test_plugins_are_code_and_must_be_named_again(specs, tmp_path, monkeypatch, capsys):
    from bench import main

    monkeypatch.chdir(tmp_path)
    (spec,) = specs("baseline")
    spec = RunSpec.model_validate({**spec.model_dump(), "method": "mine"})
    (tmp_path / "mine.py").write_text("open('trapped', 'w')")
    runs = tmp_path / "runs"
    Launch(command="x", data=tmp_path, specs=(spec,), plugins=(tmp_path / "mine.py",), launcher={}).save(runs)
    Store(runs).run(spec).path.mkdir(parents=True)
    Store(runs).run(spec).write_failure("x", "", "")
    assert main(["retry", "--runs", str(runs)]) == 2
    assert f"--plugin {tmp_path / 'mine.py'}" in capsys.readouterr().err
    assert not (tmp_path / "trapped").exists()
