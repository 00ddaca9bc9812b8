from pathlib import Path

import pytest

from harness.data import shelf
from harness.data.card import Card, FilesSource
from harness.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shelf, "cards_folder", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", shelf.card_names())
def test_every_card_is_legal(name: str):
    assert shelf.load_card(name).name == name


@pytest.mark.parametrize("name", shelf.card_names())
def test_images_are_pooled_by_quarters_and_files_have_no_train(name: str):
    loaded = shelf.load_card(name)
    assert (loaded.kind == "image") == (loaded.pooling == "grid2x2")
    assert (loaded.kind == "file") == (loaded.n_train == 0)
    assert loaded.duplicates.rule == "none" or loaded.kind in {
        "text",
        "image",
        "series",
        "symbols",
    }


def test_no_card_names_this_machine():
    for path in shelf.cards_folder().glob("*.toml"):
        assert "/work/" not in path.read_text()


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(DatasetError, match="did you mean digits"):
        shelf.load_card("digit")


def test_a_name_that_is_a_path_is_unknown():
    with pytest.raises(DatasetError, match="no data set named"):
        shelf.load_card("../cards/digits")


@pytest.mark.parametrize("text", ["name = ", 'name = "bad"\nmore = 1\n', "x = 1"])
def test_a_card_that_is_not_legal_is_one_line(folder: Path, text: str):
    (folder / "bad.toml").write_text(text)
    with pytest.raises(DatasetError) as caught:
        shelf.load_card("bad")
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


FILE = {"url": "https://no.invalid/f"}


def legal(source: dict[str, object], **more: object) -> Card:
    text = {"name": "x", "title": "t", "kind": "text", "licence": "l", "citation": "c"}
    rest = {"duplicates": {"rule": "exact"}, "n_train": 1, "n_test": 1}
    kind = {"type": "files", "format": "lines", "files": [FILE], "test": ["*"]}
    return Card.model_validate({**text, **rest, "source": {**kind, **source}, **more})


@pytest.mark.parametrize(
    ("source", "more", "message"),
    [
        ({}, {}, "give content_sha256"),
        ({"members": ["*"]}, {"content_sha256": "0" * 64}, "come together"),
        ({"test": []}, {"content_sha256": "0" * 64}, "give test"),
        ({"files": []}, {"content_sha256": "0" * 64}, "at least 1"),
        ({}, {"content_sha256": "0" * 63}, "match"),
        ({"quantise": {"rule": "linear", "low": 2, "high": 1}}, {}, "below high"),
        ({}, {"duplicates": {"rule": "distance"}}, "below goes with"),
        ({}, {"pooling": "max"}, "mean"),
        ({"format": "line"}, {}, "did you mean lines"),
        (
            {"quantise": {"rule": "linear", "low": [0, 1], "high": [1]}},
            {},
            "same number",
        ),
        ({"quantise": {"rule": "linear", "low": [0, 1], "high": [1, 1]}}, {}, "below"),
    ],
)
def test_a_contradiction_is_refused(
    source: dict[str, object], more: dict[str, object], message: str
):
    with pytest.raises(ValueError, match=message):
        legal(source, **more)


def test_a_card_without_content_hash_needs_checksums_of_all_its_files():
    summed = {**FILE, "md5": "0" * 32}
    loaded = legal({"files": [summed]})
    assert isinstance(loaded.source, FilesSource)
    assert loaded.source.files[0].checksum == "md5:" + "0" * 32
    assert legal({"checksums": {"f": "0" * 64}}).content_sha256 == ""
    with pytest.raises(ValueError, match="give content_sha256"):
        legal({"files": [summed, FILE]})


def test_the_identity_is_the_content_hash_or_that_of_the_source():
    assert legal({}, content_sha256="1" * 64).identity == "1" * 64
    by_sum = {n: legal({"checksums": {"f": n * 64}}).identity for n in "01"}
    assert by_sum["0"] != by_sum["1"]
    assert all(len(identity) == 64 for identity in by_sum.values())
