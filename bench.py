#!/usr/bin/env python3
"""The command line: `python bench.py --methods rul,scn,dul --seeds 3`, `list`, `status`, `report`."""

from __future__ import annotations

import argparse
import errno
import importlib.util
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cli.dispatch import VERBS
from benchmarks.cli.options import parser
from benchmarks.cli.output import BROKEN, guarded
from common.errors import UserError
from common.files import check_writable
from common.text import printable


def run(flags: argparse.Namespace) -> int:
    """`run` and `retry`, then the report on what was run."""
    from benchmarks.cli.session import Session
    from benchmarks.cli.verbs import retry
    from benchmarks.plan.recipe import RECIPES
    from reports.build import names

    check_writable(flags.out / "runs.csv")
    sessions = [Session.from_flags(flags)] if flags.verb == "run" else retry.sessions(flags)
    codes: list[int] = []
    for session in sessions:
        code = session.run()
        if code not in (0, 1, None):
            return code
        codes += [] if code is None else [code]
    if codes:
        suite, recipe = (flags.suite, flags.recipe) if flags.verb == "run" else (None, None)
        recipe = recipe and RECIPES.name_of(recipe)
        wanted = [suite] if suite in names() else ["summary", "uncertainty"]
        data = sessions[-1].context.sources.data
        datasets = tuple(dict.fromkeys(name for session in sessions for name in session.datasets))
        _write(wanted, [flags.runs], flags.out, _prefix(data, flags.runs), recipe, datasets)
    return max(codes, default=0)


def report(flags: argparse.Namespace) -> int:
    """`report`: tables and figures from finished runs."""
    from benchmarks.cli.values import parse_names
    from benchmarks.plan.recipe import RECIPES
    from reports.build import RELEASED

    for folder in flags.sources or ():
        if not folder.is_dir():
            raise UserError(f"report --from {folder}: no such folder (names of reports go before --from)")
    if not flags.sources and flags.runs != Path("runs") and not flags.runs.is_dir():
        raise UserError(f"report --runs {flags.runs}: no such folder")
    check_writable(flags.out / "runs.csv")
    runs, released = flags.sources or [flags.runs], [] if flags.no_released else [RELEASED]
    datasets = parse_names(flags.datasets) if flags.datasets else None
    if datasets or flags.recipe:
        from benchmarks.cli.request import check_shown  # here, since it loads torch

        check_shown([*runs, *released], datasets or (), flags.recipe)
    recipe = flags.recipe and RECIPES.name_of(flags.recipe)
    _write(flags.names, runs, flags.out, _prefix(flags.data, flags.runs), recipe, datasets, released)
    return 0


def release(flags: argparse.Namespace) -> int:
    """`release`: finished runs as records to commit."""
    from reports.release import release as copy

    print("\n".join(copy(flags.folders, flags.into, dirty=flags.dirty)))
    return 0


def _prefix(data: Path, runs: Path) -> str:
    return f"python bench.py --data {shlex.quote(str(data))} --runs {shlex.quote(str(runs))}"


def _write(
    names: Sequence[str],
    runs: Sequence[Path],
    out: Path,
    prefix: str,
    recipe: str | None,
    datasets: Sequence[str] | None,
    released: Sequence[Path] = (),
) -> None:
    from benchmarks.cli.terminal import files, table
    from reports.build import build, make_tables
    from reports.paper.tables import TABLES
    from reports.runs.frame import load
    from reports.tables.brief import MEASURED, WRAPS, briefs

    loaded = load(runs, released)
    for bad in (*loaded.unreadable, *loaded.conflicts):
        print(f"note: not used: {printable(f'{bad.folder}: {bad.reason}')}")
    # A summary without a table of the paper shows the outcomes of every table that its runs are in.
    needed = names if not names or {*names} & {*TABLES} else [*names, *TABLES]
    # Where everything is asked for, `build` makes the tables while other processes draw the figures.
    tables = make_tables(needed, loaded, recipe, datasets, prefix) if names else None
    written = build(names, runs, out, recipe, datasets, prefix, released, loaded, tables)
    if names:  # what was asked for by name is shown; everything at once would flood the terminal
        for brief in briefs(loaded, names, recipe, datasets, tables or ()):
            print(table(brief.head, brief.rows, brief.title, WRAPS, ("n", *MEASURED, "paper")), end="\n\n")
    print(files(written))


def main(argv: Sequence[str]) -> int:
    """Run one verb; returns the exit code."""
    arguments = list(argv)
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version"):
        arguments.insert(0, "run")
    if arguments[:2] == ["data", "suspects"]:  # a verb of its own: its flags are those of `run`
        arguments[:2] = ["suspects"]
    with guarded() as output:
        code = _verb(arguments or ["--help"])
        output.flush()
        if output.error and output.error.errno not in BROKEN:  # a reader like `| head` has seen enough, all is well
            print(f"bench.py: not all of the output could be written: {output.error.strerror}", file=sys.stderr)
            code = code or 1
        return code


def _verb(arguments: Sequence[str]) -> int:
    try:
        if importlib.util.find_spec("fcntl") is None:
            raise UserError("it runs on Linux and macOS; on Windows, in WSL: https://learn.microsoft.com/windows/wsl")
        flags = parser().parse_args(arguments)
        return {**VERBS, "run": run, "retry": run, "report": report, "release": release}[flags.verb](flags)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except UserError as error:
        print(f"bench.py: {printable(str(error))}", file=sys.stderr)
        return 2
    except SystemExit as end:  # of --help and --version
        return int(end.code or 0)
    except OSError as error:
        if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        where = "" if error.filename is None else f"{printable(os.fsdecode(error.filename))}: "
        print(f"bench.py: {where}{error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
