"""bitprobe, which asks whether better compression gives better representations.

The public face for plugin authors and notebooks. Names are loaded when first used, so that
`import harness` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compressor import (
        START,
        TOTAL_FREQUENCY,
        Codec,
        Compressor,
        Generates,
        Represents,
        Stepwise,
    )
    from harness.errors import CodingError, HarnessError, NotApplicableError, SpecError
    from harness.hookspecs import hookimpl
    from harness.training import Trains, Watch

__version__ = "0.1.0"

_HOMES = {
    "START": "compressor",
    "TOTAL_FREQUENCY": "compressor",
    "Codec": "compressor",
    "Compressor": "compressor",
    "Generates": "compressor",
    "Represents": "compressor",
    "Stepwise": "compressor",
    "CodingError": "errors",
    "HarnessError": "errors",
    "NotApplicableError": "errors",
    "SpecError": "errors",
    "Trains": "training",
    "Watch": "training",
    "hookimpl": "hookspecs",
}
__all__ = [
    "START",
    "TOTAL_FREQUENCY",
    "Codec",
    "CodingError",
    "Compressor",
    "Generates",
    "HarnessError",
    "NotApplicableError",
    "Represents",
    "SpecError",
    "Stepwise",
    "Trains",
    "Watch",
    "hookimpl",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module 'harness' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"harness.{_HOMES[name]}"), name)
