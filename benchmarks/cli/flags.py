"""The flags that several verbs of the command line have, each defined once. Torch-free."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.cli.values import MOST_THREADS, MOST_TRIES, filled, folder, jobs, path, whole
from benchmarks.launch.slurm.settings import SlurmSettings
from common.errors import UserError
from common.text import printable


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line, raised, and flags only by their whole names.

    `--seed 5` was taken for `--seeds 5`: five runs instead of one, and another meaning with every flag that is added.
    """

    def __init__(self, **values: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **values})
        self._mixing = False  # within `parse_known_intermixed_args`, which may call the method below

    def parse_known_args(self, *given: Any) -> Any:  # type: ignore[override]  # of four overloads
        """Take flags before, between and behind names, and refuse what is unknown in the verb's own parser: argparse
        leaves it to the topmost, which knows no flags."""
        found, extras = super().parse_known_args(*given)
        if self._mixing or not extras:
            return found, extras
        if not self._subparsers:
            self._mixing = True
            try:
                found, extras = self.parse_known_intermixed_args(*given)
            finally:
                self._mixing = False
        if extras:
            close = get_close_matches(extras[0].partition("=")[0], self._option_string_actions, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            self.error(f"unrecognized arguments: {' '.join(extras)}{hint}")
        return found, extras

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        command = self.prog if self.prog.startswith("python") else f"python {self.prog}"
        raise UserError(f"{printable(message)} (see {command} --help)")


LOGS = ("tensorboard",)


# Flags that several verbs have.
Target = argparse._ActionsContainer


def plugin(to: Target) -> None:
    """Users' own code."""
    to.add_argument(
        "--plugin", type=path, action="append", default=[], metavar="FILE", help="your own method or data set"
    )


def data(to: Target, default: Path | None = Path("data")) -> None:
    """Where data sets lie; without a default, where they were when the runs were launched."""
    text = f"where data sets lie ({default})" if default else "where data sets lie now"
    to.add_argument("--data", type=folder, default=default, metavar="DIR", help=text)


def runs(to: Target) -> None:
    """Where runs are kept."""
    to.add_argument("--runs", type=folder, default=Path("runs"), metavar="DIR", help="where runs are kept (runs)")


def out(to: Target) -> None:
    """Where tables go."""
    where = Path("reports/out")
    to.add_argument("--out", type=folder, default=where, metavar="DIR", help=f"where tables go ({where})")


def recipe(to: Target, help_text: str) -> None:
    """A recipe's name."""
    to.add_argument("--recipe", type=filled, metavar="NAME", help=help_text)


def datasets(to: Target, help_text: str) -> None:
    """Names of data sets."""
    to.add_argument("--datasets", type=filled, metavar="A,B", help=help_text)


def weights(to: Target, help_text: str) -> None:
    """A file of pretrained weights."""
    to.add_argument("--weights", type=path, metavar="FILE", help=help_text)


def execution(to: Target) -> None:
    """How runs are done on this machine."""
    to.add_argument("--device", type=filled, default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1")
    to.add_argument(
        "--jobs", type=jobs, default="auto", metavar="N", help="runs at once (auto: one a core, on a GPU what gains)"
    )
    to.add_argument("--threads", type=whole(1, MOST_THREADS), default=1, metavar="N", help="CPU threads a run (1)")
    to.add_argument(
        "--tries",
        type=whole(1, MOST_TRIES),
        default=3,
        metavar="N",
        help="a run killed so often within an epoch has failed (3)",
    )
    logs = "live curves beside each run's files (pip install tensorboard; tensorboard --logdir runs)"
    to.add_argument("--log", choices=LOGS, help=logs)
    to.add_argument("--dry-run", action="store_true", help="print the plan and stop")


def slurm(to: Target) -> None:
    """Runs on a SLURM cluster; the settings' own flags are named and described by `SlurmSettings`."""
    to.add_argument("--slurm", action="store_true", help="submit the runs as a job array")
    to.add_argument("--wait", action="store_true", help="follow the jobs to their end")
    for name, field in SlurmSettings.model_fields.items():
        if name == "set":
            continue
        number = field.annotation in (int, int | None) and name != "time"
        metavar = "N" if number else "TIME" if name == "time" else "NAME"
        text = f"{field.description} ({field.default})" if field.default else field.description
        kind = whole(0, 10**9) if number else filled  # what exactly is valid, the settings say
        to.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=text)
    further = "any other option of sbatch; setup=LINE, again for more lines"
    to.add_argument("--slurm-set", action="append", default=[], metavar="KEY=VALUE", help=further)


SLURM_GROUP = "on a SLURM cluster (docs/slurm.md); defaults may stand in slurm.toml"
