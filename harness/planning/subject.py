"""Subject of a job: what a record says of a compressor configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal

from harness.contract.compressor import (
    Codec,
    Compressor,
    Stepwise,
    hyperparameters,
    spec_of,
)
from harness.contract.registry import Registry, versions_of
from harness.data.card import Card
from harness.records.job import Subject

CARD_FIELDS = ("shape", "levels")
BYTE_VALUES = 256


def subject_of(compressor: Compressor, registry: Registry, card: Card) -> Subject:
    """Return the subject of an unfitted compressor on the data set of a card."""
    entry = registry.find(compressor.name)
    # The spec stays as short as in the suite; fields and window are those on this data set.
    on_dataset = with_card_fields(compressor, card)
    return Subject(
        spec=spec_of(compressor),
        name=compressor.name,
        family=compressor.family,
        fields=hyperparameters(on_dataset),
        plugin=entry.origin,
        source_hash=entry.source_hash,
        versions=versions_of(type(compressor)),
        prior_bytes=compressor.prior_bytes,
        determinism=compressor.determinism,
        needs=tuple(sorted(compressor.needs)),
        kind=_kind(compressor),
        route=on_dataset.route,
        window=on_dataset.window,
        alphabet=on_dataset.alphabet
        if isinstance(on_dataset, Stepwise)
        else BYTE_VALUES,
        ladder_field=compressor.ladder_field or "",
    )


def with_card_fields(compressor: Compressor, card: Card) -> Compressor:
    """Return the compressor with shape and levels from the card, where it leaves them open."""
    open_fields = {
        field.name
        for field in fields(compressor)
        if field.name in CARD_FIELDS and getattr(compressor, field.name) is None
    }
    values: Mapping[str, Any] = {name: getattr(card, name) for name in open_fields}
    return replace(compressor, **values)


def _kind(compressor: Compressor) -> Literal["codec", "model", "other"]:
    if isinstance(compressor, Codec):
        return "codec"
    return "model" if isinstance(compressor, Stepwise) else "other"
