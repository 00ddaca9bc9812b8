"""How a network is trained; importable without torch."""

import math
from dataclasses import dataclass


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
class Course:
    """One training: how, from which chance, and when it ends by the clock.

    Attributes:
        recipe: how.
        seed: of the batches.
        about: what else decides the result, as text: a checkpoint is of no use elsewhere.
        seconds: after which no more steps are taken: CPU time of the process on a CPU,
            elapsed time on a GPU, of the steps alone.
    """

    recipe: Recipe
    seed: int
    about: str = ""
    seconds: float = math.inf
