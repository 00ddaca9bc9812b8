import os
from pathlib import Path

import numpy as np
import pytest

from harness.data import load
from harness.data.card import (
    FilesSource,
    GeneratorSource,
    RemoteFile,
    card_names,
    load_card,
)
from harness.data.dataset import content_hash
from harness.errors import DatasetError

GENERATORS = [
    n for n in card_names() if isinstance(load_card(n).source, GeneratorSource)
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("cache")
def test_digits_are_1797_samples_of_64_bytes_below_17() -> None:
    digits = load.load_dataset("digits")
    samples = digits.train.samples + digits.test.samples
    assert (len(digits.train.samples), len(digits.test.samples)) == (1297, 500)
    assert {len(sample) for sample in samples} == {64}
    assert max(map(max, samples)) == 16
    assert set(np.bincount(digits.test.labels)) <= {48, 49, 50, 51}


def test_a_cached_data_set_is_the_same(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load.load_dataset("digits")
    monkeypatch.setattr(load, "read_source", None)
    again = load.load_dataset("digits")
    assert content_hash(first) == content_hash(again)
    assert first.classes == again.classes
    assert len(list(cache.rglob("*.npz"))) == 1


def test_a_damaged_cache_is_made_again(cache: Path) -> None:
    load.load_dataset("digits")
    (path,) = cache.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:1000])
    assert len(load.load_dataset("digits").test.samples) == 500


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_gives_what_its_card_says(name: str) -> None:
    dataset, card = load.load_dataset(name), load_card(name)
    assert dataset.true_bits is not None
    assert dataset.true_bits.shape == (card.n_test,)
    assert max(map(max, dataset.test.samples)) == card.levels - 1


@pytest.mark.parametrize("change", [{"content_sha256": "0" * 64}, {"n_train": 7}])
def test_other_content_than_the_card_says_is_refused(change: dict[str, object]) -> None:
    card = load_card("xor3")
    dataset = load.read_source(card)
    with pytest.raises(DatasetError, match="the card says"):
        load.check_content(dataset, card.model_copy(update=change))


def test_an_unknown_data_set_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no data set named"):
        load.load_dataset("no such")


@pytest.mark.skipif("BITPROBE_DATA_MIRROR" not in os.environ, reason="needs the mirror")
def test_the_mirror_has_the_content_of_the_reuters_card() -> None:
    mirror = Path(os.environ["BITPROBE_DATA_MIRROR"])
    sums = {
        line.split()[1].lstrip("*./"): line.split()[0]
        for line in (mirror / "SHA256SUMS").read_text().splitlines()
    }
    train, test = (
        RemoteFile(url="https://no.invalid/", sha256=sums[path], mirror=path)
        for path in ("reuters_r8/train.txt", "reuters_r8/test.txt")
    )
    source = FilesSource(type="files", format="label_text", train=train, test=test)
    card = load_card("reuters_r8").model_copy(update={"source": source})
    load.check_content(load.read_source(card), card)


@pytest.mark.network
@pytest.mark.usefixtures("cache")
def test_reuters_comes_from_its_wheel() -> None:
    assert len(load.load_dataset("reuters_r8").classes) == 8
