"""The claims of SCIENCE section 3: savings grow with quality, regret falls with it.

Quality is measured on other data: the rank of a compressor's rate on every data set that
has no part in the pairs, averaged. Statistic, interval and p are those of the hypothesis
test: mean over data sets of Spearman's correlation inside each, families and data sets
resampled together, families permuted as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.joint_tables import (
    MIN_SOURCES,
    NO_X,
    RANDOM,
    Records,
    joint_table,
    transfer_table,
)
from harness.analysis.score_table import frame
from harness.statistics.block import Block, overall, ranks
from harness.statistics.bootstrap import Replicates, two_way_intervals
from harness.statistics.permutation import between_p
from harness.statistics.samples import spearman_in_blocks
from harness.statistics.verdict import MIN_DATASETS, MIN_FAMILIES

Floats = NDArray[np.float64]
RELATED = ("same_class", "sibling", "same_data")
UNRELATED = ("other_class", "other_data")
SIZE = "x1"
"""The size that the claims are decided at."""
SEED = 0
SAVINGS = ("saved_bpb", "saved_fraction")
DISAGREE = "Bits per byte and fractions disagree, so that neither decides."


@dataclass(frozen=True, kw_only=True)
class JointClaim:
    """A correlation over compressors or over X, with its interval and p.

    Attributes:
        word: "supported", "opposite", "undecided" or "undecided by design".
        p: two-sided; nan where nothing can be permuted.
    """

    name: str
    word: str
    sentence: str
    value: float
    ci_low: float
    ci_high: float
    p: float
    n_compressors: int
    n_families: int
    n_datasets: int


def claims(records: Records) -> list[JointClaim]:
    """Return the claims about savings (both measures) and regret, where there is enough.

    Savings must grow in bits per byte and as a fraction of C(Y): where the two measures
    get different words, both are "undecided".
    """
    rates, others = rate_table(records), others_of(records)
    per_byte, fraction = (contrasts(records, m) for m in SAVINGS)
    difference = "savings(related) - savings(unrelated)"
    metrics = {
        "savings": (per_byte, f"{difference}, bits per byte of Y"),
        "savings_fraction": (fraction, f"{difference}, fractions of C(Y)"),
        "regret": (-regrets(records), "minus the regret on unrelated X"),
    }
    found = []
    for name, (metric, what) in metrics.items():
        replicates = claim_blocks(metric, rates, others)
        if replicates is not None:
            found.append(_claim(name, what, replicates))
    words = {claim.word for claim in found if claim.name.startswith("savings")}
    if len(words) < 2:
        return found
    return [
        replace(c, word="undecided", sentence=f"{c.sentence} {DISAGREE}")
        if c.name.startswith("savings")
        else c
        for c in found
    ]


def contrasts(records: Records, measure: str = "saved_bpb") -> pd.Series:
    """Return savings(related) - savings(unrelated) by data set, draw, compressor, family.

    At size x1, kinds of pair weighted alike; only where both are there and X is within the
    window.
    """
    wide = _by_kind(records, measure)
    related = wide.reindex(columns=RELATED).mean(axis=1)
    return (related - wide.reindex(columns=UNRELATED).mean(axis=1)).dropna()


def regrets(records: Records) -> pd.Series:
    """Return the regret on unrelated X, bits per byte, indexed like `contrasts`."""
    wide = _by_kind(records, "regret_bpb")
    return wide.reindex(columns=UNRELATED).mean(axis=1).dropna()


def rate_table(records: Records) -> pd.Series:
    """Return bits per byte by data set and compressor, mean over draws: lower is better.

    The held-out rate where the suite measured it for every pair, else C(Y) alone.
    """
    table = frame(records)
    held = table[(table["status"] == "done") & (table["score"] == "heldout_bpb")]
    by = ["dataset", "compressor"]
    joint = joint_table(records)
    alone = joint[joint["measure"] == "alone_bpb"].groupby(by)["value"].mean()
    given = held.groupby(by)["value"].mean()
    return given if set(alone.index) <= set(given.index) else alone


def others_of(records: Records) -> dict[str, set[str]]:
    """Return, per data set, the data sets that take part in its pairs."""
    parts: dict[str, set[str]] = {}
    for job in (record["job"] for record in records):
        if job["task"] == "joint":
            named = parts.setdefault(job["dataset"], {job["dataset"]})
            named |= set(job["parameters"].get("others", ()))
    return parts


def quality(
    rates: pd.Series, compressors: Sequence[str], left_out: set[str]
) -> Floats | None:
    """Return minus the mean rank of the rate on other data sets: (n,), higher is better.

    None where no other data set has the rates of all compressors.
    """
    wide = rates.rename("bpb").reset_index()
    wide = wide.pivot_table(index="compressor", columns="dataset", values="bpb")
    wide = wide.reindex(list(compressors))
    wide = wide.drop(columns=[c for c in wide.columns if c in left_out])
    wide = wide.dropna(axis=1)
    if not wide.shape[1]:
        return None
    mean: Floats = -ranks(wide.to_numpy(np.float64)).mean(axis=1)
    return mean


def claim_blocks(
    metric: pd.Series, rates: pd.Series, others: Mapping[str, set[str]]
) -> Replicates | None:
    """Return one block per draw: quality on other data against the metric.

    Rows are the compressors measured on every data set and draw. None with fewer than
    three of them, or where no data set has others to measure quality on.
    """
    wide = metric.rename("metric").reset_index()
    wide = wide.pivot_table(
        index=["compressor", "family"], columns=["dataset", "draw"], values="metric"
    )
    wide = wide.dropna(axis=0)
    names = [str(name) for name in wide.index.get_level_values("compressor")]
    if len(names) < 3:
        return None
    columns = []
    for dataset in sorted(set(wide.columns.get_level_values("dataset"))):
        found = quality(rates, names, others.get(dataset, {dataset}))
        if found is not None:
            columns.append((dataset, found))
    draws = sorted(set(wide.columns.get_level_values("draw")))
    # A data set counts if it has every draw: a block has no holes.
    columns = [(d, q) for d, q in columns if all((d, k) in wide.columns for k in draws)]
    if not columns:
        return None
    rate = np.stack([q for _, q in columns], axis=1)  # (n, D)
    values = [wide[[(d, k) for d, _ in columns]].to_numpy(np.float64) for k in draws]
    _, family = np.unique(wide.index.get_level_values("family"), return_inverse=True)
    return Replicates(
        rate=np.stack([rate] * len(draws)), metric=np.stack(values), family=family
    )


def transfer_claim(records: Records) -> Iterator[JointClaim]:
    """Yield the claim about transfer: mean within-Y Spearman over X, X permuted within Y.

    Every Y with at least six X counts, each compressor that coded all of them as a row.
    """
    table = transfer_table(records)
    table = table[~table["x"].isin([NO_X, RANDOM]) & ~table["beyond"].astype(bool)]
    blocks, compressors, families = [], set[str](), set[str]()
    for _, rows in table.groupby("dataset"):
        saved = rows.pivot_table(index="compressor", columns="x", values="saved_bpb")
        saved = saved.dropna(axis=0)
        if saved.shape[1] < MIN_SOURCES or saved.empty:
            continue
        right = rows.pivot_table(index="compressor", columns="x", values="accuracy")
        right = right.loc[saved.index, saved.columns]
        blocks.append((saved.to_numpy(np.float64), right.to_numpy(np.float64)))
        compressors |= set(saved.index)
        kept = rows["compressor"].isin(list(saved.index))
        families |= set(rows["family"][kept])
    if blocks:
        yield _transfer(blocks, len(compressors), len(families))


def _transfer(
    blocks: list[tuple[Floats, Floats]], n_compressors: int, n_families: int
) -> JointClaim:
    rng = np.random.default_rng([SEED, 29])
    value, p = spearman_in_blocks(blocks, rng)
    per_y = [spearman_in_blocks([block], rng)[0] for block in blocks]
    low, high = _interval_over(np.array(per_y), rng)
    word = "undecided"
    if p <= 0.05:
        word = "supported" if value > 0 else "opposite"
    if len(blocks) < MIN_DATASETS:
        word = "undecided by design"
    sentence = (
        f"Over the X of one Y, bits saved and few-label accuracy: mean Spearman "
        f"{value:+.2f} ({_words(low, high)}, Y resampled), p {p:.3g} (X permuted within "
        f"Y); {n_compressors} compressors, {len(blocks)} Y."
    )
    return JointClaim(
        name="transfer",
        word=word,
        sentence=sentence,
        value=value,
        ci_low=low,
        ci_high=high,
        p=p,
        n_compressors=n_compressors,
        n_families=n_families,
        n_datasets=len(blocks),
    )


def _interval_over(values: Floats, rng: np.random.Generator) -> tuple[float, float]:
    if len(values) < 2:
        return math.nan, math.nan
    drawn = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _claim(name: str, what: str, replicates: Replicates) -> JointClaim:
    rng = np.random.default_rng([SEED, 30])
    block = Block(
        rate=replicates.rate.mean(axis=0),
        metric=replicates.metric.mean(axis=0),
        family=replicates.family,
    )
    low, high = math.nan, math.nan
    if block.n_families > 1:
        low, high = two_way_intervals(replicates, rng)["overall"]
    n, n_datasets = block.rate.shape
    value, p = overall(block), between_p(block, rng)
    sentence = (
        f"Quality of compression on other data against {what}: mean Spearman within data "
        f"sets {value:+.2f} ({_words(low, high)}), p between families {p:.3g}; "
        f"{n} compressors, {block.n_families} families, {n_datasets} data sets, "
        f"{len(replicates.rate)} draws."
    )
    return JointClaim(
        name=name,
        word=verdict_word(block.n_families, n_datasets, low, high),
        sentence=sentence,
        value=value,
        ci_low=low,
        ci_high=high,
        p=p,
        n_compressors=n,
        n_families=block.n_families,
        n_datasets=n_datasets,
    )


def verdict_word(n_families: int, n_datasets: int, low: float, high: float) -> str:
    """Return the word for an interval of a correlation that the claim expects positive."""
    if n_families < MIN_FAMILIES or n_datasets < MIN_DATASETS:
        return "undecided by design"
    if low > 0:
        return "supported"
    return "opposite" if high < 0 else "undecided"


def _words(low: float, high: float) -> str:
    return "no interval" if math.isnan(low) else f"95 % {low:+.2f} to {high:+.2f}"


def _by_kind(records: Records, measure: str) -> pd.DataFrame:
    table = joint_table(records)
    rows = table[(table["measure"] == measure) & (table["size"] == SIZE)]
    rows = rows[~rows["beyond"].astype(bool)]
    index = ["dataset", "draw", "compressor", "family"]
    return rows.pivot_table(index=index, columns="kind", values="value")
