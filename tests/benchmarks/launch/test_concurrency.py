"""How many runs at once."""

import argparse
from contextlib import contextmanager

import pytest
import torch

from benchmarks.cli.values import jobs
from benchmarks.launch import concurrency as capacity
from benchmarks.launch import probe as worker
from benchmarks.launch.concurrency import Capacity
from benchmarks.plan.paths import Sources
from benchmarks.train.context import RunContext
from common.errors import UserError

GPUS = ["cuda:0", "cuda:1"]


@pytest.fixture
def context(tmp_path):
    def make(threads=1):
        return RunContext(runs=tmp_path, sources=Sources(tmp_path), threads=threads)

    return make


@pytest.fixture
def gpu(monkeypatch):
    """`gpu({1: 100, 2: 190}, mib=1000)`: images/s of so many runs on a card of 8 GiB; returns the numbers tried."""

    def set_up(rates, mib=1000.0, cores=64):
        tried = []

        class Fake:
            device_mib = mib

        @contextmanager
        def workers(count, spec, context, devices):
            assert devices == GPUS[:1]
            tried.append(count)
            if count not in rates:
                raise UserError("a measuring process ended with exit code 1")
            yield [Fake()] * count

        monkeypatch.setattr(worker, "workers", workers)
        monkeypatch.setattr(worker, "together", lambda running, steps: rates[len(running)])
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 2**30, 8 * 2**30))
        monkeypatch.setattr(capacity, "cores", lambda: cores)
        return tried

    return set_up


@pytest.mark.parametrize(("cores", "threads", "jobs"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (2, 4, 1)])
def test_a_cpu_has_one_thread_a_core(specs, context, monkeypatch, cores, threads, jobs):
    monkeypatch.setattr(capacity, "cores", lambda: cores)
    todo = specs("baseline", "rul", seeds=tuple(range(8)))
    assert capacity.capacity(None, todo, context(threads), ["cpu"]) == Capacity(jobs)


def test_a_number_that_was_asked_for_is_taken_and_never_more_than_there_are_runs(specs, context):
    todo = specs("baseline", "rul", "scn")
    assert capacity.capacity(2, todo, context(), ["cpu"]) == Capacity(2)
    assert capacity.capacity(9, todo, context(), ["cpu"]) == Capacity(3)


def test_the_cores_are_those_this_process_may_use():
    import os

    assert 1 <= capacity.cores() <= len(os.sched_getaffinity(0))


def test_a_gpu_is_shared_as_long_as_it_gains(specs, context, gpu):
    todo = specs("rul", seeds=tuple(range(16)))
    tried = gpu({1: 100, 2: 190, 4: 200, 8: 210})
    assert capacity.capacity(None, todo, context(), GPUS) == Capacity(4, pytest.approx(0.95 / 2))
    assert tried == [1, 2, 4]


def test_a_gpu_is_not_shared_beyond_its_memory(specs, context, gpu):
    todo = specs("rul", seeds=tuple(range(16)))
    tried = gpu({1: 100, 2: 190, 4: 380}, mib=2500.0)
    assert capacity.capacity(None, todo, context(), GPUS).jobs == 4
    assert tried == [1, 2]
    assert gpu({1: 100}, mib=100.0) == []
    assert capacity.capacity(None, todo, context(), GPUS).jobs == 2, "two did not fit after all"


def test_a_gpu_run_needs_a_core_of_its_own(specs, context, gpu):
    tried = gpu({1: 100, 2: 200, 4: 400}, cores=4)
    assert capacity.capacity(None, specs("rul", seeds=tuple(range(16))), context(), GPUS).jobs == 4
    assert tried == [1, 2]


def test_nothing_is_measured_where_every_run_has_a_gpu(specs, context, gpu):
    tried = gpu({})
    assert capacity.capacity(None, specs("rul", "scn"), context(), GPUS) == Capacity(2)
    assert tried == []


def test_jobs_as_users_write_them():
    assert jobs("auto") is None and jobs("4") == 4
    for bad in ("0", "-1", "many", "1.5", "²", "", "9" * 5000):
        with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number"):
            jobs(bad)
