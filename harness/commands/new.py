"""`bitprobe new`: a working plugin and its test, to start from."""

from __future__ import annotations

import keyword
from pathlib import Path

from harness.errors import PluginError

CODEC = '''"""NAME: say what it does and cite where it was published."""

import zlib
from dataclasses import dataclass

from harness import Codec, SpecError, hookimpl


@dataclass(frozen=True, kw_only=True)
class CLASS(Codec):
    """Uses zlib until you put your own codec here."""

    name = "NAME"
    family = "NAME"  # compressors of one mechanism share a family
    requires = ("zlib",)  # distributions whose versions decide the result

    level: int = 9

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 9:
            raise SpecError(f"level is {self.level}; NAME has 0 to 9")

    def pack(self, data: bytes) -> bytes:
        return zlib.compress(data, self.level)

    def unpack(self, code: bytes, length: int) -> bytes:
        return zlib.decompress(code)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [CLASS]
'''

MODEL = '''"""NAME: say what it does and cite where it was published."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness import START, TOTAL_FREQUENCY, Stepwise, hookimpl

N_SYMBOLS = 256


@dataclass(frozen=True, kw_only=True)
class CLASS(Stepwise):
    """Counts bytes without context until you put your own model here."""

    name = "NAME"
    family = "NAME"  # compressors of one mechanism share a family
    determinism = "isa"  # integers only: the same on every processor
    adapts = True  # it learns inside a stream

    weight: int = 32

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:
        counts = self._learned() + self._counted(b"".join(corpus))
        return replace(self, learned={"counts": counts})

    def start(self, n: int, *, context: bytes = b"") -> Any:
        counts = self._learned() + self._counted(context)
        return np.tile(1 + counts, (n, 1))

    def step(
        self, state: Any, symbols: NDArray[np.int64]
    ) -> tuple[Any, NDArray[np.int64]]:
        counts = state[: len(symbols)].copy()
        if len(symbols) and symbols[0] != START:
            counts[np.arange(len(symbols)), symbols] += self.weight
        # At least 1 each, and exactly 2**24 in sum: the most likely byte gets the remainder.
        rows = 1 + counts * (TOTAL_FREQUENCY - N_SYMBOLS) // counts.sum(1, keepdims=True)
        best = rows.argmax(axis=1)
        rows[np.arange(len(rows)), best] += TOTAL_FREQUENCY - rows.sum(axis=1)
        return counts, rows

    def _learned(self) -> NDArray[np.int64]:
        if self.learned is None:
            return np.zeros(N_SYMBOLS, np.int64)
        return np.asarray(self.learned["counts"], np.int64)

    def _counted(self, data: bytes) -> NDArray[np.int64]:
        counts = np.bincount(np.frombuffer(data, np.uint8), minlength=N_SYMBOLS)
        return counts.astype(np.int64) * self.weight


@hookimpl
def compressors() -> list[type[Stepwise]]:
    return [CLASS]
'''

TEST = """from pathlib import Path

import pytest

from harness.conformance import check_all
from harness.contract.registry import load_plugin

ENTRIES = load_plugin(Path(__file__).with_name("NAME.py"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_it_keeps_the_contract_of_compressors(entry):
    assert entry.kind is not None, entry.unavailable
    check_all(entry.kind())
"""


def write_plugin(name: str, folder: Path, *, model: bool) -> list[Path]:
    """Write NAME.py, a working plugin, and test_NAME.py; return their paths.

    Raises:
        PluginError: the name is not a lower-case identifier, or a file exists already.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name != name.lower():
        raise PluginError(
            f"{name!r} cannot name a plugin; give a lower-case identifier such as my_codec"
        )
    title = "".join(part.capitalize() for part in name.split("_"))
    files = {
        folder / f"{name}.py": MODEL if model else CODEC,
        folder / f"test_{name}.py": TEST,
    }
    # Both are checked before either is written: no half of a plugin is left.
    for path in files:
        if path.exists():
            raise PluginError(f"{path} exists; choose another name or folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text.replace("NAME", name).replace("CLASS", title))
    except OSError as error:
        raise PluginError(f"cannot write to {folder}: {error.strerror}") from error
    return list(files)
