"""Checks of round trips in every state, determinism, and fits that return copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.conformance import inputs
from harness.conformance.inputs import Case
from harness.conformance.subject import (
    Check,
    State,
    Subject,
    alphabet_of,
    attempt,
    fail,
    without_bitstream,
)
from harness.contract import artifact
from harness.contract.codes import shared_length
from harness.contract.compressor import (
    Arrays,
    Compressor,
    hyperparameters,
)


def comes_back(state: State, case: Case) -> None:
    """Raise ConformanceError unless decoding gives the original again."""
    where = f"{case}, {state.label}"
    with attempt(f"coding {where},"):
        code = state.encode(case.data)
    # A bytearray or memoryview could change after it was returned.
    if type(code) is not bytes:
        fail(f"coding {where} gave {type(code).__name__}; return bytes")
    with attempt(f"decoding {where},"):
        back = state.decode(code, len(case.data))
    if back != case.data:
        n_equal = shared_length(back, case.data)
        fail(
            f"{where}: decoded {len(back)} bytes that differ from byte {n_equal} on from"
            f" the {len(case.data)} original bytes; make decoding undo coding here"
        )


def _all_come_back(states: Sequence[State], cases: Sequence[Case]) -> str:
    for state in states:
        for case in cases:
            comes_back(state, case)
    return ""


def _cold(subject: Subject) -> str:
    return _all_come_back(subject.cold_states, subject.cases)


def _with_context(subject: Subject) -> str:
    return _all_come_back(subject.context_states, subject.cases)


def _fitted(subject: Subject) -> str:
    return _all_come_back(subject.fitted_states, subject.cases)


def _foreign(subject: Subject) -> str:
    return _all_come_back(subject.states, inputs.foreign_cases(subject.alphabet))


def _long(subject: Subject) -> str:
    # Longer than the other inputs, so that tables and buffers fill up.
    data = inputs.fold(inputs.text(subject.long_bytes), subject.alphabet)
    state = (subject.context_states or subject.fitted_states)[-1]
    comes_back(state, Case(name="long text", data=data))
    return "" if subject.long_bytes >= LONG_BYTES else f"with {len(data)} bytes only"


LONG_BYTES = 100_000


def _deterministic(subject: Subject) -> str:
    for state in (*subject.cold_states, *subject.fitted_states):
        # An equal object, so that a cache inside the first cannot hide a difference.
        twin = replace(state, compressor=replace(state.compressor))
        for case in subject.few:
            where = f"coding {case}, {state.label},"
            with attempt(where):
                codes = [state.encode(case.data), state.encode(case.data)]
                codes.append(twin.encode(case.data))
            if len(set(codes)) > 1:
                fail(
                    f"{where} twice gave different bytes ({sorted(map(len, codes))} bytes);"
                    " draw nothing and keep nothing from call to call"
                )
    return ""


def _fit_reproducible(subject: Subject) -> str:
    _, again = subject.fit_anew()
    changed = differing_arrays(subject.fitted.learned, again.learned)
    if changed:
        fail(
            f"two fits on the same text with seed 0 learned different {changed}; make"
            " every random generator from the seed given"
        )
    return subject.budget_remark


def differing_arrays(a: Arrays | None, b: Arrays | None) -> str:
    """Return the names of arrays that differ, or ""."""
    # Nothing learned is not the same as empty arrays: is_fitted tells them apart.
    if (a is None) != (b is None):
        return "learned (None against arrays)"
    a, b = a or {}, b or {}
    differ = set(a) ^ set(b)
    differ |= {
        name
        for name in set(a) & set(b)
        if a[name].dtype != b[name].dtype or not np.array_equal(a[name], b[name])
    }
    return ", ".join(repr(name) for name in sorted(differ))


def _fit_returns_copy(subject: Subject) -> str:
    new, fitted = subject.first_fit
    _check_fitted(new, fitted)
    if new.is_fitted or hyperparameters(new) != hyperparameters(subject.to_fit):
        fail("fit changed the compressor it was called on; return a copy by `replace`")
    # Taken before the second fit, which may share arrays with the first.
    once = artifact.identity(fitted)
    with attempt("fit(corpus, seed=1) of a fitted compressor"):
        fitted.fit(inputs.corpus(subject.alphabet)[:3], seed=1)
    if artifact.identity(fitted) != once:
        fail(
            "a second fit changed the learned arrays of the first; copy before learning"
        )
    return subject.budget_remark


def _check_fitted(new: Compressor, fitted: Compressor) -> None:
    if type(fitted) is not type(new):
        expected = type(new).__name__
        fail(
            f"fit returned {type(fitted).__name__}, expected {expected}; return a copy"
        )
    if hyperparameters(fitted) != hyperparameters(new):
        fail("fit returned another configuration; change nothing but `learned`")
    if not fitted.is_fitted:
        fail("the result of fit has learned=None; put learned arrays into `learned`")
    for name, array in (fitted.learned or {}).items():
        # Objects would need pickle, which runs code when it is loaded.
        if not isinstance(array, np.ndarray) or array.dtype == object:
            fail(
                f"learned[{name!r}] is not a numpy array of numbers; only those are saved"
            )


def _unchanged(subject: Subject) -> str:
    for state in (*subject.context_states, *subject.fitted_states):
        before = artifact.identity(state.compressor)
        arrays = state.compressor.learned or {}
        # Copies: a codec that changes its arrays in place changes `learned` too.
        copies = {name: array.copy() for name, array in arrays.items()}
        with attempt(f"coding text, {state.label},"):
            state.code_lengths([case.data for case in subject.few])
            state.compressor.pair_code_lengths([b""], [subject.named("one byte")])
            if not without_bitstream(state.compressor):
                text = subject.named("text")
                state.decode(state.encode(text), len(text))
        changed = differing_arrays(copies, state.compressor.learned or {})
        if changed or artifact.identity(state.compressor) != before:
            fail(
                f"coding changed {changed or 'fields'} of the compressor, {state.label};"
                " work on copies, a compressor is a value"
            )
    return ""


def _needs_fit(compressor: Compressor) -> str:
    if "fit" in compressor.needs:
        return "it codes nothing before fit"
    return without_bitstream(compressor)


def _whole_alphabet(compressor: Compressor) -> str:
    if alphabet_of(compressor) >= 256:
        return "its alphabet has every byte"
    return without_bitstream(compressor)


CHECKS = (
    Check(
        name="round_trip",
        claim="every input comes back from its code, without context or fit",
        run=_cold,
        not_for=_needs_fit,
    ),
    Check(
        name="round_trip_context",
        claim="every input comes back from its code after a context",
        run=_with_context,
        not_for=_needs_fit,
    ),
    Check(
        name="round_trip_fitted",
        claim="every input comes back after fit, without and with a context",
        run=_fitted,
        not_for=without_bitstream,
    ),
    Check(
        name="stored_block",
        claim="bytes outside the alphabet come back too",
        run=_foreign,
        not_for=_whole_alphabet,
    ),
    Check(
        name="long_data",
        claim="a long text comes back after a context",
        run=_long,
        not_for=without_bitstream,
    ),
    Check(
        name="deterministic",
        claim="the same input gives the same bytes again",
        run=_deterministic,
        not_for=without_bitstream,
    ),
    Check(
        name="fit_reproducible",
        claim="the same corpus and seed give the same learned arrays",
        run=_fit_reproducible,
    ),
    Check(
        name="fit_returns_copy",
        claim="fit returns a fitted copy and leaves the original as it was",
        run=_fit_returns_copy,
    ),
    Check(
        name="inputs_unchanged",
        claim="coding changes neither fields nor learned arrays",
        run=_unchanged,
    ),
)
