"""Counts of n-grams as sorted keys, and the frozen base made of them."""

import numpy as np

from .compiled import CONTEXT_BITS, Ints, Tables, fill_slots


def last(data: bytes, n: int) -> bytes:
    """Return the last n bytes, or all there are."""
    return data[max(len(data) - n, 0) :]


def count_ngrams(data: bytes, tail: bytes, order: int) -> tuple[Ints, Ints]:
    """Return sorted keys and counts of the n-grams that end in `data`."""
    text = np.frombuffer(tail + data, np.uint8).astype(np.int64)
    keys, counts = [], []
    gram = text
    for o in range(order + 1):
        if o:
            # gram[i] packs the o + 1 symbols that start at i.
            gram = (gram[:-1] << 8) | text[o:]
        ends_in_data = gram[max(len(tail) - o, 0) :]
        grams, times = np.unique(ends_in_data, return_counts=True)
        keys.append(grams | (o << (CONTEXT_BITS + 8)))
        counts.append(times)
    return np.concatenate(keys), np.concatenate(counts).astype(np.int64)


def merge(keys: Ints, counts: Ints, more: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Return the sum of two sorted tables of counts."""
    both = np.concatenate([keys, more])
    if not len(keys) or not len(both):
        return both, np.concatenate([counts, times])
    # Stable, so that equal keys are adjacent and summed.
    order = np.argsort(both, kind="stable")
    both, summands = both[order], np.concatenate([counts, times])[order]
    first = np.flatnonzero(np.diff(both, prepend=-1))
    return both[first], np.add.reduceat(summands, first)


def build_base(keys: Ints, counts: Ints) -> Tables:
    """Return slots, contexts, their starts and totals, symbols and counts."""
    contexts, starts = np.unique(keys >> 8, return_index=True)
    totals = np.add.reduceat(counts, starts) if len(starts) else starts
    bounds = np.append(starts, len(keys)).astype(np.int64)
    # At most half full, so that searches stay short.
    slots = np.full(2 << (len(contexts)).bit_length(), -1, np.int32)
    fill_slots(slots, contexts.reshape(-1, 1), len(contexts))
    symbols = (keys & 0xFF).astype(np.uint8)
    return slots, contexts, bounds, totals.astype(np.int64), symbols, counts
