"""Checks, their findings, and the compressor under test in each of its states."""

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

# One seed for every fit, so that checks can share a fitted model.
SEED = 0
EXACT_CLASSES = ("isa", "device")
CHECK_STEPS = 3
"""Steps of every fit of a model that is trained in steps, instead of its own budget: the
contract holds after few steps, and the checks must stay quick."""


@dataclass(frozen=True, kw_only=True)
class State:
    """Compressor with a context, and the name of this state in messages."""

    label: str
    compressor: Compressor
    context: bytes = b""

    def encode(self, data: bytes) -> bytes:
        """Return the code of one sample, as a run writes it."""
        # A codec writes its own bytes; only models need the container.
        if isinstance(self.compressor, Codec):
            return self.compressor.compress(data, context=self.context)
        return coding.encode(
            _model(self.compressor),
            [data],
            context=self.context,
            artifact=artifact_of(self.compressor),
        )

    def decode(self, code: bytes, length: int) -> bytes:
        """Return the sample of a code."""
        if isinstance(self.compressor, Codec):
            return self.compressor.decompress(code, length=length, context=self.context)
        # A container of one stream, as code_after writes it.
        (sample,) = coding.decode(
            _model(self.compressor),
            code,
            [length],
            context=self.context,
            artifact=artifact_of(self.compressor),
        )
        return sample

    def code_lengths(self, samples: Sequence[bytes]) -> Bits:
        """Return the code length of each sample in this state."""
        return self.compressor.code_lengths(samples, context=self.context)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Compressor under test, with values that checks share so that each is made once.

    Attributes:
        compressor: an unfitted configuration.
        plugin: the file or folder from which a fresh process can load its class.
        long_bytes: size of the long input.
        shared: slow results that several checks use.
    """

    compressor: Compressor
    plugin: Path | None
    long_bytes: int
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def alphabet(self) -> int:
        """Number of symbols that the compressor can code without storing."""
        return alphabet_of(self.compressor)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Inputs inside the alphabet."""
        return inputs.cases(self.alphabet)

    @property
    def few(self) -> list[Case]:
        """Selected inputs, for checks that code each of them many times."""
        return [case for case in self.cases if case.name in inputs.FEW]

    @cached_property
    def samples(self) -> list[bytes]:
        """The inputs as one batch."""
        return [case.data for case in self.cases]

    @cached_property
    def context(self) -> bytes:
        """Context bytes of the conditioned states."""
        return inputs.context(self.alphabet)

    def named(self, name: str) -> bytes:
        """Return the input of this name."""
        return next(case.data for case in self.cases if case.name == name)

    @property
    def fitted(self) -> Compressor:
        """Compressor after `fit` on the corpus of the checks."""
        return self.first_fit[1]

    @cached_property
    def first_fit(self) -> tuple[Compressor, Compressor]:
        """Compressor of the first fit, and the copy that `fit` returned."""
        return self.fit_anew()

    @property
    def to_fit(self) -> Compressor:
        """Compressor with the budget of the checks; the contract does not depend on training."""
        with attempt(f"budgeted({CHECK_STEPS})"):
            return with_budget(self.compressor, CHECK_STEPS)

    @property
    def budget_remark(self) -> str:
        """Remark of a finding on the budget; empty for models without steps."""
        if not isinstance(self.compressor, Trains):
            return ""
        return f"every fit took {CHECK_STEPS} steps, not the budget of the spec"

    def fit_anew(self) -> tuple[Compressor, Compressor]:
        """Fit an unfitted copy; return the copy, and the result of `fit`."""
        # A copy, so that a later check can see whether fit changed it.
        new = replace(self.to_fit)
        with attempt("fit(corpus, seed=0) on 12 pieces of text"):
            return new, new.fit(inputs.corpus(self.alphabet), seed=SEED)

    @property
    def cold_states(self) -> list[State]:
        """State without context or fit; empty where the compressor must be fitted."""
        if "fit" in self.compressor.needs:
            return []
        return [State(label="unfitted", compressor=self.compressor)]

    @property
    def context_states(self) -> list[State]:
        """States with a context, not fitted."""
        return [
            replace(s, label="unfitted, with a context", context=self.context)
            for s in self.cold_states
        ]

    @property
    def fitted_states(self) -> list[State]:
        """Fitted states, without and with a context."""
        alone = State(label="fitted", compressor=self.fitted)
        if isinstance(self.compressor, Codec) and self.compressor.route == "none":
            # It ignores fit and context, so that two states would be the same.
            return [alone]
        after = replace(alone, label="fitted, with a context", context=self.context)
        return [alone, after]

    @property
    def states(self) -> list[State]:
        """All states, unfitted and fitted."""
        return [*self.cold_states, *self.context_states, *self.fitted_states]


Status = Literal["passed", "failed", "waived", "not_applicable"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """Check of one claim of the contract.

    Attributes:
        name: as a plugin's `waived` names it.
        claim: true of the compressor if the check passes.
        run: raises ConformanceError if the claim is false; returns a remark, mostly "".
        not_for: returns the reason why the claim does not apply to a compressor, or "".
    """

    name: str
    claim: str
    run: Callable[[Subject], str]
    not_for: Callable[[Compressor], str] = lambda _: ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Finding of one check."""

    check: Check
    status: Status
    message: str = ""


def fail(message: str) -> NoReturn:
    """Raise ConformanceError."""
    raise ConformanceError(message)


@contextmanager
def attempt(action: str) -> Iterator[None]:
    """Turn any error of the plugin into a failure that names the action."""
    try:
        yield
    except ConformanceError:
        raise
    except Exception as error:
        fault = f"{type(error).__name__}: {one_line(error)}"
        msg = f"{action} raised {fault}; make it succeed, every input must be accepted"
        raise ConformanceError(msg) from error


def one_line(error: object) -> str:
    """Return the text of an error without line breaks."""
    # A table row has one line, and errors of libraries often have more.
    return " ".join(str(error).split())


def alphabet_of(compressor: Compressor) -> int:
    """Return the number of symbols that a compressor can code without storing."""
    return compressor.alphabet if isinstance(compressor, Stepwise) else 256


def artifact_of(compressor: Compressor) -> bytes:
    """Return the identity of the artifact that a decoder must have."""
    return artifact.identity(compressor) if compressor.is_fitted else coding.NO_ARTIFACT


def without_bitstream(compressor: Compressor) -> str:
    """Return the reason why a compressor writes no bytes, or ""."""
    if isinstance(compressor, Codec):
        return ""
    if not isinstance(compressor, Stepwise) or compressor.determinism == "likelihood":
        return "it gives likelihoods only and writes no bytes"
    return ""


def not_a_codec(compressor: Compressor) -> str:
    """Return the reason why claims on a Codec do not apply to this compressor, or ""."""
    return "" if isinstance(compressor, Codec) else "it is not a Codec"


def not_stepwise(compressor: Compressor) -> str:
    """Return the reason why claims on a Stepwise do not apply to this compressor, or ""."""
    return "" if isinstance(compressor, Stepwise) else "it is not a Stepwise"


def tolerance(compressor: Compressor) -> float:
    """Return the relative difference allowed between two computations of one length.

    Whole bytes are exact, sums of exact logarithms nearly so; if frequencies come from
    floating point and no exact class is declared, their last bits depend on the batch.
    """
    # Bytes are whole numbers: no two computations may differ.
    if isinstance(compressor, Codec):
        return 0.0
    exact = isinstance(compressor, Stepwise) and compressor.determinism in EXACT_CLASSES
    return 1e-9 if exact else 1e-4


def _model(compressor: Compressor) -> Any:
    if not isinstance(compressor, Stepwise):
        fail(f"{compressor.name} writes no bytes; mix in Codec or Stepwise")
    return compressor
