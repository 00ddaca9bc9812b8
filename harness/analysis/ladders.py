"""Networks while they train: bits against what each layer knows, checkpoint by checkpoint.

A ladder is the configurations of one network that differ only in its ladder field, such as
training steps, so that each is a checkpoint. Bits are the held-out rate (bits per byte,
which is bits per dimension for images); what a layer knows is its linear probe's balanced
accuracy, as in Chen et al. 2020, "Generative Pretraining from Pixels".
"""

from __future__ import annotations

import ast
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.compute import compute_seconds
from harness.analysis.estimates import DEDUPLICATED, HEADLINE, MEASURE, estimates
from harness.analysis.preregistered.block import COMMON_DIMENSION, REALISED
from harness.analysis.score_table import frame
from harness.statistics.block import Block, overall, partial

Record = Mapping[str, Any]
PROBE = "layer_probe"
LAYER = f"{MEASURE}_layer:"
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Fractions of a network's depth that have a panel each."""
MIDDLE, LAST = 0.5, 1.0
MIN_CHECKPOINTS = 3
ALL = "all networks"
COLUMNS = [
    *("dataset", "name", "ladder", "compressor", "rung", "is_final", "depth", "layer"),
    *("bits", "bits_low", "bits_high", "accuracy", "accuracy_low", "accuracy_high"),
    *("n_draws", "compute_seconds", "score"),
]


@dataclass(frozen=True, kw_only=True)
class LadderRow:
    """Spearman's correlations of minus bits with accuracy over checkpoints.

    Attributes:
        networks: a compressor's name, or all.
        depth: of the layer, from 0 to 1.
        score: what was correlated, without the layer.
        checkpoints: over all of them; nan below three, or where all tie.
        given_compute: the rank partial correlation given CPU seconds of the fit; nan
            below four, where a cost is not known, or where either order is compute's own.
        final: over the last checkpoints of the ladders alone; nan below three.
        n, n_final: checkpoints behind the first two, and the third.
    """

    dataset: str
    networks: str
    depth: float
    score: str
    checkpoints: float
    given_compute: float
    final: float
    n: int
    n_final: int

    @property
    def reduced(self) -> str:
        """In words, whether features were reduced to the common dimension."""
        return ", 64 dimensions" if self.score.endswith(COMMON_DIMENSION) else ""


def ladder_points(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row per data set, checkpoint and depth; empty where there are no ladders.

    Values are means over draws, with the intervals of `estimates`. Where a data set has
    duplicates the scores without them stand, as in the registered test; where layers have
    scores in the common dimension, these stand. Rates are realised ones.
    """
    ladders = _ladders(records)
    kept = [r for r in records if r["job"]["subject"]["spec"] in ladders]
    measured = estimates(frame(kept))
    seconds, layers = compute_seconds(kept), _layers(kept)
    rows = []
    for name, here in measured.groupby("dataset"):
        dataset = str(name)
        bits = _by_compressor(here[here["realised"].isin(REALISED)], HEADLINE)
        probed = here[here["task"] == PROBE]
        for spec in sorted(bits):
            about = {"dataset": dataset, "compressor": spec, **ladders[spec]}
            about |= {"compute_seconds": seconds.get((spec, dataset), math.nan)}
            about |= _numbers(bits[spec], "bits")
            names = layers.get((spec, dataset), ())
            rows += [about | row for row in _probed_rows(probed, spec, names)]
    points = pd.DataFrame(rows, columns=[c for c in COLUMNS if c != "is_final"])
    return _on_ladders(points)[COLUMNS]


def _ladders(records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Return name, ladder and rung of every spec whose class has a ladder."""
    found = {}
    for subject in (record["job"]["subject"] for record in records):
        field = subject.get("ladder_field", "")
        if field and isinstance(subject["fields"].get(field), int | float):
            found[str(subject["spec"])] = {
                "name": subject["name"],
                "ladder": ladder_of(str(subject["spec"]), field),
                "rung": float(subject["fields"][field]),
            }
    return found


def ladder_of(spec: str, field: str) -> str:
    """Return a spec without its ladder field: what all its checkpoints share."""
    call = ast.parse(spec, mode="eval").body
    if not isinstance(call, ast.Call):
        return spec
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != field]
    return ast.unparse(call if call.keywords else call.func)


def _layers(records: Sequence[Record]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the names of layers, first to last, by compressor and data set."""
    found = {}
    for record in records:
        job = record["job"]
        if job["task"] == PROBE and record["status"] == "done":
            scores = (score["name"] for score in record["scores"])
            names = (s.removeprefix(LAYER) for s in scores if s.startswith(LAYER))
            bare = (_bare(name) for name in names)
            found[job["subject"]["spec"], job["dataset"]] = tuple(dict.fromkeys(bare))
    return found


def _bare(layer: str) -> str:
    return layer.removesuffix(DEDUPLICATED).removesuffix(COMMON_DIMENSION)


def _by_compressor(here: pd.DataFrame, score: str) -> dict[str, Any]:
    """Return the row of each compressor, without duplicates if any has that score."""
    for name in (score + DEDUPLICATED, score):
        rows = here[here["score"] == name]
        if len(rows):
            return {str(row.compressor): row for row in rows.itertuples()}
    return {}


def _numbers(row: Any, what: str) -> dict[str, float]:
    ends = {f"{what}_low": row.ci_low, f"{what}_high": row.ci_high}
    return {what: row.value, "n_draws": row.n_draws, **ends}


def _probed_rows(
    probed: pd.DataFrame, spec: str, layers: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each depth; shallow networks show a layer at several."""
    common = probed["score"].str.contains(COMMON_DIMENSION, regex=False).any()
    suffix = COMMON_DIMENSION if common else ""
    for depth in DEPTHS if layers else ():
        # The earlier of two layers that are as near, like the fixed middle one.
        layer = layers[math.ceil(depth * (len(layers) - 1) - 0.5)]
        row = _by_compressor(probed, f"{LAYER}{layer}{suffix}").get(spec)
        if row is not None:
            where = {"depth": depth, "layer": layer, "score": MEASURE + suffix}
            yield where | _numbers(row, "accuracy")


def _on_ladders(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of ladders with two rungs or more, the last rung marked."""
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
        names: dict[str, pd.DataFrame] = defaultdict(pd.DataFrame)
        names |= {str(name): of_name for name, of_name in here.groupby("name")}
        if len(names) > 1:
            names[ALL] = here
        for networks, chosen in names.items():
            finals = chosen[chosen["is_final"]]
            rows.append(
                LadderRow(
                    dataset=dataset,
                    networks=networks,
                    depth=depth,
                    score=str(chosen["score"].iloc[0]),
                    checkpoints=_spearman(chosen),
                    given_compute=_given_compute(chosen),
                    final=_spearman(finals),
                    n=len(chosen),
                    n_final=len(finals),
                )
            )
    return rows


def _spearman(points: pd.DataFrame) -> float:
    constant = min(points[["bits", "accuracy"]].nunique()) < 2
    if len(points) < MIN_CHECKPOINTS or constant:
        return math.nan
    return overall(_block(points))


def _given_compute(points: pd.DataFrame) -> float:
    seconds = points["compute_seconds"].to_numpy(np.float64)
    if len(points) <= MIN_CHECKPOINTS or math.isnan(_spearman(points) + seconds.sum()):
        return math.nan
    by_compute = (
        _spearman(points.assign(**{n: seconds})) for n in ("bits", "accuracy")
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
    """Return the table of a data set as words, its heads first; empty without rows."""
    lines = [
        (
            row.networks,
            ("middle" if row.depth == MIDDLE else "last") + row.reduced,
            _number(row.checkpoints, row.n),
            _number(row.given_compute, row.n),
            _number(row.final, row.n_final),
        )
        for row in rows
        if row.dataset == dataset
    ]
    return (HEADS, *lines) if lines else ()


HEADS = ("networks", "layer", "all checkpoints", "given compute", "final only")
WORDS = (
    "Networks while they train: Spearman's correlation of fewer held-out bits (per byte, "
    "which is per dimension for images) with the balanced accuracy of a linear probe, "
    "inside one data set. Positive: fewer bits, better features. Given compute: the rank "
    "partial correlation given CPU seconds of training. Final only: the last checkpoint of "
    "each ladder. A dash: fewer than three points, or all tie; given compute, fewer than "
    "four, or bits or accuracy in the very order of compute. Values are means over draws."
)


def _number(value: float, n: int) -> str:
    return f"- (n {n})" if math.isnan(value) else f"{value:+.2f} (n {n})"
