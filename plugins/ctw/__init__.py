"""Context tree weighting (Willems, Shtarkov and Tjalkens 1995) over bytes, exact.

A byte is eight binary decisions, each node of its binary tree with a context tree of its
own (decomposed CTW: Volf 2002; Begleiter, El-Yaniv and Yona 2004). The context is the last
`depth` bytes, one per level; before the first byte all are zero. Each node has an estimate
P_e and weighs it against its children: half P_e and half the product of their weighted
probabilities. Kept as the weight b / (b + 1) of the ratio b = P_e / (P_0 P_1 ...), this is
one Bayesian update per node, in integers only, so that every machine gets the same code.

P_e is the zero-redundancy estimate (Willems and Tjalkens, EIDMA report RS.97.01, 1997,
section 5.5; the default of the Eindhoven implementation): half that of Krichevsky and
Trofimov, and a quarter each for "always 0" and "always 1", since most contexts of bytes
have one successor.
"""

from dataclasses import dataclass

from harness import Codec, SpecError, hookimpl

from .._sequential.codec import SequentialCodec
from .machine import CtwMachine

MAX_DEPTH = 24


@dataclass(frozen=True, kw_only=True)
class Ctw(SequentialCodec):
    """Context tree weighting in a table of at most 2**table_bits bytes.

    Attributes:
        depth: of the context tree, in bytes.
        table_bits: memory is used when it is filled. Where there is no room for a new
            context, its longest suffix in the table stays the leaf: nothing is forgotten.
    """

    name = "ctw"
    family = "CTW"
    requires = ("numba",)
    determinism = "isa"

    depth: int = 5
    table_bits: int = 27

    def __post_init__(self) -> None:
        if not 0 <= self.depth <= MAX_DEPTH:
            raise SpecError(f"depth is {self.depth}; ctw has 0 to {MAX_DEPTH}")
        if not 16 <= self.table_bits <= 32:
            raise SpecError(f"table_bits is {self.table_bits}; give 16 to 32")

    def machine(self) -> CtwMachine:
        return CtwMachine(self.depth, self.table_bits)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Ctw]
