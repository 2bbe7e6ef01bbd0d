"""What several test folders need: small resolved runs, and the command line as a user calls it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


# Files that take minutes, first: where each worker does whole files, one of them at the end would keep all waiting.
SLOW_FILES = ("slurm/test_faults", "cli/test_command_line", "launch/test_shared_folder", "train/test_precision")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow files first, everything else in its order."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in SLOW_FILES))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The tests run side by side; each process keeps to one core."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """Decoded data sets go into a folder of the test session, never into a user's."""
    os.environ["UNCERTAINTY_BENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def own_plugins(monkeypatch):
    """What a test's plug-ins register is gone after it."""
    from datasets.registry import DATASETS
    from methods.registry import METHODS

    for registry in (METHODS, DATASETS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("plugin_"):
            del sys.modules[name]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """`bench("list")` calls the command line, its data and runs folders below tmp_path.

    In this process, so that the runs of all tests fork from one server: to start one takes longer than most tests.
    """
    from bench import main

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        output, errors = io.StringIO(), io.StringIO()
        monkeypatch.chdir(tmp_path)
        with mock.patch.dict(os.environ), redirect_stdout(output), redirect_stderr(errors):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())

    return call


@pytest.fixture
def specs(tmp_path):
    """`specs("rul", "scn", epochs=2)`: resolved runs of those methods on the digits."""
    from benchmarks.plan import grid as plan
    from benchmarks.plan.spec import Noise
    from benchmarks.plan.suite import Arm

    def resolve(*methods, epochs=2, seeds=(0,), noise=(0.2,), sets=(), dataset="digits"):
        request = plan.Request(
            arms=tuple(Arm(method=name) for name in methods),
            datasets=(dataset,),
            noise=tuple(Noise(ratio=ratio) for ratio in noise),
            seeds=seeds,
            epochs=epochs,
            sets=tuple(plan.parse_set(text) for text in sets),
        )
        return plan.resolve(request, request.sources(tmp_path / "data"))

    return resolve


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where everything is installed (`.ci/run` sets NO_SKIPS), a test that was skipped has failed."""
    report = yield
    if report.skipped and os.environ.get("NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report
