#!/usr/bin/env python3
"""The command line: `python bench.py --methods rul,scn,dul --seeds 3`, `list`, `status`, `report`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cli.options import Parser, folders, how_flags, out, run_flags
from common.errors import UserError

EXAMPLES = """\
examples:
  python bench.py --methods rul,scn,dul --seeds 3          three methods on drawn faces, noise 10, 20, 30 %
  python bench.py --suite table1 --jobs 4                  all runs of Table 1 on the data sets found under data/
  python bench.py --datasets fer2013 --methods rul --noise 0.3 --set rul.variant=released
  python bench.py list                                     methods, data sets, suites, recipes
  python bench.py --suite table1 --slurm --partition gpu --gpus-per-node 1     the same on a SLURM cluster
  python bench.py status                                   what is queued, running, done, failed
  python bench.py report table1                            Table 1 from the finished runs

exit codes: 0 all done, 1 some run failed, 2 wrong input, 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    """All verbs and flags."""
    top = Parser(
        prog="bench.py",
        description="Reproducibility benchmark suite for uncertainty learning.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)

    run = verbs.add_parser(
        "run", help="do runs (the default: `bench.py --methods rul` is `bench.py run --methods rul`)"
    )
    run_flags(run)
    run.set_defaults(call=_run)

    listing = verbs.add_parser("list", help="methods, data sets (present or missing), suites, recipes")
    listing.add_argument(
        "--methods", action="store_true", help="every method with its settings, defaults and their sources"
    )
    listing.add_argument(
        "--plugin", type=Path, action="append", default=[], metavar="FILE", help="your own method or data set"
    )
    folders(listing)
    listing.set_defaults(call=_list)

    status = verbs.add_parser("status", help="what is queued, running, done, failed, stale")
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for scripts")
    form.add_argument("--watch", action="store_true", help="again and again, until nothing is queued or running")
    folders(status, data=False)
    status.set_defaults(call=_status)

    retry = verbs.add_parser("retry", help="run the failed and the stale runs again, each from its last checkpoint")
    how = retry.add_argument_group("how and where (data sets and weights: as they were launched)")
    how.add_argument("--data", type=Path, metavar="DIR", help="where data sets lie now")
    how.add_argument("--weights", type=Path, metavar="FILE", help="where the pretrained weights lie now")
    how.add_argument(
        "--plugin", type=Path, action="append", default=[], metavar="FILE", help="your own method or data set"
    )
    folders(how, data=False)
    out(how)
    how_flags(retry, how)
    retry.set_defaults(call=_run, suite=None)

    cancel = verbs.add_parser("cancel", help="stop the SLURM jobs that were submitted from this runs folder")
    folders(cancel, data=False)
    cancel.set_defaults(call=_cancel)

    data = verbs.add_parser("data", help="data sets: list, check, prepare, show")
    data.add_argument("action", choices=("list", "check", "prepare", "show"))
    data.add_argument("name", nargs="?", metavar="NAME", help="a data set (all of them for `list`)")
    data.add_argument(
        "--from", dest="archive", type=Path, metavar="ARCHIVE", help="prepare: unpack your download first"
    )
    data.add_argument("--size", type=int, metavar="N", help="prepare, show: pixels to resize to (the data set's own)")
    data.add_argument(
        "--noise", metavar="KIND", help="show: mark the labels this noise flips (0.3, asymmetric:0.4 ...)"
    )
    data.add_argument("--seed", type=int, default=0, metavar="N", help="show: whose noise (0)")
    data.add_argument("--out", type=Path, metavar="FILE.png", help="show: the picture (NAME.png)")
    data.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="where data sets lie (data)")
    data.add_argument("--plugin", type=Path, action="append", default=[], metavar="FILE", help="your own data set")
    data.set_defaults(call=_data)

    report = verbs.add_parser("report", help="tables from finished runs")
    report.add_argument("names", nargs="*", metavar="NAME", help="table1 ...; all if none is given")
    report.add_argument(
        "--from",
        dest="sources",
        type=Path,
        nargs="+",
        action="extend",
        metavar="DIR",
        help="runs folders (instead of --runs)",
    )
    out(report)
    report.add_argument("--datasets", metavar="A,B", help="only these")
    report.add_argument("--recipe", metavar="NAME", help="only runs of this recipe")
    report.add_argument(
        "--no-published", action="store_true", help="leave the records that come with the repository out"
    )
    folders(report)
    report.set_defaults(call=_report)

    publish = verbs.add_parser("publish", help="finished runs as records to commit (docs/reports.md)")
    publish.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="runs folders")
    into = Path("reports/released")
    publish.add_argument("--into", type=Path, default=into, metavar="DIR", help="where they go (reports/published)")
    publish.add_argument("--dirty", action="store_true", help="runs made with uncommitted changes, too")
    publish.set_defaults(call=_publish)
    return top


def _run(arguments: argparse.Namespace) -> int:
    from benchmarks.cli.session import Session

    session = Session.from_flags(arguments) if arguments.verb == "run" else Session.again(arguments)
    code = session.run()
    if code in (0, 1):
        from reports.build import names

        arguments.names = [arguments.suite] if arguments.suite in names() else ["summary", "uncertainty"]
        arguments.datasets = ",".join(session.datasets)
        arguments.data, arguments.recipe = session.context.sources.data, getattr(arguments, "recipe", None)
        arguments.sources, arguments.no_published = None, True  # what a command ran, not what came with the code
        _report(arguments)
    return code or 0


def _list(arguments: argparse.Namespace) -> int:
    from benchmarks.cli import listing as overview

    print(
        overview.methods_in_detail(arguments.plugin)
        if arguments.methods
        else overview.everything(arguments.data, arguments.plugin)
    )
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from benchmarks.cli import status

    if not arguments.watch:
        print(status.status(arguments.runs.resolve(), as_json_list=arguments.json))
        return 0
    try:
        for text in status.watch(arguments.runs.resolve()):
            if sys.stdout.isatty():
                print("\x1b[H\x1b[2J", end="")
            print(text, flush=True)
    except KeyboardInterrupt:
        return 130
    return 0


def _cancel(arguments: argparse.Namespace) -> int:
    from benchmarks.cli import status

    print(status.cancel(arguments.runs.resolve()))
    return 0


def _data(arguments: argparse.Namespace) -> int:
    from benchmarks.cli import data as data_verbs
    from benchmarks.plan.plugins import load_plugins

    load_plugins(arguments.plugin)
    if arguments.action != "list" and not arguments.name:
        raise UserError(f"data {arguments.action}: NAME is missing; `python bench.py data list` shows the data sets")
    match arguments.action:
        case "list":
            print(data_verbs.listing(arguments.data, [arguments.name] if arguments.name else ()))
        case "check":
            text, sound = data_verbs.check(arguments.name, arguments.data)
            print(text)
            return 0 if sound else 1
        case "prepare":
            for line in data_verbs.prepare(arguments.name, arguments.data, arguments.archive, arguments.size):
                print(line, flush=True)
        case "show":
            out = arguments.out or Path(f"{arguments.name.partition(':')[0]}.png")
            a = arguments
            print(data_verbs.show(a.name, a.data, out, a.noise, a.seed, a.size))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from benchmarks.cli.values import parse_names
    from reports.build import PUBLISHED, build

    for folder in arguments.sources or ():
        if not folder.is_dir():
            raise UserError(f"report --from {folder}: no such folder (names of reports go before --from)")
    folders = f"--data {shlex.quote(str(arguments.data))} --runs {shlex.quote(str(arguments.runs))}"
    written = build(
        arguments.names,
        runs=arguments.sources or [arguments.runs],
        out=arguments.out,
        recipe=arguments.recipe,
        datasets=parse_names(arguments.datasets) if arguments.datasets else None,
        prefix=f"python bench.py {folders}",
        published=[] if arguments.no_published else [PUBLISHED],
    )
    tables = [path for path in written if path.suffix == ".md"]
    if arguments.names:  # what was asked for by name is shown; everything at once would flood the terminal
        print("\n\n".join(path.read_text(encoding="utf-8") for path in tables))
    print("\n".join(str(path) for path in written))
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    from reports.release import publish

    print("\n".join(publish(arguments.folders, arguments.into, dirty=arguments.dirty)))
    return 0


def main(argv: Sequence[str]) -> int:
    """Run one verb; returns the exit code."""
    arguments = list(argv)
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        arguments.insert(0, "run")
    try:
        chosen = parser().parse_args(arguments or ["--help"])
        call: Callable[[argparse.Namespace], int] = chosen.call
        return call(chosen)
    except UserError as error:
        print(f"bench.py: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
