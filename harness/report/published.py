"""Published figures beside ours, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.published.rows import Outcome, Source

HEADERS = ("data", "method", "unit", "theirs", "ours", "difference", "source")
NO_DATA = "no data"


def published_markdown(outcomes: Sequence[Outcome], sources: dict[str, Source]) -> str:
    """Return a table of all rows, the numbers of equal ones, and the sources."""
    lines = [HEADERS, ("---",) * len(HEADERS), *map(cells, outcomes)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    keys = list(dict.fromkeys(outcome.row.source for outcome in outcomes))
    listed = "\n".join(
        f"- `{key}`: {sources[key].citation}. {sources[key].url} "
        f"Read in: {sources[key].checked}."
        for key in keys
    )
    reasons = [f"- {o.row.name}: {o.reason}" for o in outcomes if o.ours is None]
    parts = ["# Published figures, recomputed", table, summary(outcomes), listed]
    return "\n\n".join([*parts, *(["\n".join(reasons)] if reasons else [])]) + "\n"


def published_json(outcomes: Sequence[Outcome], sources: dict[str, Source]) -> str:
    """Return all rows with their parameters, our figures and their CPU seconds."""
    rows = [
        {
            **outcome.model_dump(mode="json"),
            "difference": outcome.difference,
            "equal": outcome.is_equal,
        }
        for outcome in outcomes
    ]
    plain = {name: source.model_dump() for name, source in sources.items()}
    return json.dumps({"rows": rows, "sources": plain}, indent=1) + "\n"


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return in words how many rows are equal to the digits printed."""
    measured = [o for o in outcomes if o.ours is not None and not o.row.beside]
    n_beside = sum(o.row.beside for o in outcomes)
    n_without = sum(o.ours is None for o in outcomes)
    words = (
        f"{sum(o.is_equal for o in measured)} of {len(measured)} figures are equal to "
        "the digits printed"
    )
    if n_beside:
        words += f"; {n_beside} more stand beside another method on the same data"
    if n_without:
        words += f"; {n_without} have no data here"
    return f"{words}."


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return the cells of a row, ours with one digit more than theirs."""
    row = outcome.row
    source = f"`{row.source}`"
    if outcome.ours is None or outcome.difference is None:
        return (row.data, row.method, row.unit, row.figure, NO_DATA, "", source)
    # Counts and bytes have no digits after the point, and need none.
    n_digits = row.n_digits + 1 if row.n_digits else 0
    ours = f"{outcome.ours:,.{n_digits}f}"
    difference = f"{outcome.difference:+,.{n_digits}f}"
    if row.beside:
        difference = f"({difference})"
    elif outcome.is_equal:
        difference = "equal"
    return (row.data, row.method, row.unit, row.figure, ours, difference, source)
