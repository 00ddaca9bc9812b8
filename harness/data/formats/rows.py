"""A row of a data set, and what all formats share."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.card import Quantise, Reading
from harness.errors import DatasetError


class Row(NamedTuple):
    """One sample: its label, its bytes, and what must stay together with it in a split."""

    label: str
    sample: bytes
    group: str = ""


Rows = list[Row]


def label_of(member: str, reading: Reading) -> str:
    """Return the label that the card's pattern finds in a member's name; "" without one.

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
    """Return one byte per value, by the rule that the card states.

    Raises:
        DatasetError: the card states none.
    """
    if rule is None:
        raise DatasetError("this format needs [source.quantise]; add it to the card")
    if rule.rule == "linear":
        scaled = 255 * (values - rule.low) / (rule.high - rule.low)
    else:
        loud = np.log1p(rule.mu * np.abs(values) / rule.high) / np.log1p(rule.mu)
        scaled = 127.5 + 127.5 * np.sign(values) * loud
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8).tobytes()
