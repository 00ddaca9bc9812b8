"""Ladders of checkpoints: bits against the accuracy of each layer's probe while networks train.

A ladder is the configurations of one network that differ only in its ladder field, such as
training steps, so that each is a checkpoint. Bits are the held-out rate (bits per byte,
which is bits per dimension for images); a layer is measured by its linear probe's balanced
accuracy, as in Chen et al. 2020, "Generative Pretraining from Pixels".
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.compute import compute_seconds
from harness.analysis.estimates import estimates
from harness.analysis.score_table import score_table
from harness.records.record import Record
from harness.records.score import (
    BALANCED_ACCURACY,
    COMMON_DIMENSION,
    HEADLINE,
    PLAIN,
    REALISED,
    Score,
    Variant,
)
from harness.statistics.block import Block, overall, partial

PROBE = "layer_probe"
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Fractions of a network's depth that have a panel each."""
MIDDLE, LAST = 0.5, 1.0
MIN_CHECKPOINTS = 3
ALL = "all networks"
COLUMNS = [
    *("dataset", "name", "ladder", "compressor", "rung", "is_final", "depth", "layer"),
    *("bits", "bits_low", "bits_high", "accuracy", "accuracy_low", "accuracy_high"),
    *("n_draws", "compute_seconds", "n_dimensions"),
]


@dataclass(frozen=True, kw_only=True)
class LadderRow:
    """Spearman's correlations of minus bits with accuracy over checkpoints.

    Attributes:
        networks: a compressor's name, or all.
        depth: of the layer, from 0 to 1.
        n_dimensions: features that the probe read; 0 where all.
        checkpoints: over all of them; nan below three, or where all tie.
        given_compute: the rank partial correlation given CPU seconds of the fit; nan
            below four, where a cost is not known, or where either order is compute's own.
        final: over the last checkpoints of the ladders alone; nan below three.
        n, n_final: checkpoints behind the first two, and the third.
    """

    dataset: str
    networks: str
    depth: float
    n_dimensions: int
    checkpoints: float
    given_compute: float
    final: float
    n: int
    n_final: int

    @property
    def features(self) -> str:
        """In words, the common dimension that features were projected to, if any."""
        return f", {self.n_dimensions} dimensions" if self.n_dimensions else ""


def ladder_points(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row per data set, checkpoint and depth; empty where there are no ladders.

    Values are means over draws, with the intervals of `estimates`. Where a data set has
    duplicates the scores without them stand, as in the preregistered test; where layers
    have scores in the common dimension, these stand. Rates are realised ones.
    """
    ladders = _ladders(records)
    on_ladders = [record for record in records if record.spec in ladders]
    # Once for all data sets: the table is the slow part.
    measured = estimates(score_table(on_ladders))
    seconds, layers = compute_seconds(on_ladders), _layers(on_ladders)
    projected = _projected_datasets(on_ladders)
    rows = []
    for name, here in measured.groupby("dataset"):
        dataset = str(name)
        n_dimensions = COMMON_DIMENSION if dataset in projected else 0
        bits = rows_by_compressor(here[here["realised"].isin(REALISED)], HEADLINE)
        probed = here[here["task"] == PROBE]
        for spec in sorted(bits):
            about = {"dataset": dataset, "compressor": spec, **ladders[spec]}
            about |= {"compute_seconds": seconds.get((spec, dataset), math.nan)}
            about |= {
                "n_dimensions": n_dimensions,
                **value_and_ends(bits[spec], "bits"),
            }
            names = layers.get((spec, dataset), ())
            rows += [
                about | row for row in _probed_rows(probed, spec, names, n_dimensions)
            ]
    points = pd.DataFrame(rows, columns=[c for c in COLUMNS if c != "is_final"])
    return _on_ladders(points)[COLUMNS]


def _ladders(records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Return name, ladder and rung of every spec whose class has a ladder."""
    ladders = {}
    for subject in (record.job.subject for record in records):
        rung = subject.fields.get(subject.ladder_field)
        if isinstance(rung, int | float):
            ladders[subject.spec] = {
                "name": subject.name,
                "ladder": ladder_of(subject.spec, subject.ladder_field),
                "rung": float(rung),
            }
    return ladders


def ladder_of(spec: str, field: str) -> str:
    """Return a spec without its ladder field: what all its checkpoints share."""
    call = ast.parse(spec, mode="eval").body
    if not isinstance(call, ast.Call):
        return spec
    # What remains is again a spec, short enough for a legend.
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != field]
    return ast.unparse(call if call.keywords else call.func)


def _layers(records: Sequence[Record]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the names of layers, first to last, by compressor and data set."""
    return {
        (record.spec, record.job.dataset): tuple(
            dict.fromkeys(
                score.variant.layer for score in record.scores if _is_of_layer(score)
            )
        )
        for record in _probes(records)
    }


def _is_of_layer(score: Score) -> bool:
    """Say whether a score is a layer's accuracy, of no control and no other pooling."""
    v = score.variant
    # Controls and other poolings have further qualifiers.
    plain = Variant(layer=v.layer, n_dimensions=v.n_dimensions)
    return score.metric == BALANCED_ACCURACY and v.layer != "" and v == plain


def _projected_datasets(records: Sequence[Record]) -> set[str]:
    """Return the data sets on which a probe has scores in the common dimension."""
    return {
        record.job.dataset
        for record in _probes(records)
        if any(s.variant.n_dimensions == COMMON_DIMENSION for s in record.scores)
    }


def _probes(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.job.task == PROBE and record.is_done]


def rows_by_compressor(
    here: pd.DataFrame, metric: str, variant: Variant = PLAIN
) -> dict[str, Any]:
    """Return the row of each compressor, without duplicates if any has that score."""
    for deduplicated in (True, False):
        score = Score(
            metric=metric,
            value=0.0,
            unit="",
            variant=variant,
            deduplicated=deduplicated,
        )
        rows = here[here["score"] == score.name]
        if len(rows):
            return {str(row.compressor): row for row in rows.itertuples()}
    return {}


def value_and_ends(row: Any, what: str) -> dict[str, float]:
    """Return the value of an estimate and the ends of its interval, by names of `what`."""
    ends = {f"{what}_low": row.ci_low, f"{what}_high": row.ci_high}
    return {what: row.value, "n_draws": row.n_draws, **ends}


def _probed_rows(
    probed: pd.DataFrame, spec: str, layers: Sequence[str], n_dimensions: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for each depth; shallow networks show a layer at several."""
    for depth in DEPTHS if layers else ():
        # The earlier of two layers that are as near, like the fixed middle one.
        layer = layers[math.ceil(depth * (len(layers) - 1) - 0.5)]
        variant = Variant(layer=layer, n_dimensions=n_dimensions)
        row = rows_by_compressor(probed, BALANCED_ACCURACY, variant).get(spec)
        if row is not None:
            yield {"depth": depth, "layer": layer, **value_and_ends(row, "accuracy")}


def _on_ladders(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of ladders with two rungs or more, the last rung marked."""
    # A single rung is no ladder.
    rungs = points.groupby(["dataset", "ladder"])["rung"]
    is_final = points["rung"] == rungs.transform("max")
    several = rungs.transform("nunique") > 1
    return points.assign(is_final=is_final)[several].reset_index(drop=True)


def correlations(points: pd.DataFrame) -> list[LadderRow]:
    """Return the correlations of each data set: each name's and all, middle and last layer."""
    rows = []
    shown = points[points["depth"].isin([MIDDLE, LAST])]
    for where, here in shown.groupby(["dataset", "depth"]):
        dataset, depth = str(where[0]), float(str(where[1]))
        groups = {str(name): of_name for name, of_name in here.groupby("name")}
        # One name is all there is: its correlations stand once.
        if len(groups) > 1:
            groups[ALL] = here
        for networks, group in groups.items():
            finals = group[group["is_final"]]
            rows.append(
                LadderRow(
                    dataset=dataset,
                    networks=networks,
                    depth=depth,
                    n_dimensions=int(group["n_dimensions"].iloc[0]),
                    checkpoints=rank_correlation(group),
                    given_compute=_given_compute(group),
                    final=rank_correlation(finals),
                    n=len(group),
                    n_final=len(finals),
                )
            )
    return rows


def rank_correlation(points: pd.DataFrame) -> float:
    """Return Spearman's correlation of minus bits with accuracy; nan where there is none.

    Fewer than three points, and a constant, have none.
    """
    # A constant has no ranks.
    constant = min(points[["bits", "accuracy"]].nunique()) < 2
    if len(points) < MIN_CHECKPOINTS or constant:
        return math.nan
    return overall(_block(points))


def _given_compute(points: pd.DataFrame) -> float:
    seconds = points["compute_seconds"].to_numpy(np.float64)
    if len(points) <= MIN_CHECKPOINTS or math.isnan(
        rank_correlation(points) + seconds.sum()
    ):
        return math.nan
    by_compute = (
        rank_correlation(points.assign(**{n: seconds})) for n in ("bits", "accuracy")
    )
    # Along one ladder bits often fall at every step: then nothing is left to correlate.
    if max(map(abs, by_compute)) > 1 - 1e-9:
        return math.nan
    return partial(_block(points), seconds[:, None])


def _block(points: pd.DataFrame) -> Block:
    return Block(
        rate=-points[["bits"]].to_numpy(np.float64),
        metric=points[["accuracy"]].to_numpy(np.float64),
        family=np.zeros(len(points), np.int64),
    )


def ladder_table(
    rows: Sequence[LadderRow], dataset: str
) -> tuple[tuple[str, ...], ...]:
    """Return the table of a data set as words, its headers first; empty without rows."""
    lines = [
        (
            row.networks,
            ("middle" if row.depth == MIDDLE else "last") + row.features,
            signed(row.checkpoints, row.n),
            signed(row.given_compute, row.n),
            signed(row.final, row.n_final),
        )
        for row in rows
        if row.dataset == dataset
    ]
    return (HEADERS, *lines) if lines else ()


HEADERS = ("networks", "layer", "all checkpoints", "given compute", "final only")
WORDS = (
    "Networks while they train: Spearman's correlation of fewer held-out bits (per byte, "
    "which is per dimension for images) with the balanced accuracy of a linear probe, "
    "inside one data set. Positive: fewer bits, better features. Given compute: the rank "
    "partial correlation given CPU seconds of training. Final only: the last checkpoint of "
    "each ladder. A dash: fewer than three points, or all tie; given compute, fewer than "
    "four, or bits or accuracy in the very order of compute. Values are means over draws."
)


def signed(value: float, n: int) -> str:
    """Return a correlation as words, with the number of points behind it."""
    return f"- (n {n})" if math.isnan(value) else f"{value:+.2f} (n {n})"
