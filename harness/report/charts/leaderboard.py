"""Charts of the long table: one Vega-Lite spec gives interactive HTML, SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from harness.analysis.estimates import (
    BASELINE,
    HEADLINE,
    MEASURE,
    RATES,
    Readout,
    estimates,
    families,
    readouts,
)
from harness.errors import UsageError
from harness.units import compression_ratio

# Okabe and Ito (2008) without the two that vanish on white or black, then violet and grey.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"),
    *("#8F6BC0", "#828282"),
)
# One shape fewer than colours: no two of the first 56 families look the same.
SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross"),
    *("triangle-down", "triangle-right"),
)
Axis = Callable[[str], Any]
"""Makes the encoding of a field on an axis that several layers share."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
ROW_PIXELS = 17


def appearance(index: int) -> tuple[str, str]:
    """Return colour and shape of the family of this index."""
    return COLOURS[index % len(COLOURS)], SHAPES[index % len(SHAPES)]


def rate_against_accuracy(table: pd.DataFrame, dataset: str) -> alt.LayerChart | None:
    """Return held-out bpb (better to the right) against balanced accuracy.

    One point per compressor with its 95 % intervals, members of a family joined in the
    order of their rates, baselines as dashed lines. Where there are several readouts, a
    menu chooses. None where no compressor has both numbers.
    """
    here = estimates(table[table["dataset"] == dataset])
    choices = readouts(here)
    points = _points(here, choices)
    if points.empty:
        return None
    names = [c.label for c in choices if c.label in set(points["readout"])]
    y = _accuracy_axis(["balanced accuracy (better \u2192)", *names[: len(names) == 1]])
    layers = _scatter_layers(points, _family_looks(families(table), points), y)
    levels = here[(here["task"] == BASELINE) & (here["score"] == MEASURE)]
    if not levels.empty:
        layers = [*_baseline_layers(levels, y), *layers]
    chart = alt.LayerChart(layer=layers, width=520, height=320)
    return _themed(_with_menu(chart, names))


def _points(here: pd.DataFrame, choices: Sequence[Readout]) -> pd.DataFrame:
    rate = here[(here["score"] == HEADLINE) & (here["family"] != BASELINE)]
    rate = rate.rename(columns={"value": "bpb", "ci_low": "bpb_low"})
    rate = rate.rename(columns={"ci_high": "bpb_high"})
    rate = rate[["compressor", "family", "bpb", "bpb_low", "bpb_high", "note"]]
    parts = []
    for choice in choices:
        same = (here["task"] == choice.task) & (here["score"] == choice.score)
        scores = here[same & (here["equal_bytes"] == choice.equal_bytes)]
        scores = scores[["compressor", "value", "ci_low", "ci_high"]]
        parts.append(rate.merge(scores, on="compressor").assign(readout=choice.label))
    columns = [*rate.columns, "value", "ci_low", "ci_high", "readout"]
    points = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    ratios = [compression_ratio(float(bpb)) for bpb in points["bpb"]]
    return points.assign(ratio=ratios).reset_index(drop=True)


def _family_looks(everywhere: Sequence[str], points: pd.DataFrame) -> dict[str, Any]:
    looks = [appearance(index) for index in range(len(everywhere))]
    present = sorted(set(points["family"]))
    legend = alt.Legend(values=present, title=None, orient="top")

    def scale(part: int) -> alt.Scale:
        return alt.Scale(domain=everywhere, range=[look[part] for look in looks])

    return {
        "color": alt.Color("family:N", scale=scale(0), legend=legend),
        "shape": alt.Shape("family:N", scale=scale(1), legend=legend),
    }


def _scatter_layers(
    points: pd.DataFrame, looks: Mapping[str, Any], y: Axis
) -> list[alt.Chart]:
    picked = alt.selection_point(name="family_pick", fields=["family"], bind="legend")
    base = alt.Chart(points).encode(color=looks["color"])

    def faded(strength: float) -> Any:
        return alt.condition(picked, alt.value(strength), alt.value(0.06))

    at = {"x": _rate_axis("bpb"), "y": y("value")}
    bars = base.mark_rule(strokeWidth=1.2)
    across = bars.encode(x=_rate_axis("bpb_low"), x2="bpb_high:Q", y=at["y"])
    upright = bars.encode(x=at["x"], y=y("ci_low"), y2="ci_high:Q")
    joined = base.mark_line(strokeWidth=1.6).encode(**at, opacity=faded(0.6))
    dots = base.mark_point(filled=True, size=85).encode(
        **at, shape=looks["shape"], opacity=faded(1.0), tooltip=_scatter_tooltip()
    )
    return [
        across.encode(opacity=faded(0.4)),
        upright.encode(opacity=faded(0.4)),
        joined,
        dots.add_params(picked),
    ]


def _rate_axis(field: str) -> alt.X:
    scale = alt.Scale(zero=False, reverse=True, padding=18, nice=False)
    return alt.X(
        f"{field}:Q", title="held-out bits per byte (better \u2192)", scale=scale
    )


def _accuracy_axis(title: list[str]) -> Axis:
    scale = alt.Scale(zero=False, padding=12, nice=False)
    axis = alt.Axis(format=".2f")

    def encode(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis)

    return encode


def _scatter_tooltip() -> list[alt.Tooltip]:
    number = ".3f"
    return [
        alt.Tooltip("compressor:N", title="compressor"),
        alt.Tooltip("family:N", title="family"),
        alt.Tooltip("readout:N", title="readout"),
        alt.Tooltip("ratio:Q", title="compression ratio", format=number),
        alt.Tooltip("bpb:Q", title="held-out bpb", format=number),
        alt.Tooltip("bpb_low:Q", title="  95 % from", format=number),
        alt.Tooltip("bpb_high:Q", title="  95 % to", format=number),
        alt.Tooltip("value:Q", title="balanced accuracy", format=number),
        alt.Tooltip("ci_low:Q", title="  95 % from ", format=number),
        alt.Tooltip("ci_high:Q", title="  95 % to ", format=number),
        alt.Tooltip("note:N", title="note"),
    ]


def _baseline_layers(levels: pd.DataFrame, y: Axis) -> list[alt.Chart]:
    base = alt.Chart(levels[["compressor", "value"]]).encode(y=y("value"))
    shown = [
        alt.Tooltip("compressor:N", title="baseline"),
        alt.Tooltip("value:Q", title="balanced accuracy", format=".3f"),
    ]
    rule = base.mark_rule(strokeDash=[4, 4], color="#828282", opacity=0.8)
    name = base.mark_text(align="left", dx=4, dy=-6, fontSize=11, color="#828282")
    return [
        rule.encode(tooltip=shown),
        name.encode(x=alt.value(0), text="compressor:N"),
    ]


def _with_menu(chart: alt.LayerChart, names: Sequence[str]) -> alt.LayerChart:
    if len(names) < 2:
        return chart
    menu = alt.binding_select(options=list(names), name="readout ")
    choice = alt.param(name="readout_choice", value=names[0], bind=menu)
    # Baselines have no readout of their own: their lines stay.
    kept = "!isValid(datum.readout) || datum.readout === readout_choice"
    return chart.add_params(choice).transform_filter(kept)


def rates_by_compressor(table: pd.DataFrame, dataset: str) -> alt.LayerChart | None:
    """Return every rate of every compressor of a data set, one line each, best first.

    The axis is logarithmic where all rates are positive. None where nothing was coded.
    """
    measured = estimates(table[table["dataset"] == dataset])
    here = measured[measured["score"].isin([*RATES])]
    if here.empty:
        return None
    points = here[["compressor", "family", "score", "value", "ci_low", "ci_high"]]
    points = points.assign(
        rate=points["score"].map(RATES),
        state=here["state"],
        route=here["route"],
        realised=here["realised"],
        note=here["note"],
    )
    order = _best_first(points)
    # The headline is drawn last, over what it hides.
    points = points.sort_values("score", key=lambda score: score == HEADLINE)
    layers = _strip_layers(points.drop(columns="score"), order)
    height = max(4, len(order)) * ROW_PIXELS
    return _themed(alt.LayerChart(layer=layers, width=520, height=height))


def _best_first(points: pd.DataFrame) -> list[str]:
    headline = points[points["score"] == HEADLINE]
    ordered = headline.sort_values(["value", "compressor"])["compressor"]
    rest = sorted(set(points["compressor"]) - set(ordered))
    return [*ordered, *rest]


def _strip_layers(points: pd.DataFrame, order: Sequence[str]) -> list[alt.Chart]:
    present = [name for name in RATES.values() if name in set(points["rate"])]
    looks = {name: appearance(index) for index, name in enumerate(RATES.values())}
    legend = alt.Legend(title=None, orient="top")
    colours = alt.Scale(domain=present, range=[looks[name][0] for name in present])
    shapes = alt.Scale(domain=present, range=[looks[name][1] for name in present])
    picked = alt.selection_point(name="rate_pick", fields=["rate"], bind="legend")
    shown = alt.condition(picked, alt.value(0.95), alt.value(0.06))

    x = _strip_axis(points)
    y = alt.Y("compressor:N", sort=list(order), title=None)
    base = alt.Chart(points).encode(y=y)
    span = base.mark_rule(color="#828282", opacity=0.35)
    bars = base.mark_rule(strokeWidth=2.5, opacity=0.5)
    dots = base.mark_point(filled=True, size=50)
    colour = alt.Color("rate:N", scale=colours, legend=legend)
    return [
        span.encode(x=x("min(value):Q"), x2="max(value):Q"),
        bars.encode(x=x("ci_low:Q"), x2="ci_high:Q", color=colour, opacity=shown),
        dots.encode(
            x=x("value:Q"),
            color=colour,
            shape=alt.Shape("rate:N", scale=shapes, legend=legend),
            opacity=shown,
            tooltip=_strip_tooltip(),
        ).add_params(picked),
    ]


def _strip_axis(points: pd.DataFrame) -> Axis:
    lows = points[["value", "ci_low"]].min().min()
    kind: Any = "log" if lows > 0 else "linear"
    zero = alt.Undefined if kind == "log" else False
    scale = alt.Scale(type=kind, nice=False, padding=8, zero=zero)
    axis = alt.Axis(format="~g", tickCount=6, labelOverlap=True)
    words = f"bits per byte (\u2190 better{', log scale' if kind == 'log' else ''})"

    def encode(field: str) -> alt.X:
        return alt.X(field, title=words, scale=scale, axis=axis)

    return encode


def _strip_tooltip() -> list[alt.Tooltip]:
    words = [alt.Tooltip(f"{name}:N") for name in ("compressor", "family", "rate")]
    numbers = [
        alt.Tooltip("value:Q", title="bits per byte", format=".3f"),
        alt.Tooltip("ci_low:Q", title="  95 % from", format=".3f"),
        alt.Tooltip("ci_high:Q", title="  95 % to", format=".3f"),
    ]
    how = [alt.Tooltip(f"{name}:N") for name in ("state", "route", "realised", "note")]
    return [*words, *numbers, *how]


def theme(*, dark: bool) -> dict[str, Any]:
    """Return the Vega-Lite config of all charts, for a light or a dark page."""
    ink, faint = ("#c9ced6", "#353b45") if dark else ("#3b424c", "#e3e6ea")
    axis = {
        "labelColor": ink,
        "titleColor": ink,
        "gridColor": faint,
        "domainColor": faint,
        "tickColor": faint,
        "titleFontWeight": 500,
        "titleFontSize": 12,
        "titlePadding": 8,
        "labelLimit": 170,
    }
    legend = {
        "labelColor": ink,
        "columns": 3,
        "labelFontSize": 12,
        "labelLimit": 220,
        "symbolSize": 80,
        "symbolOpacity": 1,
    }
    return {
        "background": "transparent",
        "font": FONT,
        "axis": axis,
        "legend": legend,
        "header": {"labelColor": ink, "titleColor": ink},
        "view": {"stroke": None},
    }


def _themed(chart: alt.LayerChart) -> alt.LayerChart:
    return chart.properties(config=alt.Config(**theme(dark=False)))


def save(chart: alt.LayerChart | alt.VConcatChart | alt.FacetChart, path: Path) -> None:
    """Write a chart as .svg, .png (twice the pixels, white ground) or .json, by suffix.

    Raises:
        UsageError: the suffix is another one.
    """
    if path.suffix not in {".svg", ".png", ".json"}:
        raise UsageError(
            f"cannot save a chart as {path.name!r}: wanted .svg, .png or .json; rename it"
        )
    if path.suffix == ".json":
        path.write_text(chart.to_json(indent=1) + "\n", encoding="utf-8")
        return
    chart = chart.properties(background="white")
    chart.save(str(path), scale_factor=2 if path.suffix == ".png" else 1)
