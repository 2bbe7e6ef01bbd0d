"""Whether a spec that was read from a file can be run by this version: retry takes specs from folders as they are."""

from __future__ import annotations

import methods
from benchmarks.plan.spec import RunSpec
from common.errors import UserError
from datasets.registry import DATASETS
from methods.core import backbones
from methods.registry import METHODS


def obstacle(spec: RunSpec) -> str:
    """Why a run cannot be done again from its spec, in one line; empty where it can."""
    for one in (*spec.members, spec):
        try:
            if one.method not in METHODS:
                return f"it needs the plug-in of method '{one.method}'"
            complete = methods.validate_config(one.method, METHODS.load(one.method), one.config).model_dump(mode="json")
            if complete != one.config:
                return f"its settings of {one.method} are not all those of this version"
            DATASETS.load(one.dataset)
            backbones.check(one.recipe.backbone)
        except UserError as error:
            return str(error)
    return ""
