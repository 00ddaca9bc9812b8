"""Shelf of cards: every data set that can be named, from all places that have cards.

Cards come with bitprobe, from folders given with --cards-dir, from packages that name one
in the entry-point group "bitprobe.datasets", and from the user's own files, whose cards
are guessed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

from harness.atomic import write_atomic
from harness.data.card import Card, card_text, read_card
from harness.data.duplicates import with_duplicates
from harness.data.own.guess import Guess, guess
from harness.data.own.names import HUB, is_own
from harness.data.parsed import cached_path, write_cached
from harness.errors import DatasetError, StoreError
from harness.folders import builtin_folder
from harness.suggest import hint

ENTRY_POINT_GROUP = "bitprobe.datasets"
RUN_CARDS = "cards"
"""Folder in a run's folder: cards of data that do not come with bitprobe."""


class Shelf:
    """Cards by name; those of files are read when they are first asked for.

    Attributes:
        notes: a line for each guessed card, for the user.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        """Collect the names of the cards in folders.

        Raises:
            DatasetError: two folders have cards of one name.
        """
        self.notes: list[str] = []
        self._paths: dict[str, Path] = {}
        self._cards: dict[str, Card] = {}
        for folder in folders:
            for path in sorted(folder.glob("*.toml")):
                other = self._paths.setdefault(path.stem, path)
                if other != path:
                    raise DatasetError(
                        f"two data sets are named {path.stem!r}: {other} and {path}"
                    )

    @property
    def names(self) -> list[str]:
        """Names of all data sets, sorted."""
        return sorted({*self._paths, *self._cards})

    def card(self, name: str) -> Card:
        """Return the card of a data set.

        Raises:
            DatasetError: there is no such card, or it is not legal.
        """
        if name not in self._cards:
            if name not in self._paths:
                advice = hint(name, self.names)
                raise DatasetError(f"no data set named {name!r}; {advice}")
            self._cards[name] = read_card(self._paths[name])
        return self._cards[name]

    def resolve(self, name: str, base: Path = Path()) -> str:
        """Return the name of a data set, whose card is added if it is the user's own.

        Args:
            name: of a card; or the path of a file, of a folder, or of a card (.toml); or
                hf:OWNER/NAME.
            base: folder from which relative paths lead.

        Raises:
            DatasetError: there is no such file, or no card can be guessed.
            UnavailableError: a package that reads the file is not installed.
        """
        if not is_own(name):
            return name
        path = name if name.startswith(HUB) else str(base / name)
        if path.endswith(".toml"):
            if not Path(path).is_file():
                raise DatasetError(f"there is no file {path}")
            return self.add(read_card(Path(path)))
        return self.add_guess(guess(path))

    def add(self, card: Card) -> str:
        """Add a card, and return its name.

        Raises:
            DatasetError: another data set has its name.
        """
        if card.name in self.names and self.card(card.name) != card:
            raise DatasetError(
                f"there is another data set named {card.name!r}; give yours another name"
            )
        self._cards[card.name] = card
        return card.name

    def add_guess(self, guessed: Guess) -> str:
        """Add own data with the card that was guessed for them, and return its name.

        The data are in the cache from then on, which is all that a job reads.

        Raises:
            DatasetError: another data set has its name, or the cache cannot be written.
        """
        name = self.add(guessed.card)
        self.notes.append(guessed.words)
        path = cached_path(guessed.card)
        if not path.exists():
            write_cached(path, with_duplicates(guessed.dataset, guessed.card))
        return name


def load_shelf(cards_dir: Path | None = None) -> Shelf:
    """Return the shelf of the cards that can be found.

    Args:
        cards_dir: a folder with more cards.

    Raises:
        DatasetError: `cards_dir` does not exist, or two cards have one name.
    """
    folders = [cards_folder(), *_installed_folders()]
    if cards_dir is not None:
        if not cards_dir.is_dir():
            raise DatasetError(f"no cards folder at {cards_dir}; give an existing one")
        folders.append(cards_dir.resolve())
    return Shelf(folders)


def run_shelf(folder: Path) -> Shelf:
    """Return the shelf of the cards of a run: those of bitprobe, and its folder's own."""
    return Shelf([cards_folder(), folder / RUN_CARDS])


def write_cards(folder: Path, cards: Iterable[Card]) -> None:
    """Write the cards that do not come with bitprobe into the folder of a run.

    Raises:
        StoreError: the folder cannot be written.
    """
    builtin = Shelf([cards_folder()]).names
    try:
        for card in cards:
            if card.name not in builtin:
                (folder / RUN_CARDS).mkdir(parents=True, exist_ok=True)
                path = folder / RUN_CARDS / f"{card.name}.toml"
                write_atomic(path, card_text(card).encode())
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; give another --output"
        ) from error


def cards_folder() -> Path:
    """Return the folder of the cards that come with bitprobe."""
    return builtin_folder("suites") / "cards"


def card_names() -> list[str]:
    """Return the names of all installed data sets, sorted."""
    return load_shelf().names


def load_card(name: str) -> Card:
    """Return the card of an installed data set.

    Raises:
        DatasetError: there is no such card, or it is not legal.
    """
    return load_shelf().card(name)


def _installed_folders() -> list[Path]:
    """Return the folders of packages that offer cards; the packages are not imported."""
    folders = []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        # A broken package must not take every data set along.
        try:
            spec = importlib.util.find_spec(point.value)
        except (ImportError, ValueError):
            continue
        folders += [
            Path(each) for each in (spec and spec.submodule_search_locations) or ()
        ]
    return folders
