"""Table of docs/findings.md: accuracy of the networks with most and with fewest bits.

Reads results/representations. Quarters are of all networks of a data set, by held-out rate;
"best coder" is the network with fewest bits, and its place among its data set's accuracies.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.analysis.results import results_of
from harness.records.store import Store

FOLDER = Path(__file__).parent.parent / "results" / "representations"
PROBE = "balanced_accuracy_middle_pca64"
FEW = "balanced_accuracy_at_10_middle_pca64"
SECONDS_PER_HOUR = 3600


def main() -> None:
    """Print a line per data set, and the CPU time of all records."""
    results = results_of(Store(FOLDER))
    scores = results.table
    wide = scores[scores["score"].isin(["heldout_bpb", PROBE, FEW])].pivot_table(
        index=["dataset", "compressor"], columns="score", values="value"
    )
    baselines = scores[
        (scores["task"] == "baseline") & (scores["score"] == "balanced_accuracy")
    ]
    print("data set, networks, bits, most bits, fewest bits, best baseline, best coder")
    for board in results.leaderboards:
        best = baselines[baselines["dataset"] == board.dataset]["value"].max()
        print(_line(board.dataset, wide.loc[board.dataset].dropna(), best))
    seconds = sum(record.cost.total_cpu_seconds for record in results.records)
    print(
        f"{len(results.records)} records, {seconds / SECONDS_PER_HOUR:.1f} core hours"
    )


def _line(dataset: str, networks: pd.DataFrame, baseline: float) -> str:
    ordered = networks.sort_values("heldout_bpb")
    n, accuracy, bits = len(ordered) // 4, ordered[PROBE], ordered["heldout_bpb"]
    name = str(ordered.index[0]).partition("(")[0]
    few = ordered[FEW]
    return (
        f"{dataset}: {len(ordered)}, {bits.iloc[0]:.2f} to {bits.iloc[-1]:.2f}, "
        f"{accuracy[-n:].mean():.3f}, {accuracy[:n].mean():.3f}, {baseline:.3f}, "
        f"{name} {accuracy.iloc[0]:.3f}; 10 labels: {few.iloc[-1]:.2f} at most bits, "
        f"at best {few.max():.2f}"
    )


if __name__ == "__main__":
    main()
