"""Public face of bitprobe for plugin authors and notebooks.

bitprobe asks whether better compression gives better representations. Names are loaded
when first used, so that `import harness` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.contract.codes import read_varint, shared_length, varint
    from harness.contract.compressor import (
        FREQUENCY_BITS,
        START,
        TOTAL_FREQUENCY,
        Arrays,
        Bits,
        Codec,
        Compressor,
        Generates,
        Represents,
        Stepwise,
        hyperparameters,
    )
    from harness.contract.hookspecs import hookimpl
    from harness.contract.ranges import Choice, LogUniform
    from harness.contract.symbols import check_alphabet, coding_order, steps_of
    from harness.contract.training import Trains, Watch
    from harness.errors import CodingError, HarnessError, NotApplicableError, SpecError
    from harness.units import BITS_PER_BYTE, bits_to_bytes

__version__ = "0.1.0"

_HOMES = (
    *("errors", "units", "contract.codes", "contract.symbols", "contract.ranges"),
    *("contract.hookspecs", "contract.compressor", "contract.training"),
)
"""Modules that define the names below, lightest first."""

__all__ = [
    "BITS_PER_BYTE",
    "FREQUENCY_BITS",
    "START",
    "TOTAL_FREQUENCY",
    "Arrays",
    "Bits",
    "Choice",
    "Codec",
    "CodingError",
    "Compressor",
    "Generates",
    "HarnessError",
    "LogUniform",
    "NotApplicableError",
    "Represents",
    "SpecError",
    "Stepwise",
    "Trains",
    "Watch",
    "bits_to_bytes",
    "check_alphabet",
    "coding_order",
    "hookimpl",
    "hyperparameters",
    "read_varint",
    "shared_length",
    "steps_of",
    "varint",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"harness.{home}")
            if hasattr(module, name):
                return getattr(module, name)
    msg = f"module 'harness' has no attribute {name!r}"
    raise AttributeError(msg)
