"""How long a network is trained: by steps, by passes over the corpus, or by the clock."""

import math
import sys
from fractions import Fraction

from harness import SpecError

UNLIMITED = sys.maxsize
HOW_LONG = ("steps", "adapt_steps", "passes")
"""Fields that decide when a training ends, and nothing else about it."""
STEPS_TAKEN = "steps_taken"
"""What was learned of a training that the clock ended, (1,): 160 bits of an artifact."""


def check_budget(
    steps: int, usual: int, passes: float | None, seconds: float | None
) -> None:
    """Raise SpecError unless at most one of the three says how long, and can.

    Where passes or seconds do, steps are as usual, which nobody reads.
    """
    both = {"passes": passes, "seconds": seconds}
    given = {name: value for name, value in both.items() if value is not None}
    for name, value in given.items():
        if not (value > 0 and math.isfinite(value)):
            raise SpecError(f"{name} is {value}; give a number above 0, None is steps")
    if len(given) > 1 or (given and steps != usual):
        raise SpecError(
            f"steps={steps}, passes={passes}, seconds={seconds} each say how long a "
            "training is; give one of them"
        )


def steps_of(passes: float, *, n_windows: int, batch: int) -> int:
    """Return the steps that read so many times as many windows as there are."""
    # Decimals as they were written: .07 of 100 windows are 7, not a little more.
    return math.ceil(Fraction(str(passes)) * n_windows / batch)
