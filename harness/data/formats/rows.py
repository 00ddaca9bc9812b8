"""Rows of a data set, with labels from file names and quantisation for all formats."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.reading import Quantise, Reading
from harness.errors import DatasetError


class Row(NamedTuple):
    """Sample with its label, and the group that a split must not separate."""

    label: str
    sample: bytes
    group: str = ""


Rows = list[Row]


def label_of(member: str, reading: Reading) -> str:
    """Return the label in a member's name by the card's pattern; "" without a pattern.

    Raises:
        DatasetError: the pattern does not match.
    """
    if not reading.label:
        return ""
    if not (match := re.search(reading.label, member)):
        raise DatasetError(
            f"{member!r} does not match {reading.label!r}; correct the card's label"
        )
    return match[1]


def quantised(values: NDArray[np.float64], rule: Quantise | None) -> bytes:
    """Return one byte per value, by the rule of the card.

    Raises:
        DatasetError: the card has no rule.
    """
    if rule is None:
        raise DatasetError("this format needs [source.quantise]; add it to the card")
    if rule.rule == "linear":
        low, high = np.array(rule.low), np.array(rule.high)
        if high.ndim and len(values) != len(high):
            raise DatasetError(
                f"{len(values)} values, [source.quantise] has {len(high)}; correct the card"
            )
        scaled = 255 * (values - low) / (high - low)
    else:
        loudness = np.log1p(rule.mu * np.abs(values) / np.array(rule.high)) / np.log1p(
            rule.mu
        )
        scaled = 127.5 + 127.5 * np.sign(values) * loudness
    # rint rounds halves to even, the same on every machine.
    symbols: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return symbols.tobytes()
