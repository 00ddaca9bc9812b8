"""The audit of a data set as tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.data.audit import Audit, SplitAudit

MAX_CLASSES = 30


def print_audit(audit: Audit, console: Console) -> None:
    """Print sizes, classes, and duplicates within and across the splits."""
    console.print(f"[bold]{audit.title}[/] ({audit.name})", highlight=False)
    console.print(f"licence: {audit.licence}", highlight=False)
    console.print(f"content: {audit.content_sha256}", highlight=False)
    console.print(_splits(audit))
    near = "not searched" if audit.near_across is None else f"{audit.near_across:,}"
    console.print(
        f"test samples that equal a train sample: {audit.exact_across:,}; "
        f"that duplicate train (rule {audit.rule}): {near}",
        highlight=False,
    )
    common = ", ".join(f"{b}: {share:.1%}" for b, share in audit.common_bytes.items())
    console.print(
        f"{audit.n_levels} byte values occur; the most frequent: {common}",
        highlight=False,
    )
    if audit.train.class_counts or audit.test.class_counts:
        console.print(_classes(audit))


def _splits(audit: Audit) -> Table:
    table = Table(pad_edge=False)
    heads = ("split", "samples", "bytes", "shortest", "median", "longest", "repeated")
    for head in (*heads, "other label"):
        table.add_column(head, justify="left" if head == "split" else "right")
    for name, split in (("train", audit.train), ("test", audit.test)):
        table.add_row(name, *_cells(split))
    return table


def _cells(split: SplitAudit) -> list[str]:
    shortest, median, longest = split.lengths
    counts = (split.n_samples, split.n_bytes, shortest)
    return [
        *(f"{count:,}" for count in counts),
        f"{median:,.0f}",
        *(f"{count:,}" for count in (longest, split.repeated, split.conflicting)),
    ]


def _classes(audit: Audit) -> Table:
    table = Table(pad_edge=False)
    table.add_column("class")
    table.add_column("train", justify="right")
    table.add_column("test", justify="right")
    train, test = audit.train.class_counts, audit.test.class_counts
    names = sorted({*train, *test}, key=lambda name: (-train.get(name, 0), name))
    for name in names[:MAX_CLASSES]:
        table.add_row(name, f"{train.get(name, 0):,}", f"{test.get(name, 0):,}")
    if len(names) > MAX_CLASSES:
        table.add_row(f"and {len(names) - MAX_CLASSES} more", "", "")
    return table
