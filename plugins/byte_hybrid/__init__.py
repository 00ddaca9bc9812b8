"""Byte transformer that reads the distribution of an order-k count model.

The step behind the compression records of 2026 (fx2-cmix-transformer: Hutter Prize, a byte
transformer whose input is the last byte and PPMd's distribution of the next). Counts know
the last few bytes better than a small network ever will; a network knows what is further
back. `pixel_mixture` mixes the two afterwards, so that its features are those of the
network alone; here the counts enter the network, and its features change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from harness import Arrays, Choice, LogUniform, SpecError, hookimpl

from .._torch.batches import Ints
from .._torch.model import Engine
from .._torch.recipe import Recipe
from .._transformer.architecture import Architecture
from .._transformer.bytes import ByteTransformer
from .compiled import MAX_ORDER

if TYPE_CHECKING:
    from .network import HybridNetwork


@dataclass(frozen=True, kw_only=True)
class ByteHybrid(ByteTransformer):
    """Small language model over bytes, of attention and counts, that codes exactly.

    Each position reads the last byte and the count model's distribution of the next one,
    as whole log probabilities: by a matrix into the residual stream, and straight to the
    logits times one learned number. Counts are of the training text, stored in `learned`
    and frozen while coding: what repeats within a stream is left to attention, and a
    prediction depends on a bounded window. In training, a window is read with counts from
    which its own n-grams are subtracted (leave one out).

    The learning rate was chosen on parts of train: fitted on 1,000 samples of reuters_r8,
    digits and django_languages, bits on others of train, 300 steps of size 10k.

    Attributes:
        order: bytes in the longest contexts that are counted, 0 to 6.
    """

    name = "byte_hybrid"
    family = "byte hybrid"
    recipe = Recipe(learning_rate=1e-2, warm_up=50, batch=8, window=256)
    ranges = MappingProxyType(
        {
            **ByteTransformer.ranges,
            "learning_rate": LogUniform(1e-3, 3e-2),
            "order": Choice(1, 2, 3, 4),
        }
    )

    order: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.order <= MAX_ORDER:
            raise SpecError(f"order is {self.order}; byte_hybrid has 0 to {MAX_ORDER}")

    @property
    def window(self) -> int:
        """Bytes of context that can reach a prediction, through all layers and counts."""
        # The earliest position that is attended to reads counts of its own last bytes.
        return super().window + max(self.order - 1, 0)

    @property
    def architecture(self) -> Architecture:
        return replace(super().architecture, has_prior=True)

    def network(self) -> HybridNetwork:
        from .counts import Counts
        from .network import HybridNetwork

        return HybridNetwork(self.architecture, Counts.none(self.order))

    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        return {**super().convert(network, symbols, real), **network.counts.arrays}

    def restore(self, learned: Arrays) -> HybridNetwork:
        from .counts import Counts

        network: Any = super().restore(learned)
        network.counts = Counts.restored(self.order, learned)
        return cast("HybridNetwork", network)

    def engine(self, learned: Arrays) -> Engine:
        from .counts import Counts
        from .engine import HybridEngine

        counts = Counts.restored(self.order, learned)
        return HybridEngine(self.transformer(learned), counts)


@hookimpl
def compressors() -> list[type[ByteHybrid]]:
    return [ByteHybrid]
