"""Catalogue of protocols, and the run of a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from harness.errors import DatasetError, UnavailableError
from harness.published.corpora import corpus_bytes
from harness.published.digits_by_zip import zip_accuracy
from harness.published.entropy import source_rate
from harness.published.nearest import gzip_accuracy, image_error, series_error
from harness.published.rows import Outcome, Row
from harness.published.zstd_classes import prefix_accuracy, streaming_accuracy

PROTOCOLS: Mapping[str, Callable[..., float]] = {
    "zstd_stream": streaming_accuracy,
    "zstd_prefix": prefix_accuracy,
    "corpus_bytes": corpus_bytes,
    "digits_by_zip": zip_accuracy,
    "image_neighbour": image_error,
    "series_neighbour": series_error,
    "gzip_neighbour": gzip_accuracy,
    "source_rate": source_rate,
}


def outcome_of(row: Row) -> Outcome:
    """Return a row with our figure, or with the reason why its data cannot be had."""
    started = time.process_time()
    try:
        ours = PROTOCOLS[row.protocol](**row.parameters)
    except (DatasetError, UnavailableError) as error:
        return Outcome(row=row, ours=None, reason=str(error))
    return Outcome(row=row, ours=ours, seconds=time.process_time() - started)
