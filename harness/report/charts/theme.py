"""Looks that all charts share, and saving them as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt

from harness.errors import UsageError

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
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"


def appearance(index: int) -> tuple[str, str]:
    """Return colour and shape of the family of this index."""
    return COLOURS[index % len(COLOURS)], SHAPES[index % len(SHAPES)]


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
        "columnPadding": 24,
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
        "title": {"color": ink},
        "view": {"stroke": None},
    }


def light_config() -> alt.Config:
    """Return the theme of a light page as a chart's own."""
    return alt.Config(**theme(dark=False))


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
    # Room at the left: another machine may have a wider font than the one measured here.
    room = {"left": 32, "top": 5, "right": 12, "bottom": 5}
    chart = chart.properties(background="white", padding=room)
    chart.save(str(path), scale_factor=2 if path.suffix == ".png" else 1)
