"""Figures of joint compression: savings against quality, and a heat map per compressor."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from harness.analysis.joint_claims import SIZE, partners_of, quality, rate_table
from harness.analysis.joint_tables import (
    KINDS,
    Records,
    at_dose_one,
    joint_table,
    mean_over_draws,
    transfer_table,
)
from harness.report.charts.theme import appearance, theme

CELL_PIXELS = 34
N_COLUMNS = 3


def savings_against_quality(records: Records) -> alt.FacetChart | None:
    """Return savings against quality on other data, one line per kind of pair.

    A panel per data set of Y: kinds are averaged over different classes, and panels are
    not averaged, since not every data set has every kind. A point is a compressor: bits
    saved per byte of Y at size x1, mean over draws. None without data.
    """
    points = quality_points(records)
    if points.empty:
        return None
    base = alt.Chart(points).encode(
        x=alt.X(
            "quality:Q",
            title="rank of the rate on other data (better \u2192)",
            scale=alt.Scale(zero=False, padding=10, nice=False),
        ),
        y=alt.Y("saved:Q", title="bits saved per byte of Y"),
        tooltip=[
            alt.Tooltip("compressor:N"),
            alt.Tooltip("kind:N", title="X is"),
            alt.Tooltip("quality:Q", format="+.2f"),
            alt.Tooltip("saved:Q", title="bits saved per byte of Y", format="+.3f"),
        ],
        **_kind_encoding(points),
    )
    zero = alt.Chart().mark_rule(strokeDash=[4, 4], color="#828282")
    layers = [
        zero.encode(y=alt.datum(0.0)),
        base.mark_line(strokeWidth=1.4, opacity=0.6),
        base.mark_point(filled=True, size=45),
    ]
    layered = alt.LayerChart(layer=layers, data=points, width=260, height=200)
    chart = layered.facet(
        facet=alt.Facet("dataset:N", title=None),
        columns=N_COLUMNS,
        resolve=alt.Resolve(scale={"y": "independent"}),
    )
    return chart.properties(config=alt.Config(**theme(dark=False)))


def _kind_encoding(points: pd.DataFrame) -> dict[str, Any]:
    """Return colour and marker of each kind that occurs, the same in every chart."""
    styles = {word: appearance(i) for i, word in enumerate(KINDS.values())}
    words = [word for word in styles if word in set(points["kind"])]
    legend = alt.Legend(title="X is", orient="right", columns=1)

    def scale(part: int) -> alt.Scale:
        return alt.Scale(domain=words, range=[styles[word][part] for word in words])

    return {
        "color": alt.Color("kind:N", scale=scale(0), legend=legend),
        "shape": alt.Shape("kind:N", scale=scale(1), legend=legend),
    }


def quality_points(records: Records) -> pd.DataFrame:
    """Return dataset, compressor, kind (in words), quality and saved, a row per point."""
    joint = joint_table(records)
    means = _saved(joint)
    means = means[(means["size"] == SIZE) & ~means["beyond"].astype(bool)]
    partners, rates = partners_of(records), rate_table(records, joint)
    columns = ["dataset", "compressor", "kind", "quality", "saved"]
    parts = [pd.DataFrame(columns=columns)]
    for dataset, rows in means.groupby("dataset"):
        names = sorted(rows["compressor"].unique())
        qualities = quality(rates, names, partners.get(str(dataset), {str(dataset)}))
        if qualities is not None:
            by_name = dict(zip(names, qualities.tolist(), strict=True))
            placed = rows.assign(quality=rows["compressor"].map(by_name))
            parts.append(placed.rename(columns={"value": "saved"})[columns])
    points = pd.concat(parts[1:] or parts, ignore_index=True)
    return points.assign(kind=points["kind"].map(dict(KINDS)))


def savings_matrix(records: Records) -> alt.FacetChart | None:
    """Return a heat map per compressor: data set of Y by kind of X, bits per byte saved.

    Size x1; blue saves, orange does harm; one scale for all. None without data.
    """
    means = _saved(joint_table(records))
    means = means[means["size"] == SIZE]
    if means.empty:
        return None
    cells = means[["dataset", "compressor", "kind", "value"]]
    cells = cells.assign(kind=cells["kind"].map(dict(KINDS)))
    kinds = [word for word in KINDS.values() if word in set(cells["kind"])]
    # Symmetric about 0, so that white is no saving.
    top = float(np.abs(cells["value"]).max()) or 1.0
    base = alt.Chart(cells).encode(
        x=alt.X("kind:N", sort=kinds, title="X is", axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("dataset:N", title="Y is of"),
    )
    scale = alt.Scale(
        domain=[-top, 0, top], range=["#D55E00", "#f4f4f4", "#0072B2"], type="linear"
    )
    legend = alt.Legend(title="bits saved per byte", format=".1f")
    boxes = base.mark_rect().encode(
        color=alt.Color("value:Q", scale=scale, legend=legend),
        tooltip=[
            alt.Tooltip("compressor:N"),
            alt.Tooltip("dataset:N", title="Y is of"),
            alt.Tooltip("kind:N", title="X is"),
            alt.Tooltip("value:Q", title="bits saved per byte", format="+.3f"),
        ],
    )
    # White numbers on dark cells.
    strong = f"abs(datum.value) > {0.6 * top}"
    numbers = base.mark_text(fontSize=10).encode(
        text=alt.Text("value:Q", format=".2f"),
        color=alt.condition(strong, alt.value("#ffffff"), alt.value("#20242a")),
    )
    layered = alt.LayerChart(
        layer=[boxes, numbers],
        data=cells,
        width=CELL_PIXELS * len(kinds),
        height=22 * cells["dataset"].nunique(),
    )
    chart = layered.facet(
        facet=alt.Facet("compressor:N", title=None), columns=N_COLUMNS
    )
    return chart.properties(config=alt.Config(**theme(dark=False)))


def transfer_scatter(records: Records) -> alt.FacetChart | None:
    """Return few-label accuracy against bits saved, a point per X of dose 1, a panel per Y.

    Lines join the X of one compressor in the order of what they save. None without data.
    """
    table = at_dose_one(transfer_table(records))
    table = table[table["saved_bpb"].notna()].drop(columns="beyond")
    if table.empty:
        return None
    # Few-label accuracies of data sets have nothing in common: each has its own axes.
    base = alt.Chart(table).encode(
        x=alt.X("saved_bpb:Q", title="bits saved per byte of unlabelled Y"),
        y=alt.Y(
            "accuracy:Q",
            title="few-label balanced accuracy",
            scale=alt.Scale(zero=False, padding=10),
        ),
        color=alt.Color("compressor:N", legend=alt.Legend(title=None, columns=1)),
        tooltip=[
            alt.Tooltip("compressor:N"),
            alt.Tooltip("x:N", title="X"),
            alt.Tooltip("saved_bpb:Q", title="bits saved per byte", format="+.3f"),
            alt.Tooltip("accuracy:Q", format=".3f"),
        ],
    )
    layers = [base.mark_line(opacity=0.4), base.mark_point(filled=True, size=45)]
    layered = alt.LayerChart(layer=layers, data=table, width=260, height=220)
    chart = layered.facet(
        facet=alt.Facet("dataset:N", title=None),
        columns=N_COLUMNS,
        resolve=alt.Resolve(scale={"x": "independent", "y": "independent"}),
    )
    return chart.properties(config=alt.Config(**theme(dark=False)))


def _saved(joint: pd.DataFrame) -> pd.DataFrame:
    means = mean_over_draws(joint)
    return means[means["measure"] == "saved_bpb"]
