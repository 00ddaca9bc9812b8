"""Next-byte transformer: attention over a sliding window, biases by distance.

All of it is in `_transformer`: other plugins build on it.
"""

from __future__ import annotations

from harness import hookimpl

from .._transformer.bytes import ByteTransformer


@hookimpl
def compressors() -> list[type[ByteTransformer]]:
    # The class lives in a library, because a plugin cannot import a plugin.
    return [ByteTransformer]
