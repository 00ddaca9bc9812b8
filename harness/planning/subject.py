"""Subject of a job: the description of a compressor configuration in records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from harness.contract.compressor import Compressor, spec_of
from harness.contract.registry import Registry, versions_of
from harness.data.card import Card
from harness.records.job import Subject, subject_of

CARD_FIELDS = ("shape", "levels")


def planned_subject(compressor: Compressor, registry: Registry, card: Card) -> Subject:
    """Return the subject of an unfitted compressor on the data set of a card."""
    entry = registry.find(compressor.name)
    return replace(
        subject_of(with_card_fields(compressor, card)),
        # The spec stays as short as in the suite; fields are those on this data set.
        spec=spec_of(compressor),
        plugin=entry.origin,
        source_hash=entry.source_hash,
        versions=versions_of(type(compressor)),
    )


def with_card_fields(compressor: Compressor, card: Card) -> Compressor:
    """Return the compressor with shape and levels from the card, where its spec has none."""
    # A value that the spec states wins over the card's.
    open_fields = {
        field.name
        for field in fields(compressor)
        if field.name in CARD_FIELDS and getattr(compressor, field.name) is None
    }
    values: Mapping[str, Any] = {name: getattr(card, name) for name in open_fields}
    return replace(compressor, **values)
