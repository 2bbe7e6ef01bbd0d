"""Where a number comes from: code, packages, hardware. Collected once by the launcher and kept in every record."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow", "pydantic")


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def cpu_name(information: str) -> str:
    """The processor by the text of /proc/cpuinfo: `AMD EPYC (family 25, model 17)`; empty where it says none.

    The numbers are needed: a virtual machine's name may stand for generations of which one takes twice as long.
    """
    said: dict[str, str] = {}
    for line in information.splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    numbers = [f"{key.removeprefix('cpu ')} {said[key]}" for key in ("cpu family", "model") if said.get(key)]
    name = said.get("model name", "")
    return f"{name} ({', '.join(numbers)})" if name and numbers else name


def _cpu_name() -> str:
    try:
        information = Path("/proc/cpuinfo").read_text()
    except OSError:
        information = ""
    return cpu_name(information) or platform.processor() or platform.machine()


def load_average() -> float | None:
    """Processes of the whole machine that ran or waited, over a minute: whether others disturbed the clock."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


@cache
def collect() -> dict[str, Any]:
    """Commit, dirty flag (None outside a git checkout), package versions, host and processor."""
    changes = _git("status", "--porcelain")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _cpu_name(),
        "cores": os.cpu_count(),
    }
