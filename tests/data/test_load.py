import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.data import load, shelf
from harness.data.card import GeneratorSource
from harness.data.dataset import content_hash, subset
from harness.data.shelf import card_names, load_card
from harness.data.source import read_source
from harness.errors import DatasetError

PACKAGES = ("wheel", "wheels", "sdist")
GENERATORS = [
    n for n in card_names() if isinstance(load_card(n).source, GeneratorSource)
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("BITPROBE_DATA_MIRROR", str(folder))
    monkeypatch.setattr(shelf, "cards_folder", lambda: tmp_path)
    assert not cache.exists()
    return folder


@pytest.mark.usefixtures("cache")
def test_digits_are_1797_samples_of_64_bytes_below_17():
    digits = load.load_dataset("digits")
    samples = digits.train.samples + digits.test.samples
    assert (len(digits.train.samples), len(digits.test.samples)) == (1297, 500)
    assert {len(sample) for sample in samples} == {64}
    assert max(map(max, samples)) == 16
    assert set(np.bincount(digits.test.labels)) <= {48, 49, 50, 51}
    assert digits.pooling == "grid2x2"


def test_a_cached_data_set_is_the_same(cache: Path, monkeypatch: pytest.MonkeyPatch):
    first = load.load_dataset("digits")
    monkeypatch.setattr(load, "read_source", None)
    again = load.load_dataset("digits")
    assert content_hash(first) == content_hash(again)
    assert first.classes == again.classes
    assert np.array_equal(first.duplicated, again.duplicated)
    assert len(list(cache.rglob("*.npz"))) == 1


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_cache_is_made_again(cache: Path, damage: str):
    first = load.load_dataset("digits")
    (path,) = cache.rglob("*.npz")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # inside the bytes of the training samples
    path.write_bytes({"cut": data[:1000], "flip": data, "empty": b""}[damage])
    assert content_hash(load.load_dataset("digits")) == content_hash(first)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_gives_what_its_card_says(name: str):
    dataset, known = load.load_dataset(name), load_card(name)
    assert dataset.true_bits is not None
    assert dataset.true_bits.shape == (known.n_test,)
    assert max(map(max, dataset.test.samples)) == known.levels - 1
    assert dataset.duplicated is None


@pytest.mark.parametrize("change", [{"content_sha256": "0" * 64}, {"n_train": 7}])
def test_other_content_than_the_card_says_is_refused(change: dict[str, object]):
    known = load_card("xor3")
    dataset = read_source(known)
    with pytest.raises(DatasetError, match="the card says"):
        load.check_content(dataset, known.model_copy(update=change))


def test_an_unknown_data_set_is_an_error():
    with pytest.raises(DatasetError, match="no data set named"):
        load.load_dataset("no such")


TEXTS = {"d/x/1.txt": b"one", "d/x/2.txt": b"two", "d/y/3.txt": b"three"}
CARD = """
name = "small"
title = "t"
kind = "{kind}"
licence = "l"
citation = "c"
duplicates = {{ rule = "{rule}" }}
n_train = {n_train}
n_test = {n_test}
{content}

[source]
type = "files"
format = "whole"
{reading}
[[source.files]]
url = "https://no.invalid/small.{end}"
sha256 = "{sha256}"
mirror = "small.{end}"
"""


def write_small(mirror: Path, data: bytes, **said: object) -> None:
    """Put one container into the mirror, and a card of it beside."""
    values: dict[str, object] = {
        "kind": "text",
        "rule": "exact",
        "n_train": 2,
        "n_test": 1,
        "end": "tar.gz",
        "reading": 'train = ["d/x/*"]\ntest = ["d/y/*"]\nlabel = "d/(.)/"\n',
        "sha256": hashlib.sha256(data).hexdigest(),
        "content": "",
        **said,
    }
    (mirror / f"small.{values['end']}").write_bytes(data)
    (mirror.parent / "small.toml").write_text(CARD.format(**values))


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    # The same bytes at any time: they are in the names of tests, which workers compare.
    return gzip.compress(buffer.getvalue(), mtime=0)


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_small_archive_becomes_a_data_set_and_is_cached(mirror: Path, cache: Path):
    write_small(mirror, tar_of({**TEXTS, "d/y/3.txt": b"one"}))
    dataset = load.load_dataset("small")
    assert dataset.train.samples == (b"one", b"two")
    assert dataset.classes == ("x", "y")
    assert dataset.duplicated is not None
    assert dataset.duplicated.tolist() == [True]
    assert len(list(cache.rglob("*.npz"))) == 1


def test_the_container_does_not_matter_but_the_content_does(mirror: Path):
    write_small(mirror, tar_of(TEXTS))
    first = content_hash(load.load_dataset("small"))
    write_small(mirror, zip_of(TEXTS), end="zip", content=f'content_sha256 = "{first}"')
    assert content_hash(load.load_dataset("small")) == first


def test_another_duplicate_rule_is_looked_up_anew(mirror: Path):
    write_small(mirror, tar_of(TEXTS))
    first = content_hash(load.load_dataset("small"))
    known = f'content_sha256 = "{first}"'
    write_small(mirror, tar_of(TEXTS), content=known, rule="none")
    assert load.load_dataset("small").duplicated is None
    write_small(mirror, tar_of(TEXTS), content=known, rule="text13")
    assert load.load_dataset("small").duplicated is not None


GOOD = tar_of(TEXTS)


@pytest.mark.parametrize(
    ("data", "said", "message"),
    [
        (GOOD, {"sha256": "0" * 64}, "sha256 is"),
        (GOOD[:-30], {}, "damaged or cut short"),
        (GOOD[: len(GOOD) // 2], {}, "damaged or cut short"),
        (tar_of({**TEXTS, "../d/z/4.txt": b""}), {}, "leaves its folder"),
        (zip_of({**TEXTS, "/d/z/4.txt": b""}), {"end": "zip"}, "leaves its folder"),
        (b"not an archive", {}, "damaged or cut short"),
        (GOOD, {"n_train": 3}, "the card says"),
        (GOOD, {"content": f'content_sha256 = "{"0" * 64}"'}, "content_sha256 is"),
        (GOOD, {"reading": 'test = ["e/*"]\n'}, "no rows in 0 files"),
        (
            GOOD,
            {"reading": f'test = ["*"]\nchecksums = {{ "3.txt" = "{"0" * 64}" }}\n'},
            "sha256 of 3.txt is",
        ),
        (
            GOOD,
            {"reading": f'test = ["*"]\nchecksums = {{ "4.txt" = "{"0" * 64}" }}\n'},
            "4.txt is missing",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_cached(
    mirror: Path, cache: Path, data: bytes, said: dict[str, object], message: str
):
    write_small(mirror, data, **said)
    with pytest.raises(DatasetError, match=message) as caught:
        load.load_dataset("small")
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_files_without_labels_keep_their_names_through_cache_and_subset(mirror: Path):
    said = {"kind": "file", "rule": "none", "n_train": 0, "n_test": 3}
    write_small(mirror, tar_of(TEXTS), **said, reading='test = ["*"]\n')
    for _ in range(2):
        dataset = load.load_dataset("small")
        assert dataset.names == ("1.txt", "2.txt", "3.txt")
        assert dataset.train.samples == ()
        assert not dataset.is_labelled
    part = subset(dataset, n_train=None, n_test=2, seed=1)
    by_name = dict(zip(dataset.names, dataset.test.samples, strict=True))
    assert [by_name[name] for name in part.names] == list(part.test.samples)


@pytest.mark.network
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "name", [n for n in card_names() if load_card(n).source.type in PACKAGES]
)
def test_every_package_has_what_its_card_says(name: str):
    known, dataset = load_card(name), load.load_dataset(name)
    assert content_hash(dataset) == known.content_sha256
