"""The command line's verbs, each with its flags. Torch-free."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from benchmarks.cli.flags import (
    SLURM_GROUP,
    Parser,
    data,
    datasets,
    execution,
    out,
    plugin,
    recipe,
    runs,
    slurm,
    weights,
)
from benchmarks.cli.values import filled, folder, path, whole
from benchmarks.plan.recipe import MOST_EPOCHS, MOST_PIXELS, RECIPES
from benchmarks.plan.spec import MOST_SEED
from benchmarks.store.provenance import CHECKOUT

EXAMPLES = """\
examples:
  python bench.py --methods rul,scn,dul --seeds 3          three methods on drawn faces, noise 10, 20, 30 %
  python bench.py --suite table1 --jobs 4                  all runs of Table 1 on the data sets found under data/
  python bench.py --datasets fer2013 --methods rul --noise 0.3 --set rul.variant=released
  python bench.py list                                     methods, data sets, suites, recipes
  python bench.py --suite table1 --slurm --partition gpu --gpus-per-node 1     the same on a SLURM cluster
  python bench.py status                                   what is queued, running, done, failed
  python bench.py report table1                            Table 1 from the finished runs
  python bench.py predict RUN photos/ --html sheet.html    a finished run on your own images (docs/apply.md)
  python bench.py data suspects folder:/my/images          which labels are wrong?

exit codes: 0 all done, 1 some run failed, 2 wrong input, 130 interrupted
"""


def parser() -> Parser:
    """All verbs, each with its flags; `verb` in the result names the one chosen."""
    top = Parser(
        prog="bench.py",
        description="Reproducibility benchmark suite for uncertainty learning.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    _run(verbs.add_parser("run", help="do runs (the default: `bench.py --methods rul` is `bench.py run ...`)"))
    _list(verbs.add_parser("list", help="methods, data sets (present or missing), suites, recipes"))
    _status(verbs.add_parser("status", help="what is queued, running, done, failed, stale"))
    _retry(verbs.add_parser("retry", help="run the failed and the stale runs again, each from its last checkpoint"))
    runs(verbs.add_parser("cancel", help="stop the SLURM jobs that were submitted from this runs folder"))
    _data(verbs.add_parser("data", help="data sets: list, check, prepare, show, suspects"))
    _tune(verbs.add_parser("tune", help="choose a recipe's learning rate, with the same budget for every method"))
    _suspects(verbs.add_parser("suspects", help="the same as `data suspects`: which labels of a data set are wrong"))
    _predict(verbs.add_parser("predict", help="a finished run on your own images: a table, a contact sheet"))
    _evaluate(verbs.add_parser("evaluate", help="a finished run on other data, and on corrupted test images"))
    _report(verbs.add_parser("report", help="tables from finished runs"))
    _release(verbs.add_parser("release", help="finished runs as records to commit (docs/reports.md)"))
    return top


def _version() -> str:
    version: str = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def _run(verb: Parser) -> None:
    what = verb.add_argument_group("what to run")
    what.add_argument(
        "--suite",
        type=filled,
        metavar="NAME",
        help="a table's grid, or FILE.toml; the flags below then narrow or change it",
    )
    what.add_argument("--methods", type=filled, metavar="A,B", help="methods (baseline,scn,dul,conf,rul)")
    datasets(what, "data sets (faces); a comma in a path is written \\,")
    what.add_argument("--noise", type=filled, metavar="R,R", help="label-noise ratios in [0, 1) (0.1,0.2,0.3)")
    what.add_argument("--seeds", type=filled, metavar="N|A,B", help="3 means 0,1,2; 0,5 means those two (3)")
    recipe(what, f"{', '.join(RECIPES.names())} (embedded data: quick; real data: paper, without a GPU compact)")
    what.add_argument("--epochs", type=whole(1, MOST_EPOCHS), metavar="N", help="instead of the recipe's")
    what.add_argument(
        "--backbone", type=filled, metavar="NAME", help="instead of the recipe's: resnet18, timm:NAME ..."
    )
    what.add_argument(
        "--set", action="append", default=[], metavar="METHOD.KEY=VALUE", help="a setting; also recipe.KEY=VALUE"
    )
    weights(what, "pretrained ResNet-18 (state dict or .safetensors), or imagenet: torchvision's")
    what.add_argument(
        "--protocol",
        choices=("common", "own"),
        default="common",
        help="own: each method with the values that its authors train it with, where the recipe has such (common)",
    )
    plugin(what)
    how = verb.add_argument_group("how and where")
    data(how)
    runs(how)
    out(how)
    execution(how)
    how.add_argument("--force", action="store_true", help="do finished runs again; the old ones are kept aside")
    slurm(verb.add_argument_group(SLURM_GROUP))


def _retry(verb: Parser) -> None:
    how = verb.add_argument_group("how and where (data sets and weights: as they were launched)")
    data(how, default=None)
    weights(how, "where the pretrained weights lie now")
    plugin(how)
    runs(how)
    out(how)
    execution(how)
    slurm(verb.add_argument_group(SLURM_GROUP))


def _list(verb: Parser) -> None:
    resolved = "a recipe as runs of a data set get it (--datasets; faces), in a form to start a file of your own from"
    recipe(verb, resolved)
    datasets(verb, "of --recipe")
    verb.add_argument("--methods", action="store_true", help="every method with its settings, defaults, their sources")
    plugin(verb)
    data(verb)


def _status(verb: Parser) -> None:
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for scripts")
    form.add_argument("--watch", action="store_true", help="again and again, until nothing is queued or running")
    runs(verb)


def _data(verb: Parser) -> None:
    verb.add_argument("action", choices=("list", "check", "prepare", "show", "suspects"))
    verb.add_argument("name", nargs="?", metavar="NAME", help="a data set (all of them for `list`)")
    verb.add_argument("--from", type=path, metavar="FILE", help="prepare: unpack your download first")
    verb.add_argument(
        "--size",
        type=whole(8, MOST_PIXELS),
        metavar="N",
        help="prepare, show: pixels to resize to (the data set's own)",
    )
    marked = "show: mark the labels this noise flips (0.3, asymmetric:0.4 ...)"
    verb.add_argument("--noise", type=filled, metavar="KIND", help=marked)
    verb.add_argument("--seed", type=whole(0, MOST_SEED - 1), metavar="N", help="show: whose noise (0)")
    verb.add_argument("--out", type=path, metavar="FILE.png", help="show: the picture (NAME.png)")
    data(verb)
    plugin(verb)


def _report(verb: Parser) -> None:
    verb.add_argument("names", nargs="*", metavar="NAME", help="table1 ...; all if none is given")
    verb.add_argument(
        "--from",
        dest="sources",
        type=folder,
        nargs="+",
        action="extend",
        metavar="DIR",
        help="runs folders (instead of --runs)",
    )
    out(verb)
    datasets(verb, "only these")
    recipe(verb, "only runs of this recipe")
    verb.add_argument("--no-released", action="store_true", help="leave out the records that come with the repository")
    data(verb)
    runs(verb)


def _release(verb: Parser) -> None:
    verb.add_argument("folders", nargs="+", type=folder, metavar="DIR", help="runs folders")
    into = Path("reports/released")
    verb.add_argument("--into", type=folder, default=into, metavar="DIR", help=f"where they go ({into})")
    verb.add_argument("--dirty", action="store_true", help="runs made with uncommitted changes, too")


def _applied(verb: Parser) -> None:
    """A finished run, and where it works."""
    verb.add_argument(
        "--best", type=filled, metavar="METHOD", help="instead of RUN: the method's run of highest test accuracy"
    )
    verb.add_argument("--dataset", type=filled, metavar="NAME", help="of --best: trained on this data set")
    verb.add_argument("--device", type=filled, default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1")
    runs(verb)
    plugin(verb)


def _predict(verb: Parser) -> None:
    verb.add_argument(
        "items", nargs="+", metavar="RUN IMAGES", help="a run's folder or id, then image files or folders"
    )
    _applied(verb)
    out = Path("predictions.csv")
    verb.add_argument("--out", type=path, default=out, metavar="FILE", help=f"the table ({out})")
    verb.add_argument("--html", type=path, metavar="FILE", help="also a contact sheet, the most uncertain first")
    share = "mark what is as uncertain as the most uncertain PERCENT of the run's own test images"
    verb.add_argument("--reject", type=float, metavar="PERCENT", help=share)
    by = "rank and reject by the method's own uncertainty (own) or by 1 - max softmax (free)"
    verb.add_argument("--by", choices=("own", "free"), default="own", help=by)


def _tune(verb: Parser) -> None:
    verb.add_argument("name", metavar="NAME", help="a data set")
    verb.add_argument("--methods", type=filled, default="baseline,scn,dul,conf,rul", metavar="A,B", help="methods")
    verb.add_argument("--lr", type=filled, default="0.05,0.1,0.2", metavar="X,Y", help="rates (0.05,0.1,0.2)")
    verb.add_argument(
        "--seed", type=whole(0, MOST_SEED - 1), default=100, metavar="N", help="of the runs, 100 or more (100)"
    )
    recipe(verb, "whose learning rate is chosen (compact)")
    verb.set_defaults(recipe="compact")
    verb.add_argument("--epochs", type=whole(1, MOST_EPOCHS), metavar="N", help="instead of the recipe's")
    page = Path("docs/protocol.md")
    verb.add_argument("--out", type=path, default=page, metavar="FILE", help=f"whose section is written anew ({page})")
    plugin(verb)
    data(verb)
    runs(verb)
    execution(verb)
    verb.add_argument("--force", action="store_true", help="do finished runs again; the old ones are kept aside")
    slurm(verb.add_argument_group(SLURM_GROUP))


def _evaluate(verb: Parser) -> None:
    verb.add_argument("items", nargs="*", metavar="RUN", help="a run's folder or id")
    verb.add_argument(
        "--on", type=filled, metavar="A,B", help="other data sets: does its uncertainty tell them from its own?"
    )
    corrupted = "its own test images with noise, blur, less contrast, JPEG: five strengths each"
    verb.add_argument("--corrupted", action="store_true", help=corrupted)
    verb.add_argument("--own", type=filled, metavar="NAME", help="its own data set, where that is a folder:PATH")
    _applied(verb)
    data(verb)
    verb.add_argument("--out", type=folder, metavar="DIR", help="where tables and figure go (evaluation/ID)")


def _suspects(verb: Parser) -> None:
    verb.prog = "bench.py data suspects"
    verb.add_argument("name", metavar="NAME", help="a data set; folder:PATH for your own")
    what = verb.add_argument_group("what judges the labels: K networks, each without one part of the training set")
    what.add_argument("--folds", type=whole(2, 20), default=3, metavar="K", help="parts (3)")
    what.add_argument("--methods", type=filled, default="baseline", metavar="A,B", help="methods (baseline)")
    recipe(
        what,
        f"{', '.join(RECIPES.names())}, or FILE.toml (embedded data: quick; real data: paper, without a GPU compact)",
    )
    what.add_argument("--epochs", type=whole(1, MOST_EPOCHS), metavar="N", help="instead of the recipe's")
    what.add_argument("--backbone", type=filled, metavar="NAME", help="instead of the recipe's")
    what.add_argument("--set", action="append", default=[], metavar="METHOD.KEY=VALUE", help="a setting")
    weights(what, "pretrained ResNet-18 (state dict or .safetensors)")
    what.add_argument("--seed", type=whole(0, MOST_SEED - 1), default=0, metavar="N", help="of the runs (0)")
    plugin(what)
    known = verb.add_argument_group("how good the ranking is")
    known.add_argument(
        "--noise", type=filled, metavar="KIND", help="flip labels first (0.3, asymmetric:0.4, human:worse ...)"
    )
    known.add_argument(
        "--clean", type=path, metavar="FILE", help="the right labels, where somebody has looked (a list)"
    )
    known.add_argument("--cleanlab", action="store_true", help="a column with cleanlab's filter (pip install cleanlab)")
    how = verb.add_argument_group("how and where")
    data(how)
    runs(how)
    how.add_argument("--out", type=folder, metavar="DIR", help="where the tables and pictures go (suspects/NAME)")
    execution(how)
    how.add_argument("--force", action="store_true", help="do finished runs again; the old ones are kept aside")
    slurm(verb.add_argument_group(SLURM_GROUP))
