"""`bitprobe new dataset`: a card for a file or folder of the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from harness.atomic import write_atomic
from harness.data.card import card_text
from harness.data.own.columns import Asked
from harness.data.own.guess import guess
from harness.data.own.names import HUB
from harness.data.shelf import load_shelf
from harness.errors import DatasetError

HEADER = """\
# Card of a data set, written by `bitprobe new dataset`. Title, licence and citation are yours to
# fill in; docs/data.md says what the other fields mean. After a change of the file, write it anew.
"""


def write_card(path: str, folder: Path, asked: Asked) -> tuple[Path, str]:
    """Write the card of own data; return its path, and what was guessed.

    Raises:
        DatasetError: the data cannot be read, or there is such a card already.
        UnavailableError: a package that reads the data is not installed.
    """
    guessed = guess(path, asked)
    card = guessed.card
    target = folder / f"{card.name}.toml"
    if target.exists():
        raise DatasetError(f"{target} exists; delete it, or choose another --folder")
    if card.name in load_shelf().names:
        raise DatasetError(
            f"bitprobe has a data set named {card.name!r}; rename {path}"
        )
    if not path.startswith(HUB):
        # From the folder of the card, so that both can move together.
        relative = os.path.relpath(path, folder)
        source = card.source.model_copy(update={"path": Path(relative).as_posix()})
        card = card.model_copy(update={"source": source})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(target, (HEADER + card_text(card)).encode())
    except OSError as error:
        raise DatasetError(f"cannot write to {folder}: {error.strerror}") from error
    return target, guessed.words
