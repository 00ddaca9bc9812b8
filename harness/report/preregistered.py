"""A registered test as text, Markdown or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from harness.analysis.preregistered.result import (
    MIN_COMPRESSORS,
    ClaimResult,
    CurveResult,
    Report,
)
from harness.analysis.preregistered.sentences import estimate_words
from harness.statistics.power import POWER
from harness.statistics.slopes import Slope
from harness.statistics.verdict import Estimate

FORM = "+.3f"
QUESTION = "Does better compression give better representations?"
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
    claims = []
    for claim in report.claims:
        names = [f.name for f in fields(claim) if f.name not in ("block", "slopes")]
        values = {name: _plain(getattr(claim, name)) for name in names}
        values["slopes"] = {n: _plain(asdict(s)) for n, s in claim.slopes.items()}
        values["compressors"] = list(claim.block.compressors) if claim.block else []
        claims.append(values)
    return {
        "hash": report.hash,
        "status": report.status,
        "why_exploratory": report.why,
        "official": report.official,
        "n_draws": report.n_draws,
        "claims": claims,
        "interventions": _curve_json(report),
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
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
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
        table = "\n".join(["| what | found |", "| --- | --- |", *lines])
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
            rows.append(("no record has both numbers of", _listed(curve)))
        heading = f"Interventions, {curve.task} {curve.score}: {curve.word}"
        parts.append((heading, curve.sentence, rows))
    return parts


def _listed(curve: CurveResult) -> str:
    return ", ".join(curve.without_records)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _opening(report: Report) -> list[str]:
    status = f"{report.status}: {report.why}" if report.why else report.status
    lines = [f"{status}; hypothesis {report.hash[:16]}; draws {report.n_draws}"]
    if not report.official:
        lines.append("unofficial: run with --limit or --seed")
    return lines


def _title(claim: ClaimResult) -> str:
    return f"{claim.title} (secondary)" if claim.secondary else claim.title


def _numbers(claim: ClaimResult) -> Rows:
    """Return everything that belongs to a claim, as names and words."""
    if math.isnan(claim.statistic):
        few = f"fewer than {MIN_COMPRESSORS} compressors have both numbers everywhere"
        return [("block", few), *_each_gap(claim)]
    registered = Estimate(
        value=claim.statistic, ci_low=claim.ci_low, ci_high=claim.ci_high
    )
    adjusted = "as it is" if claim.secondary else "Holm"

    def words(one: Estimate | Slope) -> str:
        return estimate_words(one, FORM, n_datasets=claim.n_datasets)

    return [
        ("mean within-data-set Spearman", words(registered)),
        ("between families", f"{words(claim.between)}, {_p(claim.p_between)}"),
        ("within families", f"{words(claim.within)}, {_p(claim.p_within)}"),
        (
            "decided by",
            f"{claim.decided_by} families, {_p(claim.p_adjusted)} ({adjusted})",
        ),
        ("Kendall tau-b", _number(claim.kendall_tau)),
        *_each("Spearman on", claim.by_dataset),
        *_each("without", claim.without_family),
        *_each("check:", claim.checks),
        *_each("statistic,", claim.partials),
        *[
            (f"slope, {name}", f"{words(s)} per bit per byte saved (n {s.n})")
            for name, s in claim.slopes.items()
        ],
        ("detectable effect", _detectable(claim)),
        ("intervals resample", _resampled(claim)),
        *_each_gap(claim),
    ]


def _each(what: str, values: Mapping[str, float | None]) -> list[tuple[str, str]]:
    return [(f"{what} {name}", _number(value)) for name, value in values.items()]


def _each_gap(claim: ClaimResult) -> list[tuple[str, str]]:
    by_gap: dict[str, list[str]] = {}
    for name, gap in claim.dropped.items():
        by_gap.setdefault(gap, []).append(name)
    gaps = [(f"left out, {gap}", ", ".join(names)) for gap, names in by_gap.items()]
    if claim.ambiguous:
        words = f"{claim.ambiguous} cells; of each, the record of the last key stands"
        gaps.append(("several records of one version", words))
    return gaps


def _number(value: float | None) -> str:
    known = value is not None and not math.isnan(value)
    return f"{value:+.3f}" if known else "not measured"


def _p(p: float) -> str:
    return "no p" if math.isnan(p) else f"p {p:.3g}"


def _detectable(claim: ClaimResult) -> str:
    found = claim.detectable
    if math.isnan(found.effect):
        return "none up to .95 with this layout"
    return (
        f"correlation {found.effect:.2f} (statistic {found.statistic:+.2f}) in "
        f"{POWER:.0%} of runs at level {found.alpha:.3g}"
    )


def _resampled(claim: ClaimResult) -> str:
    """Return what there are several of: one family, data set or draw is given."""
    cells = claim.block.cells.values() if claim.block else ()
    levels = {
        "families": claim.n_families > 1,
        "data sets": claim.n_datasets > 1,
        "test samples": claim.of_samples,
        "draws": any(len(draws) > 1 for draws in cells),
    }
    resampled = [name for name, several in levels.items() if several]
    return f"{', '.join(resampled)}; 95 %" if resampled else "-, there is one of each"
