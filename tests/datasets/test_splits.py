"""Folders that are splits under names nobody foresaw, folders that are not used, and links from one into another."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.base import Splits
from datasets.errors import DataError
from datasets.file_lists import Listing
from datasets.images.listing import split_said
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini
from tests.datasets.test_folder import in_splits, put_all


def flat(*folders: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{image}.png" for folder in folders for image in range(3))


def load(base: Path) -> Splits:
    splits: Splits = DATASETS.load(f"folder:{base}")(base.parent).load()
    return splits


def listing(base: Path) -> Listing:
    found: Listing = DATASETS.load(f"folder:{base}")(base.parent).files()
    return found


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(
            (name, "train")
            for name in ("train_224", "train-cropped", "images_train", "imagesTr", "trainA", "TRAINSmall")
        ),
        *((name, "test") for name in ("test_jpg", "dataset_test", "imagesTs", "testset_v2", "holdout", "dogs_heldout")),
        *((name, "validation") for name in ("my val", "eval2", "images.dev", "evaluationData")),
        *(
            (name, None)
            for name in ("contest", "latest", "strain", "testament", "country", "cat", "attempts", "", "été")
        ),
    ],
)
def test_splits_that_words_of_a_name_say(name: str, split: str | None) -> None:
    assert split_said(name) == split


READ = {  # layout -> (folders of the splits; images of train, test, validation)
    "dataset": (("train_dataset", "test_dataset"), (6, 6, 0)),
    "dataset and none": (("train_dataset", "test"), (6, 6, 0)),
    "capitals": (("Training Dataset", "Validation Dataset", "Test Dataset"), (6, 6, 6)),
    "eval": (("train", "eval"), (6, 6, 0)),
    "evaluation beside a test split": (("train", "test", "Evaluation"), (6, 6, 6)),
}


@pytest.mark.parametrize("layout", READ)
def test_more_of_the_usual_names_are_splits(tmp_path: Path, layout: str) -> None:
    names, counts = READ[layout]
    put_all(tmp_path / "pets", *in_splits(*names))
    splits = load(tmp_path / "pets")
    sizes = {name: len(part) for name, part in splits.parts()}
    assert (sizes["train"], sizes["test"], sizes.get("validation", 0)) == counts
    assert splits.train.class_names == ("cat", "dog")


REFUSED = {
    "sizes": (in_splits("train_224", "test_224"), "test_224/, train_224/: they look like splits: name them"),
    "one known": (in_splits("train_cropped", "test"), "test/, train_cropped/: they look like splits"),
    "the other known": (in_splits("train", "test_jpg"), "test_jpg/ has classes of train/, but is not named as a split"),
    "words behind": (in_splits("images_train", "images_test"), "images_test/, images_train/: they look like splits"),
    "nnU-Net": (flat("imagesTr", "imagesTs", "labelsTr"), "imagesTr/, imagesTs/, labelsTr/: they look"),
    "CycleGAN": (flat("trainA", "trainB", "testA"), "testA/, trainA/, trainB/: they look"),
    "flat, and something else": (flat("train_1", "test_1", "doc"), "test_1/, train_1/: they look"),
    "of no known name": (in_splits("train_224", "query"), "train_224/: they look like splits"),
    "a twin of train": (in_splits("train", "query"), "query/ has classes of train/.*name it test/ or val/"),
    "a twin that says so": (in_splits("train", "val", "holdout"), "holdout/ has classes of train/"),
    "a twin beside a test split without classes": (
        (*in_splits("train", "test_sorted"), "test/1.png"), "test_sorted/ has classes of train/",
    ),
    "masks": (flat("images", "masks"), "a segmentation data set's"),
    "masks of splits": (flat("train/Images", "train/Masks", "test/Images", "test/Masks"), "a segmentation data set's"),
}  # fmt: skip


@pytest.mark.parametrize("layout", REFUSED)
def test_what_looks_like_splits_is_never_taken_for_classes(tmp_path: Path, layout: str) -> None:
    files, message = REFUSED[layout]
    put_all(tmp_path / "pets", *files)
    dataset = DATASETS.load(f"folder:{tmp_path}/pets")(tmp_path)
    for act in (dataset.load, dataset.identity):
        with pytest.raises(DataError, match=message) as error:
            act()
        assert "\n" not in str(error.value)


YEARS = ("2019/1.png", "2019/2.png", "2020/1.png", "2020/2.png")
CLASSES = {
    "years in classes": ("cat", "dog"),
    "a class with a word": ("bus stop", "train station", "harbour"),
    "words of one split": ("negative test", "positive test"),
    "one split's word among others": ("blood", "control", "test kit"),
}


@pytest.mark.parametrize("case", CLASSES)
def test_folders_in_classes_are_no_splits(tmp_path: Path, case: str) -> None:
    put_all(tmp_path / "x", *(f"{name}/{image}" for name in CLASSES[case] for image in YEARS))
    assert listing(tmp_path / "x").class_names == tuple(sorted(CLASSES[case]))


BESIDE = {  # what lies beside train/ (and test/) -> what is noted
    "another version": (in_splits("train", "test", "augmented"), "6 images in folders of no split (e.g. augmented/c"),
    "a small one": (in_splits("train", "test", "train_small"), "6 images in folders of no split (e.g. train_small"),
    "beside a validation split": (in_splits("train", "val", "augmented"), "6 images in folders of no split"),
    "no classes": ((*in_splits("train", "test"), *flat("unlabelled")), "3 images in folders of no split"),
    "no classes, no test": ((*in_splits("train"), "more/1.png"), "1 images in folders of no split (e.g. more/1.png)"),
    "no images": ((*in_splits("train", "test"), "docs/a.txt"), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE)
def test_images_beside_the_splits_are_counted(tmp_path: Path, case: str) -> None:
    files, note = BESIDE[case]
    put_all(tmp_path / "pets", *files)
    notes = " ".join(load(tmp_path / "pets").notes)
    assert note in notes and ("of no split" in notes) == bool(note)


def test_folders_that_the_splits_are_links_into_are_used(tmp_path: Path) -> None:
    put_all(
        tmp_path / "pets",
        *(f"all/{name}" for name in ("cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png", "cow/5.png")),
    )
    (tmp_path / "pets/train").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / f"pets/train/{name}").symlink_to(f"../all/{name}")
    found = listing(tmp_path / "pets")
    assert len(found.splits["train"].files) + len(found.splits["test"].files) == 4 and found.class_names == (
        "cat",
        "dog",
    )
    assert "no split" not in " ".join(found.notes)


LINKED = {  # link -> where it leads, below a data set with train/ and test/
    "a split": ("val", "test", "val: a link that leads to test/, another split"),
    "a split, into a class": ("val", "train/cat", "val: a link that leads to train/"),
    "around everything": ("val", "../pets", "val: a link that leads to"),
    "a class": ("test/cow", "../train/cat", "test/cow: a link that leads to train/"),
}


@pytest.mark.parametrize("case", LINKED)
def test_a_link_from_one_split_into_another_is_refused(tmp_path: Path, case: str) -> None:
    link, target, message = LINKED[case]
    put_all(tmp_path / "pets", *in_splits("train", "test"))
    (tmp_path / "pets" / link).symlink_to(target)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "pets")


@pytest.mark.parametrize("name", ["rafdb", "cifar10"])
def test_it_is_in_every_data_set_of_class_folders(tmp_path: Path, name: str) -> None:
    {"rafdb": mini.rafdb_folders, "cifar10": mini.cifar_folders}[name](tmp_path / name)
    (tmp_path / name / "test").rename(tmp_path / "test")
    (tmp_path / name / "test").symlink_to("../test")
    assert len(DATASETS.load(name)(tmp_path).load(8).test) > 0  # elsewhere
    (tmp_path / name / "test").unlink()
    (tmp_path / name / "test").symlink_to("train")
    with pytest.raises(DataError, match="test: a link that leads to train/"):
        DATASETS.load(name)(tmp_path).load(8)


def test_a_class_that_is_a_link_to_another_is_counted_and_has_no_images(tmp_path: Path) -> None:
    put_all(tmp_path / "pets", *in_splits("train", "test"), "elsewhere/1.png")
    (tmp_path / "pets/train/ant").symlink_to("cat")
    (tmp_path / "pets/elsewhere").rename(tmp_path / "elsewhere")
    for name in ("emu", "yak"):  # two labels for one folder
        (tmp_path / f"pets/train/{name}").symlink_to("../../elsewhere")
    splits = load(tmp_path / "pets")
    assert splits.train.class_names == ("ant", "cat", "dog", "emu", "yak")
    assert splits.train.labels.tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert "left out: 2 links back into the folder (e.g. ant)" in " ".join(splits.notes)
    assert "no training images of 2 of 5 classes: ant, yak" in " ".join(splits.notes)
    (tmp_path / "whole").symlink_to("pets")
    assert len(load(tmp_path / "whole").train) == 7
