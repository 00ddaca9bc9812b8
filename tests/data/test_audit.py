import json
from dataclasses import asdict

import numpy as np
import pytest

from harness.data.audit import audit, audit_of
from harness.data.dataset import Dataset, Split
from harness.data.shelf import load_card


def small() -> Dataset:
    train = (b"aa", b"bbbb", b"aa", b"c", b"bbbb")
    return Dataset(
        name="digits",
        kind="text",
        classes=("x", "y", "z"),
        train=Split(samples=train, labels=np.array([0, 0, 1, 1, 0])),
        test=Split(samples=(b"c", b"dd"), labels=np.array([1, 0])),
        duplicated=np.array([True, True]),
    )


def test_an_audit_counts_by_hand():
    found = audit_of(small(), load_card("digits"))
    assert found.train.class_counts == {"x": 3, "y": 2, "z": 0}
    assert found.train.lengths == (1, 2.0, 4)
    assert (found.train.n_bytes, found.test.n_bytes) == (13, 3)
    assert found.train.repeated == 2
    assert found.train.conflicting == 2  # both of "aa"
    assert (found.exact_across, found.near_across) == (1, 2)
    assert found.n_levels == 4
    assert found.common_bytes == pytest.approx(
        {ord("b"): 8 / 16, ord("a"): 4 / 16, ord("c"): 2 / 16, ord("d"): 2 / 16}
    )


def test_an_audit_of_files_has_no_classes_and_no_rule():
    empty = Split(samples=(), labels=np.zeros(0, np.int64))
    files = Split(samples=(b"ab",), labels=np.zeros(0, np.int64))
    dataset = Dataset(name="f", kind="file", classes=(), train=empty, test=files)
    found = audit_of(dataset, load_card("canterbury"))
    assert found.train.n_samples == 0
    assert found.train.lengths == (0, 0.0, 0)
    assert found.test.class_counts == {}
    assert (found.rule, found.near_across) == ("none", None)


def test_an_audit_is_plain_json():
    found = asdict(audit(load_card("xor3")))
    assert json.loads(json.dumps(found))["test"]["n_samples"] == 40
    assert found["exact_across"] == 40  # eight strings are all there are
