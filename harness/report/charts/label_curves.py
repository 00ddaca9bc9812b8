"""Figure of few labels: bits on unlabelled data against the accuracy of a probe."""

from __future__ import annotations

import altair as alt
import pandas as pd

from harness.analysis.label_curves import EVERY_LABEL, label_words
from harness.report.charts.ladders import accuracy_axis, bits_axis
from harness.report.charts.theme import appearance, theme

N_COLUMNS = 3


def accuracy_by_labels(points: pd.DataFrame, dataset: str) -> alt.FacetChart | None:
    """Return a panel per number of labels: bits (better to the right) against accuracy.

    A point is a network, in the colour and shape of its family; bars are 95 % intervals.
    All panels share both axes, so that what labels add is seen beside what bits add. None
    where no network was probed with few labels.

    Args:
        points: of `label_curves.label_points`.
        dataset: one of its data sets.
    """
    here = points[points["dataset"] == dataset]
    numbers = sorted(set(here["n_labels"]) - {EVERY_LABEL})
    if not numbers:
        return None
    here = here.assign(panel=here["n_labels"].map(label_words))
    base = alt.Chart().encode(x=bits_axis("bits"), color=_family(here))
    # A score without an interval has a point and no bar.
    bars = base.mark_rule(opacity=0.35).transform_filter("isValid(datum.accuracy_low)")
    layers = [
        bars.encode(y=accuracy_axis("accuracy_low"), y2="accuracy_high:Q"),
        base.mark_point(filled=True, size=40).encode(
            y=accuracy_axis("accuracy"), shape=_shape(here), tooltip=_tooltip()
        ),
    ]
    layered = alt.LayerChart(layer=layers, data=here, width=230, height=190)
    order = [label_words(n) for n in (*numbers, EVERY_LABEL)]
    chart = layered.facet(
        facet=alt.Facet("panel:N", title=None, sort=order), columns=N_COLUMNS
    )
    return chart.properties(config=alt.Config(**theme(dark=False)))


def _family(here: pd.DataFrame) -> alt.Color:
    families = sorted(here["family"].unique())
    colours = [appearance(i)[0] for i in range(len(families))]
    scale = alt.Scale(domain=families, range=colours)
    legend = alt.Legend(title=None, orient="top", columns=3, labelLimit=240)
    return alt.Color("family:N", scale=scale, legend=legend)


def _shape(here: pd.DataFrame) -> alt.Shape:
    families = sorted(here["family"].unique())
    shapes = [appearance(i)[1] for i in range(len(families))]
    return alt.Shape("family:N", scale=alt.Scale(domain=families, range=shapes))


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("compressor:N"),
        alt.Tooltip("panel:N", title="labels"),
        alt.Tooltip("bits:Q", title="held-out bpb", format=".3f"),
        alt.Tooltip("accuracy:Q", title="balanced accuracy", format=".3f"),
        alt.Tooltip("n_draws:Q", title="draws"),
    ]
