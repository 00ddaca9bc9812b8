"""Tables of joint compression: savings by kind of pair and size, and transfer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from harness.analysis.joint_claims import claims, transfer_claim
from harness.analysis.joint_tables import (
    KINDS,
    Records,
    joint_table,
    mean_over_draws,
    transfer_gains,
    transfer_table,
)

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "saved_bpb": "Bits saved per byte of Y: (C(Y) - C(Y|X)) / |Y|",
        "saved_fraction": "The same as a fraction of C(Y)",
        "reverse_saved_bpb": "The other order: (C(X) - C(X|Y)) / |X|",
        "reverse_saved_fraction": "The same as a fraction of C(X)",
        "shared_bits": "Shared bits per pair: C(X) + C(Y) - C(XY) - C(empty)",
        "reverse_shared_bits": "The other order: C(X) + C(Y) - C(YX) - C(empty)",
        "regret_bpb": "Regret: max(0, C(Y|X) - C(Y)) / |Y|",
        "switched_regret_bpb": "Regret with a switch: min(C(Y), C(Y|X)) + 1 bit",
    }
)
IN_BITS = ("shared_bits", "reverse_shared_bits")


def joint_markdown(records: Records) -> str:
    """Return all tables, the two claims and the transfer as Markdown."""
    means = mean_over_draws(joint_table(records))
    transfer = transfer_table(records)
    parts = ["# Joint compression", LEGEND]
    parts += [
        f"**{claim.name}: {claim.word}.** {claim.sentence}"
        for claim in [*claims(records), *transfer_claim(transfer)]
    ]
    for dataset in sorted(means["dataset"].unique()):
        parts += [f"## {dataset}", *_tables(means[means["dataset"] == dataset])]
    if not transfer.empty:
        parts += ["## Transfer", GAIN_LEGEND, _gain_table(transfer)]
        parts += [TRANSFER_LEGEND, *_transfer_tables(transfer)]
    return "\n\n".join(parts) + "\n"


LEGEND = (
    "All codes are online codes from nothing, written and counted. X and Y have equal "
    "bytes; sizes are multiples of the suite's n_bytes. Values are means over draws "
    "(lowest to highest where there are several); negative values mean that X does harm. "
    "\u2020 X is beyond its window: shown, never tested. A dash: no such pair, or no "
    "conditional code."
)
GAIN_LEGEND = (
    "Few-label balanced accuracy after unlabelled X minus that without any X, by the dose of "
    "X (multiples of n_bytes), mean over compressors that read every dose within their "
    "window; all doses of other data are of the same X. Unlabelled data of the same kind "
    "helps where it rises with the dose, and above other data."
)
TRANSFER_LEGEND = (
    "Bits saved per byte of held-out, unlabelled Y, and balanced accuracy on Y from few "
    "labels per class, for each X. X none is the reference; random is a control."
)


def _tables(means: pd.DataFrame) -> Iterator[str]:
    for measure, title in MEASURES.items():
        rows = means[means["measure"] == measure]
        if not rows.empty:
            yield f"### {title}\n\n{_measure_table(rows, measure)}"


def _measure_table(rows: pd.DataFrame, measure: str) -> str:
    kinds = [kind for kind in KINDS if kind in set(rows["kind"])]
    sizes = sorted(rows["size"].unique(), key=lambda size: float(size[1:]))
    cells = {
        (row.compressor, row.size, row.kind): _cell(row, measure)
        for row in rows.itertuples()
    }
    lines = [_row(["compressor", "size", *(KINDS[kind] for kind in kinds)])]
    lines.append(_row(["---"] * (2 + len(kinds))))
    for compressor in sorted(rows["compressor"].unique()):
        for size in sizes:
            values = [cells.get((compressor, size, kind), "-") for kind in kinds]
            # A size that a compressor never met would be a line of dashes.
            if set(values) != {"-"}:
                lines.append(_row([compressor, size, *values]))
    return "\n".join(lines)


def _cell(row: Any, measure: str) -> str:
    form = ".0f" if measure in IN_BITS else ".3f"
    words = f"{row.value:{form}}"
    if row.n_draws > 1:
        words += f" ({row.lowest:{form}} to {row.highest:{form}})"
    return f"{words} \u2020" if row.beyond else words


def _transfer_tables(transfer: pd.DataFrame) -> Iterator[str]:
    for dataset, rows in transfer.groupby("dataset"):
        lines = [f"### {dataset}", ""]
        names = ["compressor", "X", "dose", "saved bpb", "few-label accuracy"]
        lines += [_row(names), _row(["---"] * len(names))]
        # From harm to help; X none, which saves nothing, first.
        ordered = rows.sort_values(
            ["compressor", "saved_bpb", "x"], na_position="first"
        )
        lines += [_row(_transfer_cells(row)) for row in ordered.itertuples()]
        yield "\n".join(lines)


def _transfer_cells(row: Any) -> list[str]:
    saved = "-" if pd.isna(row.saved_bpb) else f"{row.saved_bpb:.3f}"
    mark = " \u2020" if row.beyond else ""
    return [row.compressor, row.x, row.dose, saved + mark, f"{row.accuracy:.3f}"]


def _gain_table(transfer: pd.DataFrame) -> str:
    """Return what unlabelled X adds to few-label accuracy: a row per Y, a column per dose."""
    gains = transfer_gains(transfer)
    keys = [
        (kind, dose)
        for kind in sorted(set(gains["kind"]), reverse=True)
        for dose in sorted(set(gains["dose"]))
    ]
    names = ["Y", *(f"{kind}, x{dose:g}" for kind, dose in keys)]
    lines = [_row(names), _row(["---"] * len(names))]
    for dataset in sorted(set(gains["dataset"])):
        rows = gains[gains["dataset"] == dataset]
        by_key = {(row.kind, row.dose): row.gain for row in rows.itertuples()}
        cells = [format(by_key[key], "+.3f") if key in by_key else "-" for key in keys]
        lines.append(_row([dataset, *cells]))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
