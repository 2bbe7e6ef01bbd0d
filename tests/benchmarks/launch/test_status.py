"""What `status` says of a folder in which somebody has copied and moved runs."""

import shutil

import pytest

from benchmarks.launch.journal import Launch
from benchmarks.launch.status import RunsStatus
from benchmarks.store.record import write_record
from benchmarks.store.runs import Store
from tests.benchmarks.store.test_foreign_files import record_of


@pytest.mark.parametrize("launched", [False, True])
@pytest.mark.parametrize(
    ("part", "name"),
    [(0, "digits-copy"), (0, "a-copy"), (1, "old"), (2, "noise-0.20 (copy)"), (2, "noise-0.1")],
)
def test_a_copy_of_a_run_is_shown_beside_it(specs, tmp_path, part, name, launched):
    (spec,) = specs("rul")
    write_record(Store(tmp_path).run(spec).record, record_of(spec))
    if launched:
        Launch(command="x", data=tmp_path, specs=(spec,), launcher={}).save(tmp_path)
    source, *below = spec.folder.parents[2 - part], *spec.folder.parts[part + 1 :]
    copy = source.with_name(name)
    shutil.copytree(tmp_path / source, tmp_path / copy)
    found = RunsStatus(tmp_path).look()
    at = tmp_path.joinpath(copy, *below)
    assert {key: one.state for key, one in found.items()} == {spec.run_id: "done", str(at): "corrupt"}
    assert f"another run: {spec.folder}" in found[str(at)].detail
