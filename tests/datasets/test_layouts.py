"""Data sets that were unpacked, moved or rearranged: they are read, or one line says what mends them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.cli.verbs.data import check, prepare, show
from common.errors import UserError
from datasets.errors import DataError
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini

PNG = Path("a.png")
LISTED = "rafdb/EmoLabel/list_patition_label.txt"


def move(root: Path, old: str, new: str) -> None:
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)


def raf_unpacked_twice(root: Path) -> None:
    mini.rafdb_list(root / "rafdb")
    move(root, "rafdb/Image/aligned", "rafdb/Image/kept")
    move(root, "rafdb/Image/kept", "rafdb/Image/aligned/aligned")


def raf_folders(root: Path, *names: str) -> None:
    mini.rafdb_folders(root / "rafdb")
    for split, name in zip(("train", "test"), names, strict=True):
        move(root, f"rafdb/{split}", f"rafdb/{name}")


def raf_named(root: Path) -> None:
    mini.rafdb_folders(root / "rafdb")
    for split in ("train", "test"):
        for code, name in enumerate(("Surprise", "fear", "disgust", "Happy", "sad", "angry", "neutral"), start=1):
            move(root, f"rafdb/{split}/{code}", f"rafdb/{split}/{name}")


def affectnet_folders(root: Path, splits: tuple[str, str], names: tuple[str, ...]) -> None:
    for split, count, offset in ((splits[0], 16, 0), (splits[1], 8, 100)):
        for i in range(count):
            mini.put(root / f"affectnet/{split}/{names[i % 8]}/{i}.png", offset + i)


def flat_val(root: Path, listed: str | None, line: str) -> None:
    mini.imagenet100(root / "imagenet100")
    base, lines = root / "imagenet100", ["ImageId,PredictionString"]
    for number, path in enumerate(sorted((base / "val").rglob("*.JPEG"))):
        name = f"ILSVRC2012_val_{number:08d}"
        lines.append(line.format(name=name, wnid=path.parent.name))
        move(base, str(path.relative_to(base)), f"val/{name}.JPEG")
        path.parent.rmdir()
    lines.append(line.format(name="ILSVRC2012_val_99999999", wnid="n99999999"))  # of another class
    if listed:
        (base / listed).write_text("\n".join(lines) + "\n")


def renamed(root: Path, make: Callable[[Path], None], name: str, train: str, held_out: str) -> None:
    make(root / name)
    move(root, f"{name}/train", f"{name}/{train}")
    old = "val" if (root / name / "val").is_dir() else "test"
    move(root, f"{name}/{old}", f"{name}/{held_out}")


WHOLE: dict[str, tuple[str, Callable[[Path], None], int, int]] = {  # name, how, train and test images
    "RAF-DB unpacked twice": ("rafdb", raf_unpacked_twice, 14, 7),
    "RAF-DB in Kaggle's folder": ("rafdb", lambda r: (mini.rafdb_folders(r / "rafdb/DATASET")), 14, 7),
    "RAF-DB in a folder of any name": ("rafdb", lambda r: mini.rafdb_list(r / "rafdb/RAF-DB (1)"), 14, 7),
    "RAF-DB in capitals": ("rafdb", lambda r: raf_folders(r, "Train", "Testing"), 14, 7),
    "RAF-DB by names": ("rafdb", raf_named, 14, 7),
    "RAF-DB's list in UTF-16": (
        "rafdb",
        lambda r: (mini.rafdb_list(r / "rafdb"), (r / LISTED).write_text((r / LISTED).read_text(), "utf-16")),
        14,
        7,
    ),
    "AffectNet by numbers": ("affectnet", lambda r: affectnet_folders(r, ("train", "val"), tuple("01234567")), 16, 8),
    "AffectNet by names": ("affectnet", lambda r: affectnet_folders(r, ("Train", "Test"), mini.AFFECT), 16, 8),
    "AffectNet7 by names": ("affectnet7", lambda r: affectnet_folders(r, ("Train", "Test"), mini.AFFECT), 14, 7),
    "ImageNet's flat val, Kaggle's list": (
        "imagenet100", lambda r: flat_val(r, "LOC_val_solution.csv", "{name},{wnid} 1 2 3 4"), 100, 100,
    ),
    "ImageNet's flat val, a list in it": (
        "imagenet100", lambda r: flat_val(r, "val/val_annotations.txt", "{name}.JPEG\t{wnid}"), 100, 100,
    ),
    "CIFAR-10 in capitals": ("cifar10", lambda r: renamed(r, mini.cifar_folders, "cifar10", "Train", "Test"), 50, 20),
    "ImageNet in capitals": (
        "imagenet100", lambda r: renamed(r, mini.imagenet100, "imagenet100", "Training", "Validation"), 100, 100,
    ),
    "Tiny ImageNet in capitals": (
        "tiny_imagenet", lambda r: renamed(r, mini.tiny_imagenet, "tiny_imagenet", "Train", "val_images"), 6, 6,
    ),
    "CIFAR-10 in a folder more": ("cifar10", lambda r: mini.cifar_batches(r / "cifar10/cifar-10-python"), 50, 20),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
def test_rearranged_data_sets_are_read(tmp_path: Path, case: str) -> None:
    name, make, train, test = WHOLE[case]
    make(tmp_path)
    dataset = DATASETS.load(name)(tmp_path)
    assert dataset.present()
    splits = dataset.load(8)
    assert (len(splits.train), len(splits.test)) == (train, test)
    assert splits.train.labels.tolist().count(0) == train // len(splits.train.class_names)


def packed_aligned(root: Path) -> None:
    mini.rafdb_list(root / "rafdb")
    move(root, "rafdb/Image/aligned", "elsewhere")
    (root / "rafdb/Image/aligned.zip").write_bytes(b"PK")


def other_images(root: Path) -> None:
    mini.rafdb_list(root / "rafdb")
    for path in (root / "rafdb/Image/aligned").iterdir():
        path.rename(path.with_name(f"face {path.name}"))


def tiny_without_a_class(root: Path) -> None:
    mini.tiny_imagenet(root / "tiny_imagenet")
    move(root, f"tiny_imagenet/train/{mini.wnid(1)}", "elsewhere")


MENDED = {
    "RAF-DB's images left packed": ("rafdb", packed_aligned, "aligned.zip is still packed: unzip .*aligned.zip -d "),
    "RAF-DB with other images": ("rafdb", other_images, "none of the 14 listed train images is there.*21 others, e.g."),
    "Tiny ImageNet without a class": (
        "tiny_imagenet", tiny_without_a_class, "n00000002' names no class folder of train/, which has 2.*data prepare",
    ),
    "ImageNet's flat val without a list": (
        "imagenet100", lambda r: flat_val(r, None, "{name} {wnid}"), "100 images, but no folders of the classes; put a",
    ),
    "CIFAR-10 left packed": (
        "cifar10",
        lambda r: ((r / "cifar10").mkdir(), (r / "cifar10/cifar-10-python.tar.gz").write_bytes(b"")),
        "cifar-10-python.tar.gz is still packed: python bench.py data prepare cifar10 unpacks it",
    ),
    "something else": (
        "cifar10",
        lambda r: mini.put(r / "cifar10/pictures/1.png", 1),
        "is missing: looked in .* for cifar-10-batches-py/ .*, found pictures;",
    ),
    "two folders of one split": (
        "rafdb",
        lambda r: (mini.rafdb_folders(r / "rafdb"), mini.put(r / "rafdb/Training/1/1.png", 1)),
        "both the train",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MENDED)
def test_what_cannot_be_read_says_what_was_found_and_what_mends_it(tmp_path: Path, case: str) -> None:
    name, make, message = MENDED[case]
    make(tmp_path)
    with pytest.raises(DataError, match=message) as error:
        DATASETS.load(name)(tmp_path).load(8)
    assert "\n" not in str(error.value)


def test_what_cannot_be_read_is_there_and_does_not_end_a_list_of_everything(tmp_path: Path) -> None:
    MENDED["two folders of one split"][1](tmp_path)
    assert DATASETS.load("rafdb")(tmp_path).present()


def test_what_is_no_image_beside_cifar10s_is_counted(tmp_path: Path) -> None:
    mini.cifar_folders(tmp_path / "cifar10")
    (tmp_path / "cifar10/train/bird/notes.txt").write_text("x")
    assert "left out: 1 files that are no images" in " ".join(DATASETS.load("cifar10")(tmp_path).load(8).notes)


def test_a_check_of_a_data_set_without_some_classes_gives_its_counts(tmp_path: Path) -> None:
    mini.tiny_imagenet(tmp_path / "tiny_imagenet")
    text, sound = check("tiny_imagenet", tmp_path)
    assert sound and "note: tiny_imagenet: 3 classes, not the official 200" in text and "n00000001: 2" in text


def test_prepare_unpacks_what_was_left_packed(tmp_path: Path) -> None:
    mini.cifar_batches(tmp_path / "made")
    (tmp_path / "cifar10").mkdir()
    with tarfile.open(tmp_path / "cifar10/cifar-10-python.tar.gz", "w:gz") as out:
        out.add(tmp_path / "made/cifar-10-batches-py", "cifar-10-batches-py")
    said = list(prepare("cifar10", tmp_path))
    assert said[0].startswith("unpacked ") and any("train: 50 images" in line for line in said)
    assert (tmp_path / "cifar10/cifar-10-python.tar.gz").is_file()
    assert len(DATASETS.load("cifar10")(tmp_path).load().train) == 50


@pytest.mark.parametrize("size", [0, -1, 100_000])
def test_sizes_that_no_image_has_are_refused(tmp_path: Path, size: int) -> None:
    for act in (lambda: list(prepare("digits", tmp_path, size=size)), lambda: show("digits", tmp_path, PNG, size=size)):
        with pytest.raises(UserError, match=f"--size {size}: valid: 1 to 4,096 pixels"):
            act()


def test_a_picture_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file/a.png", tmp_path / "folder.png"):
        (tmp_path / "folder.png/in").mkdir(parents=True, exist_ok=True)
        with pytest.raises(UserError, match=f"{out}: (cannot be written|is a folder)"):
            show("digits", tmp_path, out)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".cache") == ["file", "folder.png"]


def test_an_archive_that_cannot_go_where_the_data_should_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "a.tar").write_bytes(b"")
    with pytest.raises(DataError, match="a.tar: cannot be unpacked into .*file/rafdb"):
        list(prepare("rafdb", tmp_path / "file", archive=tmp_path / "a.tar"))


def test_prepare_of_an_archive_of_something_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    with tarfile.open(tmp_path / "cifar10/other.tar", "w") as out:
        member = tarfile.TarInfo("readme.txt")
        member.size = 2
        out.addfile(member, io.BytesIO(b"hi"))
    with pytest.raises(ValueError, match=r"other.tar holds \(other, other.tar\) is no layout of it; wanted: cifar-10"):
        list(prepare("cifar10", tmp_path))
