"""Choosing a learning rate: the tried values, the choice, and what is never looked at."""

import argparse
import csv
import shlex

import pytest
import torch
import torchvision

from benchmarks.cli.verbs.tune import EDGE, _replace, section
from benchmarks.store.runs import Store
from methods.core.weights import sha256
from tests.runs import CHECKOUT


def test_the_rate_with_the_highest_mean_is_chosen_on_what_was_held_out(bench, tmp_path):
    flags = ("--recipe", "quick", "--epochs", "5", "--lr", "1e-6,0.01", "--methods", "baseline,scn", "--out", "page.md")
    done = bench("tune", "digits", *flags)
    assert done.returncode == 0, done.stderr
    records = [record for _, record in Store(tmp_path / "runs").records()]
    assert len(records) == 4 and all(record.spec.fold == (0, 10) and record.spec.seed == 100 for record in records)
    text = (tmp_path / "page.md").read_text()
    assert (
        "## digits, recipe quick, 5 of its " in text
        and "| **0.01** |" in text
        and text in done.stdout.replace("\nwritten: page.md\n", "") + text
    )
    for record in records:
        history = tmp_path / "runs" / record.spec.folder / "history.csv"
        with open(history, newline="") as file:
            curve = [100 * float(row["test_accuracy"]) for row in csv.DictReader(file)]
        assert f"{curve[-1]:.2f} ({curve[-1] - curve[-2]:+.2f})" in text, "five epochs: the last fifth is one"
    again = bench("tune", "digits", *flags)
    assert "0 runs to do, 4 finished already" in again.stdout and (tmp_path / "page.md").read_text() == text


@pytest.mark.parametrize(("best", "told"), [(0.05, True), (0.1, False), (0.2, True)])
def test_a_choice_at_an_end_of_the_grid_is_called_that(specs, best, told):
    (spec,) = specs("baseline")
    flags = argparse.Namespace(
        name="digits", methods="baseline", lr="0.1,0.05,0.2", seed=100, epochs=None, recipe="quick"
    )
    found = {rate: {"baseline": [10.0, 50.0 + (rate == best)]} for rate in (0.1, 0.05, 0.2)}
    text = section(spec, found, flags, "the validation split")
    assert f"**{best:g}**" in text and (EDGE in text) is told


@pytest.mark.parametrize("rates", [(0.1, 0.2), (0.2, 0.1)])
def test_of_equal_means_the_lowest_rate_is_taken(specs, rates):
    (spec,) = specs("baseline")
    flags = argparse.Namespace(name="digits", methods="baseline,scn,rul", lr="", seed=100, epochs=None, recipe="quick")
    last = {0.1: (0.1, 0.2, 0.3), 0.2: (0.3, 0.2, 0.1)}  # whose sums differ in the last bit
    assert sum(last[0.1]) != sum(last[0.2])
    found = {rate: dict(zip(("baseline", "scn", "rul"), ([x] for x in last[rate]), strict=True)) for rate in rates}
    found = {rate: {name: [0.0, *curve] for name, curve in curves.items()} for rate, curves in found.items()}
    assert "| **0.1** |" in section(spec, found, flags, "the validation split")


def test_a_rate_at_which_a_method_diverges_is_not_chosen(bench, tmp_path):
    recipe = 'title = "grows"\nverdicts = "none"\nextends = "quick"\n[default]\noptimizer = "sgd"\nweight_decay = 1.0\n'
    (tmp_path / "grows.toml").write_text(recipe)  # lr x weight decay above 2: the weights grow without end
    flags = ("--recipe", "grows.toml", "--epochs", "1", "--methods", "baseline", "--out", "page.md")
    done = bench("tune", "digits", *flags, "--lr", "1e-3,500")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.md").read_text()
    assert "| diverged | 0.001 |" in text and "| – | **0.001** |" in text
    assert EDGE in text
    again = bench("tune", "digits", *flags, "--lr", "1e-3,500")
    assert "0 runs to do, 1 finished already" in again.stdout and (tmp_path / "page.md").read_text() == text
    for _ in range(2):  # the second time nothing is left to do
        done = bench("tune", "digits", *flags, "--lr", "500,900")
        assert done.returncode == 2 and "--lr 500,900: at each of these rates some method diverged" in done.stderr
    assert (tmp_path / "page.md").read_text() == text


def test_a_section_replaces_its_own_alone(tmp_path):
    page = tmp_path / "page.md"
    _replace(page, "## a, recipe x\n\nold\n")
    _replace(page, "## b, recipe x\n\nother\n")
    _replace(page, "## a, recipe x\n\nnew\n")
    assert page.read_text() == "# How learning rates were chosen\n\n## a, recipe x\n\nnew\n## b, recipe x\n\nother\n"


@pytest.mark.parametrize("heading", ["# Appendix", "## b, recipe x", "## "])
def test_what_stands_behind_a_section_stays(tmp_path, heading):
    page = tmp_path / "page.md"
    rest = f"{heading}\n\nmy own words\n\n### of mine\n"
    page.write_bytes(f"# Notes\r\n\n## a, recipe x\r\n\r\nold\n\n### too\n\n{rest}".encode())
    _replace(page, "## a, recipe x\n\nnew\n")
    assert page.read_bytes().decode() == f"# Notes\n\n## a, recipe x\n\nnew\n{rest}"


def test_a_page_that_is_no_text_is_refused_before_the_runs(bench, tmp_path):
    page = tmp_path / "page.md"
    page.write_bytes("# Größe\n".encode("latin-1"))
    done = bench("tune", "digits", "--recipe", "quick", "--epochs", "1", "--methods", "baseline", "--out", "page.md")
    assert done.returncode == 2 and done.stderr == "bench.py: --out page.md: not UTF-8 (byte 4)\n" and not done.stdout
    assert page.read_bytes() == "# Größe\n".encode("latin-1") and not (tmp_path / "runs").exists()


def test_the_printed_command_does_it_again(bench, tmp_path):
    (tmp_path / "my own.toml").write_text('title = "mine"\nextends = "quick"\n')
    call = ["digits", "--methods", "baseline", "--lr", "1e-3,0.01", "--seed", "101", "--recipe", "my own.toml"]
    done = bench("tune", *call, "--epochs", "1", "--out", "page.md")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.md").read_text()
    assert "## digits, recipe my own, 1 of its " in text
    program, script, *printed = shlex.split(text.split("```\n")[1])
    assert (program, script) == ("python", "bench.py") and printed == ["tune", *call, "--epochs", "1"]
    again = bench(*printed, "--out", "page.md")
    assert "0 runs to do, 2 finished already" in again.stdout and (tmp_path / "page.md").read_text() == text


def test_runs_start_from_the_weights_below_the_data_folder(bench, tmp_path):
    file = tmp_path / "data" / "weights" / "resnet18_msceleb.pth"
    file.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18().state_dict(), file)
    recipe = (
        'title = "t"\nextends = "quick"\n[default]\nbackbone = "resnet18"\npretrained = "msceleb"\nimage_size = 8\n'
    )
    (tmp_path / "mine.toml").write_text(recipe)
    call = ("dots", "--methods", "baseline", "--lr", "1e-4,1e-3", "--recipe", "mine.toml", "--epochs", "1")
    done = bench("tune", *call, "--plugin", str(CHECKOUT / "tests" / "tiny_plugin.py"), "--out", "page.md")
    assert done.returncode == 0, done.stderr
    records = [record for _, record in Store(tmp_path / "runs").records()]
    assert len(records) == 2 and {record.spec.weights for record in records} == {sha256(file)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits", "--seed", "3"), "tables use the low ones"),
        (("digits", "--lr", "0.1"), "expected 2 to 20 rates"),
        (("digits", "--lr", "0.1,fast"), "separated by commas"),
        (("digits", "--lr", "0.1,inf"), "expected 2 to 20 rates"),
        (("nope",), "unknown data set 'nope'"),
        (("digits", "--methods", "rull"), "did you mean 'rul'"),
    ],
)
def test_bad_input_is_one_line(bench, tmp_path, arguments, message):
    done = bench("tune", *arguments)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is written"
