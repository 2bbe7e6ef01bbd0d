"""Any text as a flag's value: the value, or one error that names it, at once."""

from argparse import ArgumentTypeError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import main
from benchmarks.cli.options import parser
from benchmarks.cli.values import MOST_SEEDS, filled, folder, jobs, parse_names, parse_noise, parse_seeds, path, whole
from benchmarks.cli.verbs import retry
from benchmarks.launch.journal import Launch
from benchmarks.launch.slurm.settings import SlurmSettings
from benchmarks.plan.grid import parse_set
from benchmarks.store.runs import Store
from common.errors import UserError

TEXT = st.text(max_size=30) | st.from_regex(r"[-0-9.,²eE: ]{0,12}") | st.binary(max_size=8).map(
    lambda one: one.decode(errors="surrogateescape")
)  # fmt: skip


@given(TEXT)
@settings(max_examples=500, deadline=500)
def test_any_text_is_a_value_or_one_error(text):
    readers = (filled, path, folder, jobs, whole(0, 9), parse_names, parse_noise, parse_seeds, parse_set)
    for read in readers:
        try:
            value = read(text)
        except (UserError, ArgumentTypeError):
            continue
        if read is parse_seeds:
            assert 0 < len(value) <= max(MOST_SEEDS, len(text)) and all(0 <= seed < 2**32 for seed in value)
        if read is parse_noise:
            assert all(0 <= noise.ratio < 1 for noise in value)


FLAGS = [
    "--partition",
    "--mem",
    "--time",
    "--gpus-per-node",
    "--cpus-per-task",
    "--grace",
    "--slurm-set",
    "--runs-per-job",
]


OPTIONS = st.from_regex(r"(gres|setup|nice|additional_parameters)=[\[\]{}\"a-z0-9:,]{0,12}")


@given(st.sampled_from(FLAGS), TEXT | OPTIONS)
@settings(max_examples=300, deadline=500, suppress_health_check=list(HealthCheck))
def test_any_text_is_a_slurm_setting_or_one_error(tmp_path, monkeypatch, flag, text):
    monkeypatch.chdir(tmp_path)
    try:
        found = SlurmSettings.from_flags(parser().parse_args(["run", "--slurm", f"{flag}={text}"]))
    except UserError as error:
        assert str(error).isprintable()
    else:
        assert found.gpus >= 0


def test_weights_that_do_not_fit_are_known_before_the_first_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.pth").write_text("<html>")
    grid = ["--datasets", "digits", "--methods", "baseline", "--seeds", "1", "--noise", "0.1", "--weights", "page.pth"]
    assert main(grid) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "page.pth" in line and "torch.save" in line and not (tmp_path / "runs").exists()


def test_retry_looks_where_each_run_was_started(specs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = [None, None, tmp_path / "w.pth"]
    for number, (spec, own) in enumerate(zip(specs("rul", seeds=(0, 1, 2)), weights, strict=True)):
        data = tmp_path / f"data-{min(number, 1)}"
        launch = Launch(command="", data=data, typed={}, weights=own, plugins=(), specs=(spec,))
        launch.save(tmp_path / "runs")
        run = Store(tmp_path / "runs").run(spec)
        run.path.mkdir(parents=True)
        run.write_failure("no", "", launch.id)
    sessions = retry.sessions(parser().parse_args(["retry"]))
    found = {
        (one.context.sources.data.name, one.context.weights): [spec.seed for spec in one.specs] for one in sessions
    }
    assert found == {("data-0", None): [0], ("data-1", None): [1], ("data-1", tmp_path / "w.pth"): [2]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": {}}, "not all those of this version"),
        ({"config": {"vriant": 1}}, "rul.vriant"),
        ({"dataset": "gone"}, "gone"),
        ({"method": "gone"}, "plug-in of method 'gone'"),
    ],
)
def test_retry_leaves_out_what_it_cannot_do(specs, tmp_path, monkeypatch, capsys, change, words):
    monkeypatch.chdir(tmp_path)
    spec = specs("rul")[0].model_copy(update=change)
    spec = type(spec).model_validate(spec.model_dump())
    run = Store(tmp_path / "runs").run(spec)
    run.path.mkdir(parents=True)
    run.write_failure("no", "")
    run.spec.write_text(spec.model_dump_json())
    assert main(["retry"]) == 0
    text = capsys.readouterr().out
    assert "is left out" in text and words in text and "no run has failed" in text
