"""Decorators that compile functions without reference counts."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Any: numba's type hints do not list the option `_nrt`.
_njit: Any = numba.njit


def compiled(function: Function) -> Function:
    """Compile a function that is called from compiled ones only."""
    return cast("Function", _njit(_nrt=False)(function))


def inlined(function: Function) -> Function:
    """Compile a function into each of its callers."""
    return cast("Function", _njit(forceinline=True, _nrt=False)(function))


def cached(function: Function) -> Function:
    """Compile a function that Python calls, and keep the machine code on disk."""
    return cast("Function", _njit(nogil=True, cache=True, _nrt=False)(function))
