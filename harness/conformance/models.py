"""Checks that a model's frequencies are legal and depend on earlier symbols only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.conformance import inputs
from harness.conformance.subject import (
    Check,
    State,
    Subject,
    attempt,
    fail,
    not_stepwise,
)
from harness.contract.coding import check_frequencies
from harness.contract.compressor import (
    TOTAL_FREQUENCY,
    Compressor,
    Generates,
    Represents,
    Stepwise,
)
from harness.errors import CodingError

Rows = NDArray[np.int64]
# Near the start, in the middle, and the last byte.
_CUTS = (1, 40, 95)
_FLOAT_NOISE = 1e-4


def rows_of(
    model: Stepwise, samples: Sequence[bytes], context: bytes, *, stepwise: bool
) -> Rows:
    """Return the frequencies of all symbols in coding order, (n_symbols, alphabet)."""
    chunks = (
        Stepwise.frequencies(model, samples, context=context)
        if stepwise
        else model.frequencies(samples, context=context)
    )
    empty = np.empty((0, model.alphabet), np.int64)
    return np.concatenate([empty, *chunks])


def digest_of_batches(
    model: Stepwise, samples: Sequence[bytes], context: bytes, *, n_batch: int
) -> str:
    """Return a digest of the rows of equally long samples, stepped n_batch at a time.

    The digest does not depend on n_batch if streams are independent of each other.
    """
    digest = hashlib.sha256()
    for start in range(0, len(samples), n_batch):
        batch = samples[start : start + n_batch]
        rows = rows_of(model, batch, context, stepwise=True)
        # By stream, since coding order depends on the batch.
        by_sample = rows.reshape(-1, len(batch), model.alphabet).swapaxes(0, 1)
        digest.update(np.ascontiguousarray(by_sample).tobytes())
    return digest.hexdigest()


def _mixed_batch(subject: Subject) -> list[bytes]:
    # Unequal lengths, an empty input among them: streams end at different steps.
    text, noise = subject.named("text"), subject.named("random bytes")
    return [text[:90], b"", noise[:120], text[:1], text[90:180]]


def _models(subject: Subject) -> Iterator[tuple[Stepwise, State]]:
    for state in subject.states:
        if isinstance(state.compressor, Stepwise):
            yield state.compressor, state


def _legal(subject: Subject) -> str:
    samples = _mixed_batch(subject)
    n_symbols = sum(map(len, samples))
    for model, state in _models(subject):
        for stepwise, name in ((True, "step"), (False, "frequencies")):
            where = f"{name} on 5 inputs ({n_symbols} bytes), {state.label},"
            with attempt(where):
                rows = rows_of(model, samples, state.context, stepwise=stepwise)
            try:
                check_frequencies(rows, model.alphabet)
            except CodingError as error:
                fail(f"{where} {error}; round to integers that keep both rules")
            if len(rows) != n_symbols:
                fail(f"{where} gave {len(rows)} rows; give one row per symbol")
    return ""


def _parallel(subject: Subject) -> str:
    samples = _mixed_batch(subject)
    for model, state in _models(subject):
        where = f"5 inputs ({sum(map(len, samples))} bytes), {state.label}"
        with attempt(f"frequencies and step on {where},"):
            got = rows_of(model, samples, state.context, stepwise=False)
            want = rows_of(model, samples, state.context, stepwise=True)
        row = _first_unequal_row(model, got, want)
        if row is not None:
            fail(
                f"{where}: frequencies and step differ from row {row} of {len(want)} on;"
                " compute both in exact integers and in coding order"
            )
    return ""


def _look_ahead(subject: Subject) -> str:
    text = subject.named("text")[:96]
    last = subject.alphabet - 1
    for model, state in _models(subject):
        with attempt(f"frequencies of text (96 bytes), {state.label},"):
            rows = rows_of(model, [text], state.context, stepwise=False)
        for cut in _CUTS:
            # Every later byte changes, so that no dependence can hide.
            other = text[:cut] + bytes(last - byte for byte in text[cut:])
            for sample, change in ((other, "changing"), (text[:cut], "dropping")):
                with attempt(f"frequencies of text, {change} the bytes from {cut} on,"):
                    got = rows_of(model, [sample], state.context, stepwise=False)
                n = min(cut + 1, len(got))
                row = _first_unequal_row(model, got[:n], rows[:n])
                if row is not None:
                    fail(
                        f"text (96 bytes), {state.label}: {change} the bytes from {cut} on"
                        f" changed row {row}, which a decoder needs before it has them;"
                        " let a row depend on earlier bytes only"
                    )
    return ""


def _first_unequal_row(model: Compressor, got: Rows, want: Rows) -> int | None:
    """Return the first row that differs; for likelihoods, by more than rounding."""
    if got.shape != want.shape:
        return min(len(got), len(want))
    differ = got != want
    if model.determinism == "likelihood":
        # A likelihood is not decoded, so rounding does no harm.
        differ = np.abs(got - want) > _FLOAT_NOISE * TOTAL_FREQUENCY
    rows = np.flatnonzero(differ.any(axis=1))
    return int(rows[0]) if len(rows) else None


def class_batch(alphabet: int) -> list[bytes]:
    """Return the 16 samples of 48 bytes on which machines are compared."""
    data = inputs.fold(inputs.text(16 * 48, start=20_000), alphabet)
    return [data[i : i + 48] for i in range(0, len(data), 48)]


def _hidden_states(subject: Subject) -> str:
    model: Any = subject.fitted
    batch = class_batch(subject.alphabet)[:3]
    with attempt("hidden_states of 3 inputs (48 bytes each)"):
        layers = model.hidden_states(batch)
        prefix = model.hidden_states([sample[:20] for sample in batch])
    if not layers:
        fail("hidden_states gave no layer; return {name: array}")
    for name, states in layers.items():
        if states.ndim != 3 or states.shape[:2] != (3, 48):
            fail(
                f"layer {name!r} has shape {states.shape} for 3 inputs of 48 bytes,"
                " expected (3, 48, d); return the state after each byte"
            )
        # Float networks add in another order for another length.
        if not np.allclose(states[:, :20], prefix[name], rtol=1e-3, atol=1e-4):
            fail(
                f"layer {name!r}: states depend on later bytes; use earlier bytes only"
            )
    return ""


def _samples(subject: Subject) -> str:
    model: Any = subject.fitted
    # An empty prefix is legal: the model starts by itself.
    prefixes = [b"", *class_batch(subject.alphabet)[:2]]
    with attempt("sample of 3 prefixes (0, 48, 48 bytes) to 60 bytes"):
        first, again = (
            model.sample(prefixes, 60, np.random.default_rng(5)) for _ in range(2)
        )
    for prefix, sample in zip(prefixes, first, strict=True):
        if len(sample) != 60 or not sample.startswith(prefix):
            fail(
                f"a prefix of {len(prefix)} bytes became {len(sample)} bytes, expected 60"
                " that start with it; continue each prefix to the given length"
            )
    if first != again:
        fail("the same generator state drew other samples; draw from `rng` alone")
    return ""


CHECKS = (
    Check(
        name="legal_frequencies",
        claim="frequencies are int64, at least 1 each, and sum to 2**24",
        run=_legal,
        not_for=not_stepwise,
    ),
    Check(
        name="parallel_is_stepwise",
        claim="frequencies gives exactly the rows of step",
        run=_parallel,
        not_for=not_stepwise,
    ),
    Check(
        name="no_look_ahead",
        claim="changing later bytes changes no earlier row",
        run=_look_ahead,
        not_for=not_stepwise,
    ),
    Check(
        name="hidden_states",
        claim="each layer has one state after each byte, from earlier bytes only",
        run=_hidden_states,
        not_for=lambda c: "" if isinstance(c, Represents) else "it is not a Represents",
    ),
    Check(
        name="samples_continue",
        claim="samples continue their prefix, and the generator decides them",
        run=_samples,
        not_for=lambda c: "" if isinstance(c, Generates) else "it is not a Generates",
    ),
)
