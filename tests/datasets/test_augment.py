"""Batched augmentation against torchvision's per-image transforms: equal, or equally distributed where random."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import RandomErasing, RandomResizedCrop, TenCrop
from torchvision.transforms import functional as TF

from common.errors import UserError
from datasets.augment import rows as augment_rows
from datasets.augment.apply import resample
from datasets.augment.operations import parse
from datasets.augment.pipeline import Pipeline

PLAIN: dict[str, Any] = {"mean": [0.0], "std": [1 / 255]}  # normalised values are pixel values


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def places(count: int, height: int, width: int) -> torch.Tensor:
    """[count, 2, H, W]: channel 0 holds the row, channel 1 the column, so a pixel tells where it came from."""
    rows = torch.arange(height, dtype=torch.uint8)[:, None].expand(height, width)
    columns = torch.arange(width, dtype=torch.uint8)[None, :].expand(height, width)
    return torch.stack([rows, columns]).expand(count, 2, height, width)


def random_images(count: int, channels: int = 3, side: int = 20) -> torch.Tensor:
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator(9))


def uniform(values: np.ndarray, count: int) -> bool:
    return bool(stats.chisquare(np.bincount(values, minlength=count)).pvalue > 1e-4)


def test_normalising_is_torchvisions() -> None:
    images = random_images(4)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = TF.normalize(images.float() / 255, mean, std)
    pipeline = Pipeline([], mean, std)
    for found in (pipeline.test(images), pipeline.train(images, generator())):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


def test_one_mean_serves_all_channels_and_other_numbers_are_refused() -> None:
    assert Pipeline([], [0.5], [0.25]).test(random_images(2)).shape == (2, 3, 20, 20)
    with pytest.raises(UserError, match="3 channels, the images 1"):
        Pipeline([], [0.5] * 3, [0.25] * 3).test(random_images(2, channels=1))
    with pytest.raises(UserError, match="one length"):
        Pipeline([], [0.5] * 3, [0.25])


def test_flip_is_per_image_at_its_rate() -> None:
    images = random_images(4000, channels=1, side=4)
    out = Pipeline([{"op": "flip", "p": 0.3}], **PLAIN).train(images, generator())
    flipped = (out == images.flip(-1)).flatten(1).all(dim=1)
    same = (out == images).flatten(1).all(dim=1)
    assert bool((flipped | same).all())
    assert abs(flipped.float().mean() - 0.3) < 0.04


def test_crop_offsets_are_uniform_and_independent() -> None:
    out = Pipeline([{"op": "crop", "size": 44}], **PLAIN).train(places(3000, 48, 50), generator())
    assert out.shape == (3000, 2, 44, 44)
    top, left = out[:, 0, 0, 0].long(), out[:, 1, 0, 0].long()
    expected = torch.stack(
        torch.broadcast_tensors(
            top[:, None, None] + torch.arange(44)[:, None], left[:, None, None] + torch.arange(44)[None, :]
        ),
        dim=1,
    )
    assert torch.equal(out.long(), expected)  # a window, not a shuffle
    assert uniform(top.numpy(), 5) and uniform(left.numpy(), 7)
    assert uniform((top * 7 + left).numpy(), 35)


def test_padded_crop_shows_black_outside() -> None:
    images = torch.full((2000, 1, 8, 8), 200, dtype=torch.uint8)
    out = Pipeline([{"op": "crop", "size": 8, "padding": 2}], **PLAIN).train(images, generator())
    height, width = ((out == 200).any(dim=dim).sum(dim=-1)[:, 0] for dim in (3, 2))
    assert set(out.unique().tolist()) == {0.0, 200.0}
    # Shifts -2..2, each equally often: 6, 7, 8, 7, 6 rows are left.
    for side in (height, width):
        assert stats.chisquare(np.bincount(side)[6:], np.array([0.4, 0.4, 0.2]) * 2000).pvalue > 1e-4


def test_flip_or_noise_is_one_or_the_other() -> None:
    images = torch.randint(60, 190, (4000, 1, 12, 12), dtype=torch.uint8, generator=generator(1))
    out = Pipeline([{"op": "flip_or_noise", "p": 0.5, "variance": 30}], **PLAIN).train(images, generator())
    same = (out == images).flatten(1).all(dim=1)
    flipped = (out == images.flip(-1)).flatten(1).all(dim=1)
    noisy = ~same & ~flipped
    for share, expected in ((same, 0.5), (flipped, 0.25), (noisy, 0.25)):
        assert abs(share.float().mean() - expected) < 0.04
    # Released code: clip, then cut to whole numbers: half a grey level darker, variance 30 + 1/12.
    difference = (out - images)[noisy]
    assert torch.equal(difference, difference.round())
    assert abs(difference.mean() + 0.5) < 0.05 and abs(difference.var() - 30.08) < 0.6
    white = Pipeline([{"op": "flip_or_noise", "p": 1.0}], **PLAIN).train(
        torch.full((50, 1, 9, 9), 255.0).byte(), generator()
    )
    assert white.max() <= 255


def test_noise_alone_has_the_same_spread_and_flips_nothing() -> None:
    images = torch.randint(60, 190, (2000, 1, 12, 12), dtype=torch.uint8, generator=generator(1))
    out = Pipeline([{"op": "noise", "p": 0.5, "variance": 30}], **PLAIN).train(images, generator())
    noisy = (out != images).flatten(1).any(dim=1)
    assert abs(noisy.float().mean() - 0.5) < 0.04
    difference = (out - images)[noisy]
    assert abs(difference.mean() + 0.5) < 0.05 and abs(difference.var() - 30.08) < 0.6


def test_cutout_is_a_square_whose_centre_is_anywhere() -> None:
    images = torch.full((4000, 1, 20, 20), 10, dtype=torch.uint8)
    erased = Pipeline([{"op": "cutout", "size": 8}], **PLAIN).train(images, generator())[:, 0] == 0
    top, left, height, width = boxes(erased)
    assert len(top) == 4000 and height.max() == width.max() == 8 and height.min() == width.min() == 4
    for first, length in ((top, height), (left, width)):
        centre = np.where(first > 0, first + 4, first + length - 4)  # rows 0 to 19, each as likely
        assert uniform(centre, 20)


def boxes(erased: torch.Tensor) -> tuple[np.ndarray, ...]:
    """top, left, height, width of the erased rectangle [B, H, W] of each image that has one; checks that it is one."""
    rows, columns = erased.any(dim=2), erased.any(dim=1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])
    chosen = rows.any(dim=1)
    rows, columns = rows[chosen].int(), columns[chosen].int()
    return tuple(v.numpy() for v in (rows.argmax(1), columns.argmax(1), rows.sum(1), columns.sum(1)))


@pytest.mark.parametrize("side", [(40, 40), (24, 60)])
def test_erasing_is_distributed_as_torchvisions(side: tuple[int, int]) -> None:
    settings = {"p": 0.7, "scale": (0.02, 0.25), "ratio": (0.3, 3.3)}
    images = torch.full((3000, 1, *side), 10, dtype=torch.uint8)
    ours = Pipeline([{"op": "erase", **settings}], **PLAIN).train(images, generator())[:, 0] == 0
    torch.manual_seed(0)
    reference = RandomErasing(**settings)
    theirs = torch.stack([reference(image.float()) for image in images])[:, 0] == 0
    assert abs(ours.flatten(1).any(1).float().mean() - theirs.flatten(1).any(1).float().mean()) < 0.05
    for mine, other in zip(boxes(ours), boxes(theirs), strict=True):
        assert stats.ks_2samp(mine, other).pvalue > 1e-4
    mine, other = (np.prod(boxes(erased)[2:], axis=0) for erased in (ours, theirs))
    assert stats.ks_2samp(mine, other).pvalue > 1e-4


def test_erasing_writes_the_mean_after_normalising() -> None:
    images = random_images(50, channels=1)
    ops = [{"op": "flip", "p": 0.0}, {"op": "erase", "p": 1.0}]
    out = Pipeline(ops, [0.3], [0.2]).train(images, generator())
    whole = Pipeline([], [0.3], [0.2]).test(images)
    changed = out != whole
    assert bool((out[changed] == 0).all()) and 0.02 < changed.float().mean() < 0.33


@pytest.mark.parametrize("box", [(3, 5, 20, 11), (0, 0, 32, 40), (10, 2, 5, 30)])
@pytest.mark.parametrize("size", [8, 24, 50])
def test_resampling_is_torchvisions_resized_crop(box: tuple[int, int, int, int], size: int) -> None:
    images = torch.rand((2, 3, 32, 40), generator=generator()) * 255
    top, left, height, width = (torch.tensor([value, value]) for value in box)
    expected = TF.resized_crop(images, *box, [size, size], antialias=True)
    torch.testing.assert_close(resample(images, top, left, height, width, size), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("shape", [(32, 32), (16, 60)])
def test_resized_crop_boxes_are_distributed_as_torchvisions(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wide image makes many draws fail: the fallback to the centre is compared too."""
    scale = (0.08, 1.0)
    seen: list[torch.Tensor] = []

    def record(images: torch.Tensor, *box: Any) -> torch.Tensor:
        seen.append(torch.stack(box[:4], dim=1))
        return images.float()

    monkeypatch.setattr("datasets.augment.apply.resample", record)
    Pipeline([{"op": "resized_crop", "size": 16, "scale": scale}], **PLAIN).train(places(4000, *shape), generator())
    torch.manual_seed(1)
    image = torch.zeros(1, *shape)
    theirs = np.array([RandomResizedCrop.get_params(image, list(scale), [3 / 4, 4 / 3]) for _ in range(4000)])
    ours = seen[0].numpy()
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-4
    assert np.all(ours[:, :2] >= 0) and np.all(ours[:, :2] + ours[:, 2:] <= shape)


def test_resized_crop_cuts_what_it_draws() -> None:
    out = Pipeline([{"op": "resized_crop", "size": 16}], **PLAIN).train(places(500, 32, 32), generator())
    assert out.shape == (500, 2, 16, 16)
    assert bool((out[:, 0].diff(dim=1) > 0).all()) and bool((out[:, 1].diff(dim=2) > 0).all())
    assert out.min() >= 0 and out.max() <= 31


@pytest.mark.parametrize("crop", [16, 17])
def test_ten_crop_and_centre_are_torchvisions(crop: int) -> None:
    images = random_images(3)
    pipeline = Pipeline([], [0.5], [0.25], crop=crop)
    expected = (torch.stack(TenCrop(crop)(images)).float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(pipeline.ten_crop(images), expected, rtol=0, atol=2e-6)
    centre = (TF.center_crop(images, [crop, crop]).float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(pipeline.test(images), centre, rtol=0, atol=2e-6)


def test_ten_crop_needs_a_size_that_fits() -> None:
    with pytest.raises(UserError, match="needs a crop size"):
        Pipeline([], [0.5], [0.25]).ten_crop(random_images(1))
    with pytest.raises(UserError, match="crop of 21 pixels does not fit"):
        Pipeline([], [0.5], [0.25], crop=21).test(random_images(1))


ALL: list[dict[str, Any]] = [
    {"op": "crop", "size": 20, "padding": 2},
    {"op": "resized_crop", "size": 18},
    {"op": "flip"},
    {"op": "flip_or_noise"},
    {"op": "erase"},
]


def test_a_cpu_that_changes_rows_gives_what_a_device_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = [{"op": "flip"}, {"op": "erase", "p": 0.7}]
    for channels in (1, 3):
        images = random_images(64, channels, 24).contiguous(memory_format=torch.channels_last)
        before = images.clone()
        pipeline = Pipeline(ops, [0.5], [0.25])
        rows = pipeline.train(images, generator())
        monkeypatch.setattr(augment_rows, "row_by_row", lambda images: False)
        assert torch.equal(rows, pipeline.train(images, generator()))
        monkeypatch.undo()
        assert torch.equal(images, before), "the data set itself is left alone"
        assert rows.is_contiguous(memory_format=torch.channels_last), "no copy before the network"


def test_the_generator_alone_decides() -> None:
    pipeline, images = Pipeline(ALL, [0.5], [0.25]), random_images(32)
    before = images.clone()
    torch.manual_seed(0)
    first = pipeline.train(images, generator(4))
    torch.manual_seed(1)
    assert torch.equal(first, pipeline.train(images, generator(4)))
    assert not torch.equal(first, pipeline.train(images, generator(5)))
    assert torch.equal(images, before)


def test_channels_last_views_give_the_same() -> None:
    images = random_images(16)
    last = images.contiguous(memory_format=torch.channels_last)
    pipeline = Pipeline(ALL, [0.5], [0.25])
    torch.testing.assert_close(pipeline.train(images, generator()), pipeline.train(last, generator()))


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ({"op": "flop"}, "unknown augmentation 'flop' .*did you mean 'flip'.*valid: crop, cutout, erase, flip"),
        ({"size": 3}, "unknown augmentation ''.*valid: crop"),
        ({"op": "crop"}, "'crop': size: .*valid keys: size, padding"),
        ({"op": "flip", "prob": 0.5}, "'flip': prob: .*valid keys: p"),
        ({"op": "cutout", "size": 8, "sise": 8}, "'cutout': sise: .*valid keys: size"),
        ({"op": "noise", "sd": 0.1}, "'noise': sd: .*valid keys: "),
        ({"op": "flip", "p": 1.5}, "'flip': p: .*less than or equal to 1"),
        ({"op": "erase", "scale": [0.3, 0.1]}, "'erase': .*ascending"),
    ],
)
def test_a_bad_operation_is_one_line_that_lists_what_is_valid(op: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        Pipeline([op], [0.5], [0.25])
    assert "\n" not in str(error.value)


def test_pixel_operations_after_erasing_are_refused() -> None:
    with pytest.raises(UserError, match="'flip' works on pixel values and must come before 'erase'"):
        Pipeline([{"op": "erase"}, {"op": "flip"}], [0.5], [0.25])


@pytest.mark.parametrize(
    "written",
    [
        {"op": "flip"},
        {"op": "flip", "p": 1},
        {"op": "flip_or_noise", "p": 0.5, "variance": 30},
        {"op": "flip_or_noise", "variance": 30.0},
        {"op": "crop", "size": 32, "padding": 0},
        {"op": "erase", "scale": [0.02, 1]},
    ],
)
def test_an_operation_is_stored_as_it_was_written(written: dict[str, Any]) -> None:
    """Ids of runs are hashes of this: no default is added, no whole number becomes a fraction."""
    for (operation,) in (parse([written]), parse(parse([written]))):
        assert json.dumps(operation.model_dump(mode="json")) == json.dumps(written)
