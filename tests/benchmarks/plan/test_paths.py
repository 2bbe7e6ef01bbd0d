"""Where the data sets and label lists that were typed lie, from whatever folder a run looks."""

import numpy as np
import pytest

import datasets
from benchmarks.plan.paths import Sources
from common.errors import UserError
from tests.benchmarks.apply.conftest import save

IMAGES = np.random.default_rng(5).integers(0, 255, (4, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def below_data(tmp_path, monkeypatch):
    """The data folder, with a folder `mine` in it; the working folder is another."""
    for split in ("train", "test"):
        for label in ("a", "b"):
            save(tmp_path / "data" / "mine" / split / label, IMAGES)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "data"


def test_a_folder_below_the_data_folder_is_found_by_its_runs(below_data, bench):
    typed = Sources.of(below_data, ["folder:mine"], ["symmetric"])
    absolute = Sources.of(below_data, [f"folder:{below_data / 'mine'}"], ["symmetric"])
    assert typed.typed == absolute.typed == {typed.identities["folder:mine"]: f"folder:{below_data / 'mine'}"}
    call = ("--datasets", "folder:mine", "--data", "data", "--recipe", "quick", "--methods", "baseline")
    done = bench(*call, "--noise", "0", "--seeds", "1", "--epochs", "1")
    assert done.returncode == 0 and "1 runs done, 0 failed" in done.stdout, done.stderr


def test_the_working_folder_goes_before_the_data_folder(below_data, tmp_path):
    save(tmp_path / "work" / "mine" / "train" / "a", IMAGES)
    save(tmp_path / "work" / "mine" / "train" / "b", IMAGES)
    sources = Sources.of(below_data, ["folder:mine"], [])
    assert list(sources.typed.values()) == [f"folder:{tmp_path / 'work' / 'mine'}"]


def test_a_list_of_labels_is_looked_for_in_the_working_folder_alone(below_data, tmp_path):
    (below_data / "list.txt").write_text("a/00000.png 1\n")
    with pytest.raises(UserError, match="no such file"):
        Sources.of(below_data, [], ["file:list.txt"])
    (tmp_path / "work" / "list.txt").write_text("a/00000.png 1\n")
    sources = Sources.of(below_data, [], ["file:list.txt", "symmetric"])
    assert sources.typed == {sources.identities["file:list.txt"]: f"file:{tmp_path / 'work' / 'list.txt'}"}
    assert sources.identities["symmetric"] == "symmetric"


def test_a_data_set_that_takes_no_path_keeps_what_it_takes(tmp_path, monkeypatch):
    """It was made a path below the working folder."""

    @datasets.register("yearly", "of a year")
    class Yearly(datasets.Dataset):
        name = "yearly"
        embedded = True
        class_names = ("a", "b")
        takes = "YEAR"

        def present(self):
            return True

        def load(self, image_size=None):
            part = datasets.ImageSet.of(np.full((2, 8, 8, 1), int(self.argument) % 256, np.uint8), [0, 1], ("a", "b"))
            return datasets.Splits(part, part)

    sources = Sources.of(tmp_path, ["yearly:1999", "yearly:2000"], [])
    known = sources.identities
    assert known["yearly:1999"] != known["yearly:2000"]
    for year in (1999, 2000):
        assert sources.dataset(known[f"yearly:{year}"]).load().train.images.max() == year % 256


def test_what_has_changed_is_named_as_it_was_typed(below_data, tmp_path):
    (tmp_path / "work" / "list.txt").write_text("a/00000.png 1\n")
    sources = Sources.of(below_data, ["folder:mine"], ["file:list.txt"])
    dataset, kind = sources.identities.values()
    assert sources.changed(dataset, kind) == sources.changed("digits", "symmetric") == ""
    (tmp_path / "work" / "list.txt").write_text("a/00000.png 0\n")
    assert sources.changed(dataset, kind) == f"file:{tmp_path / 'work' / 'list.txt'}"
    save(below_data / "mine" / "test" / "b", 255 - IMAGES)
    assert sources.changed(dataset, kind) == f"folder:{below_data / 'mine'}"
