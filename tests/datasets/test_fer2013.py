from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import DataError
from datasets.expressions.fer2013 import FER2013
from datasets.expressions.fer2013_csv import _numbers

USAGES = ["Training"] * 7 + ["PublicTest"] * 4 + ["PrivateTest"] * 5
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(len(USAGES), 48, 48), dtype=np.uint8)
IMAGES[0, 0, :3] = (0, 9, 255)  # one, two and three digits meet
LABELS = [row % 7 for row in range(len(USAGES))]
TRAIN = slice(0, 7)


def lines(images: np.ndarray = IMAGES) -> list[str]:
    texts = [" ".join(map(str, image.ravel())) for image in images]
    rows = [f"{label},{text},{usage}" for label, text, usage in zip(LABELS, texts, USAGES, strict=True)]
    return ["emotion,pixels,Usage", *rows]


def write(root: Path, text: str, name: str = "fer2013.csv", folder: str = "fer2013") -> FER2013:
    path = root / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return FER2013(root)


def icml(rows: list[str]) -> str:
    parts = [row.split(",") for row in rows[1:]]
    return "\n".join(["emotion, Usage, pixels", *(f"{label},{usage},{text}" for label, text, usage in parts)]) + "\n"


LAYOUTS: dict[str, Callable[[Path], FER2013]] = {
    "csv": lambda root: write(root, "\n".join(lines()) + "\n"),
    "no last line end": lambda root: write(root, "\n".join(lines())),
    "windows": lambda root: write(root, "\r\n".join(lines()) + "\r\n"),
    "byte order mark": lambda root: write(root, "\ufeff" + "\n".join(lines())),
    "leading blanks": lambda root: write(root, icml(lines()), "icml_face_data.csv"),
    "quoted": lambda root: write(
        root, "\n".join(row.replace(",", ',"', 1)[::-1].replace(",", ',"', 1)[::-1] for row in lines())
    ),
    "wide blanks": lambda root: write(root, "\n".join(lines()).replace(" ", "  ")),
    "nested": lambda root: write(root, "\n".join(lines()), folder="fer2013/fer2013"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_csv_layouts_give_the_same_splits(tmp_path: Path, layout: str) -> None:
    dataset = LAYOUTS[layout](tmp_path)
    assert dataset.present()
    splits = dataset.load()
    assert splits.validation is not None
    for part, rows in ((splits.train, slice(0, 7)), (splits.validation, slice(7, 11)), (splits.test, slice(11, 16))):
        assert np.array_equal(part.images[..., 0], IMAGES[rows])
        assert part.labels.tolist() == LABELS[rows]
        assert part.class_names == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
        assert part.soft_labels is None
    assert any("7 train images, not the official 28,709" in note for note in splits.notes)


FOLDER_NAMES = {
    "kaggle": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    "other": ("Anger", "disgusted", "fearful", "Happiness", "sadness", "surprised", "Neutral"),
}


def write_folders(root: Path, names: tuple[str, ...]) -> FER2013:
    for number, (image, label, usage) in enumerate(zip(IMAGES, LABELS, USAGES, strict=True)):
        split = "train" if usage == "Training" else "test"
        path = root / "fer2013" / split / names[label] / f"{usage}_{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return FER2013(root)


@pytest.mark.parametrize("spelling", FOLDER_NAMES)
def test_folders_are_mapped_by_name(tmp_path: Path, spelling: str) -> None:
    dataset = write_folders(tmp_path, FOLDER_NAMES[spelling])
    assert dataset.present()
    splits = dataset.load()
    assert splits.validation is not None
    for part, rows in ((splits.train, slice(0, 7)), (splits.validation, slice(7, 11)), (splits.test, slice(11, 16))):
        found = {bytes(image): int(label) for image, label in zip(part.images, part.labels, strict=True)}
        assert found == {bytes(image): label for image, label in zip(IMAGES[rows], LABELS[rows], strict=True)}


def test_folder_errors_name_the_file(tmp_path: Path) -> None:
    dataset = write_folders(tmp_path, FOLDER_NAMES["kaggle"])
    odd = tmp_path / "fer2013/test/sad/0001.png"
    Image.fromarray(IMAGES[0]).save(odd)
    with pytest.raises(DataError, match="0001.png.*PublicTest or PrivateTest"):
        dataset.load()
    odd.unlink()
    broken = tmp_path / "fer2013/train/sad/Training_9.png"
    broken.write_bytes(b"")
    with pytest.raises(DataError, match="Training_9.png: cannot be decoded"):
        dataset.load()
    Image.fromarray(IMAGES[0][:40]).save(broken)
    with pytest.raises(DataError, match="not all square and of one size"):
        dataset.load()
    broken.unlink()
    (tmp_path / "fer2013/train/contempt").mkdir()
    Image.fromarray(IMAGES[0]).save(tmp_path / "fer2013/train/contempt/Training_1.png")
    with pytest.raises(DataError, match="contempt: not a class.*anger, disgust"):
        dataset.load()


def edit(row: int, old: str, new: str) -> str:
    text = lines()
    assert old in text[row]
    text[row] = text[row].replace(old, new, 1)
    return "\n".join(text) + "\n"


BROKEN = {
    "truncated in the pixels": ("\n".join(lines())[:-3000], r"row 16: 2 columns .*truncated"),
    "truncated in the usage": ("\n".join(lines())[:-4], r"row 16: Usage 'Private' is not one of Training"),
    "truncated, pixels last": (icml(lines())[:-3000], r"row 16: [\d,]+ pixels instead of 2,304 \(truncated"),
    "one pixel too many": (edit(4, " ", " 7 "), r"row 4: 2,305 pixels instead of 2,304"),
    "label out of range": (edit(3, "2,", "7,"), r"row 3: emotion '7' is not one of 0\.\.6"),
    "label not a number": (edit(3, "2,", "sad,"), r"row 3: emotion 'sad'"),
    "negative label": (edit(3, "2,", "-2,"), r"row 3: emotion '-2'"),
    "unknown usage": (edit(9, "PublicTest", "Public"), r"row 9: Usage 'Public' is not one of"),
    "pixel not a number": (edit(5, " ", " 1x2 ").replace(" 1x2 ", " 1x2 "), r"row 5: pixel '1x2' is not a number"),
    "pixel too large": (edit(1, "0,0 9 255 ", "0,0 9 256 "), r"row 1: pixel '256' is not in 0\.\.255"),
    "pixel with too many digits": (edit(1, "0,0 9 255 ", "0,0 9 1255 "), r"row 1: pixel '1255' is not in 0\.\.255"),
    "sign in a pixel": (edit(1, "0,0 9 255 ", "0,0 -9 255 "), r"row 1: pixel '-9' is not a number"),
    "missing column": ("\n".join(row.rpartition(",")[0] for row in lines()), r"header.*no column Usage"),
    "no header": ("\n".join(lines()[1:]), r"header.*no column emotion, pixels, Usage"),
    "empty": ("", r"no column emotion, pixels, Usage; found: nothing"),
    "header alone": ("emotion,pixels,Usage\n", "no rows below the header"),
    "no test rows": ("\n".join(lines()[:8]), "no PrivateTest images"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_malformed_csv_is_one_line_that_names_file_row_and_problem(tmp_path: Path, case: str) -> None:
    text, message = BROKEN[case]
    name = "icml_face_data.csv" if text.startswith("emotion, Usage") else "fer2013.csv"
    with pytest.raises(DataError, match=message) as error:
        write(tmp_path, text, name).load()
    assert name in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 400


def test_an_error_beyond_the_first_block_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.expressions.fer2013_csv._BLOCK", 3)
    with pytest.raises(DataError, match="row 8: pixel 'x'"):
        write(tmp_path, edit(8, " ", " x ")).load()
    assert np.array_equal(write(tmp_path, "\n".join(lines())).load().train.images[..., 0], IMAGES[TRAIN])


def test_the_fast_decoder_alone_gives_the_numbers() -> None:
    numbers = np.random.default_rng(3).integers(0, 256, 5000)
    decoded = _numbers(" ".join(map(str, numbers)).encode())
    assert decoded is not None and decoded.tolist() == numbers.tolist()
    for unsound in (b"1 256", b"1  2", b"1 x", b"1 1000", b" 1", b"1 ", b"1 -2", b"1\t2"):
        assert _numbers(unsound) is None


def test_missing_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path) -> None:
    dataset = FER2013(tmp_path)
    assert not dataset.present()
    with pytest.raises(DataError) as error:
        dataset.load()
    message = str(error.value)
    for part in (
        str(tmp_path / "fer2013"),
        "fer2013.csv",
        "icml_face_data.csv",
        "train/<class>/",
        "Kaggle",
        "research",
    ):
        assert part in message
    assert "\n" not in message


VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def write_votes(root: Path, votes: list[str]) -> FER2013:
    (root / "fer2013").mkdir(exist_ok=True)
    (root / "fer2013/fer2013new.csv").write_text("\n".join([VOTES, *votes]) + "\n")
    return write(root, "\n".join(lines()))


def test_votes_become_soft_labels_in_the_code_order(tmp_path: Path) -> None:
    votes = [f"{usage},,4,0,0,1,3,2,0,0,0,0" for usage in USAGES]
    votes[1] = "Training,,0,0,0,0,0,0,0,3,0,7"  # contempt and no face: no vote for the seven
    votes[2] = "Training,fer2.png,0,5,0,0,0,0,0,5,0,0"  # contempt does not count
    soft = write_votes(tmp_path, votes).load().train.soft_labels
    assert soft is not None and soft.dtype == np.float32
    assert np.allclose(soft[0], [0.3, 0.2, 0, 0, 0.1, 0, 0.4])  # anger disgust fear happy sad surprise neutral
    assert np.isnan(soft[1]).all()
    assert soft[2].tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_votes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    votes = [f"{usage},,4,0,0,1,3,2,0,0,0,0" for usage in USAGES]
    with pytest.raises(DataError, match="fer2013new.csv: 15 rows for 16 images"):
        write_votes(tmp_path, votes[:-1]).load()
    with pytest.raises(DataError, match="row 1: Usage 'PrivateTest'"):
        write_votes(tmp_path, votes[::-1]).load()
    with pytest.raises(DataError, match="row 16: votes are not numbers"):
        write_votes(tmp_path, [*votes[:-1], "PrivateTest,,4,0"]).load()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_votes_and_images_in_any_encoding_with_a_mark(tmp_path: Path, encoding: str) -> None:
    dataset = write_votes(tmp_path, [f"{usage},,4,0,0,1,3,2,0,0,0,0" for usage in USAGES])
    for name in ("fer2013new.csv", "fer2013.csv"):
        path = tmp_path / "fer2013" / name
        path.write_bytes(path.read_text().encode(encoding))
    splits = dataset.load()
    assert splits.train.soft_labels is not None and np.array_equal(splits.train.images[..., 0], IMAGES[TRAIN])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fer2013new.csv", b"\xff\xfe\x00", "not utf-16"),
        ("fer2013new.csv", "Usage,Émotion\n".encode("latin-1"), "not utf-8"),
        ("fer2013new.csv", b"", "no column usage, anger"),
        ("fer2013new.csv", VOTES.encode() + b"\n" + b"Training,,4,0,0,1,3,2,0,0,0,0\n" * 99, "17 or more rows for 16"),
        (
            "fer2013new.csv",
            VOTES.encode() + b"\n" + b"Training,," + b"9" * 5000 + b",0,0,1,3,2,0,0,0,0\n" * 16,
            "row 1: votes are not",
        ),
        ("fer2013.csv", b"\x89PNG\xff", "not utf-8"),
        (
            "fer2013.csv",
            b"emotion,pixels,Usage\n" + b"9" * 5000 + b",1 2,Training\n",
            "emotion '99999999999999999999' is",
        ),
        ("fer2013.csv", "emotion,pixels,Usage\n²,1 2,Training\n".encode(), "emotion '²' is not"),
        ("fer2013.csv", b"emotion,pixels,Usage\n1," + b"9" * 5000 + b" 2,Training\n", "is not in 0..255"),
    ],
)
def test_other_content_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    dataset = write_votes(tmp_path, [f"{usage},,4,0,0,1,3,2,0,0,0,0" for usage in USAGES])
    (tmp_path / "fer2013" / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: .*{message}") as error:
        dataset.load()
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_folders_in_capitals_with_a_validation_folder(tmp_path: Path) -> None:
    for split, offset in (("Training", 0), ("Validation", 100), ("Testing", 200)):
        for label, name in enumerate(FOLDER_NAMES["other"]):
            (tmp_path / "fer2013" / split / name).mkdir(parents=True)
            Image.new("L", (48, 48), offset + label).save(tmp_path / "fer2013" / split / name / "1.png")
    splits = FER2013(tmp_path).load()
    shown = {name: part.images[:, 0, 0, 0] - part.labels for name, part in splits.parts()}
    assert {name: set(values.tolist()) for name, values in shown.items()} == {
        "train": {0}, "validation": {100}, "test": {200},
    }  # fmt: skip


def test_moving_the_data_changes_no_fingerprint_and_an_edit_is_seen(tmp_path: Path) -> None:
    first = LAYOUTS["csv"](tmp_path / "a").load()
    (tmp_path / "a").rename(tmp_path / "b")
    moved = FER2013(tmp_path / "b").load()
    assert moved.train.fingerprint == first.train.fingerprint
    changed = write(tmp_path / "b", edit(1, "0,0 9 255 ", "0,1 9 255 ")).load()
    assert changed.train.fingerprint != first.train.fingerprint
    assert changed.test.fingerprint == first.test.fingerprint


def test_votes_added_later_are_found_and_keep_the_fingerprint(tmp_path: Path) -> None:
    first = LAYOUTS["csv"](tmp_path).load()
    later = write_votes(tmp_path, [f"{usage},,4,0,0,1,3,2,0,0,0,0" for usage in USAGES]).load()
    assert first.train.soft_labels is None and later.train.soft_labels is not None
    assert first.train.fingerprint == later.train.fingerprint


def test_image_size(tmp_path: Path) -> None:
    splits = LAYOUTS["csv"](tmp_path).load(64)
    assert splits.train.images.shape == (7, 64, 64, 1)
    assert splits.validation is not None and splits.validation.images.shape == (4, 64, 64, 1)
