"""Contract of models that are trained in steps: budgets, callbacks, checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from harness.contract.compressor import Compressor

Progress = Callable[[int, int, float], None]
"""Called with the step, the number of steps, and the recent mean of bits per symbol."""
Resumed = Callable[[int, float], None]
"""Called with the step at which training resumes, and the seconds spent before it."""

AnyCompressor = TypeVar("AnyCompressor", bound=Compressor)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Callbacks and checkpoint file of a training.

    Attributes:
        progress: called after each step; an exception of it ends training there, with that
            step in the checkpoint.
        resumed: called once, before the first step, if training resumes from a checkpoint.
        checkpoint: file of the state of training, from which an interrupted run resumes bit
            for bit on the same machine and device; None writes no checkpoint. It is written
            whole or not at all, at least at every number of steps that is yielded.
        every_seconds: time between checkpoints.
    """

    progress: Progress | None = None
    resumed: Resumed | None = None
    checkpoint: Path | None = None
    # Rare enough not to slow training, frequent enough to lose little.
    every_seconds: float = 10.0


class Trains(ABC):
    """Model that is trained in steps, with callbacks, checkpoints and a step budget."""

    @abstractmethod
    def budgeted(self, steps: int) -> Self:
        """Return the same model with a budget of `steps` for its next fit, fitted or not."""

    @abstractmethod
    def trained(
        self,
        corpus: Sequence[bytes],
        values: Sequence[int] | None = None,
        *,
        seed: int,
        watch: Watch | None = None,
    ) -> Iterator[Self]:
        """Yield a fitted copy after each of the rising numbers of steps.

        `fit` and `fit_ladder` are this without callbacks. Training stops until the caller
        asks for the next copy, so that the caller can save the present copy first.

        Args:
            corpus: as in `fit`.
            values: of the ladder field, rising; None yields only the copy that `fit`
                returns.
            seed: as in `fit`.
            watch: callbacks and checkpoint; they do not change the copies. A checkpoint
                later than the first of the values cannot be used, and training starts anew.

        Raises:
            SpecError: the checkpoint belongs to another training, or is damaged.
        """


def with_budget(compressor: AnyCompressor, steps: int | None) -> AnyCompressor:
    """Return the compressor with a budget of training steps, if it is trained in steps.

    None keeps the budget of its spec; a compressor without steps is returned unchanged.
    """
    # A compressor without steps has no budget that could be changed.
    if steps is None or not isinstance(compressor, Trains):
        return compressor
    return compressor.budgeted(steps)
