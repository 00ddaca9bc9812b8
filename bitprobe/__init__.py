"""Face of bitprobe for notebooks and programs: evaluate, load_results, compare.

>>> import bitprobe
>>> result = bitprobe.evaluate(["zstd(level=9)", "ppmd"], "digits", train=200, test=60)
>>> result.leaderboard()

Authors of plugins import from `harness`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from harness import __version__

if TYPE_CHECKING:
    from harness.commands.evaluate import Result, compare, evaluate, load_results
    from harness.data.load import load_dataset

__all__ = [
    "Result",
    "__version__",
    "compare",
    "evaluate",
    "load_dataset",
    "load_results",
]


def __getattr__(name: str) -> object:
    # When first used, so that `import bitprobe` stays light.
    if name in __all__:
        home = (
            "harness.data.load"
            if name == "load_dataset"
            else "harness.commands.evaluate"
        )
        return getattr(import_module(home), name)
    msg = f"module 'bitprobe' has no attribute {name!r}"
    raise AttributeError(msg)
