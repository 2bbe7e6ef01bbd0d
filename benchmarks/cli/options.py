"""Groups of flags that the command line is made of. Torch-free."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from benchmarks.launch.slurm.settings import add_flags
from common.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UserError(
            f"{message} (see python bench.py {self.prog.partition(' ')[2] or ''} --help)".replace("  ", " ")
        )


def folders(parser: argparse._ActionsContainer, *, data: bool = True) -> None:
    """Where things are."""
    if data:
        parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="where data sets lie (data)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (runs)")


def out(parser: argparse._ActionsContainer) -> None:
    """Where tables go."""
    where = Path("reports/out")
    parser.add_argument("--out", type=Path, default=where, metavar="DIR", help="where tables go (reports/out)")


def run_flags(run: argparse.ArgumentParser) -> None:
    """What `run` is to do."""
    what = run.add_argument_group("what to run")
    what.add_argument("--suite", metavar="NAME", help="a table's grid; the flags below then narrow or change it")
    what.add_argument("--methods", metavar="A,B", help="methods (baseline,scn,dul,conf,rul)")
    what.add_argument("--datasets", metavar="A,B", help="data sets (faces)")
    what.add_argument("--noise", metavar="R,R", help="label-noise ratios in [0, 1) (0.1,0.2,0.3)")
    what.add_argument("--seeds", metavar="N|A,B", help="3 means 0,1,2; 0,5 means those two (3)")
    what.add_argument("--recipe", metavar="NAME", help="quick, long, paper (real data: paper; embedded data: quick)")
    what.add_argument("--epochs", type=int, metavar="N", help="instead of the recipe's")
    what.add_argument(
        "--backbone", metavar="NAME", help="instead of the recipe's: resnet18, resnet18_small_stem, small"
    )
    what.add_argument(
        "--set", action="append", default=[], metavar="METHOD.KEY=VALUE", help="a setting; also recipe.KEY=VALUE"
    )
    what.add_argument("--weights", type=Path, metavar="FILE", help="pretrained ResNet-18 (state dict or .safetensors)")
    what.add_argument(
        "--plugin", type=Path, action="append", default=[], metavar="FILE", help="your own method or data set"
    )
    how = run.add_argument_group("how and where")
    folders(how)
    out(how)
    how_flags(run, how)
    how.add_argument("--force", action="store_true", help="do finished runs again; the old ones are kept aside")


def how_flags(parser: argparse.ArgumentParser, how: argparse._ArgumentGroup) -> None:
    """How runs are done, by `run` and by `retry`."""
    how.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1")
    how.add_argument("--jobs", default="auto", metavar="N", help="runs at once (auto: one a core, on a GPU what gains)")
    how.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads a run (1)")
    how.add_argument(
        "--tries", type=int, default=3, metavar="N", help="a run killed so often within an epoch has failed (3)"
    )
    how.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    add_flags(parser)
