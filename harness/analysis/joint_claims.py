"""Claims about joint compression: savings grow with quality, regret falls with it.

docs/joint.md defines the measures. Quality is measured on other data: the rank of a
compressor's rate on every data set that has no part in the pairs, averaged. Statistic,
interval and p are those of the preregistered test: mean over data sets of Spearman's
correlation inside each, families and data sets resampled together, families permuted as a
whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.joint_tables import Records, at_dose_one, joint_table
from harness.records.score import HEADLINE
from harness.statistics.block import MIN_COMPRESSORS, Block, overall, ranks
from harness.statistics.bootstrap import Replicates, two_way_interval
from harness.statistics.estimate import Estimate
from harness.statistics.intervals import (
    N_RESAMPLES,
    NO_INTERVAL,
    Interval,
    percentile_interval,
)
from harness.statistics.permutation import between_p, spearman_in_blocks
from harness.statistics.verdict import Findings, shortages_of, verdict
from harness.tasks.pairs import PairKind
from harness.tasks.transfer import MIN_SOURCES, NO_X, RANDOM

Floats = NDArray[np.float64]
RELATED: tuple[PairKind, ...] = ("same_class", "sibling", "same_data")
UNRELATED: tuple[PairKind, ...] = ("other_class", "other_data")
SIZE = "x1"
"""The size that the claims are decided at."""
SEED = 0
SAVINGS = ("saved_bpb", "saved_fraction")
DISAGREE = "Bits per byte and fractions disagree, so that neither decides."


@dataclass(frozen=True, kw_only=True)
class JointClaim:
    """Correlation over compressors or over X, with its interval and p.

    Attributes:
        word: "supported", "opposite", "undecided" or "undecided by design".
        p: two-sided; nan where nothing can be permuted.
    """

    name: str
    word: str
    sentence: str
    estimate: Estimate
    p: float
    n_compressors: int
    n_families: int
    n_datasets: int


def claims(records: Records) -> list[JointClaim]:
    """Return the claims about savings (both measures) and regret, where there is enough.

    Savings must grow in bits per byte and as a fraction of C(Y): where the two measures
    get different words, both are "undecided".
    """
    joint = joint_table(records)
    rates, partners = rate_table(records, joint), partners_of(records)
    per_byte, fraction = (contrasts(joint, measure) for measure in SAVINGS)
    difference = "savings(related) - savings(unrelated)"
    metrics = {
        "savings": (per_byte, f"{difference}, bits per byte of Y"),
        "savings_fraction": (fraction, f"{difference}, fractions of C(Y)"),
        "regret": (-regrets(joint), "minus the regret on unrelated X"),
    }
    results = {}
    for name, (metric, what) in metrics.items():
        replicates = claim_blocks(metric, rates, partners)
        if replicates is not None:
            results[name] = _claim(name, what, replicates)
    return [*_agreed(results).values()]


def _agreed(results: Mapping[str, JointClaim]) -> dict[str, JointClaim]:
    """Return the claims, both about savings undecided where their words differ."""
    # A measure that decides alone could be chosen after the fact.
    savings = [name for name in ("savings", "savings_fraction") if name in results]
    if len({results[name].word for name in savings}) < 2:
        return dict(results)
    undecided = {
        name: replace(
            results[name],
            word="undecided",
            sentence=f"{results[name].sentence} {DISAGREE}",
        )
        for name in savings
    }
    return {**results, **undecided}


def contrasts(joint: pd.DataFrame, measure: str = "saved_bpb") -> pd.Series:
    """Return savings(related) - savings(unrelated) by data set, draw, compressor, family.

    At size x1, kinds of pair weighted alike; only where both are there and X is within the
    window.

    Args:
        joint: of `joint_table`.
        measure: of the savings.
    """
    wide = _by_kind(joint, measure)
    related = wide.reindex(columns=RELATED).mean(axis=1)
    return (related - wide.reindex(columns=UNRELATED).mean(axis=1)).dropna()


def regrets(joint: pd.DataFrame) -> pd.Series:
    """Return the regret on unrelated X, bits per byte, indexed like `contrasts`."""
    wide = _by_kind(joint, "regret_bpb")
    return wide.reindex(columns=UNRELATED).mean(axis=1).dropna()


def rate_table(records: Records, joint: pd.DataFrame) -> pd.Series:
    """Return bits per byte by data set and compressor, mean over draws: lower is better.

    The held-out rate where the suite measured it for every pair, else C(Y) alone.
    """
    by = ["dataset", "compressor"]
    held_out = pd.DataFrame(
        [
            (record.job.dataset, record.spec, score.value)
            for record in records
            for score in record.scores
            if record.is_done and score.name == HEADLINE
        ],
        columns=[*by, "value"],
    )
    rates = held_out.groupby(by)["value"].mean()
    alone = joint[joint["measure"] == "alone_bpb"].groupby(by)["value"].mean()
    return rates if set(alone.index) <= set(rates.index) else alone


def partners_of(records: Records) -> dict[str, set[str]]:
    """Return, per data set, the data sets that take part in its pairs, itself included."""
    partners: dict[str, set[str]] = {}
    for job in (record.job for record in records):
        if job.task == "joint":
            names = partners.setdefault(job.dataset, {job.dataset})
            names |= set(job.parameters.get("others", ()))
    return partners


def quality(
    rates: pd.Series, compressors: Sequence[str], excluded: set[str]
) -> Floats | None:
    """Return minus the mean rank of the rate on data sets not excluded: (n,).

    Higher is better. None where no other data set has the rates of all compressors.
    """
    wide = rates.rename("bpb").reset_index()
    wide = wide.pivot_table(index="compressor", columns="dataset", values="bpb")
    wide = wide.reindex(list(compressors))
    # A rank on the pair's own data would share its luck with the savings.
    wide = wide.drop(columns=[c for c in wide.columns if c in excluded])
    wide = wide.dropna(axis=1)
    if not wide.shape[1]:
        return None
    mean: Floats = -ranks(wide.to_numpy(np.float64)).mean(axis=1)
    return mean


def claim_blocks(
    metric: pd.Series, rates: pd.Series, partners: Mapping[str, set[str]]
) -> Replicates | None:
    """Return one block per draw: quality on other data against the metric.

    Rows are the compressors measured on every data set and draw. None with fewer than
    three of them, or where no data set has others to measure quality on.
    """
    wide = metric.rename("metric").reset_index()
    wide = wide.pivot_table(
        index=["compressor", "family"], columns=["dataset", "draw"], values="metric"
    )
    # A compressor without some pair would have its mean over easier ones.
    wide = wide.dropna(axis=0)
    names = [str(name) for name in wide.index.get_level_values("compressor")]
    if len(names) < MIN_COMPRESSORS:
        return None
    columns = []
    for dataset in sorted(set(wide.columns.get_level_values("dataset"))):
        qualities = quality(rates, names, partners.get(dataset, {dataset}))
        if qualities is not None:
            columns.append((dataset, qualities))
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


def transfer_claim(transfer: pd.DataFrame) -> Iterator[JointClaim]:
    """Yield the claim about transfer: mean within-Y Spearman over X, X permuted within Y.

    X are those of dose 1. Every Y with at least six of them counts, each compressor that
    coded all of them as a row.

    Args:
        transfer: of `transfer_table`.
    """
    # Savings grow with the dose, so that doses do not mix.
    equal = at_dose_one(transfer)
    is_control = equal["x"].isin([NO_X, RANDOM])
    table = equal[~is_control & ~equal["beyond"].astype(bool)]
    blocks, compressors, families = [], set[str](), set[str]()
    for _, rows in table.groupby("dataset"):
        saved = rows.pivot_table(index="compressor", columns="x", values="saved_bpb")
        # All rows rank the same X.
        saved = saved.dropna(axis=0)
        if saved.shape[1] < MIN_SOURCES or saved.empty:
            continue
        accuracy = rows.pivot_table(index="compressor", columns="x", values="accuracy")
        accuracy = accuracy.loc[saved.index, saved.columns]
        blocks.append((saved.to_numpy(np.float64), accuracy.to_numpy(np.float64)))
        compressors |= set(saved.index)
        is_row = rows["compressor"].isin(list(saved.index))
        families |= set(rows["family"][is_row])
    if blocks:
        yield _transfer(blocks, len(compressors), len(families))


def _transfer(
    blocks: list[tuple[Floats, Floats]], n_compressors: int, n_families: int
) -> JointClaim:
    rng = np.random.default_rng([SEED, 29])
    value, p = spearman_in_blocks(blocks, rng)
    per_y = [spearman_in_blocks([block], rng)[0] for block in blocks]
    low, high = _interval_over(np.array(per_y), rng)
    estimate = Estimate(value=value, ci_low=low, ci_high=high)
    # X is permuted, not families: their number does not decide.
    findings = Findings(
        estimate=replace(estimate, p=p), shortages=shortages_of(n_datasets=len(blocks))
    )
    sentence = (
        f"Over the X of one Y, bits saved and few-label accuracy: mean Spearman "
        f"{value:+.2f} ({_words(estimate)}, Y resampled), p {p:.3g} (X permuted within "
        f"Y); {n_compressors} compressors, {len(blocks)} Y."
    )
    return JointClaim(
        name="transfer",
        word=verdict(findings).word,
        sentence=sentence,
        estimate=estimate,
        p=p,
        n_compressors=n_compressors,
        n_families=n_families,
        n_datasets=len(blocks),
    )


def _interval_over(values: Floats, rng: np.random.Generator) -> Interval:
    """Return the interval of the mean over Y, Y resampled."""
    n = len(values)
    if n < 2:
        return NO_INTERVAL
    rows = rng.integers(0, n, (N_RESAMPLES, n))
    return percentile_interval(values[rows].mean(axis=1))


def _claim(name: str, what: str, replicates: Replicates) -> JointClaim:
    rng = np.random.default_rng([SEED, 30])
    block = Block(
        rate=replicates.rate.mean(axis=0),
        metric=replicates.metric.mean(axis=0),
        family=replicates.family,
    )
    low, high = NO_INTERVAL
    if block.n_families > 1:
        low, high = two_way_interval(replicates, rng)
    n, n_datasets = block.rate.shape
    estimate = Estimate(value=overall(block), ci_low=low, ci_high=high)
    p = between_p(block, rng)
    # The interval alone decides, and no smallest effect was named: see docs/joint.md.
    findings = Findings(
        estimate=estimate,
        shortages=shortages_of(n_datasets=n_datasets, n_families=block.n_families),
    )
    sentence = (
        f"Quality of compression on other data against {what}: mean Spearman within data "
        f"sets {estimate.value:+.2f} ({_words(estimate)}), p between families {p:.3g}; "
        f"{n} compressors, {block.n_families} families, {n_datasets} data sets, "
        f"{len(replicates.rate)} draws."
    )
    return JointClaim(
        name=name,
        word=verdict(findings).word,
        sentence=sentence,
        estimate=estimate,
        p=p,
        n_compressors=n,
        n_families=block.n_families,
        n_datasets=n_datasets,
    )


def _words(estimate: Estimate) -> str:
    if math.isnan(estimate.ci_low):
        return "no interval"
    return f"95 % {estimate.ci_low:+.2f} to {estimate.ci_high:+.2f}"


def _by_kind(joint: pd.DataFrame, measure: str) -> pd.DataFrame:
    rows = joint[(joint["measure"] == measure) & (joint["size"] == SIZE)]
    # X that the compressor cannot see says nothing about what it saves.
    rows = rows[~rows["beyond"].astype(bool)]
    index = ["dataset", "draw", "compressor", "family"]
    return rows.pivot_table(index=index, columns="kind", values="value")
