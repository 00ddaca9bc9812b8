"""Words that say how to read a leaderboard, the same in every format."""

from __future__ import annotations

from harness.analysis.results import Results

RATIO = "original bytes / coded bytes, from the same rate; higher is better"
RANK = (
    "by the rate in the first column of scores; only a rate whose bytes a fresh process "
    "decoded has a rank, and equal rates share one"
)
NOT_APPLICABLE = "the readout has no meaning for this compressor or data set"
UNOFFICIAL = "Unofficial: run with --limit or --seed."
EMPTY = "No leaderboard: none of these tasks declares a column; --format csv has every score."


def legend_entries(results: Results) -> list[tuple[str, str]]:
    """Return the words above columns with their meaning, in the order of first use."""
    # By header: boards share columns, and each is explained once.
    columns = {
        column.header: column.declaration
        for board in results.leaderboards
        for column in board.columns
    }
    entries = [("rank", RANK), ("ratio", RATIO)]
    for header, column in columns.items():
        better = "higher" if column.higher_is_better else "lower"
        entries.append((header, f"{column.meaning}; {better} is better"))
    return [*entries, ("n/a", NOT_APPLICABLE)]


def intervals(results: Results) -> str:
    """Return the meaning of the intervals in words."""
    n_draws = len(results.draws)
    if n_draws > 1:
        return f"95 %, over test samples and {n_draws} draws"
    return "95 %, over test samples, given this split"


def legend(results: Results) -> str:
    """Return how to read the leaderboards, as one paragraph."""
    entries = " ".join(
        f"{header}: {meaning}." for header, meaning in legend_entries(results)
    )
    return (
        f"{entries} Brackets, or \u00b1 half their width: {intervals(results)}. Baselines "
        "stand last, in the columns that they compare with. Definitions: docs/method.md."
    )
