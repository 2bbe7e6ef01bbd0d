"""What one epoch is fed: the order of the images, and a second view of each where the recipe has one."""

import numpy as np
import pytest
import scipy.stats
import torch

from benchmarks.store.heartbeat import Progress
from benchmarks.store.run_folder import RunFolder
from benchmarks.train.build import assemble, build_method
from benchmarks.train.trainer import Trainer
from datasets.embedded.digits import Digits


def test_balanced_sampling_draws_every_class_alike(specs, tmp_path):
    (spec,) = specs("baseline", sets=("recipe.sampler=balanced",))
    splits = Digits(tmp_path).load(8)
    given = np.where(splits.train.labels < 5, splits.train.labels, 9)  # half of the rows in one of six classes
    ready = assemble(spec, build_method(spec, splits.train), splits, given, torch.device("cpu"))
    trainer = Trainer(spec, ready, RunFolder(tmp_path))
    order = torch.cat([trainer._order(torch.Generator().manual_seed(seed)) for seed in range(5)])
    counts = np.bincount(given[order])[np.unique(given)]
    assert scipy.stats.chisquare(counts).pvalue > 1e-4 and len(order) == 5 * trainer.kept
    plain = Trainer(specs("baseline")[0], ready, RunFolder(tmp_path))._order(torch.Generator().manual_seed(0))
    assert sorted(plain.tolist()) == list(range(trainer.kept))


@pytest.mark.parametrize("noisy", [False, True])
def test_under_label_noise_a_second_view_is_made_by_itself(specs, tmp_path, monkeypatch, noisy):
    (spec,) = specs("eac", sets=("recipe.second_view=[]",))
    splits = Digits(tmp_path).load(8)
    given = np.roll(splits.train.labels, int(noisy))
    ready, seen = assemble(spec, build_method(spec, splits.train), splits, given, torch.device("cpu")), []
    step = ready.method.training_step
    monkeypatch.setattr(ready.method, "training_step", lambda batch, clock: seen.append(batch) or step(batch, clock))
    Trainer(spec, ready, RunFolder(tmp_path)).next_epoch(Progress(tmp_path / "progress.json", 1, 1, 1))
    for batch in seen:
        raw = torch.from_numpy(splits.train.images[batch.index]).permute(0, 3, 1, 2)
        assert (batch.second_view is not None) is noisy
        assert not noisy or torch.equal(batch.second_view, ready.pipeline.test(raw))
    assert not all(torch.equal(batch.images, ready.pipeline.test(raw)) for batch in seen[-1:]), "erased"
