"""The published page: leaderboards, charts and definitions in one file, no network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import altair as alt
import pandas as pd

from harness.report import charts
from harness.report.boards import boards
from harness.report.estimates import families

QUESTION = "Does better compression give better representations?"
SCATTER_WORDS = (
    "Held-out rate against balanced accuracy. Bars are 95 % intervals, lines join the "
    "members of a family, dashes are baselines. Click a family to single it out."
)
STRIP_WORDS = (
    "Every rate of every compressor, best held-out rate first. Thick bars are 95 % "
    "intervals. Click a rate to single it out."
)
FIGURES = (
    ("scatter", SCATTER_WORDS, charts.rate_against_accuracy),
    ("strip", STRIP_WORDS, charts.rates_by_compressor),
)


def html_page(
    table: pd.DataFrame, *, title: str, answer: str, provenance: Mapping[str, str]
) -> str:
    """Return the report as one HTML file that loads nothing from anywhere.

    The same arguments give the same bytes. Everything that comes from records is escaped.

    Args:
        table: `harness.report.frame.frame(records)`.
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
    specs = _specs(table)
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
        data={"specs": specs, "themes": themes},
        vega=_vega() if specs else "",
    )


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


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, of the version altair writes specs for."""
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=version
    )
    # Inside a script element nothing may look like its end.
    return bundle.replace("</script", "<\\/script")


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
