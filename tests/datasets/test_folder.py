from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.cli.values import parse_names
from common.errors import UserError
from datasets.base import Splits
from datasets.errors import DataError
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini


def load(name: str, root: Path) -> Splits:
    splits: Splits = DATASETS.load(name)(root).load()
    return splits


def write_tree(base: Path, splits: tuple[str, ...], count: int = 10) -> None:
    for split_number, split in enumerate(splits):
        for label, name in enumerate(("cat", "dog")):
            for i in range(count):
                mini.put(base / split / name / f"{i}.png", 100 * split_number + 10 * label + i)


def test_folder_takes_classes_and_splits_as_found(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", ("train", "test", "val"))
    splits = load(f"folder:{tmp_path}/pets", tmp_path)
    assert splits.train.class_names == ("cat", "dog") and splits.notes == ()
    assert splits.validation is not None and mini.numbers(splits.validation)[0] == 200
    assert mini.numbers(splits.test)[0] == 100 and splits.test.labels.tolist() == [0] * 10 + [1] * 10
    assert len(load("folder:pets", tmp_path).train) == 20  # below the data folder


def test_folder_without_a_test_split_makes_one_and_says_so(tmp_path: Path) -> None:
    for place, splits in (("flat", ("",)), ("train only", ("train",))):
        write_tree(tmp_path / place, splits)
        found = load(f"folder:{tmp_path}/{place}", tmp_path)
        assert np.bincount(found.test.labels).tolist() == [2, 2] and np.bincount(found.train.labels).tolist() == [8, 8]
        assert sorted(mini.numbers(found.train) + mini.numbers(found.test)) == list(range(20))
        assert "no test/, so 4 of 20 images" in found.notes[0]


def test_folder_of_grey_images_is_grey(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / f"g/{split}/{name}").mkdir(parents=True)
            Image.new("L", (4, 4), 9).save(tmp_path / f"g/{split}/{name}/1.png")
    assert load(f"folder:{tmp_path}/g", tmp_path).train.images.shape == (2, 4, 4, 1)


def test_folder_errors(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", ("train", "test"), 1)
    mini.put(tmp_path / "pets/test/horse/1.png", 1)
    with pytest.raises(DataError, match="test/horse: no class of .*cat, dog"):
        load(f"folder:{tmp_path}/pets", tmp_path)
    with pytest.raises(UserError, match="'folder:': PATH is missing"):
        DATASETS.load("folder:")
    with pytest.raises(UserError, match="'digits:x': takes no argument"):
        DATASETS.load("digits:x")
    with pytest.raises(UserError, match="unknown data set 'floder:x'|unknown data set 'floder'"):
        DATASETS.load("floder:x")
    with pytest.raises(DataError, match="folder is missing"):
        DATASETS.load("folder:nowhere")(tmp_path).load()


def test_identity_of_a_folder_is_its_name_and_content_never_its_place(tmp_path: Path) -> None:
    write_tree(tmp_path / "a/pets", ("train", "test"), 2)
    first = DATASETS.load(f"folder:{tmp_path}/a/pets")(tmp_path).identity()
    (tmp_path / "a").rename(tmp_path / "b")
    dataset = DATASETS.load(f"folder:{tmp_path}/b/pets")(tmp_path)
    assert dataset.identity() == first and first.startswith("folder:pets-") and len(first) == len("folder:pets-") + 8
    mini.put(tmp_path / "b/pets/train/cat/9.png", 9)
    assert dataset.identity() != first


def put_all(base: Path, *names: str) -> None:
    for number, name in enumerate(names):
        mini.put(base / name, number)


CLASSES = ("cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/2.png", "dog/3.png")


def in_splits(*splits: str) -> tuple[str, ...]:
    return tuple(f"{split}/{name}" for split in splits for name in CLASSES)


# layout -> (files, what comes out: images of train, test, validation; a word of the notes)
AS_PEOPLE_HAVE_THEM: dict[str, tuple[tuple[str, ...], tuple[int, int, int], str]] = {
    "capital letters": (in_splits("Train", "Test"), (6, 6, 0), ""),
    "-ing": (in_splits("Training", "Testing"), (6, 6, 0), ""),
    "_set": (in_splits("training_set", "test_set"), (6, 6, 0), ""),
    "three": (in_splits("train", "valid", "test"), (6, 6, 6), ""),
    "validation alone": (in_splits("Train", "Val"), (6, 6, 0), "Val/ serves as the test split"),
    "FER's names": (in_splits("Training", "PublicTest", "PrivateTest"), (6, 6, 6), ""),
    "unpacked in one folder more": (in_splits("pets/train", "pets/test"), (6, 6, 0), ""),
    "flat, in one folder more": (tuple(f"pets/images/{name}" for name in CLASSES), (5, 1, 0), "no test/"),
    "litter beside the splits": (
        (*in_splits("train", "test"), "__MACOSX/train/cat/._1.png", ".git/a.png"), (6, 6, 0), "",
    ),
    "litter beside the classes": ((*CLASSES, "@eaDir/cat/t.png", "__pycache__/a.png"), (5, 1, 0), "no test/"),
    "litter in a class": (
        (*in_splits("train", "test"), "train/cat/@eaDir/1.jpg"), (6, 6, 0), "left out: 1 hidden or system files",
    ),
    "a test split without classes": (
        (*in_splits("train"), "test/1.png", "test/2.png"), (5, 1, 0), "test/ is not used: there are no class folders",
    ),
    "an empty class": (
        (*in_splits("train", "test"), "train/zebra/1.txt"), (6, 6, 0), "no training images of 1 of 3 classes: zebra",
    ),
    "a class of test images": (
        (*in_splits("train", "test"), "train/zebra/1.txt", "test/zebra/1.png"), (6, 7, 0), "1 of 3 classes: zebra",
    ),
    "images of no class": (
        (*in_splits("train", "test"), "train/1.png", "train/2.png", "train/a.txt", "test/3.png"), (6, 6, 0),
        "left out: 3 images outside the class folders (e.g. train/1.png)",
    ),
    "images beside the classes": ((*CLASSES, "cover.png"), (5, 1, 0), "1 images outside the class folders"),
    "a class called train": ((*CLASSES, "train/1.png", "train/2.png", "train/3.png"), (7, 2, 0), "no test/"),
}  # fmt: skip


@pytest.mark.parametrize("layout", AS_PEOPLE_HAVE_THEM)
def test_folders_as_people_have_them(tmp_path: Path, layout: str) -> None:
    files, counts, note = AS_PEOPLE_HAVE_THEM[layout]
    put_all(tmp_path / "my data", *files)
    splits = load(f"folder:{tmp_path}/my data", tmp_path)
    sizes = {name: len(part) for name, part in splits.parts()}
    assert (sizes["train"], sizes["test"], sizes.get("validation", 0)) == counts
    assert note in " ".join(splits.notes) and (note or not splits.notes)
    third = {"a class called train": ("train",), "an empty class": ("zebra",), "a class of test images": ("zebra",)}
    assert splits.train.class_names == ("cat", "dog", *third.get(layout, ()))


REFUSED = {
    "YOLO": (("train/images/1.png", "train/labels/1.png", "valid/images/2.png"), "those|detection data set"),
    "YOLO the other way round": (("images/train/1.png", "labels/train/1.png"), "detection data set"),
    "VOC": (("JPEGImages/1.png", "Annotations/1.png"), "detection data set"),
    "splits without classes": (("train/1.png", "test/2.png"), "test/, train/: splits, but none"),
    "COCO": (("train2017/1.png", "val2017/2.png"), "train2017/, val2017/: splits"),
    "no train split": (in_splits("test", "val"), "test/, val/: splits"),
    "two train splits": (in_splits("train", "Training"), "Training/ and train/ are both the train split"),
    "one class": (("train/cat/1.png", "test/cat/1.png"), "at least two class folders are wanted, found 1 images"),
    "one class with images": (("train/cat/1.png", "train/dog/1.txt", "test/dog/1.png"), "at least two class folders"),
    "one image a class": (("cat/1.png", "dog/1.png"), "2 images are too few to draw a test split"),
    "empty classes": (("a/b/1.txt", "c/d/2.txt"), "found 0 images in 2 folders"),
}


@pytest.mark.parametrize("layout", REFUSED)
def test_folders_that_are_no_classes_are_refused_with_what_is_wanted(tmp_path: Path, layout: str) -> None:
    files, message = REFUSED[layout]
    put_all(tmp_path / "x", *files)
    with pytest.raises(DataError, match=message) as error:
        load(f"folder:{tmp_path}/x", tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("path", "typed"), [("new", "folder:new"), ("my pets", "'folder:my pets'")])
def test_what_a_missing_folder_is_told_to_type_names_its_path(tmp_path: Path, path: str, typed: str) -> None:
    dataset = DATASETS.load(f"folder:{path}")(tmp_path)
    with pytest.raises(DataError, match=f"data prepare {typed} --from ARCHIVE$"):
        dataset.download()
    (tmp_path / path).mkdir()
    (tmp_path / path / "all.zip").write_bytes(b"")
    with pytest.raises(DataError, match=f"all.zip is still packed: python bench.py data prepare {typed} unpacks it"):
        dataset.load()
    (tmp_path / "other.zip").write_bytes(b"")  # another data set's, which nobody may unpack for a folder without PATH
    assert DATASETS.load("folder")(tmp_path).packed() == []


def test_a_file_that_is_no_image_changes_neither_identity_nor_content(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", ("train", "test"), 3)
    dataset = DATASETS.load("folder:pets")(tmp_path)
    before = dataset.identity(), dataset.load().train.fingerprint
    for name in ("notes.txt", "train/readme.md", "train/cat/labels.csv", "train/.DS_Store", "test/dog/Thumbs.db"):
        (tmp_path / "pets" / name).write_text("hello")
    assert (dataset.identity(), dataset.load().train.fingerprint) == before
    assert "left out: 1 files that are no images (e.g. cat/labels.csv), 1 hidden" in dataset.load().notes[0]
    (tmp_path / "pets/train/cat/0.png").write_bytes((tmp_path / "pets/train/cat/1.png").read_bytes())
    assert dataset.identity() != before[0]


def test_an_identity_is_what_the_first_release_made_of_the_same_files(tmp_path: Path) -> None:
    """Runs on folders without litter keep their ids."""
    write_tree(tmp_path / "pets", ("train", "test"), 2)
    mini.put(tmp_path / "pets/train/cat/more/9.png", 9)
    digest, pending = hashlib.sha256(), [""]
    while pending:  # as it was written there
        folder = pending.pop()
        for entry in sorted((tmp_path / "pets" / folder).iterdir()):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                pending.append(name)
            else:
                digest.update(f"{name}|{hashlib.sha256(entry.read_bytes()).hexdigest()}\n".encode())
    assert DATASETS.load("folder:pets")(tmp_path).identity() == f"folder:pets-{digest.hexdigest()[:8]}"


def test_a_loop_of_links_gives_every_image_once(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", ("train", "test"), 4)
    (tmp_path / "pets/train/cat/loop").symlink_to("..")
    (tmp_path / "pets/all").symlink_to(".")
    splits = load("folder:pets", tmp_path)
    assert (len(splits.train), len(splits.test)) == (8, 8) and "1 links back" in " ".join(splits.notes)


def test_names_that_are_not_utf8_become_printable(tmp_path: Path) -> None:
    base = os.fsencode(tmp_path) + b"/d\xe9"
    for split in (b"train", b"test"):
        for name in (b"chat", b"chi\xe9n"):
            folder = os.path.join(base, split, name)  # noqa: PTH118 -- bytes
            os.makedirs(folder)  # noqa: PTH103
            Image.new("RGB", (4, 4)).save(os.fsdecode(folder) + "/\udce9.png")
    os.mkfifo(os.path.join(base, b"train", b"chat", b"\xe9"))  # noqa: PTH118 -- named in a note
    dataset = DATASETS.load(f"folder:{os.fsdecode(base)}")(tmp_path)
    splits = dataset.load()
    assert splits.train.class_names == ("chat", r"chi\udce9n") and dataset.identity().startswith(r"folder:d\udce9-")
    text = "".join([dataset.identity(), *splits.train.class_names, *splits.train.names.tolist(), *splits.notes])
    assert text.isprintable() and text.encode()


@pytest.mark.parametrize("argument", ["x" * 5000, "a\0b", "/" + "y/" * 3000, "~nobody-at-all/x"])
def test_paths_that_cannot_be_are_one_line(tmp_path: Path, argument: str) -> None:
    with pytest.raises(DataError) as error:
        DATASETS.load(f"folder:{argument}")(tmp_path).load()
    assert "\n" not in str(error.value)


def test_a_comma_in_a_path_can_be_said() -> None:
    assert parse_names(r"digits,folder:/a\,b,faces") == ("digits", "folder:/a,b", "faces")
