"""From what a user asked for to the list of runs: everything is resolved and validated before anything runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import methods
from benchmarks.plan import recipe as recipes
from benchmarks.plan.paths import Sources
from benchmarks.plan.recipe import Recipe
from benchmarks.plan.spec import MOST_SEED, Noise, RunSpec
from benchmarks.plan.suite import Arm, Suite
from common import dotted
from common.errors import UserError
from common.foreign import Unreadable, parse_json
from common.registry import unknown
from common.text import printable
from datasets.noise import check_noise, named
from datasets.registry import DATASETS
from methods.core import backbones
from methods.core.settings import settings_of
from methods.core.weights import IMAGENET, TIMM, check_weights, sha256
from methods.registry import METHODS

MSCELEB = Path("weights") / "resnet18_msceleb.pth"  # below the data folder


@dataclass(frozen=True)
class Request:
    """What the command line or a suite asks for. `recipe` None: `quick` on embedded data, `real_recipe` on real data.

    own_protocols: each method with the values of its own authors, where the recipe has such. Raises UserError where a
    setting is given two values: which of them a run had would be anybody's guess.
    """

    arms: tuple[Arm, ...]
    datasets: tuple[str, ...]
    noise: tuple[Noise, ...]
    seeds: tuple[int, ...]
    recipe: str | None = None
    epochs: int | None = None
    backbone: str | None = None
    real_recipe: str = "paper"
    own_protocols: bool = False
    sets: tuple[tuple[str, str, Any], ...] = ()  # (method or "recipe", dotted key, value), from --set

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", tuple(_dotted(self.sets)))
        given = Counter(f"{owner}.{key}" for owner, key, _ in self.sets)
        if twice := next((name for name, count in given.items() if count > 1), None):
            raise UserError(f"--set {printable(twice)} is given twice")
        for flag in ("epochs", "backbone"):
            if getattr(self, flag) is not None and f"recipe.{flag}" in given:
                raise UserError(f"--{flag} and --set recipe.{flag} set the same; give one of them")

    def sources(self, data: Path) -> Sources:
        """The identities behind the names that were typed, for data sets below `data`. Raises UserError."""
        return Sources.of(data, self.datasets, (noise.kind for noise in self.noise))


def parse_set(text: str) -> tuple[str, str, Any]:
    """`rul.variant=released` -> ("rul", "variant", "released"); values are JSON where they parse, else strings."""
    target, equals, value = text.partition("=")
    owner, dot, key = target.partition(".")
    if not (equals and dot and owner and key):
        raise UserError(
            f"--set {printable(text):.80}: expected METHOD.KEY=VALUE, e.g. rul.variant=released or recipe.lr=0.01"
        )
    try:
        return owner, key, parse_json(value.encode("utf-8", "surrogateescape"))
    except Unreadable:
        return owner, key, value


def _dotted(sets: Iterable[tuple[str, str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """Each setting by its dotted key: `rul.relabel={"epoch":2}` is `rul.relabel.epoch=2`. A recipe's own tables are
    values (`schedule`), but for its methods' settings."""
    for owner, key, value in sets:
        if not isinstance(value, Mapping):
            yield owner, key, value
        elif owner != "recipe":
            yield from ((owner, place, part) for place, part in dotted.flatten({key: value}).items())
        else:
            yield owner, key, dotted.flatten(value) if key == "method" else value


def from_suite(suite: Suite, data: Path, **changes: Any) -> Request:
    """A suite's grid over whichever of its data sets are present below `data`, or over its stand-in where none is.

    Raises UserError that names the suite for an unknown name, setting or value in it.
    """
    try:
        for arm in changes.get("arms", suite.arms):
            if arm in suite.arms:
                methods.validate_config(arm.method, METHODS.load(arm.method), dotted.nest(arm.set))
        datasets = changes.get("datasets") or _present(suite, data)
        for ratio in suite.noise:
            check_noise(suite.noise_kind, ratio)
        noise = [Noise(kind=kind, ratio=ratio) for kind, ratio in (named(suite.noise_kind, one) for one in suite.noise)]
    except UserError as error:
        raise UserError(f"suite '{suite.name}': {error}") from None
    values: dict[str, Any] = {
        "arms": suite.arms,
        "datasets": datasets,
        "noise": tuple(noise),
        "seeds": tuple(dict.fromkeys(seed for name in datasets for seed in suite.seeds_of(name))),
    }
    return Request(**{**values, **changes})


def _present(suite: Suite, data: Path) -> tuple[str, ...]:
    """The data sets of a suite that are there, or its stand-in."""
    there = tuple(name for name in suite.datasets if DATASETS.load(name)(data).present())
    if there:
        return there
    if suite.stand_in is None:
        raise UserError(f"none of {', '.join(suite.datasets)} is present under {data}")
    DATASETS.load(suite.stand_in)
    return (suite.stand_in,)


def resolve(request: Request, sources: Sources, weights: Path | None = None) -> list[RunSpec]:
    """Every run of a request, seeds outermost so that a table fills evenly; a run's members stand before it.

    Raises UserError for an unknown name, setting or value, before anything is written.
    """
    prepared = []  # of each data set and arm, what all its runs share
    for name in request.datasets:
        recipes_ = [_recipe(request, name, arm.method) for arm in request.arms]
        pretrained = _weights(name, recipes_[0][0], sources.data, weights)
        settings = [_config(arm, recipe, request.sets) for arm, (recipe, _) in zip(request.arms, recipes_, strict=True)]
        prepared.append((sources.identities[name], pretrained, [*zip(request.arms, recipes_, settings, strict=True)]))
    specs: dict[str, RunSpec] = {}
    for seed, (dataset, pretrained, arms), noise in product(request.seeds, prepared, request.noise):
        labels = Noise(kind=sources.identities[noise.kind], ratio=noise.ratio)
        for arm, (recipe, altered), (config, changed) in arms:
            spec = RunSpec(
                dataset=dataset,
                method=arm.method,
                noise=labels,
                seed=seed,
                recipe=recipe,
                weights=pretrained,
                config=config,
                overrides={**changed, **altered},
            )
            spec = _with_members(spec, request.sets)
            specs |= {run.run_id: run for run in (*spec.members, spec)}
    chosen = {spec.method for spec in specs.values()}
    for owner, key, _ in request.sets:
        if owner != "recipe" and owner not in chosen:
            raise UserError(
                f"--set {owner}.{key}: '{owner}' is not among the methods: {', '.join(sorted(chosen))}, recipe"
            )
    return list(specs.values())


def _recipe(request: Request, dataset: str, method: str) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of an arm, and those of its settings that the user chose by `--set` (dotted)."""
    entry = DATASETS.load(dataset)
    changes: dict[str, Any] = {key: value for owner, key, value in request.sets if owner == "recipe"}
    flags = {k: v for k, v in (("epochs", request.epochs), ("backbone", request.backbone)) if v is not None}
    name = request.recipe or ("quick" if entry.embedded else request.real_recipe)
    own = method if request.own_protocols else None
    recipe = recipes.load(name, dataset, own, **{**changes, **flags})
    backbones.check(recipe.backbone)
    _check_settings(recipe, method)
    usual = None
    with suppress(UserError):  # a recipe that lacks what is given here
        usual = recipes.load(name, dataset, own)
    # As with a method's settings; and epochs and backbone, which have flags, are told apart by themselves.
    same = {key for key in changes if usual and getattr(recipe, key) == getattr(usual, key)} | {"epochs", "backbone"}
    return recipe, {f"recipe.{key}": value for key, value in changes.items() if key not in same}


def _check_settings(recipe: Recipe, method: str) -> None:
    """Raise UserError for a method setting of the recipe that no method has; one that another method has is its own."""
    for key in recipe.method:
        owners = (METHODS.load(name).Config.model_fields for name in (method, *METHODS))  # loaded as far as needed
        if not any(key.partition(".")[0] in settings for settings in owners):
            valid = {row.name for name in METHODS for row in settings_of(name)}
            raise UserError(f"recipe '{recipe.name}': {unknown('method setting', key, valid)}")


def _config(arm: Arm, recipe: Recipe, sets: Iterable[tuple[str, str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All settings of an arm under a recipe, and those that the user or suite chose (dotted)."""
    cls = METHODS.load(arm.method)
    chosen = dict(arm.set) | {key: value for owner, key, value in sets if owner == arm.method}
    fitting = {key: value for key, value in recipe.method.items() if key.partition(".")[0] in cls.Config.model_fields}
    usual = methods.validate_config(arm.method, cls, dotted.nest(fitting)).model_dump(mode="json")
    given = {**fitting, **chosen}
    config = methods.validate_config(arm.method, cls, dotted.nest(given)).model_dump(mode="json")
    now, before = dotted.flatten(config), dotted.flatten(usual)
    for key, value in given.items():
        if _number_for_boolean(value, now.get(key, value)):
            raise UserError(f"{arm.method}.{key} = {value}: must be a number, not true or false")
    # A setting given its default value is no other arm: it is not named as one.
    return config, {key: value for key, value in chosen.items() if now.get(key) != before.get(key)}


def _number_for_boolean(given: Any, taken: Any) -> bool:
    """Whether true or false was taken for a number, by itself or in a list."""
    if isinstance(given, list) and isinstance(taken, list):
        return any(map(_number_for_boolean, given, taken))
    return isinstance(given, bool) and not isinstance(taken, bool)


def _with_members(spec: RunSpec, sets: Sequence[tuple[str, str, Any]]) -> RunSpec:
    """The spec with the runs it is made of: same data, recipe and label noise; settings as `sets` says of their method.

    A member of the spec's own seed is the plain run of that seed. The others are marked by `noise_seed`: no reader
    takes them for more seeds of their method.
    """
    cls = METHODS.load(spec.method)
    members = []
    for name, seed in cls.members(methods.validate_config(spec.method, cls, spec.config), spec.seed):
        config, changed = _config(Arm(method=name), spec.recipe, sets)
        changed |= {key: value for key, value in spec.overrides.items() if key.startswith("recipe.")}
        if not 0 <= seed < MOST_SEED:
            raise UserError(f"seed {spec.seed}: {spec.method} takes a run of seed {seed}; seeds end at {MOST_SEED - 1}")
        own = {"method": name, "seed": seed, "config": config, "overrides": changed}
        shared = {key: getattr(spec, key) for key in ("dataset", "noise", "recipe", "weights")}
        members.append(RunSpec(**shared, **own, noise_seed=None if seed == spec.seed else spec.seed))
    return RunSpec.model_validate({**spec.model_dump(), "members": members}) if members else spec


def _weights(dataset: str, recipe: Recipe, data: Path, given: Path | None) -> str | None:
    """What identifies the pretrained weights: a file's sha256, "imagenet", or None for training from scratch."""
    if given == Path(IMAGENET) or (given is None and recipe.pretrained == IMAGENET):
        if recipe.backbone != "resnet18":  # also of another stem: its first layer is of another shape
            what = f"recipe.pretrained = {IMAGENET}" if given is None else f"--weights {IMAGENET}"
            raise UserError(
                f"{what}: they are a ResNet-18's (resnet18); the backbone for {dataset} is {recipe.backbone}"
            )
        return IMAGENET
    if given is not None:
        if not given.is_file():
            raise UserError(f"--weights {given}: no such file")
        check_weights(given, recipe.backbone, recipe.input_size(48))
        return sha256(given)
    if recipe.pretrained == "msceleb" and (path := weights_file(data, None)):
        check_weights(path, recipe.backbone, recipe.input_size(48))
        return sha256(path)
    if recipe.pretrained == TIMM and not recipe.backbone.startswith(f"{TIMM}:"):
        raise UserError(
            f"recipe.pretrained = {TIMM}: only for backbones of timm's ({TIMM}:NAME), not {recipe.backbone}"
        )
    return TIMM if recipe.pretrained == TIMM else None


def weights_file(data: Path, given: Path | None) -> Path | None:
    """The file of pretrained weights on this machine: the one given, else the usual one where it is there.

    Raises UserError for a folder."""
    if given == Path(IMAGENET):
        return None
    if given and given.is_dir():
        raise UserError(f"--weights {given}: is a folder; give the file")
    path = given or data / MSCELEB
    # Not `resolve`, which raises on a link to itself: that it leads to no file is said where it is read.
    return Path(os.path.realpath(path)) if given or path.is_file() else None
