"""The one walk through people's folders: what it visits, what it leaves out and counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.cache.walk import is_litter, regular, walk
from datasets.errors import DataError
from datasets.file_lists import Skipped
from datasets.images.listing import images_below, split_named
from tests.datasets import miniatures as mini

LITTER, OTHER, BACK, ODD = (
    "hidden or system files",
    "files that are no images",
    "links back into the folder",
    "pipes, devices or links to nothing",
)


def copy_as(base: Path, name: str) -> None:
    """An image under a name."""
    mini.put(base / name, 3)


def link(base: Path, name: str, target: str) -> None:
    (base / name).parent.mkdir(parents=True, exist_ok=True)
    (base / name).symlink_to(target)


# what -> (how it is made below a class folder, images it adds, what is counted)
CASES: dict[str, tuple[Callable[[Path], None], list[str], dict[str, int]]] = {
    "nothing": (lambda b: None, [], {}),
    ".jfif": (lambda b: copy_as(b, "x.jfif"), ["x.jfif"], {}),
    ".jpe": (lambda b: copy_as(b, "x.JPE"), ["x.JPE"], {}),
    "no suffix": (lambda b: copy_as(b, "x"), ["x"], {}),
    "strange suffix": (lambda b: copy_as(b, "x.1_face"), ["x.1_face"], {}),
    "no suffix, no image": (lambda b: (b / "README").write_text("hello"), [], {OTHER: 1}),
    "PPM without suffix": (lambda b: (b / "x").write_bytes(b"P6 # made by hand\n1 1 255 abc"), ["x"], {}),
    "PGM without suffix": (lambda b: (b / "x").write_bytes(b"P2\n8 8\n255\n"), ["x"], {}),
    "text that begins as a PPM": (lambda b: (b / "x").write_text("P1 of the study\n"), [], {OTHER: 1}),
    "text that counts": (lambda b: (b / "x").write_text("P1 10 people\n"), [], {OTHER: 1}),
    "text": (lambda b: (b / "notes.txt").write_text("hello"), [], {OTHER: 1}),
    "an image called .txt": (lambda b: copy_as(b, "x.txt"), [], {OTHER: 1}),
    "macOS": (lambda b: (copy_as(b, "._1.png"), copy_as(b, "__MACOSX/2.png")), [], {LITTER: 2}),
    "Synology": (lambda b: copy_as(b, "@eaDir/1.png/thumb.jpg"), [], {LITTER: 1}),
    "Windows": (lambda b: (copy_as(b, "Thumbs.db"), copy_as(b, "$RECYCLE.BIN/1.png")), [], {LITTER: 2}),
    "notebook": (lambda b: copy_as(b, ".ipynb_checkpoints/1-checkpoint.png"), [], {LITTER: 1}),
    "subfolder": (lambda b: copy_as(b, "more/x.png"), ["more/x.png"], {}),
    "link to itself": (lambda b: link(b, "loop", "."), [], {BACK: 1}),
    "link to the parent": (lambda b: link(b, "loop", ".."), [], {BACK: 1}),
    "link to the root": (lambda b: link(b, "loop", "/"), [], {BACK: 1}),
    "link to a sibling": (lambda b: (copy_as(b.parent, "b/y.png"), link(b, "loop", "../b")), [], {BACK: 1}),
    "link to nothing": (lambda b: link(b, "x.png", "nowhere"), [], {ODD: 1}),
    "a link to an image": (lambda b: link(b, "x.png", "1.png"), ["x.png"], {}),
    "a hidden folder's own link": (
        lambda b: (copy_as(b, ".store/y.png"), link(b, "x", ".store")),
        [],
        {LITTER: 1, BACK: 1},
    ),
    "pipe": (lambda b: os.mkfifo(b / "x.png"), [], {ODD: 1}),
    "device": (lambda b: link(b, "x.png", "/dev/zero"), [], {ODD: 1}),
    "two links to one folder elsewhere": (
        lambda b: (copy_as(b.parents[1], "other/z.png"), link(b, "p", "../../other"), link(b, "q", "../../other")),
        ["p/z.png"],
        {BACK: 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_an_image_and_what_is_left_out_and_counted(tmp_path: Path, case: str) -> None:
    make, added, counted = CASES[case]
    base = tmp_path / "train/a"
    mini.put(base / "1.png", 1)
    make(base)
    skipped = Skipped()
    found = [str(path.relative_to(base)) for path in images_below(base, base.parent, skipped)]
    assert found == sorted(["1.png", *added], key=lambda name: ("/" in name, name))
    assert dict(skipped.counts) == counted
    assert len(skipped.notes("set")) == bool(counted)


def test_a_folder_that_is_linked_in_from_elsewhere_is_followed(tmp_path: Path) -> None:
    mini.put(tmp_path / "all/cat/1.png", 1)
    link(tmp_path, "train/cat", "../all/cat")
    assert images_below(tmp_path / "train/cat", tmp_path / "train") == [tmp_path / "train/cat/1.png"]


@pytest.mark.parametrize("target", ["cat", "cat/more", ".", ".."])
def test_a_folder_that_is_a_link_back_itself_is_not_followed(tmp_path: Path, target: str) -> None:
    mini.put(tmp_path / "train/cat/more/1.png", 1)
    link(tmp_path, "train/dog", target)
    skipped = Skipped()
    assert images_below(tmp_path / "train/dog", tmp_path / "train", skipped) == []
    assert skipped.counts == {BACK: 1} and skipped.examples == {BACK: "dog"}


def test_a_link_to_a_folder_that_nothing_else_leads_to_is_followed(tmp_path: Path) -> None:
    mini.put(tmp_path / "train/.store/cat/1.png", 1)
    link(tmp_path, "train/cat", ".store/cat")
    assert images_below(tmp_path / "train/cat", tmp_path / "train") == [tmp_path / "train/cat/1.png"]


def test_order_is_files_first_then_folders_by_name_or_backwards(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/c/3", "a/4", "z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [name for name, _ in walk(tmp_path)] == ["z", "a/4", "a/c/3", "b/1", "b/2"]
    assert [name for name, _ in walk(tmp_path, descending=True)] == ["z", "b/1", "b/2", "a/4", "a/c/3"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: cannot be read"):
        list(walk(tmp_path / "nowhere"))
    assert not regular(tmp_path / "nowhere") and not regular(tmp_path) and not regular(Path("/dev/null"))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Train", "Training", "TRAINING_SET", "train-images", "train2017")),
        *((name, "train") for name in ("train_dataset", "training datasets")),
        *((name, "test") for name in ("Test Dataset", "testing_dataset")),
        *((name, "validation") for name in ("validation_dataset", "eval", "Evaluation", "eval_set")),
        *((name, None) for name in ("dataset", "evaluate", "train_224", "holdout")),
        *((name, "test") for name in ("test", "Testing", "test_set", "Test Data", "PrivateTest")),
        *(
            (name, "validation")
            for name in ("val", "Valid", "validation", "val_set", "dev", "public_test", "PublicTest")
        ),
        *((name, None) for name in ("trains", "trainer", "contest", "tests", "valley", "cat", "", "train_cat")),
    ],
)
def test_names_of_splits(name: str, split: str | None) -> None:
    assert split_named(name) == split


def test_names_are_printable_once() -> None:
    assert "\n" not in str(DataError("two\nlines")) and len(str(DataError("x" * 9999))) < 900
    assert is_litter("@eaDir") and not is_litter("eadir")
