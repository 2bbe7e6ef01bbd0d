"""Labels that people gave: CIFAR-10N, CIFAR-10H, published lists; and the kinds of noise made of them."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from datasets.base import ImageSet
from datasets.errors import DataError
from datasets.images.arrays import read_pickle
from datasets.noise import add_noise, asymmetric, check_noise, confusion, identity, parse
from datasets.registry import DATASETS
from tests.datasets import miniatures as mini

HUMAN = ("aggre", "random1", "random2", "random3", "worse")


def torch_zip(path: Path, content: bytes, name: str = "archive/data.pkl") -> Path:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(name, content)
        out.writestr("archive/version", b"3\n")
    return path


def cifar10n(folder: Path, clean: list[int]) -> dict[str, np.ndarray]:
    """Human labels that differ from the clean ones in the first 1, 2, ... rows."""
    labels = {"clean_label": np.array(clean)}
    for number, name in enumerate(HUMAN, start=1):
        key = f"random_label{name[-1]}" if name.startswith("random") else f"{name}_label"
        labels[key] = np.array([(label + 1) % 10 if row < number else label for row, label in enumerate(clean)])
    folder.mkdir(parents=True, exist_ok=True)
    torch_zip(folder / "CIFAR-10_human.pt", pickle.dumps(labels, protocol=2))
    return labels


@pytest.mark.parametrize("layout", mini.CIFAR10)
def test_cifar10n_gives_noise_of_its_own_ratio(tmp_path: Path, layout: str) -> None:
    mini.CIFAR10[layout](tmp_path)
    cifar10n(tmp_path / "cifar10", mini.TRAIN)
    for _ in range(2):  # built, then from the cache
        train = DATASETS.load("cifar10")(tmp_path).load().train
        for number, name in enumerate(HUMAN, start=1):
            noisy = add_noise(train, f"human:{name}", 0.0, seed=number)
            assert noisy.mask.tolist() == [row < number for row in range(50)]
            assert noisy.ratio == number / 50 and np.array_equal(noisy.labels != train.labels, noisy.mask)


def test_cifar10n_in_another_order_is_not_used_and_noted(tmp_path: Path) -> None:
    mini.cifar_folders(tmp_path / "cifar10")
    cifar10n(tmp_path / "cifar10", mini.TRAIN[::-1])
    splits = DATASETS.load("cifar10")(tmp_path).load()
    assert "CIFAR-10_human.pt is not used" in " ".join(splits.notes)
    with pytest.raises(UserError, match="comes without human labels"):
        add_noise(splits.train, "human:worse", 0.0, 0)


def test_cifar10h_is_the_test_splits_soft_labels(tmp_path: Path) -> None:
    mini.cifar_batches(tmp_path / "cifar10")
    soft = np.full((20, 10), 0.02)
    soft[np.arange(20), mini.TEST] = 0.82
    np.save(tmp_path / "cifar10/cifar10h-probs.npy", soft)
    splits = DATASETS.load("cifar10")(tmp_path).load()
    assert splits.test.soft_labels is not None and np.allclose(splits.test.soft_labels, soft)
    assert splits.train.soft_labels is None
    np.save(tmp_path / "cifar10/cifar10h-probs.npy", soft[::-1])
    splits = DATASETS.load("cifar10")(tmp_path).load()
    assert splits.test.soft_labels is None and "cifar10h-probs.npy is not used" in " ".join(splits.notes)
    np.save(tmp_path / "cifar10/cifar10h-probs.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="pickles are refused"):
        DATASETS.load("cifar10")(tmp_path).load()


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("/tmp/evil-of-the-tests",)


@pytest.mark.parametrize("content", [Evil(), {"a": Evil()}, np.array([Evil()], dtype=object), {"a": Path("/")}])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_anything_but_arrays_is_refused(tmp_path: Path, content: Any, zipped: bool) -> None:
    path = tmp_path / "a.pt"
    data = pickle.dumps(content, protocol=2)
    torch_zip(path, data) if zipped else path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.pt: a pickle .* is refused") as error:
        read_pickle(path)
    assert "\n" not in str(error.value) and not Path("/tmp/evil-of-the-tests").exists()


def test_codecs_that_unpack_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00xX\x05\x00\x00\x00bz2_cq\x01\x86R.")
    with pytest.raises(DataError, match="codec 'bz2_c' is refused"):
        read_pickle(tmp_path / "a")


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_arrays_come_back(tmp_path: Path, protocol: int) -> None:
    content = {"a": np.arange(6).reshape(2, 3), b"b": [1, "two"], "c": np.float32(2.5), "d": np.array(["x"])}
    (tmp_path / "a").write_bytes(pickle.dumps(content, protocol=protocol))
    if protocol == 5:
        with pytest.raises(DataError, match="_frombuffer is refused"):  # nobody publishes such
            read_pickle(tmp_path / "a")
        return
    found = read_pickle(tmp_path / "a")
    assert np.array_equal(found["a"], content["a"]) and found["b"] == [1, "two"] and found["c"] == 2.5


def test_damaged_pickles_are_clear_errors(tmp_path: Path) -> None:
    for content in (b"", b"\x80\x02}", pickle.dumps({"a": np.arange(100)}, protocol=2)[:-60], pickle.dumps([1])):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(DataError, match="a: (damaged or not a pickle|holds a list)"):
            read_pickle(tmp_path / "a")
    with pytest.raises(DataError, match="without PyTorch's data.pkl"):
        read_pickle(torch_zip(tmp_path / "b", b"", name="other"))


def test_what_cifar10n_must_hold(tmp_path: Path) -> None:
    mini.cifar_folders(tmp_path / "cifar10")
    labels = cifar10n(tmp_path / "cifar10", mini.TRAIN)
    for change, message in (
        ({"worse_label": None}, "'worse_label' is missing"),
        ({"worse_label": np.full(50, 10)}, "outside 0..9"),
        ({"worse_label": np.zeros(3, int)}, "different lengths"),
    ):
        changed = {key: value for key, value in {**labels, **change}.items() if value is not None}
        torch_zip(tmp_path / "cifar10/CIFAR-10_human.pt", pickle.dumps(changed, protocol=2))
        with pytest.raises(DataError, match=message):
            DATASETS.load("cifar10")(tmp_path).load()


def raf(root: Path) -> ImageSet:
    mini.rafdb_list(root / "rafdb")
    train: ImageSet = DATASETS.load("rafdb")(root).load().train
    return train


def noise_list(path: Path, *, aligned: str = "", newline: str = "\n") -> str:
    """Train image 5 (class 4) becomes class 0, written 1; test rows are in the published lists too."""
    rows = [f"train_{i + 1:05d}{aligned}.jpg {1 if i == 4 else i % 7 + 1}" for i in range(14)]
    path.write_bytes(newline.join([*reversed(rows), "test_0001.jpg 3"]).encode())
    return f"file:{path}"


@pytest.mark.parametrize("aligned", ["", "_aligned"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_published_list_is_matched_by_file_name(tmp_path: Path, aligned: str, newline: str) -> None:
    train = raf(tmp_path)
    noisy = add_noise(train, noise_list(tmp_path / "noise01.txt", aligned=aligned, newline=newline), 0.0, seed=0)
    row = train.labels.tolist().index(4)
    assert np.flatnonzero(noisy.mask).tolist() == [row] and noisy.labels[row] == 0 and noisy.ratio == 1 / 14


WRITTEN = {  # how a published list writes file and label of train image i of class c
    "as RAF-DB": "train_{i:05d}.jpg {code}",
    "absolute paths": "/home/somebody/raf/Image/aligned/train_{i:05d}_aligned.jpg {code}",
    "Windows' paths with blanks": r"C:\\My Data\\train_{i:05d}.jpg {code}",
    "commas": "aligned/train_{i:05d}.jpg,{code}",
    "tabs": "train_{i:05d}.jpg\t{code}",
    "quoted names": '"aligned/train_{i:05d}.jpg",{code}',
    "quoted, names with commas": '"Smith, A/train_{i:05d}.jpg";"{code}"',
    "quoted numbers": 'train_{i:05d}.jpg "{code}"',
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("written", WRITTEN)
def test_published_lists_as_people_write_them(tmp_path: Path, written: str, first: int) -> None:
    train = raf(tmp_path)
    labels = [6 - i % 7 for i in range(14)]
    text = "\n".join(WRITTEN[written].format(i=i + 1, code=label + first) for i, label in enumerate(labels))
    (tmp_path / "n.txt").write_text(text)
    noisy = add_noise(train, f"file:{tmp_path / 'n.txt'}", 0.0, 0)
    given = {name: labels[int(name[6:11]) - 1] for name in train.names.tolist()}
    assert noisy.labels.tolist() == [given[name] for name in train.names.tolist()]
    assert noisy.notes == (() if first else ("n.txt: its labels count from 0, not from 1 as the data set's own do",))


def test_files_of_one_name_in_several_folders_are_told_apart(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for split in ("train", "test"):
            mini.put(tmp_path / f"pets/{split}/{name}/1.png", 1)
    train = DATASETS.load("folder:pets")(tmp_path).load().train
    (tmp_path / "n.txt").write_text("/a/b/train/cat/1.png 1\n/a/b/train/dog/1.png 0\n")
    assert add_noise(train, f"file:{tmp_path / 'n.txt'}", 0.0, 0).labels.tolist() == [1, 0]


MIXED = ("cat/0.png", "cat/1.png", "cat/deep/0.png", "dog/0.png", "dog/deep/0.png", "dog/deep/er/0.png")
BELOW = {  # how a list writes the path of an image of class folders
    "as it is": "{name}",
    "absolute": "/home/me/pets/train/{name}",
    "from here": "./{name}",
    "from here, below": "./train//{name}",
    "from above": "../pets/train/{name}",
    "Windows": "C:\\me\\pets\\train\\{back}",
    "Windows, from here": ".\\{back}",
}


@pytest.mark.parametrize("written", BELOW)
def test_names_that_repeat_at_several_depths_are_told_apart(tmp_path: Path, written: str) -> None:
    for number, name in enumerate(MIXED):
        mini.put(tmp_path / f"pets/train/{name}", number)
        mini.put(tmp_path / f"pets/test/{name}", number)
    train = DATASETS.load("folder:pets")(tmp_path).load().train
    flipped = {name: 1 - (name[0] == "d") if "1" in name or "er" in name else int(name[0] == "d") for name in MIXED}
    lines = [
        f"{BELOW[written].format(name=name, back=name.replace('/', chr(92)))} {label}"
        for name, label in flipped.items()
    ]
    (tmp_path / "n.txt").write_text("\r\n".join(lines))
    noisy = add_noise(train, f"file:{tmp_path / 'n.txt'}", 0.0, 0)
    assert dict(zip(train.names.tolist(), noisy.labels.tolist(), strict=True)) == flipped and noisy.mask.sum() == 2


@pytest.mark.parametrize("folder", ["", "train/cat/"])
def test_an_aligned_image_beside_its_original_is_another(tmp_path: Path, folder: str) -> None:
    names = [f"{pet}{end}.png" for pet in ("cat", "dog") for end in ("1", "1_aligned")]
    for number, name in enumerate(names):
        mini.put(tmp_path / f"pets/train/{name[:3]}/{name}", number)
        mini.put(tmp_path / f"pets/test/{name[:3]}/{name}", number)
    train = DATASETS.load("folder:pets")(tmp_path).load().train
    labels = {"cat1.png": 0, "cat1_aligned.png": 1, "dog1.png": 1, "dog1_aligned.png": 0}
    (tmp_path / "n.txt").write_text("\n".join(f"{folder}{name} {label}" for name, label in labels.items()))
    noisy = add_noise(train, f"file:{tmp_path / 'n.txt'}", 0.0, 0)
    assert {n.split("/")[1]: v for n, v in zip(train.names.tolist(), noisy.labels.tolist(), strict=True)} == labels


def test_a_list_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    train = raf(tmp_path)
    path = tmp_path / "n.txt"
    for text, message in (
        ("train_00001.jpg 1\n", "no label for 13 of 14 training images, e.g. train_0000"),
        ("train_00001.jpg 9\n", r"line 1: label '9' of train_00001.jpg is not one of 1\.\.7"),
        ("train_00001.jpg 1\ntrain_00001.jpg 2\n", "two different labels for train_00001.jpg"),
        ("train_00001.jpg\n", "not a file name and a label"),
        ("train_00001.jpg 0\ntrain_00002.jpg 7\n", r"line 2: label '7' of train_00002.jpg is not one of 0\.\.6"),
        ("train_00001.jpg " + "9" * 5000, "line 1: label '99999999999999999999' of"),
        ("train_00001.jpg ²", "label '²'"),
        ('train_00001.jpg 5"', "label '5\"' of"),
        (
            "train_00001.jpg fear",
            r"label 'fear' .*is not one of 1\.\.7 .the classes' numbers: 1 surprise, 2 fear, 3 disgust",
        ),
        ("a/photo1.jpg 1\nphoto2.jpg 2\n", "no label for 14 of 14 .*; the list has other names, e.g. photo1.jpg$"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            add_noise(train, f"file:{path}", 0.0, 0)
    digits = DATASETS.load("digits")(tmp_path).load().train
    with pytest.raises(DataError, match="images are not files"):
        add_noise(digits, f"file:{path}", 0.0, 0)


def test_identity_of_a_list_is_its_name_and_content_never_its_place(tmp_path: Path) -> None:
    kind = noise_list(tmp_path / "noise01.txt")
    first = identity(kind, tmp_path)
    assert first.startswith("file:noise01.txt-") and str(tmp_path) not in first
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "noise01.txt").rename(tmp_path / "elsewhere/noise01.txt")
    assert identity(f"file:{moved}", tmp_path) == first
    moved.write_text("train_00001.jpg 2")
    assert identity(f"file:{moved}", tmp_path) != first
    assert identity("human:worse", tmp_path) == "human:worse"
    with pytest.raises(UserError, match="no such file"):
        identity("file:nowhere.txt", tmp_path)


def test_asymmetric_flips_the_ratio_of_each_confused_class() -> None:
    labels = np.repeat(np.arange(10), 1000)
    noisy = asymmetric(labels, confusion(mini.CIFAR), 0.4, seed=0)
    pairs = {(mini.CIFAR[a], mini.CIFAR[b]) for a, b in zip(labels, noisy.labels, strict=True) if a != b}
    assert pairs == {
        ("truck", "automobile"), ("bird", "airplane"), ("deer", "horse"), ("cat", "dog"), ("dog", "cat")
    }  # fmt: skip
    assert np.bincount(labels[noisy.mask], minlength=10).tolist() == [0, 0, 400, 400, 400, 400, 0, 0, 0, 400]
    assert noisy.ratio == 0.2 and np.array_equal(noisy.mask, noisy.labels != labels)
    less = asymmetric(labels, confusion(mini.CIFAR), 0.1, seed=0)
    assert np.all(noisy.mask[less.mask]) and not np.array_equal(
        noisy.mask, asymmetric(labels, confusion(mini.CIFAR), 0.4, 1).mask
    )


def test_every_expression_is_confused_with_another_and_unknown_classes_with_the_next() -> None:
    for names in (mini.RAF, mini.AFFECT):
        becomes = confusion(names)
        assert sorted(becomes) == list(range(len(names))) and all(a != b for a, b in becomes.items())
        assert becomes[names.index("fear")] == names.index("surprise")
    assert confusion(("a", "b", "c")) == {0: 1, 1: 2, 2: 0}


def test_kinds_with_their_own_ratio_take_none() -> None:
    for kind in ("human:worse", "file:a.txt"):
        check_noise(kind, 0.0)
        with pytest.raises(UserError, match="ratio of its own labels"):
            check_noise(kind, 0.2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.3", ("symmetric", 0.3)),
        ("symmetric:0.3", ("symmetric", 0.3)),
        ("asymmetric:0.4", ("asymmetric", 0.4)),
        ("human:worse", ("human:worse", 0.0)),
        ("file:a:b.txt", ("file:a:b.txt", 0.0)),
    ],
)
def test_noise_as_a_user_writes_it(text: str, expected: tuple[str, float]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["asymmetric", "asymmetric:x", "1.5", "human:", "human", "worse:0.2", "x", ""])
def test_noise_that_is_malformed_says_what_is_valid(text: str) -> None:
    with pytest.raises(UserError, match="valid|outside"):
        parse(text)


def test_unknown_human_labels_list_the_valid_ones(tmp_path: Path) -> None:
    mini.cifar_folders(tmp_path / "cifar10")
    cifar10n(tmp_path / "cifar10", mini.TRAIN)
    with pytest.raises(UserError, match="unknown human labels 'worst' .*did you mean 'worse'.*aggre, random1"):
        add_noise(DATASETS.load("cifar10")(tmp_path).load().train, "human:worst", 0.0, 0)
