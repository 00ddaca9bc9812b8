"""Inputs of the checks: seeded random bytes, and text that every Python installation has."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

_SOURCES = ("argparse", "typing", "_pydecimal", "tarfile", "inspect", "subprocess")
FEW = ("empty input", "one byte", "repeats", "random bytes", "text", "short input 2")
"""Names of the inputs of checks that code each input many times."""
_CONTEXT_AT, _CORPUS_AT = 100_000, 40_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """Input with its name in messages."""

    name: str
    data: bytes

    def __str__(self) -> str:
        n = len(self.data)
        return f"{self.name} ({n} byte{'' if n == 1 else 's'})"


def cases(alphabet: int) -> tuple[Case, ...]:
    """Return the inputs that every compressor with this alphabet must round-trip."""
    # Zeros, which run lengths and ends of codes confuse most easily.
    long_run = bytes(300)
    named = {
        "empty input": b"",
        "one byte": b"a",
        "one zero byte": b"\0",
        "repeats": b"ab" * 200,
        "a run of zeros": long_run,
        "random bytes": random_bytes(300, seed=1),
        "random bytes, then zeros": random_bytes(50, seed=2) + long_run[:50],
        "all byte values": bytes(range(256)),
        "text": text(1000),
    }
    fixed = [Case(name=name, data=fold(data, alphabet)) for name, data in named.items()]
    return (*fixed, *_short_cases(alphabet))


def _short_cases(alphabet: int) -> list[Case]:
    """Return short strings of few symbols, which show faults at the end of a code."""
    rng = np.random.default_rng(3)
    short_cases = []
    for i in range(6):
        # The number of different symbols varies from input to input.
        symbols = rng.integers(0, int(rng.integers(1, alphabet + 1)), 2 + 5 * i)
        data = symbols.astype(np.uint8).tobytes()
        short_cases.append(Case(name=f"short input {i + 1}", data=data))
    return short_cases


def foreign_cases(alphabet: int) -> tuple[Case, ...]:
    """Return inputs with bytes outside a smaller alphabet."""
    inside = fold(text(200), alphabet)
    return (
        Case(name="one byte outside the alphabet", data=bytes([alphabet])),
        Case(name="the last byte outside the alphabet", data=inside + b"\xff"),
        Case(name="all byte values", data=bytes(range(256))),
    )


def context(alphabet: int) -> bytes:
    """Return text for a context; it contains none of the cases."""
    return fold(text(3000, start=_CONTEXT_AT), alphabet)


def corpus(alphabet: int) -> tuple[bytes, ...]:
    """Return samples to fit on: pieces of text of unequal size."""
    sizes = [1500 + 37 * i for i in range(12)]
    # Far from the text of the cases, which a fit must not know by heart.
    starts = np.cumsum([0, *sizes[:-1]]) + _CORPUS_AT
    return tuple(
        fold(text(size, start=int(start)), alphabet)
        for size, start in zip(sizes, starts, strict=True)
    )


def text(n_bytes: int, *, start: int = 0) -> bytes:
    """Return up to `n_bytes` of Python's own library, as source text."""
    return _library()[start : start + n_bytes]


def random_bytes(n_bytes: int, *, seed: int) -> bytes:
    """Return incompressible bytes."""
    return np.random.default_rng(seed).integers(0, 256, n_bytes, np.uint8).tobytes()


def fold(data: bytes, alphabet: int) -> bytes:
    """Return the bytes modulo the size of the alphabet."""
    if alphabet >= 256:
        return data
    return (np.frombuffer(data, np.uint8) % alphabet).tobytes()


@lru_cache(maxsize=1)
def _library() -> bytes:
    # Found, not imported: only the source text is needed.
    specs = [importlib.util.find_spec(name) for name in _SOURCES]
    return b"".join(Path(s.origin).read_bytes() for s in specs if s and s.origin)
