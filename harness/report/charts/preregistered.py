"""Figures of a preregistered test: scatter per data set, slopes, accuracy against bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from harness.analysis.preregistered.block import ClaimBlock
from harness.analysis.preregistered.readings import Reading
from harness.analysis.preregistered.result import ClaimResult, CurveResult
from harness.report.charts.theme import appearance, theme
from harness.statistics.monotone_curve import isotonic_fit

MAX_COLUMNS = 3


def scatter_by_dataset(result: ClaimResult) -> alt.VConcatChart | None:
    """Return a panel per data set: held-out bpb against the metric, families joined.

    Bars are the scores' 95 % intervals. None where the claim has no block.
    """
    if result.block is None:
        return None
    points = _points(result.block)
    encoding = _family_encoding(result.block.families)
    panels = [
        _panel(points[points["dataset"] == name], name, result, encoding)
        for name in result.block.datasets
    ]
    return _in_rows(panels)


def _in_rows(panels: Sequence[alt.LayerChart]) -> alt.VConcatChart:
    rows = [
        alt.hconcat(*panels[i : i + MAX_COLUMNS])
        for i in range(0, len(panels), MAX_COLUMNS)
    ]
    return alt.vconcat(*rows).properties(config=alt.Config(**theme(dark=False)))


def _points(block: ClaimBlock) -> pd.DataFrame:
    """Return a row per compressor and data set, with both numbers and their ends."""
    cells = pd.DataFrame(
        [
            {"compressor": name, "dataset": dataset, "what": what, **_cell(draws)}
            for (name, dataset, what), draws in block.cells.items()
        ]
    )
    # One row per point: rates and metrics stand side by side.
    rate, metric = (
        cells[cells["what"] == what].drop(columns="what") for what in ("rate", "metric")
    )
    both = rate.merge(metric, on=["compressor", "dataset"], suffixes=("_bpb", ""))
    families = [block.families[family] for family in block.block.family]
    by_compressor = dict(zip(block.compressors, families, strict=True))
    return both.assign(family=both["compressor"].map(by_compressor))


def _cell(draws: Sequence[Reading]) -> dict[str, float]:
    """Return the mean over draws, and the outermost ends of their intervals."""
    scores = [reading.score for reading in draws]
    mean = sum(score.value for score in scores) / len(scores)
    lows = [score.ci_low for score in scores if score.ci_low is not None]
    highs = [score.ci_high for score in scores if score.ci_high is not None]
    low, high = min(lows, default=mean), max(highs, default=mean)
    return {"value": mean, "low": low, "high": high}


def _family_encoding(families: Sequence[str]) -> Mapping[str, Any]:
    """Return colour and marker of each family."""
    styles = [appearance(index) for index in range(len(families))]
    legend = alt.Legend(title=None, orient="top")

    def scale(part: int) -> alt.Scale:
        return alt.Scale(domain=list(families), range=[style[part] for style in styles])

    return {
        "color": alt.Color("family:N", scale=scale(0), legend=legend),
        "shape": alt.Shape("family:N", scale=scale(1), legend=legend),
    }


def _panel(
    points: pd.DataFrame, name: str, result: ClaimResult, encoding: Mapping[str, Any]
) -> alt.LayerChart:
    rho = result.statistics.by_dataset.get(name, math.nan)
    mean = "mean Spearman" if result.claim.is_within_families else "Spearman"
    # Reversed: fewer bits are better, and better is to the right.
    scale = alt.Scale(zero=False, reverse=True, nice=False, padding=10)
    free = alt.Scale(zero=False, nice=False, padding=10)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title="held-out bpb (better \u2192)", scale=scale)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=_words(result.claim.score), scale=free)

    base = alt.Chart(points).encode(color=encoding["color"])
    bars = base.mark_rule(opacity=0.35)
    shown = ["compressor:N", "family:N", "value_bpb:Q", "value:Q"]
    layers = [
        bars.encode(x=x("low_bpb"), x2="high_bpb:Q", y=y("value")),
        bars.encode(x=x("value_bpb"), y=y("low"), y2="high:Q"),
        base.mark_line(opacity=0.6).encode(x=x("value_bpb"), y=y("value")),
        base.mark_point(filled=True, size=60).encode(
            x=x("value_bpb"), y=y("value"), shape=encoding["shape"], tooltip=shown
        ),
    ]
    # In two lines: one would run into the title of the next panel.
    title = alt.TitleParams(name, subtitle=f"{mean} {rho:+.2f}")
    return alt.LayerChart(layer=layers, width=230, height=190, title=title)


def _words(score: str) -> str:
    return score.replace("_", " ")


def forest_of_slopes(result: ClaimResult) -> alt.LayerChart | None:
    """Return slopes of the metric per bit per byte saved, with intervals; None without."""
    slopes = {
        name: slope
        for name, slope in result.statistics.slopes.items()
        if not math.isnan(slope.value)
    }
    rows = [
        {
            "slope": name,
            "kind": slope.kind,
            "value": slope.value,
            "low": slope.ci_low,
            "high": slope.ci_high,
            "n": slope.n,
        }
        for name, slope in slopes.items()
    ]
    if not rows:
        return None
    title = f"{_words(result.claim.score)} per bit per byte saved"
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("slope:N", sort=[*slopes], title=None),
        color=alt.Color(
            "kind:N",
            title=None,
            scale=alt.Scale(
                domain=["family", "within", "between"],
                range=[appearance(i)[0] for i in range(3)],
            ),
        ),
    )
    # The line of no effect.
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=[4, 4])
    shown = ["slope:N", "value:Q", "low:Q", "high:Q", "n:Q"]
    layers = [
        zero.encode(x=alt.X("zero:Q", title=title)),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(filled=True, size=70).encode(
            x=alt.X("value:Q", title=title), tooltip=shown
        ),
    ]
    chart = alt.LayerChart(layer=layers, width=420, height=max(3, len(rows)) * 22)
    return chart.properties(config=alt.Config(**theme(dark=False)))


def correlations_by_cell(result: ClaimResult) -> alt.LayerChart | None:
    """Return Spearman inside each family, a point per data set; None for other claims.

    Bars are the means over data sets.
    """
    statistics = result.statistics
    if not statistics.by_cell:
        return None
    points = [
        {"family": family, "dataset": dataset, "value": value}
        for (family, dataset), value in statistics.by_cell.items()
    ]
    means = [
        {"family": family, "mean": value}
        for family, value in statistics.by_family.items()
    ]
    title = "Spearman of held-out rate and accuracy, inside a family"
    x = alt.Scale(domain=[-1, 1])
    y = alt.Y("family:N", title=None)
    # The line of no association.
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=[4, 4])
    shown = ["family:N", "dataset:N", "value:Q"]
    layers = [
        zero.encode(x=alt.X("zero:Q", title=title, scale=x)),
        alt.Chart(pd.DataFrame(points))
        .mark_point(filled=True, size=50, opacity=0.6)
        .encode(
            x=alt.X("value:Q", title=title, scale=x),
            y=y,
            color=alt.Color("dataset:N", title=None),
            tooltip=shown,
        ),
        alt.Chart(pd.DataFrame(means))
        .mark_tick(thickness=3, size=18)
        .encode(x=alt.X("mean:Q", title=title, scale=x), y=y),
    ]
    height = 26 * max(3, len(means))
    chart = alt.LayerChart(layer=layers, width=420, height=height)
    return chart.properties(config=alt.Config(**theme(dark=False)))


def accuracy_against_bits(curve: CurveResult) -> alt.VConcatChart | None:
    """Return a panel per data set: networks by intervention, over one isotonic fit."""
    p = curve.points
    if not len(p.bits):
        return None
    points = pd.DataFrame(
        {
            "compressor": curve.compressors,
            "bits": p.bits,
            "accuracy": p.accuracy,
            "family": [curve.interventions[i] for i in p.intervention],
            "dataset": [curve.datasets[d] for d in p.dataset],
        }
    )
    encoding = _family_encoding(curve.interventions)
    panels = [
        _curve_panel(here, (str(name), curve.score), encoding)
        for name, here in points.groupby("dataset")
    ]
    return _in_rows(panels)


def _curve_panel(
    points: pd.DataFrame, names: tuple[str, str], encoding: Mapping[str, Any]
) -> alt.LayerChart:
    name, score = names
    places, values = isotonic_fit(
        points["bits"].to_numpy(), points["accuracy"].to_numpy()
    )
    title = "held-out bpb (better \u2192)"
    # The good end is crowded: equal ratios of bits get equal room.
    reverse = alt.Scale(type="log", reverse=True, nice=False, padding=10)
    x = alt.X("bits:Q", title=title, scale=reverse)
    free = alt.Scale(zero=False, nice=False, padding=10)
    y = alt.Y("accuracy:Q", title=_words(score), scale=free)
    line = alt.Chart(pd.DataFrame({"bits": places, "accuracy": values}))
    dots = alt.Chart(points).mark_point(filled=True, size=60)
    shown = ["compressor:N", "family:N", "bits:Q", "accuracy:Q"]
    layers = [
        line.mark_line(color="#828282", opacity=0.7).encode(x=x, y=y),
        dots.encode(
            x=x, y=y, color=encoding["color"], shape=encoding["shape"], tooltip=shown
        ),
    ]
    return alt.LayerChart(layer=layers, width=420, height=300, title=name)
