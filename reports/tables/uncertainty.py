"""Uncertainty beside the free score, and calibration: from stored predictions, for whatever runs there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite

from reports.runs.frame import Loaded
from reports.runs.groups import SeedGroup, seed_groups
from reports.stats.images.bootstrap import RunKey
from reports.stats.images.first_order import Augrc, Aurc, ErrorAuroc, VotesCorrelation
from reports.stats.images.statistics import Statistic
from reports.stats.intervals import simultaneous
from reports.stats.summary import Summary, summary
from reports.stats.table_model import ResampledRuns, RunValue, model_of
from reports.stats.verdict import allowed
from reports.tables.caption import Note, evidence, of_the_data, problems
from reports.tables.fields import Value, spread
from reports.tables.summary import KEYS, plain
from reports.tables.table import Row, Table, titled

# name -> (column title, factor, digits, whether larger is better)
_RANKING: dict[str, tuple[str, float, int, bool]] = {
    "aurc": ("AURC (·10³)", 1000, 1, False),
    "excess_aurc": ("excess AURC (·10³)", 1000, 1, False),
    "error_auroc": ("errors: AUROC (%)", 100, 1, True),
    "augrc": ("AUGRC (·10³)", 1000, 1, False),
    "error_ap": ("errors: AP (%)", 100, 1, True),
    "error_fpr_at_95": ("errors: FPR at 95 % TPR (%)", 100, 1, False),
    "coverage_at_5": ("coverage at 5 % risk (%)", 100, 1, True),
    "ambiguity": ("ambiguity: rank correlation", 1, 3, True),
}
# Whose intervals are known over seeds and test images; the excess over the best ranking of the same errors differs
# between two scores as the area does.
_TOLD_APART: dict[str, Statistic] = {
    "aurc": Aurc(),
    "excess_aurc": Aurc(),
    "error_auroc": ErrorAuroc(),
    "augrc": Augrc(),
    "ambiguity": VotesCorrelation(),
}
_CALIBRATION: dict[str, tuple[str, float, int]] = {
    "ece": ("ECE (%)", 100, 2),
    "adaptive_ece": ("adaptive ECE (%)", 100, 2),
    "classwise_ece": ("classwise ECE (%)", 100, 2),
    "nll": ("NLL (nats)", 1, 3),
    "brier": ("Brier", 1, 3),
    "balanced_accuracy": ("balanced accuracy (%)", 100, 2),
}
Scored = list[tuple[SeedGroup, list[dict[str, float]]]]


def scored(loaded: Loaded, datasets: Sequence[str] | None = None, recipe: str | None = None) -> Scored:
    """Every group with the scores of its runs, computed from their stored predictions."""
    return [
        (group, [loaded.scores(folder) for folder in group.runs["folder"]])
        for group in seed_groups(loaded, datasets, recipe)
    ]


def by_seed(group: SeedGroup, found: Sequence[Mapping[str, float]], name: str, factor: float) -> dict[int, float]:
    """seed -> a score times the factor; NaN where a run has none."""
    nan = float("nan")
    return {int(s): factor * part.get(name, nan) for s, part in zip(group.runs["seed"], found, strict=True)}


def _told_apart(parts: Scored) -> dict[tuple[int, str], float]:
    """(place of the group, score) -> own minus free, where the two are told apart.

    One model a score, of each run's difference; the intervals of all groups hold together. Not where a recipe allows no
    verdict.
    """
    found: dict[tuple[int, str], float] = {}
    for name, statistic in _TOLD_APART.items():
        terms = ((1, ResampledRuns(statistic)), (-1, ResampledRuns(statistic, "free")))
        gaps: dict[RunKey, RunValue] = {}
        for place, (group, scores) in enumerate(parts):
            row = group.runs.iloc[0]
            if allowed(row.resolved, row.dataset, row.method, row.weights) == "none":
                continue
            own, free = (by_seed(group, scores, f"{kind}.{name}", 100) for kind in ("own", "free"))
            for seed, folder in zip(group.runs["seed"].astype(int), group.runs["folder"], strict=True):
                if isfinite(gap := own[seed] - free[seed]):
                    gaps[group.keys[2], place, (row.dataset, seed)] = RunValue(gap, folder)
        if gaps:
            model = model_of(gaps, terms)
            effects = simultaneous(model, [{point: 1.0} for point in model.points])
            for (arm, at), effect in zip(model.points, effects, strict=True):
                repeated = model.runs[arm, at] > 1 and effect.low is not None
                if isinstance(at, int) and repeated and not (effect.low or 0) <= 0 <= (effect.high or 0):
                    found[at, name] = effect.estimate
    return found


def uncertainty_table(parts: Scored, loaded: Loaded) -> Table:
    """The method's own uncertainty and the free score in adjacent rows; bold where one is told to be better."""
    apart = _told_apart(parts)
    rows, records = [], []
    for place, (group, found) in enumerate(parts):
        own_row, free_row, record = [], [], dict(group.record)
        constant = {kind: _remark(found, f"{kind}.constant", "constant") for kind in ("own", "free")}
        for name, (_, factor, digits, larger) in _RANKING.items():
            own, free = (
                summary(list(by_seed(group, found, f"{kind}.{name}", factor).values())) for kind in ("own", "free")
            )
            gap = apart.get((place, name), 0.0) * (1 if larger else -1)
            own_row.append(_field(own, digits, gap > 0, constant["own"]))
            free_row.append(_field(free, digits, gap < 0, constant["free"]))
            record |= {f"own {name}": own.mean, f"own {name} sd": own.sd, f"free {name}": free.mean}
            record |= {f"free {name} sd": free.sd, f"{name} better": "own" if gap > 0 else "free" if gap < 0 else ""}
        n = _count(group, found)
        block = " ".join(group.heads)
        rows += [Row((*group.heads, "own"), (n, *own_row), block), Row((*group.heads, "free"), (n, *free_row), block)]
        records.append(record)
    return Table(
        name="uncertainty",
        heading="Uncertainty",
        title="The learned uncertainty beside 1 − max softmax of the same logits",
        keys=(*KEYS, "score"),
        groups=(titled("n", *(title for title, *_ in _RANKING.values())),),
        rows=tuple(rows),
        caption=(
            "own: the method's own uncertainty (for the baseline, for which the paper names none: 1 − max softmax); "
            "free: 1 − max softmax. Mean ± standard deviation over seeds, last epoch. "
            "AURC: area under the risk-coverage curve, lower is better; excess: above the best ranking of the same "
            "errors. AUGRC: errors that are accepted, averaged over coverage, lower is better. errors: finding "
            "misclassified test images; FPR: right answers questioned where 95 % of the wrong ones are; coverage: the "
            "share that can be kept at 5 % errors; ambiguity: with the entropy of annotators' votes or of the true "
            "blend. Bold: better than the other score (one model of the runs' differences a column, 95 % intervals "
            "over seeds and test images that hold for all rows; not in AP, FPR and coverage, and not where a recipe "
            "allows no verdict).",
            *scored_evidence(parts),
        ),
        notes=(*_degenerate(parts), *problems(loaded)),
        records=tuple(records),
    )


def _field(value: Summary, digits: int, best: bool, remark: str) -> Value:
    text, kind = spread(value, digits), "none" if value.mean is None else ""
    return Value(text, "best" if best else "", value.mean, (), remark, kind)


def calibration_table(parts: Scored, loaded: Loaded) -> Table:
    """Calibration of the softmax, and what relabelling did."""
    rows, records = [], []
    for group, found in parts:
        values = {
            name: summary(list(by_seed(group, found, name, factor).values()))
            for name, (_, factor, _) in _CALIBRATION.items()
        }
        relabel = {name: summary(group.percent(f"relabel.{name}")) for name in ("precision", "recall")}
        fields = [plain(values[name], digits) for name, (_, _, digits) in _CALIBRATION.items()]
        n = _count(group, found)
        rows.append(Row(group.heads, (n, *fields, *(plain(value, 1) for value in relabel.values())), group.keys[0]))
        both = {**values, **{f"relabel_{name}": value for name, value in relabel.items()}}
        parted = {f"{name} {part}": getattr(v, part) for name, v in both.items() for part in ("mean", "sd")}
        records.append({**group.record, **parted})
    titles = (*(title for title, *_ in _CALIBRATION.values()), "relabel precision (%)", "relabel recall (%)")
    return Table(
        name="calibration",
        heading="Calibration",
        title="Calibration of the softmax on the test set, and relabelling",
        keys=KEYS,
        groups=(titled("n", *titles),),
        rows=tuple(rows),
        caption=(
            "Mean ± standard deviation over seeds, last epoch. ECE: 15 bins of equal width; adaptive: of equally many "
            "images. Brier: summed over classes. Relabelling, in the last epoch that changed labels: precision = "
            "share "
            "of changed labels that are now right, recall = share of wrong labels that are now right.",
            *scored_evidence(parts),
        ),
        notes=(*_degenerate(parts), *problems(loaded)),
        records=tuple(records),
    )


def scored_evidence(parts: Scored) -> Iterator[str]:
    """What the runs were made with, and on."""
    import pandas as pd

    if parts:
        runs = pd.concat([group.runs for group, _ in parts])
        yield from (*evidence(runs), *of_the_data(runs))


def _remark(found: Sequence[Mapping[str, float]], name: str, text: str) -> str:
    """`text`, with how many runs it holds for where these are not all."""
    count, known = sum(part.get(name) == 1 for part in found), sum(bool(part) for part in found)
    return "" if not count else text if count == known else f"{text} in {count} of {known}"


def _count(group: SeedGroup, found: Sequence[Mapping[str, float]]) -> Value:
    """How many runs have usable predictions, and whether they tell classes apart at all."""
    known = sum(bool(part) for part in found)
    text = f"{known}" if known == len(found) else f"{known} of {len(found)}"
    remark = _remark(found, "one_class", "one class predicted")
    return Value(text, "", float(known), tuple(group.runs["run_id"]), remark)


def _degenerate(parts: Scored) -> Iterator[Note]:
    """What makes a number meaningless, said by name."""
    tests: tuple[tuple[str, Callable[[Mapping[str, float]], bool]], ...] = (
        ("no readable predictions (missing, damaged or not finite)", lambda part: not part),
        ("one class predicted for every image", lambda part: part.get("one_class") == 1),
        ("one uncertainty for every image: it ranks nothing", lambda part: part.get("own.constant") == 1),
    )
    for group, found in parts:
        for text, test in tests:
            if count := sum(map(test, found)):
                yield Note(f"{', '.join(group.heads)}: {text} in {count} of {len(found)} run(s).")
