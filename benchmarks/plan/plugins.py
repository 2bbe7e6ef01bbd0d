"""Users' own methods and data sets: Python files that register classes when they are imported."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError
from datasets.registry import DATASETS
from methods.registry import METHODS


def load_plugins(paths: Iterable[Path]) -> list[str]:
    """Import each file once and return the names it registered. Raises UserError for a file that cannot be imported."""
    added: list[str] = []
    for path in paths:
        path = path.resolve()
        name = f"plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        if name in sys.modules:
            continue
        if not path.is_file():
            raise UserError(f"--plugin {path}: no such file")
        before = {*METHODS, *DATASETS}
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise UserError(f"--plugin {path}: not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except UserError:
            del sys.modules[name]
            raise
        except Exception as error:
            del sys.modules[name]
            raise UserError(f"--plugin {path}: {type(error).__name__}: {error}") from error
        for method in set(METHODS) - before:
            from methods.core.contract import check_method

            check_method(METHODS.load(method))
        new = {*METHODS, *DATASETS} - before
        if not new:
            raise UserError(
                f"--plugin {path}: registers no method and no data set (use methods.register or datasets.register)"
            )
        added += sorted(new)
    return added
