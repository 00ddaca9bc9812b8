"""What a model that is trained in steps promises beyond `fit`, and who may look on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from harness.contract.compressor import Compressor

Progress = Callable[[int, int, float], None]
"""Called with the step, the number of steps and the bits per symbol of late."""
Resumed = Callable[[int, float], None]
"""Called with the step that training goes on from, and the seconds spent on it before."""

AnyCompressor = TypeVar("AnyCompressor", bound=Compressor)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who looks on while a model is trained.

    Attributes:
        progress: called after each step; what it raises ends training there, with that step
            in the checkpoint.
        resumed: called once, before the first step, where a checkpoint was found.
        checkpoint: a file that holds the state of training, from which an interrupted run
            goes on bit for bit on the same machine and device; None keeps none. It is
            written whole or not at all, at least at every number of steps that is yielded.
        every_seconds: between checkpoints.
    """

    progress: Progress | None = None
    resumed: Resumed | None = None
    checkpoint: Path | None = None
    every_seconds: float = 10.0


class Trains(ABC):
    """A model that learns in steps: it can be watched, interrupted, and given fewer."""

    @abstractmethod
    def budgeted(self, steps: int) -> Self:
        """Return the same model, whose next fit takes `steps`, whatever it knows."""

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

        `fit` and `fit_ladder` are this without onlookers. Training goes no further before
        the next copy is asked for, so that a copy can be kept first.

        Args:
            corpus: as in `fit`.
            values: of the ladder field, rising; None gives the one copy that `fit` gives.
            seed: as in `fit`.
            watch: who looks on, and where an interrupted training goes on from. What is
                yielded is the same with and without; a checkpoint that is past the first
                of the values is of no use, and training starts from nothing.

        Raises:
            SpecError: the checkpoint is another training's, or damaged.
        """


def with_budget(compressor: AnyCompressor, steps: int | None) -> AnyCompressor:
    """Return the compressor whose fits take so many steps, where it is trained in steps.

    None leaves what its spec says; what learns without steps stays as it is.
    """
    if steps is None or not isinstance(compressor, Trains):
        return compressor
    return compressor.budgeted(steps)
