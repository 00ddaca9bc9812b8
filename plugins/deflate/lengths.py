"""Lengths of the raw deflate streams of all x + y, by an engine that equals zlib.

The engine is checked against the zlib at run time once in a process. Another build of zlib
(zlib-ng, Cloudflare's, ...) parses differently; then zlib itself is asked for every pair.
"""

import re
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from .tables import SETTINGS, TOO_LONG, Ints, new_workspace

RAW = -15
PLAIN_VERSION = re.compile(r"1\.[23](\.\d+)*")
"""zlib-ng and zlib-rs add their names; they differ in too few pairs to rely on a check."""


def pair_lengths(xs: Sequence[bytes], ys: Sequence[bytes], level: int) -> Ints:
    """Return the bytes zlib needs for every x + y, raw deflate, shape (len(xs), len(ys))."""
    if not (xs and ys) or not is_exact(level):
        return by_zlib(xs, ys, level)
    lengths = by_engine(xs, ys, level)
    for row, x in zip(lengths, xs, strict=True):
        # Pairs beyond the window or the first block are left to zlib.
        beyond = np.flatnonzero(row == TOO_LONG)
        row[beyond] = by_zlib([x], [ys[int(j)] for j in beyond], level)[0]
    return lengths


def by_zlib(xs: Sequence[bytes], ys: Sequence[bytes], level: int) -> Ints:
    """Return the lengths that zlib gives."""
    rows = [[len(zlib.compress(x + y, level, RAW)) for y in ys] for x in xs]
    return np.array(rows, np.int64).reshape(len(xs), len(ys))


def by_engine(xs: Sequence[bytes], ys: Sequence[bytes], level: int) -> Ints:
    """Return the lengths by the engine, TOO_LONG where it has none."""
    # Loaded when first needed: numba takes a while, and only pairs need it.
    from .engine import row_lengths

    work, settings = new_workspace(), SETTINGS[level]
    joined = np.frombuffer(b"".join(ys), np.uint8)
    bounds = np.cumsum([0, *map(len, ys)], dtype=np.int64)
    lengths = np.full((len(xs), len(ys)), TOO_LONG, np.int64)
    for row, x in zip(lengths, xs, strict=True):
        data = np.frombuffer(x, np.uint8)
        row_lengths(data, (joined, bounds), settings, work, row)
    return lengths


@cache
def is_exact(level: int) -> bool:
    """Return True if the engine gives the lengths of the zlib at run time at this level."""
    plain = PLAIN_VERSION.fullmatch(zlib.ZLIB_RUNTIME_VERSION)
    if not plain or level not in SETTINGS:
        return False
    texts = check_texts(seed=0)
    ends = [*texts, *(text[: 1 + len(text) // 9] for text in texts)]
    return np.array_equal(by_engine(texts, ends, level), by_zlib(texts, ends, level))


def check_texts(seed: int) -> list[bytes]:
    """Return short texts of kinds that exercise each rule of the parse and each block type."""
    rng = np.random.default_rng(seed)
    words = [rng.bytes(n) for n in rng.integers(1, 9, 200)]
    prose = [words[min(i, 199)] + b" " for i in rng.zipf(1.4, 1200)]
    walk = np.cumsum(rng.integers(-1, 2, 900)).astype(np.uint8).tobytes()
    return [
        b"",
        b"a",
        b"".join(prose[:120]),
        # Long enough for matches of three bytes that lie too far back.
        b"".join(prose),
        rng.bytes(700),
        b"\x00" * 1300,
        rng.integers(0, 2, 2500).astype(np.uint8).tobytes(),
        walk,
    ]
