"""Whatever lies under the names of a run's files: it is bad for that run alone, and says why."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import main
from benchmarks.launch.journal import Journal, Launch
from benchmarks.plan.spec import RunSpec
from benchmarks.store import lease
from benchmarks.store.lease import Lease, Observer
from benchmarks.store.record import BadRecord, Record, read_record, write_record
from benchmarks.store.run_folder import STALE_SECONDS, RunFolder
from benchmarks.store.runs import Store


@pytest.fixture
def spec(specs):
    return specs("rul")[0]


@pytest.fixture
def folder(spec, tmp_path):
    run = Store(tmp_path / "runs").run(spec)
    run.path.mkdir(parents=True)
    return run


def record_of(spec):
    return Record(
        run_id=spec.run_id, spec=spec, metrics={"last": {"accuracy": 0.5}}, noise={}, relabelling=[], timing={},
        provenance={},
    )  # fmt: skip


def changed(record, **spec):
    """The record with some of its spec's values changed, and the id left as it was."""
    content = record.model_dump(mode="json")
    content["spec"] |= spec
    return content


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda record: changed(record, seed=1), "its settings are those of run"),
        (lambda record: changed(record, method="dul"), "its settings are those of run"),
        (lambda record: changed(record, dataset="faces"), "its settings are those of run"),
        (lambda record: changed(record, noise={"kind": "symmetric", "ratio": 0.5}), "its settings are those of run"),
        (lambda record: changed(record, config={}), "its settings are those of run"),
        (lambda record: changed(record) | {"run_id": "00000000"}, "its settings are those of run"),
        (lambda record: changed(record, method="../../x"), "spec.method: must not begin"),
        (lambda record: changed(record, method="a/b"), "spec.method: must not"),
        (lambda record: changed(record, method="a\x1b[2Jb"), "spec.method: must hold no control"),
        (lambda record: changed(record, dataset=".."), "spec.dataset: must be a name"),
        (lambda record: changed(record, seed=-1), "spec.seed"),
        (lambda record: changed(record) | {"metrics": {"last": {"accuracy": "x\n"}}}, "metrics"),
        (lambda record: record_of(record.spec.model_copy(update={"seed": 1})).model_dump(mode="json"), "another run"),
    ],
)
def test_a_record_is_one_only_of_its_own_settings_and_folder(folder, spec, change, reason):
    record = record_of(spec)
    write_record(folder.record, record)
    assert read_record(folder.record).run_id == spec.run_id and folder.done()
    content = change(record)
    if content["spec"] != record.spec.model_dump(mode="json") and "another run" in reason:
        content["run_id"] = RunSpec.model_validate(content["spec"]).run_id
    folder.record.write_text(json.dumps(content))
    with pytest.raises(BadRecord, match=reason) as error:
        read_record(folder.record)
    assert str(error.value).isprintable()
    assert not folder.done() and folder.status().state == "corrupt"


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_record_that_was_moved_is_no_record(folder, spec, tmp_path, part):
    write_record(folder.record, record_of(spec))
    names = list(spec.folder.parts)
    names[part] = {0: "faces", 1: "dul", 2: "noise-0.90", 3: f"seed-1-{spec.run_id}"}[part]
    elsewhere = tmp_path / "runs" / Path(*names)
    elsewhere.parent.mkdir(parents=True, exist_ok=True)
    folder.path.rename(elsewhere)
    with pytest.raises(BadRecord, match="another run"):
        read_record(elsewhere / "record.json")


def test_a_record_without_a_later_setting_keeps_its_id(folder, spec):
    """As those of the first release are: the setting's default is no part of the id."""
    content = record_of(spec).model_dump(mode="json")
    del content["spec"]["noise_seed"], content["spec"]["recipe"]["compile"]
    folder.record.write_text(json.dumps(content))
    assert read_record(folder.record).spec == spec


NAMES = (
    "record.json",
    "spec.json",
    "progress.json",
    "failure.json",
    "attempts.json",
    "lease-1",
    "run.log",
    "checkpoint.pt",
)
STRANGE = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "no UTF-8": lambda path: path.write_bytes(b'{"host": "\xff"}'),
    "deep": lambda path: path.write_text("[" * 100_000),
    "a list": lambda path: path.write_text("[]"),
    "other types": lambda path: path.write_text(
        '{"time": "yesterday", "epoch": "x", "pid": [], "images_per_second": NaN}'
    ),
    "huge numbers": lambda path: path.write_text(
        '{"time": 1e999, "epoch": 1e99, "count": 99999999999999999999, "pid": 1e30}'
    ),
    "unable to be entered": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_file_is_bad_for_its_run_alone(folder, specs, name, kind, capsys):
    other = Store(folder.path.parents[3]).run(specs("scn")[0])
    write_record(other.record, record_of(specs("scn")[0]))
    STRANGE[kind](folder.path / name)
    assert main(["status", "--runs", str(folder.path.parents[3])]) == 0
    text = capsys.readouterr().out
    assert "1 done" in text
    if name == "record.json":
        assert "1 corrupt" in text and "record.json: " in text
    if name == "failure.json":
        assert "1 failed" in text and "failure.json is unreadable: " in text
    assert folder.read_spec() is None and folder.saved_epoch() == 0
    assert folder.failed_under() == (("", 0.0) if name == "failure.json" else None)
    after = Observer().look(folder.path)[1]
    held = Lease.take(folder.path, after)  # and the run can be done
    assert held is not None and held.held()
    mine = RunFolder(folder.path, held)
    mine.clear_for_run()
    with open(mine.log, "a") as log:
        log.write("x")
    assert mine.count_attempt("a") == 1
    mine.write_failure("no", "")
    assert mine.failed_under()[0] == ""
    mine.write_record(record_of(specs("rul")[0]))
    held.release()
    assert folder.done() and folder.status().state == "done"


@pytest.mark.parametrize("name", ["lease-²", "lease-x", "lease-", "lease--1", "lease-1.5", "leases"])
def test_what_is_named_like_a_lease_is_none(folder, name):
    (folder.path / name).write_text("{}")
    assert lease.look(folder.path) is None


def test_a_lease_with_a_long_number_can_be_taken_over(folder):
    (folder.path / f"lease-{'9' * 100}").write_text("{}")
    assert Lease.take(folder.path, lease.look(folder.path).number).held()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda launch: b"\xff", "not valid JSON"),
        (lambda launch: b"{}", "command: field required"),
        (lambda launch: launch.model_dump_json().replace('"method":"rul"', '"method":"/etc/x"').encode(), "method"),
        (lambda launch: launch.model_dump_json().replace(launch.id, "../../../x").encode(), "id: "),
        (lambda launch: launch.model_dump_json().replace(launch.id, "0123456789ab").encode(), "of launch 0123456789ab"),
        (lambda launch: launch.model_dump_json().replace('"jobs":[]', '"jobs":["1; rm"]').encode(), "jobs"),
        (lambda launch: b"[" * 10**6, "recursion"),
    ],
)
def test_a_strange_launch_is_no_launch_and_named(folder, spec, content, words, capsys):
    runs = folder.path.parents[3]
    good, bad = (Launch(command="x", data=runs, specs=(spec,)) for _ in range(2))
    for launch in (good, bad):
        launch.save(runs)
    (runs / ".launches" / f"{bad.id}.json").write_bytes(content(bad))
    journal = Journal(runs)
    assert [launch.id for launch in journal.all()] == [good.id]
    (reason,) = journal.unreadable()
    assert bad.id in reason and words in reason and reason.isprintable()
    assert main(["status", "--runs", str(runs)]) == 0 and words in capsys.readouterr().out
    journal.prune()
    os.mkfifo(runs / ".launches" / "pipe.json")
    (runs / ".launches" / "folder.json").mkdir()
    assert len(Journal(runs).unreadable()) == 3


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.lists(st.integers(), max_size=2)
)
KEYS = st.sampled_from(
    ["host", "epoch", "epochs", "done", "time", "message", "launch", "pid", "where", "owner", "run_id"]
)


@given(
    name=st.sampled_from(NAMES[:6]),
    content=st.binary(max_size=300)
    | st.dictionaries(KEYS, VALUES, max_size=6).map(lambda one: json.dumps(one).encode()),
)
@settings(max_examples=300, deadline=1000, suppress_health_check=list(HealthCheck))
def test_any_bytes_leave_status_a_state(folder, name, content):
    for path in folder.path.iterdir():
        path.unlink()
    (folder.path / name).write_bytes(content)
    status = folder.status()
    assert status.state in ("corrupt", "running", "stale", "failed", "absent") and status.detail.isprintable()
    assert folder.read_spec() is None and not folder.done() and folder.saved_epoch() >= 0
    folder.failed_under()
    Observer().look(folder.path)


def _stop(process):
    os.kill(process.pid, signal.SIGSTOP)
    end = time.monotonic() + 10
    while lease._state(process.pid)[0] != "T":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_stopped_process_is_said_taken_over_and_let_go(folder):
    process = subprocess.Popen(["sleep", "60"])
    try:
        _stop(process)
        who = lease.Process(pid=process.pid, started=lease._state(process.pid)[1], where=lease.where())
        holder = lease.Holder(owner="x", **who.model_dump())
        path = folder.path / "lease-1"
        path.write_text(holder.model_dump_json())
        assert folder.status().state == "running"  # stopped just now
        os.utime(path, (time.time() - STALE_SECONDS - 60,) * 2)
        status = folder.status()
        assert status.state == "stale" and f"process {process.pid} is stopped" in status.detail
        assert f"kill -CONT {process.pid}" in status.detail
        assert Lease.take(folder.path, 1).held()
        end = time.monotonic() + 10
        while lease._state(process.pid)[0] == "T":  # it goes on, finds out and ends
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


def test_what_a_writer_that_lost_the_run_left_half_written_is_tidied(folder, spec):
    held = Lease.take(folder.path, 0)
    mine = RunFolder(folder.path, held)
    (folder.path / ".checkpoint.pt.0123abcd.tmp").write_bytes(b"half")
    mine.write_record(record_of(spec))
    held.release()
    assert [path.name for path in folder.path.iterdir()] == ["record.json"]
