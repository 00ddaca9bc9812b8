"""Figure of ladders of checkpoints: bits against each layer's balanced accuracy."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from harness.report.charts.theme import appearance, theme

N_COLUMNS = 3
DEPTH_WORDS = {
    0.0: "first layer",
    0.25: "at 1/4 of depth",
    0.5: "middle layer",
    0.75: "at 3/4 of depth",
    1.0: "last layer",
}


def accuracy_by_layer(points: pd.DataFrame, dataset: str) -> alt.FacetChart | None:
    """Return a panel per depth: bits (better to the right) against balanced accuracy.

    A line joins the checkpoints of a network in the order they were reached; bars are 95 %
    intervals of the mean over draws, or given the split where there is one draw. None
    where no ladder was measured.

    Args:
        points: of `ladders.ladder_points`.
        dataset: which of its data sets.
    """
    here = points[points["dataset"] == dataset]
    if here.empty:
        return None
    here = here.assign(panel=here["depth"].map(DEPTH_WORDS))
    base = alt.Chart().encode(**_ladder_encoding(here))
    # A single draw without an interval has a point and no bar.
    bars = base.mark_rule(opacity=0.35).transform_filter("isValid(datum.accuracy_low)")
    x, y = bits_axis("bits"), accuracy_axis("accuracy")
    layers = [
        bars.encode(x=x, y=accuracy_axis("accuracy_low"), y2="accuracy_high:Q"),
        bars.encode(x=bits_axis("bits_low"), x2="bits_high:Q", y=y),
        base.mark_line(opacity=0.6).encode(x=x, y=y, order="rung:Q"),
        base.mark_point(filled=True, size=45).encode(
            x=x, y=y, tooltip=_tooltip(), **_ladder_encoding(here, "shape")
        ),
    ]
    layered = alt.LayerChart(layer=layers, data=here, width=230, height=190)
    order = [word for word in DEPTH_WORDS.values() if word in set(here["panel"])]
    chart = layered.facet(
        facet=alt.Facet("panel:N", title=None, sort=order), columns=N_COLUMNS
    )
    return chart.properties(config=alt.Config(**theme(dark=False)))


def _ladder_encoding(here: pd.DataFrame, channel: str = "color") -> dict[str, Any]:
    """Return colour or marker of each ladder."""
    names = sorted(here["ladder"].unique())
    part = 0 if channel == "color" else 1
    values = [appearance(index)[part] for index in range(len(names))]
    scale = alt.Scale(domain=names, range=values)
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=360)
    make = alt.Color if channel == "color" else alt.Shape
    return {channel: make("ladder:N", scale=scale, legend=legend)}


def bits_axis(field: str) -> alt.X:
    """Return the axis of a held-out rate, the good end to the right."""
    # The good end is crowded: equal ratios of bits get equal room.
    scale = alt.Scale(type="log", reverse=True, nice=False, padding=10)
    title = "held-out bpb (better \u2192)"
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))


def accuracy_axis(field: str) -> alt.Y:
    """Return the axis of a balanced accuracy."""
    scale = alt.Scale(zero=False, nice=False, padding=10)
    return alt.Y(f"{field}:Q", title="balanced accuracy", scale=scale)


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("compressor:N"),
        alt.Tooltip("layer:N"),
        alt.Tooltip("rung:Q", title="checkpoint"),
        alt.Tooltip("bits:Q", title="held-out bpb", format=".3f"),
        alt.Tooltip("accuracy:Q", title="balanced accuracy", format=".3f"),
        alt.Tooltip("n_draws:Q", title="draws"),
    ]
