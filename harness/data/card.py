"""A dataset card: what a data set is, whence it comes, the hash it must have."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import harness
from harness.data.dataset import Kind
from harness.errors import DatasetError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DigitsSource(_Strict):
    """The digits that scikit-learn carries, split by a seed."""

    type: Literal["sklearn_digits"]
    seed: int = 0


class WheelSource(_Strict):
    """Two files inside a wheel."""

    type: Literal["wheel"]
    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!]*$")
    sha256: Sha256
    format: Literal["orange_tab", "label_text"]
    train: str
    test: str


class RemoteFile(_Strict):
    """A file at its official address, and its path below BITPROBE_DATA_MIRROR."""

    url: str
    sha256: Sha256
    mirror: str | None = None


class FilesSource(_Strict):
    """Two files, each from its own address or from the mirror."""

    type: Literal["files"]
    format: Literal["orange_tab", "label_text"]
    train: RemoteFile
    test: RemoteFile


class GeneratorSource(_Strict):
    """A process whose probabilities are known; `parameters` are those of the process."""

    type: Literal["generator"]
    process: Literal["iid", "markov2", "xor3", "hidden_markov"]
    length: int = Field(ge=3)
    seed: int = 0
    parameters: dict[str, list[float] | list[list[float]]] = {}


Source = Annotated[
    DigitsSource | WheelSource | FilesSource | GeneratorSource,
    Field(discriminator="type"),
]


class Card(_Strict):
    """What suites/cards/NAME.toml says.

    Attributes:
        separator: text that ends each sample in a stream; empty for fixed-size samples.
        levels: number of symbols in use; None is 256.
        content_sha256: `content_hash` of the parsed data set.
    """

    name: str
    title: str
    kind: Kind
    licence: str
    citation: str
    separator: str = ""
    shape: tuple[int, ...] | None = None
    levels: int | None = Field(default=None, ge=1, le=256)
    content_sha256: Sha256
    n_train: int = Field(ge=1)
    n_test: int = Field(ge=1)
    source: Source


def cards_folder() -> Path:
    """Return the folder of the cards: in the installed package, or in the checkout."""
    package = Path(harness.__file__).resolve().parent
    installed = package / "suites" / "cards"
    return installed if installed.is_dir() else package.parent / "suites" / "cards"


def card_names() -> list[str]:
    """Return the names of all data sets, sorted."""
    return sorted(path.stem for path in cards_folder().glob("*.toml"))


def load_card(name: str) -> Card:
    """Return the card of a data set.

    Raises:
        DatasetError: there is no such card, or it is not legal.
    """
    names = card_names()
    if name not in names:
        raise DatasetError(_unknown(name, names))
    path = cards_folder() / f"{name}.toml"
    try:
        card = Card.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DatasetError(
            f"{path}: {where}: {first['msg']}; correct the card"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DatasetError(f"{path} is not a TOML file: {error}") from error
    if card.name != name:
        raise DatasetError(f"{path}: name is {card.name!r}, the file says {name!r}")
    return card


def _unknown(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    return f"no data set named {name!r}; {hint}"
