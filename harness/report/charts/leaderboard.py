"""Charts of a leaderboard: one Vega-Lite spec gives interactive HTML, SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from harness.analysis.board import RATES, Cell, Leaderboard, Row
from harness.report.charts.theme import appearance, light_config

Axis = Callable[[str], Any]
"""Makes the encoding of a field on an axis that several layers share."""
ROW_PIXELS = 17
GREY = "#828282"
MENU = "readout_choice"
COMPRESSOR, BASELINE = "compressor", "baseline"


def rate_against_accuracy(
    board: Leaderboard, families: Sequence[str]
) -> alt.LayerChart | None:
    """Return the ranking rate (better to the right) against each class readout.

    One point per compressor with its 95 % intervals, members of a family joined in the
    order of their rates, baselines as dashed lines. Where there are several readouts, a
    menu chooses; a picture shows the first. None where no compressor has both numbers.

    Args:
        board: of one data set.
        families: of all data sets, in the order that decides colour and shape.
    """
    points = scatter_points(board)
    compressors = points[points["kind"] == COMPRESSOR]
    if compressors.empty:
        return None
    readouts = set(compressors["readout"])
    # An entry that draws no compressor would be an empty chart.
    names = [c.header for c in board.columns if c.header in readouts]
    rate = next(c.header for c in board.columns if c.declaration.ranks)
    x = _rate_axis(rate)
    y = _accuracy_axis("accuracy (better \u2192)")
    layers = [
        *_baseline_layers(y),
        *_compressor_layers(_family_looks(families, compressors), x, y, rate),
    ]
    # The data stand once, above the layers: a filter there reaches every layer.
    data = points[points["readout"].isin(names)]
    chart = alt.LayerChart(
        data=data,
        layer=layers,
        width=520,
        height=320,
        config=light_config(),
        **_shown_readout(names),
    )
    return chart.add_params(_menu(names)) if len(names) > 1 else chart


def scatter_points(board: Leaderboard) -> pd.DataFrame:
    """Return a row per class readout of each compressor and baseline that has it.

    Columns: kind ("compressor" or "baseline"), compressor, family, readout, value with
    ends; and of compressors rate with ends, ratio and note.
    """
    rows = [point for row in board.rows for point in _points(board, row)]
    columns = [
        *("kind", "compressor", "family", "readout", "value", "ci_low", "ci_high"),
        *("rate", "rate_low", "rate_high", "ratio", "note"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _points(board: Leaderboard, row: Row) -> Iterator[dict[str, Any]]:
    pairs = list(zip(board.columns, row.cells, strict=True))
    rate = next((cell for column, cell in pairs if column.declaration.ranks), Cell())
    about: dict[str, Any] = {"compressor": row.name, "family": row.family}
    if row.is_baseline:
        about["kind"] = BASELINE
    elif rate.is_measured:
        about |= {"kind": COMPRESSOR, "ratio": row.ratio.value, "note": rate.note}
        about |= {"rate": rate.value, "rate_low": rate.low, "rate_high": rate.high}
    else:
        return
    for column, cell in pairs:
        if column.declaration.is_readout and cell.is_measured:
            ends = {"ci_low": cell.low, "ci_high": cell.high}
            yield about | {"readout": column.header, "value": cell.value} | ends


def _family_looks(families: Sequence[str], compressors: pd.DataFrame) -> dict[str, Any]:
    looks = [appearance(index) for index in range(len(families))]
    names = sorted(set(compressors["family"]))
    legend = alt.Legend(values=names, title=None, orient="top")

    def scale(part: int) -> alt.Scale:
        return alt.Scale(domain=list(families), range=[look[part] for look in looks])

    return {
        "color": alt.Color("family:N", scale=scale(0), legend=legend),
        "shape": alt.Shape("family:N", scale=scale(1), legend=legend),
    }


def _layer(kind: str) -> alt.Chart:
    return alt.Chart().transform_filter(f"datum.kind === '{kind}'")


def _compressor_layers(
    looks: Mapping[str, Any], x: Axis, y: Axis, rate: str
) -> list[alt.Chart]:
    selection = alt.selection_point(
        name="family_pick", fields=["family"], bind="legend"
    )
    base = _layer(COMPRESSOR).encode(color=looks["color"])

    def opacity(strength: float) -> Any:
        return alt.condition(selection, alt.value(strength), alt.value(0.06))

    at = {"x": x("rate"), "y": y("value")}
    bars = base.mark_rule(strokeWidth=1.2)
    # A missing end would be drawn as a bar from 0.
    across = bars.transform_filter("isValid(datum.rate_low)")
    upright = bars.transform_filter("isValid(datum.ci_low)")
    lines = base.mark_line(strokeWidth=1.6).encode(**at, opacity=opacity(0.6))
    dots = base.mark_point(filled=True, size=85).encode(
        **at, shape=looks["shape"], opacity=opacity(1.0), tooltip=_scatter_tooltip(rate)
    )
    return [
        across.encode(
            x=x("rate_low"), x2="rate_high:Q", y=at["y"], opacity=opacity(0.4)
        ),
        upright.encode(x=at["x"], y=y("ci_low"), y2="ci_high:Q", opacity=opacity(0.4)),
        lines,
        dots.add_params(selection),
    ]


def _rate_axis(header: str) -> Axis:
    scale = alt.Scale(zero=False, reverse=True, padding=18, nice=False)

    def encode(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=f"{header} (better \u2192)", scale=scale)

    return encode


def _accuracy_axis(title: str) -> Axis:
    scale = alt.Scale(zero=False, padding=12, nice=False)
    axis = alt.Axis(format=".2f")

    def encode(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis)

    return encode


def _scatter_tooltip(rate: str) -> list[alt.Tooltip]:
    number = ".3f"
    return [
        alt.Tooltip("compressor:N", title="compressor"),
        alt.Tooltip("family:N", title="family"),
        alt.Tooltip("ratio:Q", title="compression ratio", format=number),
        alt.Tooltip("rate:Q", title=rate, format=number),
        alt.Tooltip("rate_low:Q", title="  95 % from", format=number),
        alt.Tooltip("rate_high:Q", title="  95 % to", format=number),
        alt.Tooltip("readout:N", title="readout"),
        alt.Tooltip("value:Q", title="accuracy", format=number),
        alt.Tooltip("ci_low:Q", title="  95 % from ", format=number),
        alt.Tooltip("ci_high:Q", title="  95 % to ", format=number),
        alt.Tooltip("note:N", title="note"),
    ]


def _baseline_layers(y: Axis) -> list[alt.Chart]:
    base = _layer(BASELINE).encode(y=y("value"))
    tooltip = [
        alt.Tooltip("compressor:N", title="baseline"),
        alt.Tooltip("readout:N", title="readout"),
        alt.Tooltip("value:Q", title="accuracy", format=".3f"),
    ]
    rule = base.mark_rule(strokeDash=[4, 4], color=GREY, opacity=0.8)
    name = base.mark_text(align="left", dx=4, dy=-6, fontSize=11, color=GREY)
    return [
        rule.encode(tooltip=tooltip),
        name.encode(x=alt.value(0), text="compressor:N"),
    ]


def _shown_readout(names: Sequence[str]) -> dict[str, Any]:
    """Return the title and filter that show one readout at a time."""
    # The title follows the menu; in a picture it names what is drawn.
    text: Any = names[0] if len(names) == 1 else alt.ExprRef(MENU)
    title = alt.TitleParams(text=text, anchor="start", fontWeight=500, fontSize=13)
    if len(names) == 1:
        return {"title": title}
    choice = alt.FilterTransform(f"datum.readout === {MENU}")
    return {"title": title, "transform": [choice]}


def _menu(names: Sequence[str]) -> alt.Parameter:
    menu = alt.binding_select(options=list(names), name="readout ")
    return alt.param(name=MENU, value=names[0], bind=menu)


def rates_by_compressor(board: Leaderboard) -> alt.LayerChart | None:
    """Return every rate of every row of a data set, one line each, best first.

    The axis is logarithmic where all rates are positive. None where nothing was coded.
    """
    points = pd.DataFrame(
        [
            {
                "compressor": row.name,
                "family": row.family,
                "rate": name,
                "value": cell.value,
                "ci_low": cell.low,
                "ci_high": cell.high,
                "state": cell.state,
                "route": cell.route,
                "note": cell.note,
            }
            for row in board.rows
            for name, cell in row.rates.items()
        ]
    )
    if points.empty:
        return None
    order = [row.name for row in _best_first(board)]
    # The headline is drawn last, over what it hides.
    headline = next(iter(RATES.values()))
    points = points.sort_values("rate", key=lambda rate: rate == headline)
    layers = _strip_layers(points, order)
    height = max(4, len(order)) * ROW_PIXELS
    return alt.LayerChart(layer=layers, width=520, height=height, config=light_config())


def _best_first(board: Leaderboard) -> list[Row]:
    """Return rows by their ratio, baselines among them; those without one by name."""
    # Baselines without a rate have no line here.
    coded = [row for row in board.rows if row.rates]
    return sorted(
        coded,
        key=lambda row: (
            not row.ratio.is_measured,
            -row.ratio.value if row.ratio.is_measured else 0.0,
            row.name,
        ),
    )


def _strip_layers(points: pd.DataFrame, order: Sequence[str]) -> list[alt.Chart]:
    names = [name for name in RATES.values() if name in set(points["rate"])]
    looks = {name: appearance(index) for index, name in enumerate(RATES.values())}
    legend = alt.Legend(title=None, orient="top")
    colours = alt.Scale(domain=names, range=[looks[name][0] for name in names])
    shapes = alt.Scale(domain=names, range=[looks[name][1] for name in names])
    selection = alt.selection_point(name="rate_pick", fields=["rate"], bind="legend")
    opacity = alt.condition(selection, alt.value(0.95), alt.value(0.06))

    x = _strip_axis(points)
    # Specs of networks are long, and what tells them apart stands at their end.
    whole = alt.Axis(labelLimit=340)
    y = alt.Y("compressor:N", sort=list(order), title=None, axis=whole)
    base = alt.Chart(points).encode(y=y)
    span = base.mark_rule(color=GREY, opacity=0.35)
    bars = base.mark_rule(strokeWidth=2.5, opacity=0.5)
    dots = base.mark_point(filled=True, size=50)
    colour = alt.Color("rate:N", scale=colours, legend=legend)
    return [
        span.encode(x=x("min(value):Q"), x2="max(value):Q"),
        bars.encode(x=x("ci_low:Q"), x2="ci_high:Q", color=colour, opacity=opacity),
        dots.encode(
            x=x("value:Q"),
            color=colour,
            shape=alt.Shape("rate:N", scale=shapes, legend=legend),
            opacity=opacity,
            tooltip=_strip_tooltip(),
        ).add_params(selection),
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
    how = [alt.Tooltip(f"{name}:N") for name in ("state", "route", "note")]
    return [*words, *numbers, *how]
