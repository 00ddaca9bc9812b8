"""The published page: leaderboards, charts and definitions in one file, no network."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from typing import Any

import altair as alt
import pandas as pd

from harness.analysis.boards import boards
from harness.analysis.estimates import families
from harness.analysis.ladders import WORDS, correlations, ladder_table
from harness.report.charts import leaderboard as charts
from harness.report.charts.ladders import accuracy_by_layer

QUESTION = "Does better compression give better representations?"
SCATTER_WORDS = (
    "Held-out rate against balanced accuracy. Bars are 95 % intervals, lines join the "
    "members of a family, dashes are baselines. Click a family to single it out."
)
STRIP_WORDS = (
    "Every rate of every compressor, best held-out rate first. Thick bars are 95 % "
    "intervals. Click a rate to single it out."
)
LADDER_WORDS = (
    "Networks while they train: held-out bits against the balanced accuracy of a linear "
    "probe on each layer, a line per network through its checkpoints. Bars are 95 % "
    "intervals."
)
FIGURES = (
    ("scatter", SCATTER_WORDS, charts.rate_against_accuracy),
    ("strip", STRIP_WORDS, charts.rates_by_compressor),
)


def html_page(
    table: pd.DataFrame,
    ladders: pd.DataFrame,
    *,
    title: str,
    answer: str,
    provenance: Mapping[str, str],
) -> str:
    """Return the report as one HTML file that loads nothing from anywhere.

    The same arguments give the same bytes. Everything that comes from records is escaped.

    Args:
        table: `harness.analysis.score_table.frame(records)`.
        ladders: `harness.analysis.ladders.ladder_points(records)`.
        title: of the page, such as the suite's title.
        answer: the answer to the question, in words; the question may stand before it.
        provenance: what the page says of its origin, in this order: suite, seeds, versions.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = families(table)
    specs = _specs(table) | _ladder_specs(ladders)
    rows = correlations(ladders)
    themes = {"light": charts.theme(dark=False), "dark": charts.theme(dark=True)}
    return environment.get_template("page.html.j2").render(
        title=title,
        question=QUESTION,
        answer=answer.removeprefix(QUESTION).strip(),
        provenance=provenance,
        badges=_badges(table),
        boards=boards(table),
        families=names,
        looks=[charts.appearance(index) for index in range(len(names))],
        figures=[(kind, words) for kind, words, _ in FIGURES],
        ladder_words=(LADDER_WORDS, WORDS),
        ladder_tables={
            name: ladder_table(rows, name) for name in ladders["dataset"].unique()
        },
        drawn=set(specs),
        data=packed(json.dumps({"specs": specs, "themes": themes}, sort_keys=True)),
        vega=_vega() if specs else "",
    )


def packed(text: str) -> str:
    """Return a text as the page carries it: gzip, then base64.

    The browser unpacks it (DecompressionStream, in every browser since May 2023), so that
    a page is as small in a folder as on a server that compresses. The same text gives the
    same bytes, and what pages share stays shared.
    """
    return b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def _specs(table: pd.DataFrame) -> dict[str, Any]:
    """Return the charts' specs by data set and kind, as wide as their place on the page."""
    specs: dict[str, Any] = {}
    for dataset in sorted(table["dataset"].unique()):
        for kind, _, make in FIGURES:
            chart = make(table, str(dataset))
            if chart is not None:
                spec = chart.to_dict()
                spec.pop("config")  # the page's theme follows the reader's
                fit = {"type": "fit-x", "contains": "padding"}
                spec |= {"width": "container", "autosize": fit}
                specs[f"{dataset}/{kind}"] = spec
    return specs


def _ladder_specs(ladders: pd.DataFrame) -> dict[str, Any]:
    """Return the specs of the figure of ladders, by data set."""
    specs = {}
    for dataset in sorted(ladders["dataset"].unique()):
        chart = accuracy_by_layer(ladders, str(dataset))
        if chart is not None:
            specs[f"{dataset}/ladders"] = chart.to_dict()
            specs[f"{dataset}/ladders"].pop("config")
    return specs


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, packed, of altair's version of specs."""
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=version
    )
    return packed(f"(function () {{\n{bundle}\n}})();")


def _badges(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the page's badges: words and kind."""
    n_draws = len(table[["seed", "draw"]].drop_duplicates())
    counts = {
        "record": table["key"].nunique(),
        "data set": table["dataset"].nunique(),
        "family": len(families(table)),
        "draw": n_draws,
    }
    badges = [(_counted(number, noun), "") for noun, number in counts.items()]
    if n_draws == 1:
        badges[-1] = ("1 draw: intervals are given this split", "")
    if not table["official"].all():
        badges.insert(0, ("unofficial: run with --limit or --seed", "warning"))
    return badges


def _counted(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
