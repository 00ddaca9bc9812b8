"""Tree of phrases in memory, and its undo."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._sequential.machine import N_LEVELS, Compiled, Machine, source_of
from .compiled import (
    EMPTY,
    FIRST,
    INVERSE_GAMMA,
    MAX_NODES,
    N_CHANGES,
    N_COLUMNS,
    N_NODES,
    N_PLACES,
    NEXT,
    NODE,
    OLD_NODES,
    Model,
    decode,
    encode,
    learn,
    open_level,
    rewind,
)


class Lz78Machine(Machine):
    """LZ78 tree that learns a prefix."""

    # A symbol costs at most log2(N / gamma + 256) bits, N below 2**31.
    most_bytes = 6
    compiled = Compiled(learn, encode, decode, open_level, rewind)

    def __init__(self, inverse_gamma: int, max_nodes: int) -> None:
        super().__init__()
        places = np.zeros(N_PLACES, np.int64)
        places[INVERSE_GAMMA], places[MAX_NODES] = inverse_gamma, max_nodes
        self.model = Model(
            source=source_of(Path(__file__).parent),
            nodes=np.empty((64, N_COLUMNS), np.int32),
            changes=np.empty((64, 3), np.int32),
            places=places,
            marks=np.zeros((N_LEVELS, N_PLACES), np.int64),
            absent=np.zeros(256, np.uint8),
        )
        self.forget()

    def forget(self) -> None:
        places, nodes = self.model.places, self.model.nodes
        places[[NODE, N_CHANGES, OLD_NODES]], places[N_NODES] = 0, 1
        # Other nodes are set when they are made.
        nodes[0], nodes[0, [FIRST, NEXT]] = 0, EMPTY

    def reserve(self, n: int) -> None:
        places = self.model.places
        n_nodes = min(places[N_NODES] + n, places[MAX_NODES] + 1)
        self.model = self.model._replace(
            nodes=_grown(self.model.nodes, n_nodes),
            # A symbol changes up to six cells; twice, in nested levels.
            changes=_grown(self.model.changes, places[N_CHANGES] + 12 * n),
        )


def _grown(table: NDArray[Any], n_rows: int) -> NDArray[Any]:
    if n_rows <= len(table):
        return table
    larger = np.empty(
        (1 << (int(n_rows) - 1).bit_length(), table.shape[1]), table.dtype
    )
    larger[: len(table)] = table
    return larger
