from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from datasets.base import ImageSet, Splits
from datasets.errors import DataError
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini


def shown(part: ImageSet) -> dict[int, int]:
    """{what an image says: its label}."""
    return dict(zip(mini.numbers(part), part.labels.tolist(), strict=True))


def load(name: str, root: Path, size: int | None = None) -> Splits:
    dataset = DATASETS.load(name)(root)
    assert dataset.present()
    splits: Splits = dataset.load(size)
    assert splits.train.images.dtype == np.uint8 and splits.train.labels.dtype == np.int64
    return splits


@pytest.mark.parametrize("layout", mini.RAFDB)
def test_rafdb(tmp_path: Path, layout: str) -> None:
    mini.RAFDB[layout](tmp_path)
    splits = load("rafdb", tmp_path)
    assert splits.train.class_names == mini.RAF and splits.train.images.shape == (14, 10, 10, 3)
    assert shown(splits.train) == {i: i % 7 for i in range(14)}
    assert shown(splits.test) == {100 + i: (i + 1) % 7 for i in range(7)}
    assert splits.train.names is not None and sorted(splits.train.names.tolist())[0] == "train_00001.jpg"
    assert splits.train.first_code == 1
    assert splits.notes == (
        "rafdb: 14 train images, not the official 12,271",
        "rafdb: 7 test images, not the official 3,068",
    )


RAF_LISTS = {
    "label out of range": ("train_00001.jpg 8", r"line 1: label '8' of train_00001.jpg is not one of 1\.\.7"),
    "label zero": ("train_00001.jpg 0", "label '0'"),
    "no label": ("train_00001.jpg", "line 1: 'train_00001.jpg' is not a file name and a label"),
    "neither split": ("val_00001.jpg 3", "val_00001.jpg begins with neither"),
    "nothing": ("", "no train images|none of"),
}


@pytest.mark.parametrize("case", RAF_LISTS)
def test_a_malformed_list_names_the_line(tmp_path: Path, case: str) -> None:
    mini.rafdb_list(tmp_path / "rafdb")
    text, message = RAF_LISTS[case]
    (tmp_path / "rafdb/EmoLabel/list_patition_label.txt").write_text(text + "\r\n")
    with pytest.raises(DataError, match=message):
        load("rafdb", tmp_path)


def test_listed_images_that_are_missing_are_noted(tmp_path: Path) -> None:
    mini.rafdb_list(tmp_path / "rafdb")
    (tmp_path / "rafdb/Image/aligned/train_00003_aligned.jpg").unlink()
    splits = load("rafdb", tmp_path)
    assert len(splits.train) == 13 and 2 not in mini.numbers(splits.train)
    assert "rafdb: 1 of 14 listed train images are missing" in splits.notes


@pytest.mark.parametrize("name", ["affectnet", "affectnet7"])
@pytest.mark.parametrize("layout", mini.AFFECTNET)
def test_affectnet(tmp_path: Path, layout: str, name: str) -> None:
    mini.AFFECTNET[layout](tmp_path)
    splits = load(name, tmp_path)
    classes = 8 if name == "affectnet" else 7
    assert splits.train.class_names == mini.AFFECT[:classes] and splits.train.images.shape[1:] == (8, 8, 3)
    for part, count, offset in ((splits.train, 22, 0), (splits.test, 11, 100)):
        found = shown(part)
        assert found == {offset + i: i % 11 for i in range(count) if i % 11 < classes}
        assert (np.asarray(part.images)[..., 2] == 7).all()  # the white frame is cut off


def test_class_folders_note_what_is_of_no_class_and_classes_without_images(tmp_path: Path) -> None:
    mini.rafdb_folders(tmp_path / "rafdb")
    mini.put(tmp_path / "rafdb/train/cover.jpg", 1)
    shutil.rmtree(tmp_path / "rafdb/train/2")
    notes = " ".join(load("rafdb", tmp_path).notes)
    assert "rafdb: left out: 1 images outside the class folders (e.g. train/cover.jpg)" in notes
    assert "rafdb: no training images of 1 of 7 classes: fear" in notes


def test_affectnet_annotations_that_are_pickles_are_refused(tmp_path: Path) -> None:
    mini.affectnet_npy(tmp_path / "affectnet")
    np.save(tmp_path / "affectnet/train_set/annotations/3_exp.npy", np.array({"a": 1}), allow_pickle=True)
    with pytest.raises(DataError, match=r"3_exp.npy: not an array of numbers.*pickles are refused"):
        load("affectnet", tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0/a.jpg,1,1,8,8,1,11,0,0", r"training.csv: row 23: expression '11' is not one of 0\.\.10"),
        ("0/a.jpg,1,1,8,8,1,-1,0,0", "expression '-1'"),
        ("0/a.jpg,1,1,8", r"row 23: malformed \(truncated file"),
        ("0/a.jpg,x,1,8,8,1,3,0,0", "row 23: malformed"),
    ],
)
def test_affectnet_rows_that_make_no_sense(tmp_path: Path, row: str, message: str) -> None:
    mini.affectnet_csv(tmp_path / "affectnet")
    with open(tmp_path / "affectnet/training.csv", "a") as file:
        file.write(row)
    with pytest.raises(DataError, match=message):
        load("affectnet", tmp_path)


@pytest.mark.parametrize("name", ["9" * 5000, "a\0b", "../../../etc/passwd", "/etc/passwd"])
def test_affectnet_names_that_are_no_images_of_it_are_missing(tmp_path: Path, name: str) -> None:
    mini.affectnet_csv(tmp_path / "affectnet")
    table = tmp_path / "affectnet/training.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, f"{name},1,1,8,8,1,3,0,0", *rows]))
    assert "affectnet: 1 of 17 listed train images are missing" in load("affectnet", tmp_path).notes


def test_affectnet_rows_without_a_face_need_no_box(tmp_path: Path) -> None:
    mini.affectnet_csv(tmp_path / "affectnet")
    with open(tmp_path / "affectnet/training.csv", "a") as file:
        file.write("0/a.jpg,NULL,NULL,NULL,NULL,NULL,10,-2,-2")
    assert len(load("affectnet", tmp_path).train) == 16


@pytest.mark.parametrize("layout", mini.CIFAR10)
def test_cifar10(tmp_path: Path, layout: str) -> None:
    mini.CIFAR10[layout](tmp_path)
    splits = load("cifar10", tmp_path)
    assert splits.train.class_names == mini.CIFAR and splits.train.images.shape == (50, 32, 32, 3)
    assert mini.numbers(splits.train) == list(range(50)) and splits.train.labels.tolist() == mini.TRAIN
    assert mini.numbers(splits.test) == list(range(100, 120)) and splits.test.labels.tolist() == mini.TEST
    assert load("cifar10", tmp_path, 16).train.images.shape == (50, 16, 16, 3)


def test_cifar10_folders_that_number_each_class_keep_their_classes(tmp_path: Path) -> None:
    for label, name in enumerate(mini.CIFAR):
        for split in ("train", "test"):
            mini.put(tmp_path / f"cifar10/{split}/{name}/0.png", label, 32)
    splits = load("cifar10", tmp_path)
    assert splits.train.labels.tolist() == list(range(10)) == mini.numbers(splits.train)


@pytest.mark.parametrize("layout", mini.IMAGENET100)
def test_imagenet100(tmp_path: Path, layout: str) -> None:
    mini.IMAGENET100[layout](tmp_path)
    splits = load("imagenet100", tmp_path, 8)
    assert splits.train.class_names == tuple(mini.wnid(c) for c in range(100))
    for part, offset in ((splits.train, 0), (splits.test, 200)):
        found = shown(part)
        assert found == {offset + c: c for c in range(100)}
    with pytest.raises(DataError, match="10 x 8.*--set recipe.image_size"):
        load("imagenet100", tmp_path)


def test_imagenet100_needs_a_list_among_more_classes(tmp_path: Path) -> None:
    mini.imagenet100(tmp_path / "imagenet100", listed=None, extra=3)
    with pytest.raises(DataError, match=r"no class list \(imagenet100.txt.*103 classes instead of 100"):
        load("imagenet100", tmp_path, 8)
    (tmp_path / "imagenet100/classes.txt").write_text("n99999999\n")
    with pytest.raises(DataError, match="classes.txt: 1 listed classes have no folder in train/, e.g. n99999999"):
        load("imagenet100", tmp_path, 8)


@pytest.mark.parametrize("layout", mini.TINY)
def test_tiny_imagenet(tmp_path: Path, layout: str) -> None:
    mini.TINY[layout](tmp_path)
    splits = load("tiny_imagenet", tmp_path)
    assert splits.train.class_names == tuple(mini.wnid(c) for c in range(3))
    assert shown(splits.train) == {10 * c + i: c for c in range(3) for i in range(2)}
    assert shown(splits.test) == {100 + i: i % 3 for i in range(6)}


def test_tiny_imagenet_with_an_unknown_class_in_its_list(tmp_path: Path) -> None:
    mini.tiny_imagenet(tmp_path / "tiny_imagenet")
    (tmp_path / "tiny_imagenet/val/val_annotations.txt").write_text("val_0.JPEG\tn77777777\t0\t0\t1\t1\n")
    with pytest.raises(DataError, match="line 1: .*names no class folder"):
        load("tiny_imagenet", tmp_path)


LAYOUT = {
    "rafdb": mini.RAFDB["as sent"],
    "affectnet": mini.AFFECTNET["annotations"],
    "cifar10": mini.CIFAR10["class folders"],
    "tiny_imagenet": mini.TINY["unwrapped"],
    "imagenet100": mini.IMAGENET100["a list"],
}


@pytest.mark.parametrize("name", LAYOUT)
@pytest.mark.parametrize("damage", ["empty", "truncated"])
def test_a_broken_image_is_named(tmp_path: Path, name: str, damage: str) -> None:
    LAYOUT[name](tmp_path)
    folder = tmp_path / name
    path = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[0]
    path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:40])
    with pytest.raises(DataError, match=f"{path.name}: cannot be decoded"):
        load(name, tmp_path, 8)


@pytest.mark.parametrize("name", LAYOUT)
def test_missing_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path, name: str) -> None:
    dataset = DATASETS.load(name)(tmp_path)
    assert not dataset.present()
    with pytest.raises(DataError) as error:
        dataset.load()
    message = str(error.value)
    assert f"{name} is missing" in message and str(tmp_path / name) in message and "\n" not in message
    assert "http" in message or "Kaggle" in message


@pytest.mark.parametrize("name", LAYOUT)
def test_a_second_load_opens_no_image_and_a_change_is_seen(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    LAYOUT[name](tmp_path)
    first = load(name, tmp_path, 8)
    with monkeypatch.context() as patch:
        patch.setattr("datasets.images.file_dataset.decode_all", None)  # decoding again would fail
        again = load(name, tmp_path, 8)
    assert isinstance(again.train.images, np.memmap) and again.train.fingerprint == first.train.fingerprint
    assert again.train.names is not None and first.train.names is not None
    assert again.train.names.tolist() == first.train.names.tolist() and again.train.first_code == first.train.first_code
    path = next(p for p in (tmp_path / name).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    mini.put(path, 4321)
    changed = load(name, tmp_path, 8)
    assert (changed.train.fingerprint, changed.test.fingerprint) != (first.train.fingerprint, first.test.fingerprint)
