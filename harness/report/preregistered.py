"""Preregistered test as text, Markdown or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.analysis.preregistered.design import (
    counts_of,
    planned_sizes,
    undecided_generalities,
)
from harness.analysis.preregistered.result import ClaimResult, Report
from harness.analysis.preregistered.sentences import estimate_words
from harness.analysis.race import Race
from harness.planning.preregistration import Registration
from harness.records.job import Job
from harness.statistics.block import MIN_COMPRESSORS
from harness.statistics.cells import NearTies
from harness.statistics.monotone_curve import Deviation
from harness.statistics.power import POWER, Detectable

FORM = "+.3f"
QUESTION = "Does better compression give better representations?"
SCOPES = {
    "new data sets": "to new data sets, for these compressors",
    "new compressors": "to new compressors of these kinds, on new data sets",
}
Rows = Sequence[tuple[str, str]]


def hypothesis_document(report: Report, output_format: str) -> str:
    """Return a report as "text", "markdown" or "json"."""
    if output_format == "json":
        return json.dumps(to_json(report), indent=1, sort_keys=True) + "\n"
    if output_format == "markdown":
        return _markdown(report)
    return _text(report)


def to_json(report: Report) -> dict[str, Any]:
    """Return a report as plain values; numbers that do not exist are null."""
    return {
        "hash": report.hash,
        "status": report.status,
        "registration": list(report.registration),
        "official": report.official,
        "n_draws": report.n_draws,
        "claims": [_plain(_claim_values(result)) for result in report.claims],
        "interventions": _curve_json(report),
        "race": _plain(asdict(report.race)) if report.race else None,
    }


def _claim_values(result: ClaimResult) -> dict[str, Any]:
    """Return a claim's values under flat names."""
    # Flat names, so that a reader of the JSON needs no knowledge of our classes.
    about = result.claim.model_dump(include={"name", "task", "score", "secondary"})
    statistics, block = asdict(result.statistics), result.block
    cells = statistics.pop("by_cell")
    return {
        **about,
        "title": result.title,
        **statistics,
        "by_cell": [
            {"family": family, "dataset": dataset, "value": value}
            for (family, dataset), value in cells.items()
        ],
        **{f"n_{name}": n for name, n in asdict(result.counts).items()},
        **asdict(result.sensitivity),
        "generalities": {
            each.population: {
                k: v for k, v in asdict(each).items() if k != "population"
            }
            for each in result.generalities
        },
        "dropped": result.dropped,
        "ambiguous": block.ambiguous if block else 0,
        "compressors": list(block.compressors) if block else [],
    }


def _curve_json(report: Report) -> dict[str, Any] | None:
    curve = report.curve
    if curve is None:
        return None
    return {
        "task": curve.task,
        "score": curve.score,
        "without_records": list(curve.without_records),
        "deviations": {n: _plain(asdict(d)) for n, d in curve.deviations.items()},
        "verdict": curve.word,
        "sentence": curve.sentence,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        # JSON has no nan.
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _text(report: Report) -> str:
    lines = [QUESTION, *_opening(report)]
    for heading, words, rows in _parts(report):
        width = max((len(name) for name, _ in rows), default=0)
        lines += ["", heading, f"  {words}"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
    return "\n".join(lines) + "\n"


def _markdown(report: Report) -> str:
    parts = [f"# {QUESTION}", "\n".join(_opening(report))]
    for heading, words, rows in _parts(report):
        lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
        table = "\n".join(["| quantity | value |", "| --- | --- |", *lines])
        parts += [f"## {heading}", words, table]
    return "\n\n".join(parts) + "\n"


def _parts(report: Report) -> list[tuple[str, str, Rows]]:
    """Return heading, sentences and numbers of every claim and of the interventions."""
    parts: list[tuple[str, str, Rows]] = [
        (_heading(claim), " ".join(claim.sentences), _numbers(claim))
        for claim in report.claims
    ]
    curve = report.curve
    if curve is not None:
        rows = [
            (
                f"{name}, off the others' curve",
                f"{estimate_words(d, FORM)} (n {d.n}{_over(d)})",
            )
            for name, d in curve.deviations.items()
        ]
        if curve.without_records:
            networks = ", ".join(curve.without_records)
            rows.append(("no record has both numbers of", networks))
        heading = f"Interventions, {curve.task} {curve.score}: {curve.word}"
        parts.append((heading, curve.sentence, rows))
    if report.race is not None:
        heading = "Race of predictors of accuracy"
        parts.append((heading, report.race.sentence, _race_rows(report.race)))
    return parts


def _race_rows(race: Race) -> Rows:
    """Return a row per predictor: rank correlation, share alone, and share added."""
    rows = [
        (
            name,
            "; ".join(
                [
                    f"Spearman {estimate_words(each.correlation, '+.2f')}",
                    f"share predicted alone {estimate_words(each.alone, '+.2f')}",
                    f"added to the others {estimate_words(each.added, '+.2f')}",
                    f"data sets {each.n_datasets}",
                ]
            ),
        )
        for name, each in race.runners.items()
    ]
    return [*rows, ("all together", estimate_words(race.together, "+.2f"))]


def _over(deviation: Deviation) -> str:
    return f"; interval over {deviation.unit}" if deviation.unit else ""


def _heading(result: ClaimResult) -> str:
    """Return the name of a claim with its words, one for both populations if they agree."""
    title = f"{result.title} (secondary)" if result.claim.secondary else result.title
    words = {each.word for each in result.generalities}
    if len(words) == 1:
        return f"{title}: {words.pop()}"
    return f"{title}: " + "; ".join(
        f"{each.word} to {each.population}" for each in result.generalities
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _opening(report: Report) -> list[str]:
    lines = [f"{report.status}; draws {report.n_draws}", *report.registration]
    if not report.official:
        lines.append("unofficial: run with --limit or --seed")
    return lines


def _numbers(result: ClaimResult) -> Rows:
    """Return everything that belongs to a claim, as names and words."""
    designs = [
        (f"detectable, to {each.population}", detectable_words(each.detectable))
        for each in result.generalities
    ]
    if result.block is None:
        few = f"fewer than {MIN_COMPRESSORS} compressors have both numbers"
        return [("block", few), *designs, *_gaps(result)]
    statistics, sensitivity = result.statistics, result.sensitivity
    return [
        *_generalities(result),
        *designs,
        *_each("Spearman on", statistics.by_dataset),
        *_each("Spearman inside", statistics.by_family),
        *_kind_of_claim(result),
        *_near_ties(statistics.near_ties, result.block.block.near_tie),
        *_each("check:", sensitivity.rates),
        *_each("check:", sensitivity.without),
        *_each("beside:", sensitivity.others),
        *[
            (f"slope, {name}", f"{estimate_words(slope, FORM)} per bit per byte saved")
            for name, slope in statistics.slopes.items()
        ],
        *_gaps(result),
    ]


def _generalities(result: ClaimResult) -> Rows:
    """Return the deciding statistic with its interval and test for both populations."""
    rows = []
    adjusted = "not adjusted" if result.claim.secondary else "Holm"
    for each in result.generalities:
        words = estimate_words(each.estimate, FORM)
        if not math.isnan(each.estimate.half_width):
            words += f", half-width {each.estimate.half_width:.3f}"
        p = f"{_p(each.estimate.p)}, {each.p_adjusted:.3g} {adjusted}"
        rows.append((SCOPES[each.population], f"{words}, {p}"))
    return rows


def _kind_of_claim(result: ClaimResult) -> Rows:
    """Return the numbers that one kind of claim has and the other has not."""
    statistics, counts = result.statistics, result.counts
    if result.claim.is_within_families:
        size = f"{counts.cells} of {counts.families} families on {counts.datasets} data sets"
        return [
            ("cells", size),
            ("sign flips of family means", _p(statistics.p_sign_flips)),
        ]
    return [
        ("between families or superfamilies", _number(statistics.between)),
        ("Kendall tau-b", _number(statistics.kendall_tau)),
    ]


def _near_ties(ties: NearTies, near_tie: float) -> Rows:
    """Return the share of pairs whose order in rate says nothing."""
    if not ties.n_pairs:
        return []
    share = f"{ties.n_near / ties.n_pairs:.0%} ({ties.n_near} of {ties.n_pairs})"
    return [(f"pairs within {near_tie:.2g} of each other's rate, as ties", share)]


def _each(what: str, values: Mapping[str, float | None]) -> list[tuple[str, str]]:
    return [(f"{what} {name}", _number(value)) for name, value in values.items()]


def _gaps(result: ClaimResult) -> list[tuple[str, str]]:
    """Return the compressors that were left out, one line for each gap they share."""
    # Many compressors lack the same thing.
    by_gap: dict[str, list[str]] = {}
    for name, gap in result.dropped.items():
        by_gap.setdefault(gap, []).append(name)
    lines = [(f"left out, {gap}", ", ".join(names)) for gap, names in by_gap.items()]
    if result.block and result.block.ambiguous:
        n = result.block.ambiguous
        words = f"{n} cells; of each, the record of the last key stands"
        lines.append(("several records of one version", words))
    return lines


def _number(value: float | None) -> str:
    is_defined = value is not None and not math.isnan(value)
    return f"{value:+.3f}" if is_defined else "not measured"


def _p(p: float) -> str:
    return "no p" if math.isnan(p) else f"p {p:.3g}"


def power_text(registration: Registration, jobs: Sequence[Job]) -> str:
    """Return the layout of each claim of a plan, and what it detects, as text."""
    lines = []
    for claim in registration.claims:
        sizes = planned_sizes(registration, claim, jobs)
        counts = counts_of(registration, claim, sizes)
        lines.append(
            f"{claim.title} ({claim.task}): {counts.compressors} configurations of "
            f"{counts.families} families, {counts.units} units, {counts.datasets} data sets"
        )
        for each in undecided_generalities(registration, claim, sizes):
            words = detectable_words(each.detectable)
            reason = (
                f"; undecided by design: {each.shortages[0]}" if each.shortages else ""
            )
            lines.append(f"  to {each.population}: {words}{reason}")
    return "\n".join(lines) + "\n"


def detectable_words(smallest: Detectable) -> str:
    """Return the effect that a layout can detect, and the half-width to expect."""
    width = (
        f"; half-width to expect {smallest.half_width:.2f}"
        if not math.isnan(smallest.half_width)
        else ""
    )
    if math.isnan(smallest.effect):
        return f"none up to .95 with this layout{width}"
    return (
        f"correlation {smallest.effect:.2f} (statistic {smallest.statistic:+.2f}) in "
        f"{POWER:.0%} of runs at level {smallest.alpha:.3g}{width}"
    )
