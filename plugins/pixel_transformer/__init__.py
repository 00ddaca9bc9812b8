"""Next-pixel transformer (image GPT: Chen et al. 2020, "Generative Pretraining from Pixels").

All of it is in `_transformer`: other plugins build on it.
"""

from __future__ import annotations

from harness import hookimpl

from .._transformer.pixels import PixelTransformer


@hookimpl
def compressors() -> list[type[PixelTransformer]]:
    # The class lives in a library, because a plugin cannot import a plugin.
    return [PixelTransformer]
