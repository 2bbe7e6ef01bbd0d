from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.cli.verbs import data as data_verbs
from common.errors import UserError
from datasets.cifar10 import CIFAR10
from datasets.errors import DataError
from tests.datasets import miniatures as mini


def test_list_says_what_is_there_and_what_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCERTAINTY_BENCH_CACHE", str(tmp_path / "cache"))
    mini.rafdb_list(tmp_path / "rafdb")
    before = data_verbs.listing(tmp_path)
    assert "rafdb          present" in before and "tiny_imagenet  missing" in before and "cached" not in before
    assert "digits         embedded" in before
    fingerprint = next(line for line in data_verbs.prepare("rafdb", tmp_path, size=8) if "train:" in line)
    after = data_verbs.listing(tmp_path)
    assert "cached: 14 train images 8x8x3" in after
    assert fingerprint.rpartition(" ")[2][:12] in after


def test_check_reports_broken_files_duplicates_and_counts(tmp_path: Path) -> None:
    mini.rafdb_list(tmp_path / "rafdb")
    images = tmp_path / "rafdb/Image/aligned"
    text, sound = data_verbs.check("rafdb", tmp_path)
    assert sound and "broken files: 0" in text and "duplicates across splits: 0" in text
    (images / "train_00002_aligned.jpg").write_bytes(b"")
    shutil.copy(images / "train_00003_aligned.jpg", images / "train_00005_aligned.jpg")  # disgust, sadness
    shutil.copy(images / "train_00001_aligned.jpg", images / "test_00001_aligned.jpg")
    text, sound = data_verbs.check("rafdb", tmp_path)
    assert not sound and "broken files: 1\n" in text
    assert "train_00002_aligned.jpg: cannot be decoded (the file is empty)" in text
    assert "duplicates within train: 1, 1 of them with another label" in text
    assert "with another label (disgust, sadness)" in text
    assert "test images that are in train too: 1" in text
    assert "  happiness: 2, official 4,772" in text
    assert "note: rafdb: 14 train images, not the official 12,271" in text


def test_check_of_embedded_data_and_of_arrays(tmp_path: Path) -> None:
    assert data_verbs.check("digits", tmp_path)[1]
    mini.cifar_batches(tmp_path / "cifar10")
    text, sound = data_verbs.check("cifar10", tmp_path)
    assert sound and "train: 50 images in 10 of 10 classes" in text


def test_prepare_unpacks_an_archive_and_builds_the_cache(tmp_path: Path) -> None:
    mini.cifar_folders(tmp_path / "source/cifar10")
    archive = shutil.make_archive(str(tmp_path / "mine"), "zip", tmp_path / "source")
    lines = list(data_verbs.prepare("cifar10", tmp_path / "data", Path(archive)))
    assert "unpacked" in lines[0] and any("train: 50 images 32x32x3" in line for line in lines)
    with pytest.raises(DataError, match="nothing is unpacked over it"):
        list(data_verbs.prepare("cifar10", tmp_path / "data", Path(archive)))


def test_prepare_refuses_an_archive_of_something_else(tmp_path: Path) -> None:
    mini.rafdb_list(tmp_path / "source")
    archive = shutil.make_archive(str(tmp_path / "mine"), "gztar", tmp_path / "source")
    with pytest.raises(UserError, match=r"cifar10: what .* holds \(EmoLabel, Image\) is no layout of it"):
        list(data_verbs.prepare("cifar10", tmp_path / "data", Path(archive)))
    with pytest.raises(UserError, match="embedded: there is nothing to unpack"):
        list(data_verbs.prepare("digits", tmp_path / "data", Path(archive)))


def test_prepare_downloads_where_that_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "download", lambda self: mini.cifar_batches(self.folder))
    lines = list(data_verbs.prepare("cifar10", tmp_path))
    assert "downloaded cifar10" in lines[0] and "cache ready" in lines[-1]


@pytest.mark.parametrize("name", ["rafdb", "affectnet", "fer2013", "imagenet100"])
def test_prepare_of_a_gated_set_says_where_to_apply_and_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as error:
        list(data_verbs.prepare(name, tmp_path))
    message = str(error.value)
    assert "http" in message and str(tmp_path / name) in message and "\n" not in message


def test_a_download_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", offline)
    monkeypatch.setattr(torchvision.datasets.utils, "download_url", offline)
    for name in ("cifar10", "tiny_imagenet"):
        with pytest.raises(DataError, match=f"{name} could not be downloaded .no route to host"):
            list(data_verbs.prepare(name, tmp_path))


def red(path: Path) -> int:
    pixels = np.asarray(Image.open(path)).astype(int)
    return int((np.abs(pixels - (200, 30, 30)).max(axis=2) == 0).sum())


def test_show_marks_flipped_labels(tmp_path: Path) -> None:
    text = data_verbs.show("digits", tmp_path, tmp_path / "a/clean.png")
    assert "written" in text and red(tmp_path / "a/clean.png") == 0
    text = data_verbs.show("digits", tmp_path, tmp_path / "noisy.png", "0.3", seed=1)
    assert "389 of 1,297 labels flipped (29.99%)" in text
    assert red(tmp_path / "noisy.png") > 40 * 4 * 90  # forty frames of 96 pixels a side, three wide
    with pytest.raises(UserError, match="valid: a file ending in .png"):
        data_verbs.show("digits", tmp_path, tmp_path / "a.txt")


def test_a_plan_prints_what_must_be_known_of_the_data_and_refuses_a_list_that_does_not_fit(bench, tmp_path) -> None:
    for split in ("Train", "Test"):
        for label, name in enumerate(("cat", "dog")):
            for i in range(3):
                mini.put(tmp_path / f"pets, all/{split}/{name}/{i}.png", label)
    (tmp_path / "pets, all/Train/cat/notes.txt").write_text("hello")
    names = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(3)]
    (tmp_path / "list.txt").write_text("".join(f"/somewhere/{name} {i % 2}\n" for i, name in enumerate(names)))
    plan = (
        "run",
        "--datasets",
        r"folder:pets\, all",
        "--methods",
        "baseline",
        "--recipe",
        "quick",
        "--dry-run",
        "--seeds=1",
    )
    done = bench(*plan, "--noise", "file:list.txt")
    assert done.returncode == 0, done.stderr
    assert "note: folder: left out: 1 files that are no images (e.g. cat/notes.txt)" in done.stdout
    (tmp_path / "list.txt").write_text(f"{names[0]} 1\n")
    done = bench(*plan, "--noise", "file:list.txt")
    assert done.returncode == 2 and "no label for 5 of 6 training images" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "runs").exists()
