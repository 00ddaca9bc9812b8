"""Model in memory: it learns a prefix once, and is put back after every sample."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .coder import N_BYTES, N_REGISTERS, POSITION, Bytes, begin, begin_decoding, finish

AFTER_PREFIX, AFTER_X, N_LEVELS = range(3)


class Compiled(NamedTuple):
    """Compiled functions of a model, each of which takes it first.

    Attributes:
        learn: sees bytes that the decoder has.
        encode: codes bytes, and sees them; the code is not whole before `finish`.
        decode: fills an array with the bytes coded, and sees them.
        open_level: begins to note changes, to be undone by `rewind`.
        rewind: undoes all changes since the level was opened, which stays open.
    """

    learn: Callable[..., None]
    encode: Callable[..., None]
    decode: Callable[..., None]
    open_level: Callable[..., None]
    rewind: Callable[..., None]


class Machine(ABC):
    """Model that learns a prefix; each call but `prime` leaves it as it was.

    Class variables:
        most_bytes: longest code of one byte of data.
        compiled: the functions of its `model`, a tuple of arrays.
    """

    most_bytes: ClassVar[int]
    compiled: ClassVar[Compiled]
    model: Any

    def __init__(self) -> None:
        self.registers = np.zeros(N_REGISTERS, np.int64)
        self._prefix: bytes | None = None

    def prime(self, prefix: bytes) -> None:
        """Forget everything and learn a prefix, unless it is the one learned last."""
        if prefix == self._prefix:
            return
        # No prefix while it is learned: an interrupt would leave a part of it.
        self._prefix = None
        self.forget()
        self.reserve(len(prefix))
        self.compiled.learn(self.model, np.frombuffer(prefix, np.uint8))
        self.compiled.open_level(self.model, AFTER_PREFIX)
        self._prefix = prefix

    @abstractmethod
    def forget(self) -> None:
        """Return to the state that has seen nothing."""

    @abstractmethod
    def reserve(self, n: int) -> None:
        """Make room for what n more bytes teach."""

    def encode(self, data: bytes) -> bytes:
        """Return the code of `data` after the prefix."""
        code = self._room(len(data))
        begin(self.registers)
        n = self._n_written(data, code, AFTER_PREFIX)
        return code[:n].tobytes()

    def decode(self, code: bytes, length: int) -> bytes:
        """Return the bytes that `encode` coded."""
        self.reserve(length)
        data, code_bytes = np.empty(length, np.uint8), np.frombuffer(code, np.uint8)
        begin_decoding(self.registers, code_bytes)
        self.compiled.decode(self.model, self.registers, code_bytes, data)
        self.compiled.rewind(self.model, AFTER_PREFIX)
        return data.tobytes()

    def n_code_bytes(self, samples: Sequence[bytes]) -> list[int]:
        """Return the length of the code of each sample."""
        code = self._room(max(map(len, samples), default=0))
        lengths = []
        for sample in samples:
            begin(self.registers)
            lengths.append(self._n_written(sample, code, AFTER_PREFIX))
        return lengths

    def n_pair_bytes(self, x: bytes, ys: Sequence[bytes]) -> list[int]:
        """Return the length of the code of each x + y: x is coded once."""
        code = self._room(len(x) + max(map(len, ys), default=0))
        begin(self.registers)
        lengths = []
        try:
            self._write(x, code)
            self.compiled.open_level(self.model, AFTER_X)
            registers = self.registers.copy()
            head = code[: registers[POSITION]].copy()
            for y in ys:
                # A carry of the last y may have gone into the code of x.
                self.registers[:], code[: len(head)] = registers, head
                lengths.append(self._n_written(y, code, AFTER_X))
        finally:
            self.compiled.rewind(self.model, AFTER_PREFIX)
        return lengths

    def _n_written(self, data: bytes, code: Bytes, level: int) -> int:
        """Code data, undo what it taught, and return the length of the code so far."""
        self._write(data, code)
        self.compiled.rewind(self.model, level)
        return int(finish(self.registers, code))

    def _write(self, data: bytes, code: Bytes) -> None:
        octets = np.frombuffer(data, np.uint8)
        self.compiled.encode(self.model, self.registers, octets, code)

    def _room(self, n: int) -> Bytes:
        """Make room for n more bytes; return room for their code."""
        self.reserve(n)
        return np.empty(self.most_bytes * n + 2 * N_BYTES, np.uint8)


@cache
def source_of(folder: Path) -> NDArray[Any]:
    """Return an empty array whose type holds the hash of the source of a plugin.

    As an argument of compiled functions it renews numba's cache when any file of the plugin
    or of this library changes, not only the file of the cached function.
    """
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.py"), *Path(__file__).parent.glob("*.py")]):
        digest.update(path.read_bytes())
    return np.empty(0, [(f"sha256_{digest.hexdigest()}", np.uint8)])
