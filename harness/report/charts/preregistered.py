"""Figures of a registered test: scatter per data set, slopes, accuracy against bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from harness.analysis.preregistered.block import Record
from harness.analysis.preregistered.result import ClaimResult, CurveResult
from harness.report.charts.theme import appearance, theme
from harness.statistics.monotone_curve import falling_curve

MAX_COLUMNS = 3


def scatter_by_dataset(
    claim: ClaimResult, records: Sequence[Record]
) -> alt.VConcatChart | None:
    """Return a panel per data set: held-out bpb against the metric, families joined.

    Bars are the records' own 95 % intervals. None where the claim has no block.
    """
    if claim.block is None:
        return None
    points = _points(claim, records)
    looks = _looks(claim.block.families)
    panels = [
        _panel(points[points["dataset"] == name], name, claim, looks)
        for name in claim.block.datasets
    ]
    return _in_rows(panels)


def _in_rows(panels: Sequence[alt.LayerChart]) -> alt.VConcatChart:
    rows = [
        alt.hconcat(*panels[i : i + MAX_COLUMNS])
        for i in range(0, len(panels), MAX_COLUMNS)
    ]
    return alt.vconcat(*rows).properties(config=alt.Config(**theme(dark=False)))


def _points(claim: ClaimResult, records: Sequence[Record]) -> pd.DataFrame:
    found = claim.block
    if found is None:
        return pd.DataFrame()
    intervals = _intervals(records)
    rows = []
    for (name, dataset, what), values in found.cells.items():
        ends = [intervals.get((key, value)) for value, key, _ in values]
        known = [pair for pair in ends if pair is not None]
        mean = sum(value for value, _, _ in values) / len(values)
        rows.append(
            {
                "compressor": name,
                "dataset": dataset,
                "what": what,
                "value": mean,
                "low": min([low for low, _ in known], default=mean),
                "high": max([high for _, high in known], default=mean),
            }
        )
    long = pd.DataFrame(rows)
    rate, metric = (
        long[long["what"] == w].drop(columns="what") for w in ("rate", "metric")
    )
    both = rate.merge(metric, on=["compressor", "dataset"], suffixes=("_bpb", ""))
    of_family = dict(
        zip(
            found.compressors,
            [found.families[f] for f in found.block.family],
            strict=True,
        )
    )
    return both.assign(family=both["compressor"].map(of_family))


def _intervals(
    records: Sequence[Record],
) -> dict[tuple[str, float], tuple[float, float]]:
    """Return the interval of each score, by its record's key and its value."""
    return {
        (record["key"], float(score["value"])): (score["ci_low"], score["ci_high"])
        for record in records
        for score in record["scores"]
        if score["ci_low"] is not None and score["ci_high"] is not None
    }


def _looks(families: Sequence[str]) -> Mapping[str, Any]:
    looks = [appearance(index) for index in range(len(families))]
    legend = alt.Legend(title=None, orient="top")

    def scale(part: int) -> alt.Scale:
        return alt.Scale(domain=list(families), range=[look[part] for look in looks])

    return {
        "color": alt.Color("family:N", scale=scale(0), legend=legend),
        "shape": alt.Shape("family:N", scale=scale(1), legend=legend),
    }


def _panel(
    points: pd.DataFrame, name: str, claim: ClaimResult, looks: Mapping[str, Any]
) -> alt.LayerChart:
    rho = claim.by_dataset[name]
    scale = alt.Scale(zero=False, reverse=True, nice=False, padding=10)
    free = alt.Scale(zero=False, nice=False, padding=10)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title="held-out bpb (better \u2192)", scale=scale)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=claim.score.replace("_", " "), scale=free)

    base = alt.Chart(points).encode(color=looks["color"])
    bars = base.mark_rule(opacity=0.35)
    shown = ["compressor:N", "family:N", "value_bpb:Q", "value:Q"]
    layers = [
        bars.encode(x=x("low_bpb"), x2="high_bpb:Q", y=y("value")),
        bars.encode(x=x("value_bpb"), y=y("low"), y2="high:Q"),
        base.mark_line(opacity=0.6).encode(x=x("value_bpb"), y=y("value")),
        base.mark_point(filled=True, size=60).encode(
            x=x("value_bpb"), y=y("value"), shape=looks["shape"], tooltip=shown
        ),
    ]
    title = f"{name}: Spearman {rho:+.2f}"
    return alt.LayerChart(layer=layers, width=230, height=190, title=title)


def forest_of_slopes(claim: ClaimResult) -> alt.LayerChart | None:
    """Return slopes of the metric per bit per byte saved, with intervals; None without."""
    rows = [
        {
            "slope": name,
            "kind": slope.kind,
            "value": slope.value,
            "low": slope.ci_low,
            "high": slope.ci_high,
            "n": slope.n,
        }
        for name, slope in claim.slopes.items()
        if not math.isnan(slope.value)
    ]
    if not rows:
        return None
    order = [name for name, s in claim.slopes.items() if not math.isnan(s.value)]
    title = f"{claim.score.replace('_', ' ')} per bit per byte saved"
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("slope:N", sort=order, title=None),
        color=alt.Color(
            "kind:N",
            title=None,
            scale=alt.Scale(
                domain=["family", "within", "between"],
                range=[appearance(i)[0] for i in range(3)],
            ),
        ),
    )
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


def accuracy_against_bits(curve: CurveResult) -> alt.VConcatChart | None:
    """Return a panel per data set: networks by intervention, over one falling curve."""
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
    looks = _looks(curve.interventions)
    panels = [
        _curve_panel(here, (str(name), curve.score), looks)
        for name, here in points.groupby("dataset")
    ]
    return _in_rows(panels)


def _curve_panel(
    points: pd.DataFrame, names: tuple[str, str], looks: Mapping[str, Any]
) -> alt.LayerChart:
    name, score = names
    places, values = falling_curve(
        points["bits"].to_numpy(), points["accuracy"].to_numpy()
    )
    title = "held-out bpb (better \u2192)"
    # The good end is crowded: equal ratios of bits get equal room.
    reverse = alt.Scale(type="log", reverse=True, nice=False, padding=10)
    x = alt.X("bits:Q", title=title, scale=reverse)
    free = alt.Scale(zero=False, nice=False, padding=10)
    y = alt.Y("accuracy:Q", title=score.replace("_", " "), scale=free)
    line = alt.Chart(pd.DataFrame({"bits": places, "accuracy": values}))
    dots = alt.Chart(points).mark_point(filled=True, size=60)
    shown = ["compressor:N", "family:N", "bits:Q", "accuracy:Q"]
    layers = [
        line.mark_line(color="#828282", opacity=0.7).encode(x=x, y=y),
        dots.encode(
            x=x, y=y, color=looks["color"], shape=looks["shape"], tooltip=shown
        ),
    ]
    return alt.LayerChart(layer=layers, width=420, height=300, title=name)
