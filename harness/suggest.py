"""Words for the faults of input: near names, and the first of pydantic's findings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def hint(name: str, names: Iterable[str]) -> str:
    """Return "did you mean X?" for a near name, else "there are: ..." with all of them."""
    choices = sorted(set(names))
    # One name: a list of guesses would be longer than the list of names.
    near = difflib.get_close_matches(name, choices, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are: {', '.join(choices)}" if choices else "there are none"


def fault_of(error: ValidationError) -> str:
    """Return the place and the words of the first fault that pydantic found, one line."""
    # The first is enough: a user mends one fault and looks again.
    first = error.errors()[0]
    place, words = ".".join(map(str, first["loc"])), first["msg"].lower()
    return f"{place}: {words}" if place else words
