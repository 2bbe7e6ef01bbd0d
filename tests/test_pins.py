import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pinned(file="requirements.txt"):
    lines = (ROOT / file).read_text().splitlines()
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in requirements if not each.marker or each.marker.evaluate()}


def test_every_declared_dependency_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = pinned()
    for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]:
        declared = Requirement(line)
        pin = pins[canonicalize_name(declared.name)]
        assert all(each.version in declared.specifier for each in pin.specifier), (line, str(pin))


def test_the_extras_that_are_tested_are_pinned_within_their_ranges():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pins = pinned("requirements-extras.txt")
    for name in ("timm", "cleanlab", "tensorboard"):
        declared = Requirement(*extras[name])
        assert all(each.version in declared.specifier for each in pins[name].specifier), name
    assert not pins.keys() & pinned().keys(), "what requirements.txt pins is pinned there"


def test_pre_commit_runs_the_ruff_that_lint_runs():
    revision = re.search(r"rev: v(\S+)", (ROOT / ".pre-commit-config.yaml").read_text())[1]
    assert str(pinned()["ruff"].specifier) == f"=={revision}"
