"""Sizes of the files of a corpus, each compressed alone and added up."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract.registry import load_registry
from harness.data.load import load_dataset


def corpus_bytes(*, dataset: str, spec: str, without: Sequence[str] = ()) -> float:
    """Return the sum of the code lengths of files, each coded alone, in bytes.

    Args:
        dataset: of kind file.
        spec: of the compressor, unfitted.
        without: names of files that the publication leaves out.

    Raises:
        UnavailableError: the compressor cannot be used here.
    """
    data = load_dataset(dataset)
    compressor = load_registry().parse(spec)
    files = [
        content
        for name, content in zip(data.names, data.test.samples, strict=True)
        if name not in without
    ]
    return float(compressor.code_lengths(files).sum() / 8)
