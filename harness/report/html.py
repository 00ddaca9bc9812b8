"""The published page: leaderboards, charts and definitions in one file, no network."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

from harness.analysis.board import Leaderboard, Row
from harness.analysis.ladders import WORDS, correlations, ladder_table
from harness.analysis.results import QUESTION, Results
from harness.report.cells import rank
from harness.report.charts.ladders import accuracy_by_layer
from harness.report.charts.leaderboard import rate_against_accuracy, rates_by_compressor
from harness.report.charts.theme import appearance, theme
from harness.report.legend import UNOFFICIAL, intervals, legend_entries
from harness.report.page_cells import page_cell, tracks
from harness.words import counted

SCATTER_WORDS = (
    "Rate against a class readout, which the menu chooses. Bars are 95 % intervals, lines "
    "join the members of a family, dashes are baselines. Click a family to single it out."
)
STRIP_WORDS = (
    "Every rate of every compressor, best ratio first. Thick bars are 95 % intervals. "
    "Click a rate to single it out."
)
LADDER_WORDS = (
    "Networks while they train: held-out bits against the balanced accuracy of a linear "
    "probe on each layer, a line per network through its checkpoints. Bars are 95 % "
    "intervals."
)
FIGURES = (("scatter", SCATTER_WORDS), ("strip", STRIP_WORDS))


def html_page(results: Results) -> str:
    """Return the report as one HTML file that loads nothing from anywhere.

    The same records give the same bytes. Everything that comes from records is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with debug_mode(False):  # tests hold charts to the schema; a page need not again
        specs = _specs(results)
    rows = correlations(results.ladders)
    # A data set whose tasks declare no column would be a bare heading.
    boards = [board for board in results.leaderboards if not board.is_empty]
    families = results.families
    themes = {"light": theme(dark=False), "dark": theme(dark=True)}
    return environment.get_template("page.html.j2").render(
        title=f"bitprobe: {results.name}",
        question=QUESTION,
        answer=" ".join(results.answer).removeprefix(QUESTION).strip(),
        provenance=results.provenance,
        elsewhere=results.elsewhere,
        badges=_badges(results),
        boards=[_page_board(board, families) for board in boards],
        families=families,
        looks=[appearance(index) for index in range(len(families))],
        figures=FIGURES,
        legend=legend_entries(results),
        intervals=intervals(results),
        ladder_words=(LADDER_WORDS, WORDS),
        ladder_tables={
            board.dataset: ladder_table(rows, board.dataset) for board in boards
        },
        drawn=set(specs),
        data=packed(json.dumps({"specs": specs, "themes": themes}, sort_keys=True)),
        vega=_vega() if specs else "",
    )


def _page_board(board: Leaderboard, families: tuple[str, ...]) -> dict[str, Any]:
    """Return a leaderboard with its cells as the template writes them."""
    of_columns = tracks(board)

    def page_row(row: Row) -> dict[str, Any]:
        cells = zip(row.cells, of_columns, strict=True)
        return {
            "row": row,
            "rank": rank(row.rank),
            "look": families.index(row.family) if row.family in families else None,
            "cells": [
                page_cell(row.ratio),
                *(page_cell(c, track) for c, track in cells),
            ],
        }

    return {
        "dataset": board.dataset,
        "columns": board.columns,
        "ranked": [page_row(row) for row in board.compressors],
        "baselines": [page_row(row) for row in board.baselines],
        "rates": board.rates,
        "rate_rows": list(_rate_rows(board)),
        "absences": board.absences,
    }


def _rate_rows(board: Leaderboard) -> Iterator[tuple[str, list[Any]]]:
    for row in board.compressors:
        if row.rates:
            # None where this row lacks a rate that others have.
            cells = [row.rates.get(name) for name in board.rates]
            yield row.name, [cell and page_cell(cell) for cell in cells]


def packed(text: str) -> str:
    """Return a text as the page carries it: gzip, then base64.

    The browser unpacks it (DecompressionStream, in every browser since May 2023), so that
    a page is as small in a folder as on a server that compresses. The same text gives the
    same bytes, and what pages share stays shared.
    """
    return b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def _specs(results: Results) -> dict[str, Any]:
    """Return the specs of charts by data set and kind, as wide as their place."""
    specs: dict[str, Any] = {}
    for board in results.leaderboards:
        charts = {
            "scatter": rate_against_accuracy(board, results.families),
            "strip": rates_by_compressor(board),
        }
        for kind, chart in charts.items():
            if chart is not None:
                # Width is the figure's on the page, whatever the window.
                fit = {"type": "fit-x", "contains": "padding"}
                wide = {"width": "container", "autosize": fit}
                specs[f"{board.dataset}/{kind}"] = _without_config(chart) | wide
        panels = accuracy_by_layer(results.ladders, board.dataset)
        if panels is not None:
            specs[f"{board.dataset}/ladders"] = _without_config(panels)
    return specs


def _without_config(chart: Any) -> dict[str, Any]:
    """Return a chart's spec less its theme: the page's follows the reader's."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config")
    return spec


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, packed, of altair's version of specs."""
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=version
    )
    return packed(f"(function () {{\n{bundle}\n}})();")


def _badges(results: Results) -> list[tuple[str, str]]:
    """Return the page's badges: words and kind."""
    counts = {
        "record": len(results.records),
        "data set": len(results.leaderboards),
        "family": len(results.families),
        "draw": len(results.draws),
    }
    badges = [(counted(number, noun), "") for noun, number in counts.items()]
    if len(results.draws) == 1:
        badges[-1] = ("1 draw: intervals are given this split", "")
    if not results.is_official:
        badges.insert(0, (UNOFFICIAL.rstrip(".").lower(), "warning"))
    return badges
