"""Preregistered test as text, Markdown or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.analysis.preregistered.result import (
    ClaimResult,
    Report,
)
from harness.analysis.preregistered.sentences import estimate_words
from harness.statistics.block import MIN_COMPRESSORS
from harness.statistics.crossed import NEAR_TIE, Crossed, Generality, NearTies
from harness.statistics.power import POWER
from harness.statistics.slopes import Slope
from harness.statistics.verdict import Estimate

FORM = "+.3f"
QUESTION = "Does better compression give better representations?"
TO_NEW_DATASETS = "within families, to new data sets, for these compressors"
TO_NEW_COMPRESSORS = "within families, to new compressors of these kinds"
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
    }


def _claim_values(result: ClaimResult) -> dict[str, Any]:
    """Return a claim's values under flat names."""
    # Flat names, so that a reader of the JSON needs no knowledge of our classes.
    about = result.claim.model_dump(include={"name", "task", "score", "secondary"})
    statistics = asdict(result.statistics)
    overall = statistics.pop("overall")
    block = result.block
    return {
        **about,
        "title": result.title,
        "decided_by": result.decided_by,
        "statistic": overall["value"],
        "ci_low": overall["ci_low"],
        "ci_high": overall["ci_high"],
        **statistics,
        **{f"n_{name}": n for name, n in asdict(result.counts).items()},
        **asdict(result.sensitivity),
        "p_adjusted": result.p_adjusted,
        "detectable": asdict(result.detectable),
        "dropped": result.dropped,
        "ambiguous": block.ambiguous if block else 0,
        "compressors": list(block.compressors) if block else [],
        "verdict": result.verdict,
        "reasons": result.reasons,
        "sentence": result.sentence,
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
        (f"{_title(claim)}: {claim.verdict}", claim.sentence, _numbers(claim))
        for claim in report.claims
    ]
    curve = report.curve
    if curve is not None:
        rows = [
            (
                f"{name}, off the others' curve",
                f"{estimate_words(d, FORM, n_datasets=len(curve.datasets))} (n {d.n})",
            )
            for name, d in curve.deviations.items()
        ]
        if curve.without_records:
            networks = ", ".join(curve.without_records)
            rows.append(("no record has both numbers of", networks))
        heading = f"Interventions, {curve.task} {curve.score}: {curve.word}"
        parts.append((heading, curve.sentence, rows))
    return parts


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _opening(report: Report) -> list[str]:
    lines = [f"{report.status}; draws {report.n_draws}", *report.registration]
    if not report.official:
        lines.append("unofficial: run with --limit or --seed")
    return lines


def _title(result: ClaimResult) -> str:
    return f"{result.title} (secondary)" if result.claim.secondary else result.title


def _numbers(result: ClaimResult) -> Rows:
    """Return everything that belongs to a claim, as names and words."""
    if result.block is None:
        few = f"fewer than {MIN_COMPRESSORS} compressors have both numbers everywhere"
        return [("block", few), *_gaps(result)]
    statistics, sensitivity = result.statistics, result.sensitivity
    adjusted = "not adjusted" if result.claim.secondary else "Holm"

    def words(estimate: Estimate | Slope) -> str:
        return estimate_words(estimate, FORM, n_datasets=result.counts.datasets)

    between = f"{words(statistics.between)}, {_p(statistics.p_between)}"
    within = f"{words(statistics.within)}, {_p(statistics.p_within)}"
    deciding = f"{result.decided_by} families, {_p(result.p_adjusted)} ({adjusted})"
    return [
        ("mean within-data-set Spearman", words(statistics.overall)),
        ("between families", between),
        ("within families", within),
        ("decided by", deciding),
        *_generalities(statistics.crossed),
        *_near_ties(statistics.near_ties),
        ("Kendall tau-b", _number(statistics.kendall_tau)),
        *_each("Spearman on", statistics.by_dataset),
        *_each("without", sensitivity.without_family),
        *_each("check:", sensitivity.checks),
        *_each("statistic,", sensitivity.partials),
        *[
            (f"slope, {name}", f"{words(slope)} per bit per byte saved (n {slope.n})")
            for name, slope in statistics.slopes.items()
        ],
        ("detectable effect", _detectable(result)),
        ("intervals resample", _resampled(result)),
        *_gaps(result),
    ]


def _generalities(crossed: Crossed) -> Rows:
    """Return the mean correlation inside families for both populations."""
    size = f"families {crossed.n_families}, data sets {crossed.n_datasets}"

    def words(generality: Generality) -> str:
        if crossed.shortage:
            return f"not estimated, {crossed.shortage}"
        if math.isnan(generality.half_width):
            return f"{generality.value:{FORM}} [-, all correlations agree] ({size})"
        ends = f"[{generality.ci_low:{FORM}}, {generality.ci_high:{FORM}}]"
        half_width = f"half-width {generality.half_width:.3f}"
        return f"{generality.value:{FORM}} {ends}, {_p(generality.p)}, {half_width} ({size})"

    flips = f"; sign flips of families, {_p(crossed.p_sign_flips)}"
    return [
        (TO_NEW_DATASETS, words(crossed.new_datasets)),
        (
            TO_NEW_COMPRESSORS,
            words(crossed.new_compressors) + ("" if crossed.shortage else flips),
        ),
    ]


def _near_ties(ties: NearTies) -> Rows:
    """Return the share of pairs inside families whose order in rate says nothing."""
    if not ties.n_pairs:
        return []
    share = f"{ties.n_near / ties.n_pairs:.0%} ({ties.n_near} of {ties.n_pairs})"
    name = f"pairs within families that differ by less than {NEAR_TIE:.0%} in rate"
    as_ties = ties.value_as_ties
    # Without an estimate of the mean there is none without near-ties.
    if math.isnan(as_ties):
        return [(name, share)]
    return [(name, f"{share}; mean within families if they tie {as_ties:{FORM}}")]


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


def _detectable(result: ClaimResult) -> str:
    smallest = result.detectable
    if math.isnan(smallest.effect):
        return "none up to .95 with this layout"
    return (
        f"correlation {smallest.effect:.2f} (statistic {smallest.statistic:+.2f}) in "
        f"{POWER:.0%} of runs at level {smallest.alpha:.3g}"
    )


def _resampled(result: ClaimResult) -> str:
    """Return the levels with several members: one family, data set or draw is given."""
    cells = result.block.cells.values() if result.block else ()
    levels = {
        "families": result.counts.families > 1,
        "data sets": result.counts.datasets > 1,
        "test samples": result.statistics.of_samples,
        "draws": any(len(draws) > 1 for draws in cells),
    }
    resampled = [name for name, several in levels.items() if several]
    return f"{', '.join(resampled)}; 95 %" if resampled else "-, there is one of each"
