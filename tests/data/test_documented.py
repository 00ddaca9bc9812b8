import re
from pathlib import Path

import pytest

from harness.data.shelf import card_names, load_card

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"
ROWS = dict(
    re.findall(
        r"^\| `(\w+)` \| (\d+ \| \d+ \| .*) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
)


def test_the_table_of_data_sets_has_the_cards_and_no_others():
    assert sorted(ROWS) == card_names()


@pytest.mark.parametrize("name", card_names())
def test_a_row_of_the_table_says_what_the_card_says(name: str):
    card = load_card(name)
    train, test, _classes, licence, _source = ROWS[name].split(" | ")
    assert (int(train), int(test)) == (card.n_train, card.n_test)
    assert licence == card.licence
