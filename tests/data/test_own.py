"""Own data: what a user wrote into a file is what compressors get, byte for byte."""

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.commands.new_dataset import write_card
from harness.data.card import read_card
from harness.data.load import load_anew, load_dataset
from harness.data.own.columns import Asked
from harness.data.own.guess import guess, guess_arrays, guess_frame
from harness.data.own.names import is_own, name_of
from harness.data.shelf import Shelf, load_shelf
from harness.errors import DatasetError, UsageError

CELLS = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\"'\n\r\t,;\0"), max_size=40
)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path / "cache"))


class Sliced:
    """A data set of the hub in the format of pandas: a slice of it is a frame."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame

    def __getitem__(self, rows: slice) -> pd.DataFrame:
        return self.frame[rows]


def write_csv(path: Path, rows: list[list[str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def pairs_of(guessed) -> set[tuple[str, bytes]]:
    """Return labels and samples of both splits."""
    dataset = guessed.dataset
    return {
        (dataset.classes[label] if dataset.classes else "", sample)
        for split in (dataset.train, dataset.test)
        for label, sample in zip(split.labels, split.samples, strict=True)
    }


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(CELLS, min_size=6, max_size=12), name=st.sampled_from("abc"))
def test_any_text_comes_through_each_format_unchanged(tmp_path: Path, texts, name):
    texts[0] = "at least one byte"
    labels = [f"{name}, {i % 2}" for i in range(len(texts))]
    frame = pd.DataFrame({"label": labels, "text": texts})
    write_csv(tmp_path / "c.csv", [["label", "text"], *zip(labels, texts, strict=True)])
    lines = [json.dumps({"label": a, "text": b}) for a, b in frame.to_numpy().tolist()]
    (tmp_path / "j.jsonl").write_text("\n".join(lines))
    frame.to_parquet(tmp_path / "p.parquet")
    expected = {(a, b.encode()) for a, b in zip(labels, texts, strict=True)}
    for file in ("c.csv", "j.jsonl", "p.parquet"):
        assert pairs_of(guess(str(tmp_path / file))) == expected, file
    assert pairs_of(guess_frame(frame, "f")) == expected
    assert pairs_of(guess_arrays(texts, labels, "l")) == expected


def test_the_split_is_a_fifth_of_each_class_and_follows_the_seed(tmp_path: Path):
    rows = [[f"c{i % 2}", f"text {i}"] for i in range(100)]
    path = write_csv(tmp_path / "a.csv", [["label", "text"], *rows])
    first, again, other = (guess(path, Asked(seed=seed)) for seed in (0, 0, 1))
    assert np.bincount(first.dataset.test.labels).tolist() == [10, 10]
    assert first.dataset.test.samples == again.dataset.test.samples
    assert set(first.dataset.test.samples) != set(other.dataset.test.samples)


def test_the_only_sample_of_a_class_is_in_train(tmp_path: Path):
    rows = [*[["ab"[i % 2], f"text {i}"] for i in range(40)], ["c", "alone"]]
    path = write_csv(tmp_path / "a.csv", [["label", "text"], *rows])
    dataset = guess(path).dataset
    assert b"alone" in dataset.train.samples
    assert (len(dataset.train.samples), len(dataset.test.samples)) == (33, 8)


def test_a_column_of_splits_is_taken_and_validation_left_out(tmp_path: Path):
    names = ["train", "train", "test", "validation"] * 3
    rows = [[f"t{i}", n, "ab"[i % 2]] for i, n in enumerate(names)]
    path = write_csv(tmp_path / "a.csv", [["text", "Part", "label"], *rows])
    dataset = guess(path).dataset
    assert dataset.train.samples == (b"t0", b"t1", b"t4", b"t5", b"t8", b"t9")
    assert dataset.test.samples == (b"t2", b"t6", b"t10")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_other_delimiters_and_a_byte_order_mark_are_read(tmp_path: Path, mark: str):
    rows = [["text", "label"], *[[f"a, {i}", "xy"[i % 2]] for i in range(10)]]
    with (tmp_path / "a.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=mark).writerows(rows)
    assert ("x", b"a, 0") in pairs_of(guess(str(tmp_path / "a.csv")))


def test_columns_of_numbers_become_bytes_by_the_range_of_train(tmp_path: Path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 3)).round(3)
    rows = [[*map(str, row), "ab"[i % 2]] for i, row in enumerate(values)]
    path = write_csv(tmp_path / "a.csv", [["x1", "x2", "x3", "species"], *rows])
    guessed = guess(path)
    rule = guessed.card.source.quantise
    train = {tuple(sample) for sample in guessed.dataset.train.samples}
    assert (guessed.card.kind, guessed.card.separator) == ("series", "")
    # An independent computation: which rows are of train is told by their bytes.
    low, high = np.array(rule.low), np.array(rule.high)
    coded = np.clip(np.rint(255 * (values - low) / (high - low)), 0, 255)
    own = np.array([tuple(row) in train for row in coded.astype(int).tolist()])
    assert own.sum() == 40
    np.testing.assert_array_equal(values[own].min(0), low)
    np.testing.assert_array_equal(values[own].max(0), high)


def test_whole_numbers_below_256_stay_what_they_are(tmp_path: Path):
    rows = [[str(i), str(255 - i), "ab"[i % 2]] for i in range(20)]
    path = write_csv(tmp_path / "a.csv", [["p", "q", "class"], *rows])
    samples = {sample for _, sample in pairs_of(guess(path))}
    assert samples == {bytes([i, 255 - i]) for i in range(20)}


def test_arrays_of_images_keep_shape_levels_and_split(tmp_path: Path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 17, (30, 4, 5), np.uint8)
    labels = np.arange(30) % 3
    np.savez(
        tmp_path / "im.npz",
        x_train=images[:20],
        y_train=labels[:20],
        x_test=images[20:],
        y_test=labels[20:],
    )
    guessed = guess(str(tmp_path / "im.npz"))
    card, dataset = guessed.card, guessed.dataset
    assert (card.kind, card.shape, card.levels) == ("image", (4, 5), images.max() + 1)
    assert dataset.train.samples == tuple(image.tobytes() for image in images[:20])
    assert dataset.classes == ("0", "1", "2")
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "x_labels.npy", labels)
    expected = {(str(n), i.tobytes()) for n, i in zip(labels, images, strict=True)}
    assert pairs_of(guess(str(tmp_path / "x.npy"))) == expected


def test_a_folder_of_class_folders_of_images_gives_their_pixels(tmp_path: Path):
    rng = np.random.default_rng(0)
    expected = set()
    for i in range(12):
        pixels = rng.integers(0, 256, (6, 7), np.uint8)
        folder = tmp_path / "pics" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        expected.add(("ab"[i % 2], pixels.tobytes()))
    (tmp_path / "pics" / ".DS_Store").write_bytes(b"x")
    guessed = guess(str(tmp_path / "pics"))
    assert pairs_of(guessed) == expected
    assert guessed.card.shape == (6, 7)
    Image.new("L", (9, 9)).save(tmp_path / "pics" / "a" / "z.png")
    with pytest.raises(DatasetError, match=r"z\.png is 9x9 pixels.*7x6; give all"):
        guess(str(tmp_path / "pics"))


def test_a_folder_with_train_and_test_keeps_its_split(tmp_path: Path):
    for split, n in (("train", 4), ("test", 2)):
        for i in range(n):
            folder = tmp_path / "texts" / split / "ab"[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{i}.txt").write_text(f"{split} {i} ünï")
    dataset = guess(str(tmp_path / "texts")).dataset
    assert sorted(dataset.test.samples) == [
        b"test 0 \xc3\xbcn\xc3\xaf",
        b"test 1 \xc3\xbcn\xc3\xaf",
    ]
    assert (dataset.kind, len(dataset.train.samples)) == ("text", 4)


FAULTS = {
    "no such": ("missing.csv", None, "there is no file or folder"),
    "empty": ("a.csv", "", "is no csv file: it is empty"),
    "header alone": ("a.csv", "text,label\n", "has no rows"),
    "not UTF-8": ("a.csv", b"text,label\n\xff\xfe,a\n", "is no csv file"),
    "no label": ("a.csv", "u,v\nab,cd\nef,gh\nij,kl\n", "which column is the label?"),
    "a missing label": (
        "a.csv",
        "text,label\nab,x\ncd,\nef,x\n",
        "row 2 of 3 has no label",
    ),
    "all empty": ("a.csv", "text,label\n,a\n,b\n,a\n,b\n", "all samples are empty"),
    "one row of numbers": ("a.csv", "x1,x2,label\n1,2,a\n", "too few samples to split"),
    "no sample": ("none.npz", None, "an array of shape (0, 3) has no samples"),
    "one row": (
        "a.csv",
        "text,label\nab,x\n",
        "too few samples to split into train and test: 1",
    ),
    "JSON": ("a.jsonl", "{not json", "is no jsonl file"),
    "pickles": ("a.npz", None, "cannot read"),
    "another ending": ("a.xyz", "x", "expected a folder, or a file of"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_file_is_one_line_that_names_it(tmp_path: Path, fault: str):
    name, content, words = FAULTS[fault]
    path = tmp_path / name
    if fault == "no sample":
        np.savez(path, x=np.zeros((0, 3)), y=np.zeros(0))
    elif fault == "pickles":
        np.savez(path, x=np.array([{}], object), y=np.zeros(1))
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        guess(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_changed_file_and_a_changed_card_are_noticed(tmp_path: Path):
    path = write_csv(
        tmp_path / "mine.csv",
        [["text", "label"], *[[f"t{i}", "ab"[i % 2]] for i in range(20)]],
    )
    shelf = Shelf([])
    card = shelf.card(shelf.resolve(path))
    assert len(load_anew(card).train.samples) == 16
    for change in ({"n_train": 15}, {"separator": "|"}):
        assert card.model_copy(update=change).identity != card.identity
    with pytest.raises(DatasetError, match=r"\(16, 4\).*the card says \(15, 4\)"):
        load_dataset(card.model_copy(update={"n_train": 15}))
    Path(path).write_text(Path(path).read_text() + "t20,a\r\n")
    with pytest.raises(DatasetError, match="is not the file of its card"):
        load_anew(card)


def test_a_card_in_a_folder_of_cards_leads_to_its_file(tmp_path: Path):
    path = write_csv(
        tmp_path / "mine.csv",
        [["text", "label"], *[[f"t{i}", "ab"[i % 2]] for i in range(20)]],
    )
    written, words = write_card(path, tmp_path / "cards", Asked())
    assert "label 'label', text of text; 2 classes; 16 train and 4 test" in words
    assert 'path = "../mine.csv"' in written.read_text()
    shelf = load_shelf(tmp_path / "cards")
    assert "mine" in shelf.names
    assert load_anew(shelf.card("mine")).classes == ("a", "b")
    assert read_card(written) == shelf.card("mine")
    with pytest.raises(DatasetError, match="exists; delete it"):
        write_card(path, tmp_path / "cards", Asked())


def test_a_package_offers_cards_by_an_entry_point_and_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [[f"t{i}", "ab"[i % 2]] for i in range(20)]
    path = write_csv(tmp_path / "theirs.csv", [["text", "label"], *rows])
    write_card(path, tmp_path / "their_cards", Asked())
    (tmp_path / "their_cards" / "__init__.py").write_text("raise SystemExit('run')")
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n"
    )
    lines = "[bitprobe.datasets]\ntheirs = their_cards\nbroken = no_such_package\n"
    (info / "entry_points.txt").write_text(lines)
    assert "theirs" not in load_shelf().names
    monkeypatch.syspath_prepend(tmp_path)
    assert load_dataset(load_shelf().card("theirs")).classes == ("a", "b")


def test_a_data_set_of_the_hub_keeps_its_split_and_the_names_of_its_classes(
    monkeypatch: pytest.MonkeyPatch,
):
    # The library is not installed here: this stands in for what it returns.
    label = SimpleNamespace(int2str=lambda i: ("bad", "good")[i])
    hub = SimpleNamespace(ClassLabel=SimpleNamespace)

    def part(n: int) -> SimpleNamespace:
        values = {"text": [f"{n} {i}" for i in range(n)], "label": [0, 1] * (n // 2)}
        return SimpleNamespace(
            features={"text": None, "label": label},
            with_format=lambda _: Sliced(pd.DataFrame(values)),
        )

    hub.load_dataset = lambda _name, _configuration: {"train": part(8), "test": part(4)}
    monkeypatch.setitem(sys.modules, "datasets", hub)
    dataset = guess("hf:owner/reviews").dataset
    assert dataset.name == "reviews"
    assert dataset.classes == ("bad", "good")
    assert dataset.test.samples == (b"4 0", b"4 1", b"4 2", b"4 3")


def test_a_name_of_bitprobe_is_not_taken_by_a_file(tmp_path: Path):
    path = write_csv(
        tmp_path / "digits.csv",
        [["text", "label"], *[[f"t{i}", "ab"[i % 2]] for i in range(9)]],
    )
    with pytest.raises(DatasetError, match="another data set named 'digits'"):
        load_shelf().resolve(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", None),
        ("./my data.csv", "my_data"),
        ("x.CSV", "x"),
        ("hf:owner/Set-1", "set_1"),
        ("a/b.c/", "b"),
        ("/a/.hidden", "hidden"),
    ],
)
def test_paths_are_own_data_and_names_come_from_them(name: str, expected: str | None):
    assert is_own(name) == (expected is not None)
    if expected:
        assert name_of(name) == expected
