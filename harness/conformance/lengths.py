"""Checks that all methods give the same code lengths as the codes themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.conformance.subject import (
    Check,
    State,
    Subject,
    attempt,
    fail,
    not_a_codec,
    not_stepwise,
    tolerance,
    without_bitstream,
)
from harness.contract import coding
from harness.contract.compressor import Bits, Codec, Stepwise
from harness.units import bits_to_bytes, bytes_to_bits

# A range coder ends in whole words, and loses a little at every symbol.
EXCESS_SHARE, EXCESS_BITS = 0.005, 64.0


def same_lengths(
    got: Bits, want: Bits, names: Sequence[str], sources: tuple[str, str], rtol: float
) -> None:
    """Raise ConformanceError where two computations of the same code lengths differ.

    Args:
        got: lengths in bits, shape (n,).
        want: likewise, from the computation that is right by definition.
        names: of the n inputs in messages.
        sources: of `got` and of `want` in messages.
        rtol: relative difference allowed.
    """
    check_shape(got, (len(names),), sources[0])
    # Whole bytes are compared exactly, without the absolute tolerance for sums either.
    wrong = ~np.isclose(got, want, rtol=rtol, atol=1e-6 * (rtol > 0))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        fail(
            f"{names[i]}: {sources[0]} gave {got[i]:.6g} bits, {sources[1]} {want[i]:.6g};"
            " make both the same length"
        )


def check_shape(got: object, shape: tuple[int, ...], source: str) -> None:
    """Raise ConformanceError unless these are finite lengths of this shape."""
    if not isinstance(got, np.ndarray) or got.dtype != np.float64:
        kind = getattr(got, "dtype", type(got).__name__)
        fail(f"{source} gave {kind}; return a float64 array")
    if got.shape != shape:
        fail(f"{source} gave shape {got.shape}, expected {shape}; one length per input")
    if not (np.isfinite(got) & (got >= 0)).all():
        fail(f"{source} gave {got.min()} bits; a length is finite and not negative")


def _batch(subject: Subject) -> str:
    rtol = tolerance(subject.compressor)
    cases = subject.few
    samples = [case.data for case in cases]
    for state in subject.states:
        with attempt(f"code_lengths of {len(cases)} inputs, {state.label},"):
            together = state.code_lengths(samples)
            alone = [state.code_lengths([sample]) for sample in samples]
            # An empty batch is a frequent fault of vectorised code.
            none = state.code_lengths([])
        for lengths in alone:
            check_shape(lengths, (1,), f"code_lengths of 1 input, {state.label},")
        sources = ("code_lengths of a batch", "of the input alone")
        names = [f"{case}, {state.label}" for case in cases]
        same_lengths(together, np.concatenate(alone), names, sources, rtol)
        check_shape(none, (0,), f"code_lengths([]), {state.label},")
    return ""


def _pairs(subject: Subject) -> str:
    cases = [case for case in subject.cases if case.name in _PAIRED]
    # Different sets, so that a transposed result shows.
    xs, ys = cases[:3], cases[1:]
    names = [f"{x} followed by {y}" for x in xs for y in ys]
    for state in (*subject.cold_states, *subject.fitted_states[:1]):
        model = state.compressor
        with attempt(f"pair_code_lengths, {state.label},"):
            got = model.pair_code_lengths([x.data for x in xs], [y.data for y in ys])
            none = model.pair_code_lengths([], [b"a"])
            want = [state.code_lengths([x.data + y.data for y in ys]) for x in xs]
        check_shape(got, (len(xs), len(ys)), "pair_code_lengths")
        check_shape(none, (0, 1), "pair_code_lengths([], [1 input])")
        sources = ("pair_code_lengths", "code_lengths of the concatenation")
        same_lengths(
            got.ravel(), np.concatenate(want), names, sources, tolerance(model)
        )
    return ""


_PAIRED = ("empty input", "repeats", "random bytes", "text")


def _coded(subject: Subject) -> str:
    for state in subject.states:
        with attempt(f"coding {len(subject.few)} inputs, {state.label},"):
            got = [state.code_lengths([case.data]) for case in subject.few]
            codes = [state.encode(case.data) for case in subject.few]
        want = np.array([bytes_to_bits(len(code)) for code in codes], np.float64)
        sources = ("code_lengths", "8 times the bytes of compress")
        names = [f"{case}, {state.label}" for case in subject.few]
        same_lengths(np.concatenate(got), want, names, sources, 0.0)
    return ""


def _each(subject: Subject) -> str:
    samples = [case.data for case in subject.few]
    for state in subject.states:
        codec = state.compressor
        if not isinstance(codec, Codec):
            continue
        with attempt(f"compress_each of {len(samples)} inputs, {state.label},"):
            codes = codec.compress_each(samples, context=state.context)
            single_codes = [state.encode(sample) for sample in samples]
        for case, got, want in zip(subject.few, codes, single_codes, strict=True):
            if got != want:
                fail(
                    f"compress_each of {case}, {state.label}, gave {len(got)} bytes that "
                    f"differ from the {len(want)} of compress; override both or neither"
                )
    return ""


def _packed(subject: Subject) -> str:
    codec = subject.compressor
    if not isinstance(codec, Codec):
        return ""
    _same_packed(subject, codec.packed_lengths, codec.pack, "pack")
    # Without a prefix, pack_after is never called.
    if codec.route != "none" and codec.window != 0:
        prefix = codec.prefix(subject.context)
        _same_packed(
            subject,
            lambda samples: codec.packed_lengths_after(samples, prefix),
            lambda sample: codec.pack_after(sample, prefix),
            "pack_after",
        )
    return ""


def _same_packed(
    subject: Subject,
    lengths: Callable[[Sequence[bytes]], Bits],
    pack: Callable[[bytes], bytes],
    name: str,
) -> None:
    fast = {"pack": "packed_lengths", "pack_after": "packed_lengths_after"}[name]
    with attempt(f"{fast} of the inputs"):
        got = lengths(subject.samples)
        codes = [pack(sample) for sample in subject.samples]
    want = np.array([bytes_to_bits(len(code)) for code in codes], np.float64)
    names = [str(case) for case in subject.cases]
    same_lengths(got, want, names, (fast, f"8 times the bytes of {name}"), 0.0)


def _near_ideal(subject: Subject) -> str:
    for state in subject.states:
        model = state.compressor
        if isinstance(model, Stepwise):
            _check_ideal(subject, model, state)
            if not without_bitstream(model):
                _check_excess(subject, model, state)
    return ""


def _check_ideal(subject: Subject, model: Stepwise, state: State) -> None:
    with attempt(f"code_lengths of the inputs, {state.label},"):
        got = state.code_lengths(subject.samples)
        # The base class computes lengths from the frequencies alone.
        want = Stepwise.code_lengths(model, subject.samples, context=state.context)
    sources = ("code_lengths", "the frequencies say")
    names = [f"{case}, {state.label}" for case in subject.cases]
    same_lengths(got, want, names, sources, tolerance(model))


def _check_excess(subject: Subject, model: Stepwise, state: State) -> None:
    """Raise ConformanceError where the code is too long.

    It may be shorter: the coder gives a symbol of frequency 1 a little more than that.
    """
    label = f"the {len(subject.samples)} inputs together, {state.label}"
    with attempt(f"coding {label},"):
        ideal = float(state.code_lengths(subject.samples).sum())
        # Without the head of a container, which lengths do not count.
        payload = coding.payload_of(model, subject.samples, context=state.context)
    coded = bytes_to_bits(len(payload))
    if coded > (1 + EXCESS_SHARE) * ideal + EXCESS_BITS:
        fail(
            f"{label}: coded in {bits_to_bytes(coded):.0f} bytes, code_lengths says"
            f" {bits_to_bytes(ideal):.0f}; take lengths from the frequencies coded"
        )


CHECKS = (
    Check(
        name="batch_is_one_by_one",
        claim="code_lengths of a batch are those of its samples alone",
        run=_batch,
    ),
    Check(
        name="pair_lengths",
        claim="pair_code_lengths are code_lengths of the concatenations",
        run=_pairs,
    ),
    Check(
        name="lengths_are_coded",
        claim="code_lengths are 8 times the bytes that compress returns",
        run=_coded,
        not_for=not_a_codec,
    ),
    Check(
        name="compress_each",
        claim="compress_each gives the bytes of compress",
        run=_each,
        not_for=not_a_codec,
    ),
    Check(
        name="packed_lengths",
        claim="the fast packed lengths are those of pack and pack_after",
        run=_packed,
        not_for=not_a_codec,
    ),
    Check(
        name="near_ideal_length",
        claim="lengths follow from the frequencies, codes within 0.5 % + 64 bits of them",
        run=_near_ideal,
        not_for=not_stepwise,
    ),
)
