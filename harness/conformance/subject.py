"""What a check is, and the compressor under test in each of its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn

from harness.conformance import inputs
from harness.conformance.inputs import Case
from harness.contract import artifact, coding
from harness.contract.compressor import Bits, Codec, Compressor, Stepwise
from harness.contract.training import Trains, with_budget
from harness.errors import ConformanceError

SEED = 0
EXACT_CLASSES = ("isa", "device")
CHECK_STEPS = 3
"""Steps of every fit of a model that is trained in steps, whatever its spec says: what it
promises holds after few, and the kit must stay quick."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A compressor, what it was given to know, and how a message calls that."""

    label: str
    compressor: Compressor
    context: bytes = b""

    def encode(self, data: bytes) -> bytes:
        """Return the code of one sample as the harness would write it."""
        if isinstance(self.compressor, Codec):
            return self.compressor.compress(data, context=self.context)
        return coding.encode(
            _model(self.compressor),
            [data],
            context=self.context,
            artifact=held_by(self.compressor),
        )

    def decode(self, code: bytes, length: int) -> bytes:
        """Return the sample of a code."""
        if isinstance(self.compressor, Codec):
            return self.compressor.decompress(code, length=length, context=self.context)
        (sample,) = coding.decode(
            _model(self.compressor),
            code,
            [length],
            context=self.context,
            artifact=held_by(self.compressor),
        )
        return sample

    def code_lengths(self, samples: Sequence[bytes]) -> Bits:
        """Return the code length of each sample in this state."""
        return self.compressor.code_lengths(samples, context=self.context)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The compressor under test, and what the checks share so that it is made once.

    Attributes:
        compressor: an unfitted configuration.
        plugin: the file or folder from which a fresh process can load its class.
        long_bytes: size of the long input.
        shared: slow answers that one check leaves for the next.
    """

    compressor: Compressor
    plugin: Path | None
    long_bytes: int
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def alphabet(self) -> int:
        """Number of symbols that the compressor codes itself."""
        return alphabet_of(self.compressor)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Inputs inside the alphabet."""
        return inputs.cases(self.alphabet)

    @property
    def few(self) -> list[Case]:
        """Some of the inputs, for checks that code each of them many times."""
        return [case for case in self.cases if case.name in inputs.FEW]

    @cached_property
    def samples(self) -> list[bytes]:
        """The inputs as one batch."""
        return [case.data for case in self.cases]

    @cached_property
    def context(self) -> bytes:
        """Bytes to condition on."""
        return inputs.context(self.alphabet)

    def named(self, name: str) -> bytes:
        """Return the input of this name."""
        return next(case.data for case in self.cases if case.name == name)

    @property
    def fitted(self) -> Compressor:
        """The compressor after `fit` on the kit's corpus."""
        return self.first_fit[1]

    @cached_property
    def first_fit(self) -> tuple[Compressor, Compressor]:
        """The compressor that was fitted first, and what `fit` returned."""
        return self.fit_anew()

    @property
    def to_fit(self) -> Compressor:
        """The compressor with the kit's budget: promises do not depend on training."""
        with attempt(f"budgeted({CHECK_STEPS})"):
            return with_budget(self.compressor, CHECK_STEPS)

    @property
    def budget_remark(self) -> str:
        """What a finding says of the budget, or nothing."""
        if not isinstance(self.compressor, Trains):
            return ""
        return f"every fit took {CHECK_STEPS} steps, whatever the spec says"

    def fit_anew(self) -> tuple[Compressor, Compressor]:
        """Fit a fresh copy from nothing; return it and what `fit` returned."""
        new = replace(self.to_fit)
        with attempt("fit(corpus, seed=0) on 12 pieces of text"):
            return new, new.fit(inputs.corpus(self.alphabet), seed=SEED)

    @property
    def cold_states(self) -> list[State]:
        """Nothing known; none where the compressor must be fitted."""
        if "fit" in self.compressor.needs:
            return []
        return [State(label="unfitted", compressor=self.compressor)]

    @property
    def context_states(self) -> list[State]:
        """A context known."""
        return [
            replace(s, label="unfitted, with a context", context=self.context)
            for s in self.cold_states
        ]

    @property
    def fitted_states(self) -> list[State]:
        """Fitted, and fitted with a context after it."""
        alone = State(label="fitted", compressor=self.fitted)
        if isinstance(self.compressor, Codec) and self.compressor.route == "none":
            # It ignores both, and each is tried by itself.
            return [alone]
        after = replace(alone, label="fitted, with a context", context=self.context)
        return [alone, after]

    @property
    def states(self) -> list[State]:
        """All of them."""
        return [*self.cold_states, *self.context_states, *self.fitted_states]


Status = Literal["passed", "failed", "waived", "not_applicable"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise.

    Attributes:
        name: as a plugin's `waived` names it.
        claim: what holds where the check passes.
        run: raises ConformanceError where it does not hold; returns a remark, mostly "".
        not_for: returns why this compressor makes no such promise, or "".
    """

    name: str
    claim: str
    run: Callable[[Subject], str]
    not_for: Callable[[Compressor], str] = lambda _: ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found."""

    check: Check
    status: Status
    message: str = ""


def fail(message: str) -> NoReturn:
    """Raise ConformanceError."""
    raise ConformanceError(message)


@contextmanager
def attempt(doing: str) -> Iterator[None]:
    """Turn whatever the plugin raises into a failure that says what was being done."""
    try:
        yield
    except ConformanceError:
        raise
    except Exception as error:
        fault = f"{type(error).__name__}: {one_line(error)}"
        msg = f"{doing} raised {fault}; make it succeed, every input must be accepted"
        raise ConformanceError(msg) from error


def one_line(error: object) -> str:
    """Return the text of an error without line breaks."""
    return " ".join(str(error).split())


def alphabet_of(compressor: Compressor) -> int:
    """Return the number of symbols that a compressor codes itself."""
    return compressor.alphabet if isinstance(compressor, Stepwise) else 256


def held_by(compressor: Compressor) -> bytes:
    """Return the name of the artifact that a decoder must hold."""
    return artifact.identity(compressor) if compressor.is_fitted else coding.NO_ARTIFACT


def without_bitstream(compressor: Compressor) -> str:
    """Say why a compressor writes no bytes, or nothing."""
    if isinstance(compressor, Codec):
        return ""
    if not isinstance(compressor, Stepwise) or compressor.determinism == "likelihood":
        return "it gives likelihoods only and writes no bytes"
    return ""


def not_a_codec(compressor: Compressor) -> str:
    """Say why the promises of a Codec do not concern this compressor, or nothing."""
    return "" if isinstance(compressor, Codec) else "it is no Codec"


def not_stepwise(compressor: Compressor) -> str:
    """Say why the promises of a Stepwise do not concern this compressor, or nothing."""
    return "" if isinstance(compressor, Stepwise) else "it is no Stepwise"


def tolerance(compressor: Compressor) -> float:
    """Return the relative difference allowed between two ways to the same length.

    Whole bytes are exact, sums of exact logarithms nearly; where floating point makes the
    frequencies and no exact class is declared, their last bits depend on the batch.
    """
    if isinstance(compressor, Codec):
        return 0.0
    exact = isinstance(compressor, Stepwise) and compressor.determinism in EXACT_CLASSES
    return 1e-9 if exact else 1e-4


def _model(compressor: Compressor) -> Any:
    if not isinstance(compressor, Stepwise):
        fail(f"{compressor.name} writes no bytes; mix in Codec or Stepwise")
    return compressor
