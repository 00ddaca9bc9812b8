"""Suggestions for names that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def hint(name: str, names: Iterable[str]) -> str:
    """Return "did you mean X?" for a near name, else "there are: ..." with all of them."""
    choices = sorted(set(names))
    # One name: a list of guesses would be longer than the list of names.
    near = difflib.get_close_matches(name, choices, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are: {', '.join(choices)}" if choices else "there are none"
