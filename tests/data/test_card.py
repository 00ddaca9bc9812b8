from pathlib import Path

import pytest

from harness.data import card
from harness.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(card, "cards_folder", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", card.card_names())
def test_every_card_is_legal(name: str) -> None:
    assert card.load_card(name).name == name


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(DatasetError, match="did you mean digits"):
        card.load_card("digit")


def test_a_name_that_is_a_path_is_unknown() -> None:
    with pytest.raises(DatasetError, match="no data set named"):
        card.load_card("../cards/digits")


@pytest.mark.parametrize("text", ["name = ", 'name = "bad"\nmore = 1\n', "x = 1"])
def test_a_card_that_is_not_legal_is_one_line(folder: Path, text: str) -> None:
    (folder / "bad.toml").write_text(text)
    with pytest.raises(DatasetError) as caught:
        card.load_card("bad")
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
