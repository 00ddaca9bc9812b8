"""How a network is trained, and who watches; importable without torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[int, int, float], None]
"""Called with the step, the number of steps and the bits per symbol of late."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW (Loshchilov and Hutter 2019) with warm-up, then a constant learning rate.

    The rate never falls, so that a checkpoint does not depend on the last step; what is
    evaluated is the moving average of the weights, which does what a falling rate would.

    Attributes:
        learning_rate: after the warm-up.
        warm_up: steps in which the rate rises linearly.
        weight_decay: of matrices; vectors do not decay.
        clip: largest norm of the gradient.
        batch: windows in a step.
        window: symbols in a training window; longer samples are cut into windows.
        averaging: largest decay of the moving average of the weights, per step.
    """

    learning_rate: float = 2e-3
    warm_up: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    batch: int = 32
    window: int = 1024
    averaging: float = 0.995


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who looks on while a network is trained.

    Attributes:
        progress: called after each step.
        checkpoint: a file that holds the state of training, from which an interrupted run
            goes on bit for bit on the same machine; None keeps none.
        every: steps between checkpoints.
    """

    progress: Progress | None = None
    checkpoint: Path | None = None
    every: int = 100
