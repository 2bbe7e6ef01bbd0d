"""Leases: one holder a run, dead ones taken over, nothing that trusts a clock or a lock."""

import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from benchmarks.store import lease
from benchmarks.store.lease import Lease, Observer, Superseded
from common.errors import UserError


def _race(folder, after, start, results):
    start.wait()
    held = Lease.take(folder, after)
    results.put(held is not None)


@pytest.mark.parametrize("after", [0, 3])
def test_of_many_at_once_one_gets_it(tmp_path, after):
    if after:
        (tmp_path / f"lease-{after}").write_text("{}")
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    racers = [context.Process(target=_race, args=(tmp_path, after, start, results)) for _ in range(8)]
    for racer in racers:
        racer.start()
    start.set()
    assert sum(results.get(timeout=30) for _ in racers) == 1
    for racer in racers:
        racer.join()
    assert [path.name for path in tmp_path.iterdir()] == [f"lease-{after + 1}"]


def test_taken_over_is_lost_and_says_so(tmp_path):
    first = Lease.take(tmp_path, 0)
    first.check()
    second = Lease.take(tmp_path, 1)
    with pytest.raises(Superseded):
        first.check()
    first.release()  # somebody else's lease is not this one's to release
    second.check()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_late_taker_and_a_new_holder_never_both_hold_it(tmp_path):
    """Somebody saw lease 3 as dead, and slept; in between it was taken over, done with, and taken anew."""
    (tmp_path / "lease-3").write_text("{}")
    between = Lease.take(tmp_path, 3)
    between.release()
    new = Lease.take(tmp_path, 0)
    late = Lease.take(tmp_path, 3)
    assert [one is not None and one.held() for one in (new, late)] == [False, True]
    assert Lease.take(tmp_path, 0) is None
    assert [path.name for path in tmp_path.iterdir()] == ["lease-4"]


def test_a_number_that_somebody_else_got_since_is_not_mine(tmp_path):
    first = Lease.take(tmp_path, 0)
    first.path.unlink()
    assert Lease.take(tmp_path, 0) is not None
    assert not first.held()


def test_the_holder_beats_and_notices_the_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)
    held, lost = Lease.take(tmp_path, 0), []
    held.keep(lost=lambda: lost.append(True))
    before = lease.look(tmp_path)
    _wait_for(lambda: lease.look(tmp_path) != before)
    Lease.take(tmp_path, 1)
    _wait_for(lambda: lost)


def _elsewhere(folder, number=1):
    path = folder / f"lease-{number}"
    path.write_text(json.dumps({**dict(lease.process()), "where": "elsewhere", "owner": "x"}))
    return path


def test_elsewhere_dead_is_who_stops_beating_whatever_the_clocks_say(tmp_path, monkeypatch):
    monkeypatch.setenv(lease.DEAD_VARIABLE, "1.5")
    monkeypatch.setattr("time.time", lambda: pytest.fail("a clock was asked"))
    path, observer = _elsewhere(tmp_path), Observer()
    for beat in (5e9, 1e6, 4e9, 3e9, 3.5e9):  # years ago, in years, forth and back
        os.utime(path, (beat, beat))
        assert observer.look(tmp_path) == (True, 1)
        time.sleep(0.1)
    time.sleep(1.6)
    assert observer.look(tmp_path) == (False, 1)
    assert Observer().look(tmp_path) == (True, 1)  # who has just come cannot know yet


@pytest.mark.parametrize("content", ["", '{"owner": "4f'])
def test_a_lease_that_is_being_written_is_somebodys_until_it_proves_dead(tmp_path, monkeypatch, content):
    monkeypatch.setenv(lease.DEAD_VARIABLE, "0.1")
    (tmp_path / "lease-2").write_text(content)
    observer = Observer()
    assert observer.look(tmp_path) == (True, 2)
    time.sleep(0.15)
    assert observer.look(tmp_path) == (False, 2)


def test_here_a_dead_process_is_known_at_once(tmp_path):
    code = "import sys, pathlib; from benchmarks.store import lease; lease.Lease.take(pathlib.Path(sys.argv[1]), 0)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert lease.look(tmp_path) is not None
    assert Observer().look(tmp_path) == (False, 1)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"owner": 3}', '{"pid": "x"}', '{"pid": -1, "where": 0}', "\0"])
def test_a_strangers_claim_is_read_without_harm(tmp_path, content):
    (tmp_path / "lease-1").write_text(content)
    assert Observer().look(tmp_path) == (True, 1)
    assert not Lease(tmp_path / "lease-1", "mine").held()


def test_a_link_to_nothing_is_a_dead_ones_lease_and_is_taken_over(tmp_path):
    (tmp_path / "lease-3").symlink_to(tmp_path / "nowhere")
    observer = Observer()
    observer.patience = 0.05
    assert observer.look(tmp_path) == (True, 3)
    _wait_for(lambda: not observer.look(tmp_path)[0])
    held = Lease.take(tmp_path, observer.look(tmp_path)[1])
    assert held is not None and held.held()
    held.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["lease-007", "lease-0", "lease-00"])
def test_a_number_that_no_holder_writes_is_nobodys(tmp_path, name):
    (tmp_path / name).write_text("{}")
    assert Observer().look(tmp_path) == (False, 0)
    held = Lease.take(tmp_path, 0)
    assert held is not None and held.held()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "lease-1"])


@pytest.mark.parametrize("text", ["5m", "", "0", "-1", "nan", "inf", "1e999", "\x1b[2J"])
def test_a_variable_that_is_no_time_is_named(monkeypatch, text):
    monkeypatch.setenv(lease.DEAD_VARIABLE, text)
    with pytest.raises(UserError, match=f"{lease.DEAD_VARIABLE}: must be a number of seconds above 0") as error:
        Observer()
    assert str(error.value).isprintable()
    monkeypatch.setenv(lease.DEAD_VARIABLE, " 2.5 ")
    assert lease.patience() == Observer().patience == 2.5
    monkeypatch.delenv(lease.DEAD_VARIABLE)
    assert lease.patience() == 60


def _wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)
