"""Budget of a training: in steps, in passes over the corpus, or in seconds."""

import math
import sys
from fractions import Fraction

from harness import SpecError

UNLIMITED = sys.maxsize
HOW_LONG = ("steps", "adapt_steps", "passes")
"""Fields that decide when a training ends, and nothing else about it."""
STEPS_TAKEN = "steps_taken"
"""Key of the number of steps where the clock ended a training, (1,): 160 bits."""


def check_budget(
    steps: int, usual: int, passes: float | None, seconds: float | None
) -> None:
    """Raise SpecError unless at most one of the three sets a budget, a positive one.

    With passes or seconds, steps keep their default, which is not read.
    """
    alternatives = {"passes": passes, "seconds": seconds}
    budgets = {name: value for name, value in alternatives.items() if value is not None}
    for name, value in budgets.items():
        if not (value > 0 and math.isfinite(value)):
            raise SpecError(f"{name} is {value}; give a number above 0, None is steps")
    # A default number of steps cannot be told from one that was typed.
    if len(budgets) > 1 or (budgets and steps != usual):
        raise SpecError(
            f"steps={steps}, passes={passes}, seconds={seconds} each say how long a "
            "training is; give one of them"
        )


def steps_of(passes: float, *, n_windows: int, batch: int) -> int:
    """Return the number of steps that read `passes` times the number of windows."""
    # Decimals as they were written: .07 of 100 windows are 7, not a little more.
    return math.ceil(Fraction(str(passes)) * n_windows / batch)
