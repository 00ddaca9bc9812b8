"""Hyperparameters of networks and of their training; importable without torch."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Widths of a network.

    Attributes:
        embedding: of a symbol.
        hidden: units of a layer.
    """

    embedding: int
    hidden: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW (Loshchilov and Hutter 2019) with warm-up, then a constant learning rate.

    The rate never falls, so that a checkpoint does not depend on the last step; the moving
    average of the weights is evaluated, which replaces a falling rate.

    Attributes:
        learning_rate: after the warm-up.
        warm_up: steps in which the rate rises linearly.
        weight_decay: of matrices; vectors do not decay.
        clip: largest norm of the gradient.
        batch: windows in a step.
        window: symbols in a training window; longer samples are cut into windows.
        averaging: largest decay of the moving average of the weights, per step.
    """

    # Defaults suit networks of 10,000 to a million weights; families override them.
    learning_rate: float = 2e-3
    warm_up: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    batch: int = 32
    window: int = 1024
    averaging: float = 0.995


@dataclass(frozen=True, kw_only=True)
class Course:
    """One training: its recipe, its seed, and its limit in seconds.

    Attributes:
        recipe: hyperparameters.
        seed: of the batches.
        about: all other settings that decide the result, as text; a checkpoint is only
            resumed where it is the same.
        seconds: after which no more steps are taken: CPU time of the process on a CPU,
            elapsed time on a GPU, of the steps alone.
    """

    recipe: Recipe
    seed: int
    about: str = ""
    # Infinite by default: steps alone decide, which makes a training repeatable.
    seconds: float = math.inf
