"""The byte hybrid: its counts, how they enter the network, and what that gains."""

import argparse
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from harness import START, SpecError
from harness.conformance import check_all
from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.folders import builtin_folder

# A text that every machine has; the last fifth is never trained on.
SOURCE = Path(argparse.__file__).read_bytes()
CUT, PIECE = len(SOURCE) * 4 // 5, 256


def kind(name):
    (entry,) = load_plugin(builtin_folder("plugins") / name)
    assert entry.kind is not None, entry.unavailable
    return entry.kind


HYBRID, TRANSFORMER = kind("byte_hybrid"), kind("byte_transformer")
NAME = HYBRID.__module__
PACKAGE = NAME.rpartition(".")[0]
COUNTS = import_module(f"{NAME}.counts")
BATCHES = import_module(f"{PACKAGE}._torch.batches")
ENGINE = import_module(f"{PACKAGE}._transformer.engine")
INTEGERS = import_module(f"{PACKAGE}._transformer.integers")


def pieces(text, length=PIECE):
    return [text[i : i + length] for i in range(0, len(text), length)]


def train():
    return pieces(SOURCE[:CUT])


def held_out_text():
    return pieces(SOURCE[CUT:])[:30]


@cache
def fitted(order=3, steps=12, **fields):
    model = HYBRID(size="10k", order=order, attention=9, steps=steps, **fields)
    return model.fit(train()[:60], seed=1)


def counted(samples, order, window=PIECE):
    windows = BATCHES.windows_of(samples, length=window, alphabet=256)
    return COUNTS.Counts.none(order).plus(windows)


class PlainCounts:
    """Interpolated Witten-Bell over n-grams in a dictionary, in Python's integers."""

    def __init__(self, samples, order):
        self.order, self.followers = order, {}
        for sample in samples:
            for t, symbol in enumerate(sample):
                for o in range(min(order, t) + 1):
                    context = sample[t - o : t]
                    self.followers.setdefault(context, Counter())[symbol] += 1

    def masses(self, past):
        """Return the shares of 2**40 of all bytes after these."""
        mass, shares = 1 << 40, [0] * 256
        for o in range(min(self.order, len(past)), -1, -1):
            followers = self.followers.get(past[len(past) - o :])
            if not followers:
                continue
            unit = mass // (followers.total() + len(followers))
            for symbol, times in followers.items():
                shares[symbol] += unit * times
            mass -= unit * followers.total()
        return [share + mass // 256 for share in shares]

    def levels(self, past):
        """Return 16 log2(p 2**16), not rounded, at least 0."""
        return [16 * max(0, math.log2(max(m, 1)) - 24) for m in self.masses(past)]


def read(counts, text):
    """Return the levels before and after every byte of one stream, (T + 1, 256)."""
    symbols = np.array([START, *text])[:, None]
    return counts.levels(symbols, np.zeros(1, np.int64), 0)[:, 0]


@pytest.mark.parametrize("order", [0, 1, 2, 3, 6])
def test_levels_are_those_of_a_plain_count_model(order):
    samples = train()[:40]
    plain, text = PlainCounts(samples, order), b"import re\n\n\xff\xffdef f(self):"
    levels = read(counted(samples, order), text)
    for t, row in enumerate(levels):
        # A level is rounded from the leading 9 bits of a mass.
        np.testing.assert_allclose(row, plain.levels(text[:t]), atol=0.55)
        assert (row == np.rint(row)).all()


def test_levels_are_a_distribution():
    levels = read(counted(train()[:40], 3), b"    return \xff\xff")
    # Rounding is within 1/32 bit; level 0 stands for all that is less likely.
    chances = 2.0 ** (levels / 16 - 16)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=0.03)


@pytest.mark.parametrize("order", [0, 2, 4])
def test_leaving_a_window_out_is_counting_all_others(order):
    samples = [*train()[:12], b"a", b"aaaaaaaa"]
    windows = BATCHES.windows_of(samples, length=PIECE, alphabet=256)
    counts = COUNTS.Counts.none(order).plus(windows)
    before = [array.copy() for array in counts.tables[1:]]
    symbols = windows.symbols.astype(np.int64)
    levels = counts.levels_without_own(symbols, windows.lengths)
    for i, sample in enumerate(samples):
        others = counted(samples[:i] + samples[i + 1 :], order)
        want = read(others, sample)[: len(sample)]
        np.testing.assert_array_equal(levels[i, : len(sample)], want)
    for array, earlier in zip(counts.tables[1:], before, strict=True):
        np.testing.assert_array_equal(array, earlier)


def test_counts_come_back_from_an_artifact_and_grow_when_fitted_again():
    model = fitted()
    once = COUNTS.Counts.restored(3, model.learned)
    want = counted(train()[:60], 3)
    np.testing.assert_array_equal(once.keys, want.keys)
    np.testing.assert_array_equal(once.times, want.times)
    again = replace(model, adapt_steps=2).fit(train()[60:80], seed=2)
    both = COUNTS.Counts.restored(3, again.learned)
    want = counted(train()[:80], 3)
    np.testing.assert_array_equal(both.keys, want.keys)
    np.testing.assert_array_equal(both.times, want.times)


def rows_of(model, samples, context=b""):
    return np.concatenate(list(model.frequencies(samples, context=context)))


def frequencies(model, form, batch, steps_at_once, carrier="float32"):
    """Return rows (n, T, 256) of equally long streams, read in pieces."""
    import torch

    inner = ENGINE.TransformerEngine(
        INTEGERS.derive(model.architecture, model.learned),
        form=form,
        carrier=getattr(torch, carrier),
    )
    engine = import_module(f"{NAME}.engine").HybridEngine(
        inner, COUNTS.Counts.restored(model.order, model.learned)
    )
    symbols = np.array([[START, *text[:40]] for text in held_out_text()]).T
    streams_of_batch = []
    for first in range(0, symbols.shape[1], batch):
        streams = symbols[:, first : first + batch]
        state, rows = engine.repeat(engine.start(), streams.shape[1]), []
        for step in range(0, len(streams), steps_at_once):
            state, more = engine.advance(state, streams[step : step + steps_at_once])
            rows.append(more)
        streams_of_batch.append(np.concatenate(rows).swapaxes(0, 1))
    return np.concatenate(streams_of_batch)


@pytest.mark.parametrize("form", ["fused", "parallel"])
@pytest.mark.parametrize(
    ("batch", "steps_at_once"), [(1, 41), (7, 1), (30, 1), (30, 6)]
)
def test_frequencies_are_the_same_whatever_is_read_at_once(form, batch, steps_at_once):
    want = frequencies(fitted(), "parallel", 30, 41, carrier="int64")
    got = frequencies(fitted(), form, batch, steps_at_once)
    np.testing.assert_array_equal(got, want)


def without_blocks(model):
    """Return the model with layers that add nothing: embedding, prior and head alone."""
    silent = {
        name: np.zeros_like(array)
        for name, array in model.learned.items()
        if name.startswith(("project", "contract"))
    }
    return replace(model, learned={**model.learned, **silent})


def test_the_prior_enters_states_and_logits_by_plain_whole_numbers():
    model = without_blocks(fitted())
    integers = INTEGERS.derive(model.architecture, model.learned)
    text = held_out_text()[0][:20]
    levels = read(COUNTS.Counts.restored(3, model.learned), text).astype(int)
    for t, row in enumerate(rows_of(model, [text])):
        state = integers.embed[text[t - 1] if t else 256].tolist()
        likely = [max(level - 128, 0) for level in levels[t].tolist()]
        state = [
            s + scaled(dot(weights, likely), integers.prior, d)
            for d, (s, weights) in enumerate(
                zip(state, integers.prior.weight.tolist(), strict=True)
            )
        ]
        normal = normalised(integers, state)
        logits = [
            scaled(dot(weights, normal), integers.head, symbol)
            + int(np.rint(np.float32(levels[t, symbol]) * np.float32(integers.trust)))
            for symbol, weights in enumerate(integers.head.weight.tolist())
        ]
        assert row.tolist() == shared_out(logits)


def shared_out(logits):
    """Return the frequencies of logits in 1/1024 nat; the likeliest gets the remainder."""
    below = np.minimum(max(logits) - np.array(logits), 16 * 1024)
    e = np.rint(2**22 * np.exp(-below / 1024)).astype(int).tolist()
    row = [one * (2**24 - 256) // sum(e) + 1 for one in e]
    row[logits.index(max(logits))] += 2**24 - sum(row)
    return row


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def scaled(total, matrix, row):
    product = np.float32(total) * matrix.scale[row]
    return int(np.rint(product + matrix.shift[row]))


def normalised(integers, state):
    mean = int(np.rint(sum(state) / len(state)))
    squares = 256 * sum((s - mean) ** 2 for s in state) + integers.norm_epsilon
    factor = np.float32(integers.head_norm_scale / math.isqrt(squares))
    return [int(np.rint(np.float32(s - mean) * factor)) for s in state]


def test_sums_of_the_prior_stay_exact():
    model = INTEGERS.derive(fitted().architecture, fitted().learned)
    rows = np.abs(model.prior.weight.astype(np.int64)).sum(axis=1)
    assert rows.max() * (256 - 128) < 1 << 24
    assert 256 * model.trust + INTEGERS.LOGIT_LIMIT < 1 << 24


def test_the_hybrid_keeps_every_promise_of_the_conformance_kit():
    check_all(HYBRID(size="10k", order=2, attention=5, steps=3, adapt_steps=1))


def test_a_coded_file_decodes_whatever_the_lengths():
    lengths = [40, 1, 0, 256, 17]
    samples = [text[:n] for text, n in zip(held_out_text(), lengths, strict=False)]
    code = coding.encode(fitted(), samples)
    assert coding.decode(fitted(), code, lengths) == samples


@pytest.mark.parametrize("order", [0, 1, 4])
def test_a_byte_sees_its_window_and_no_further(order):
    model = fitted(order=order)
    text = train()[0][:60]
    assert model.window == 1 + 2 * 9 + max(order - 1, 0)
    for back in (model.window, model.window + 1):
        changed = bytearray(text)
        changed[len(text) - 1 - back] = ord("e") ^ 64
        one, other = (rows_of(model, [x])[-1] for x in (text, bytes(changed)))
        if back > model.window:
            np.testing.assert_array_equal(one, other)
    # The context that `start` keeps is enough.
    after = rows_of(model, [text[50:]], context=text[:50])
    np.testing.assert_array_equal(after, rows_of(model, [text])[50:])


def test_hidden_states_follow_the_counts():
    model = fitted()
    doubled = model.learned["times"].copy()
    doubled[::2] *= 50
    other = replace(model, learned={**model.learned, "times": doubled})
    one, two = (m.hidden_states(held_out_text()[:2]) for m in (model, other))
    assert list(one) == ["layer0", "layer1", "norm"]
    for name in one:
        assert one[name].shape == (2, PIECE, 20)
        assert np.abs(one[name] - two[name]).max() > 1e-3


def bits_of_counts(samples, order):
    """Return the code length by the counts alone, normalised from their masses."""
    plain, bits = PlainCounts(train(), order), 0.0
    for sample in samples:
        for t, symbol in enumerate(sample):
            masses = plain.masses(sample[max(0, t - order) : t])
            bits += math.log2(sum(masses)) - math.log2(masses[symbol])
    return bits


@cache
def bits_after(make, **fields):
    model = make(size="10k", steps=100, **fields).fit(train(), seed=0)
    return model.code_lengths(held_out_text()).sum()


def test_on_new_text_it_beats_both_the_same_transformer_and_its_counts_alone():
    hybrid = bits_after(HYBRID)
    assert hybrid < bits_of_counts(held_out_text(), HYBRID.order)
    assert hybrid < bits_after(TRANSFORMER)


def test_reading_its_own_counts_in_training_would_cost_bits_on_new_text(monkeypatch):
    network = import_module(f"{NAME}.network").HybridNetwork
    plain = super(network, network).nats
    left_out = bits_after(HYBRID)
    # Counts of the window itself: the network learns to trust what it will not have.
    monkeypatch.setattr(network, "nats", plain)
    memorised = HYBRID(size="10k", steps=100).fit(train(), seed=0)
    assert memorised.code_lengths(held_out_text()).sum() > 1.02 * left_out


def test_an_empty_corpus_gives_uniform_counts():
    model = HYBRID(size="10k", steps=2).fit([], seed=0)
    assert len(model.learned["times"]) == 0
    levels = read(COUNTS.Counts.restored(3, model.learned), b"ab")
    assert (levels == 128).all()


def test_orders_out_of_range_are_refused():
    with pytest.raises(SpecError, match="order is 7; byte_hybrid has 0 to 6"):
        HYBRID(order=7)


def test_the_plugin_is_listed_without_torch():
    script = (
        "import sys; from harness.contract.registry import *; "
        "from harness.folders import builtin_folder; "
        "load_plugin(builtin_folder('plugins') / 'byte_hybrid'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
