"""Every data set of the mirror, loaded and checked; and the others' formats in miniature."""

import hashlib
import io
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.data.card import Card, FilesSource, Repacked
from harness.data.dataset import Dataset, content_hash
from harness.data.duplicates import near_duplicates
from harness.data.load import load_dataset
from harness.data.shelf import card_names, load_card
from harness.data.source import read_source
from harness.errors import DatasetError

MIRROR = os.environ.get("BITPROBE_DATA_MIRROR", "")
needs_mirror = pytest.mark.skipif(
    not MIRROR, reason="BITPROBE_DATA_MIRROR names no folder with the official files"
)


def is_mirrored(name: str) -> bool:
    source = load_card(name).source
    if not isinstance(source, FilesSource):
        return False
    return bool(source.repacked) or all(file.mirror for file in source.files)


MIRRORED = [name for name in card_names() if is_mirrored(name)]
ABSENT = ["ag_news", "cifar10", "enwik8", "silesia"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def loaded(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BITPROBE_CACHE", str(cache))
    monkeypatch.setattr("pooch.retrieve", None)  # no test downloads

    def load(name: str) -> Dataset:
        return load_dataset(name)

    return load


def test_a_card_of_files_is_in_the_mirror_or_among_the_absent():
    files = [n for n in card_names() if load_card(n).source.type == "files"]
    assert sorted(MIRRORED + ABSENT) == files


@needs_mirror
@pytest.mark.parametrize("name", MIRRORED)
def test_the_mirror_has_what_the_card_says(name: str, loaded):
    dataset, card = loaded(name), load_card(name)
    assert content_hash(dataset) == card.content_sha256
    if dataset.classes:
        both = set(dataset.train.labels.tolist()) & set(dataset.test.labels.tolist())
        assert both == set(range(len(dataset.classes)))
    if card.shape:
        sizes = {len(sample) for sample in dataset.train.samples + dataset.test.samples}
        assert sizes == {int(np.prod(card.shape))}


@needs_mirror
def test_mnist_has_the_published_counts_of_digits(loaded):
    mnist = loaded("mnist")
    assert np.bincount(mnist.test.labels).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]
    assert np.bincount(mnist.train.labels)[1] == 6742


@needs_mirror
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ag_news_7600", {"1": 1900, "2": 1900, "3": 1900, "4": 1900}),
        ("sms_spam", {"ham": 4827, "spam": 747}),
        ("splice", {"EI": 767, "IE": 768, "N": 1655}),
        ("movie_reviews", {"neg": 1000, "pos": 1000}),
        ("subjectivity", {"plot": 5000, "quote": 5000}),
        ("sentence_polarity", {"neg": 5331, "pos": 5331}),
        ("spoken_digits", {str(digit): 300 for digit in range(10)}),
    ],
)
def test_classes_have_the_published_sizes(name: str, counts: dict[str, int], loaded):
    dataset = loaded(name)
    labels = np.concatenate([dataset.train.labels, dataset.test.labels]).tolist()
    assert Counter(dataset.classes[label] for label in labels) == counts


@needs_mirror
@pytest.mark.parametrize(
    ("name", "n_bytes", "first"),
    [
        ("canterbury", 2_810_784, "alice29.txt"),
        ("calgary", 3_251_493, "bib"),
        ("large_canterbury_2", 4_047_392 + 2_473_400, "bible.txt"),
        ("silesia_9", 112_007_453, "dickens"),
    ],
)
def test_corpora_have_their_published_size(name: str, n_bytes: int, first: str, loaded):
    dataset = loaded(name)
    assert dataset.test.n_bytes == n_bytes
    assert dataset.names[0] == first
    assert dataset.names == tuple(sorted(dataset.names))


@needs_mirror
def test_tiny_shakespeare_is_one_text_cut_at_nine_tenths(loaded):
    dataset = loaded("tiny_shakespeare")
    text = (Path(MIRROR) / "tiny_shakespeare" / "input.txt").read_bytes()
    assert dataset.train.samples[0] + dataset.test.samples[0] == text
    assert dataset.test.n_bytes == round(len(text) / 10)


@needs_mirror
def test_185_sequences_of_splice_are_repetitions(loaded):
    dataset = loaded("splice")
    samples = dataset.train.samples + dataset.test.samples
    assert len(samples) - len(set(samples)) == 185
    known = set(dataset.train.samples)
    assert dataset.duplicated.tolist() == [s in known for s in dataset.test.samples]


@needs_mirror
def test_27_bodies_of_newsgroups_tests_are_in_train_and_most_are_found(loaded):
    dataset = loaded("newsgroups20_bydate")

    def body(message: bytes) -> bytes:
        return message.partition(b"\n\n")[2].strip()

    known = {body(message) for message in dataset.train.samples}
    copied = np.array([body(message) in known for message in dataset.test.samples])
    assert copied.sum() == 27
    # headers differ, so the whole messages of short bodies are no duplicates by the rule
    assert 10 <= (copied & dataset.duplicated).sum() <= 27
    assert dataset.duplicated.sum() > (copied & dataset.duplicated).sum()


@needs_mirror
@pytest.mark.parametrize(("name", "n_copies"), [("reuters_r8", 4), ("reuters_r52", 6)])
def test_the_official_reuters_files_equal_the_wheel_of_the_card(
    name: str, n_copies: int
):
    card = load_card(name)
    files = [Path(MIRROR) / name / f"{split}.txt" for split in ("train", "test")]
    repacked = [
        Repacked(
            mirror=f"{name}/{path.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in files
    ]
    source = FilesSource(
        type="files",
        format="label_text",
        train=["train.txt"],
        test=["test.txt"],
        files=[{"url": "https://no.invalid/"}],
        repacked=repacked,
    )
    dataset = read_source(card.model_copy(update={"source": source}))
    assert content_hash(dataset) == card.content_sha256
    known = set(dataset.train.samples)
    assert sum(sample in known for sample in dataset.test.samples) == n_copies
    found = near_duplicates(
        dataset.train.samples, dataset.test.samples, card.duplicates
    )
    assert found.sum() > n_copies


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def in_miniature(name: str, folder: Path, data: dict[str, bytes]) -> Card:
    """Return the official card, its addresses served from small files of the test."""
    card = load_card(name)
    files, source = [], card.source
    for file, (at, content) in zip(source.files, data.items(), strict=True):
        assert file.url.endswith(f"/{at}")
        (folder / at).write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        files.append(file.model_copy(update={"mirror": at, "md5": md5, "sha256": None}))
    changed = source.model_copy(update={"files": files})
    return card.model_copy(update={"source": changed})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITPROBE_DATA_MIRROR", str(tmp_path))
    return tmp_path


def test_cifar10_reads_an_archive_of_six_batches(folder: Path):
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for batch in ("data_batch_2", "data_batch_1", "test_batch", "batches.meta"):
            records = b"".join(bytes([i]) + rng.bytes(3072) for i in range(3))
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{batch}.bin")
            info.size = len(records)
            archive.addfile(info, io.BytesIO(records))
    card = in_miniature(
        "cifar10", folder, {"cifar-10-binary.tar.gz": buffer.getvalue()}
    )
    dataset = read_source(card)
    assert (len(dataset.train.samples), len(dataset.test.samples)) == (6, 3)
    assert dataset.classes == ("airplane", "automobile", "bird")
    assert dataset.shape == (32, 32, 3)


def test_ag_news_reads_both_files(folder: Path):
    row = b'"1","A title","A text"\n'
    data = {"train.csv": row + row.replace(b"1", b"2"), "test.csv": row}
    dataset = read_source(in_miniature("ag_news", folder, data))
    assert dataset.train.samples == (b"A title A text",) * 2
    assert dataset.train.labels.tolist() == [0, 1]
    assert dataset.test.labels.tolist() == [0]


@pytest.mark.parametrize("name", ["enwik8", "silesia"])
def test_a_zip_of_files_is_refused_unless_each_has_its_published_checksum(
    name: str, folder: Path
):
    card = load_card(name)
    names = list(card.source.checksums)
    card = in_miniature(
        name, folder, {f"{name}.zip": zip_of(dict.fromkeys(names, b"x"))}
    )
    with pytest.raises(DatasetError, match=f"sha256 of {names[0]} is"):
        read_source(card)
    sums = dict.fromkeys(names, hashlib.sha256(b"x").hexdigest())
    right = card.source.model_copy(update={"checksums": sums})
    dataset = read_source(card.model_copy(update={"source": right}))
    assert dataset.names == tuple(sorted(names))
    assert len(dataset.names) == card.n_test
