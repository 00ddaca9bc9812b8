import pytest

from harness.data.formats import parse_label_text, parse_orange_tab
from harness.errors import DatasetError

HEADER = b"Category\tText\nd\tstring\nclass\t\n\n"


def test_nothing_is_stripped_from_a_text() -> None:
    assert parse_label_text(b"a\t x  \nb\ty\r", name="f") == [
        ("a", b" x  "),
        ("b", b"y\r"),
    ]


def test_the_header_of_an_orange_file_is_no_row() -> None:
    assert parse_orange_tab(HEADER + b"a\tx\n", name="f") == [("a", b"x")]


@pytest.mark.parametrize("data", [b"", b"a\tx\n" * 9, HEADER[:-1]])
def test_a_file_without_the_header_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError, match="not an Orange"):
        parse_orange_tab(data, name="f")


@pytest.mark.parametrize("data", [b"a x\n", b"\tx\n", b"a\tx\n\na\ty\n"])
def test_a_row_without_label_or_tab_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError, match="expected label"):
        parse_label_text(data, name="f")
