import numpy as np
import pytest

from harness.data.formats.rows import Row
from harness.data.reading import SplitRule
from harness.data.splitting import classes_of, split_of, split_rows
from harness.errors import DatasetError

ROWS = [Row("ab"[i % 4 == 0], b"%d" % i, f"message {i // 5}") for i in range(400)]


def parts(**rule: object) -> tuple[list[Row], list[Row]]:
    return split_rows(ROWS, SplitRule(**rule), 100, name="x")


@pytest.mark.parametrize("rule", ["seeded", "group"])
def test_every_row_is_on_one_side_in_its_order(rule: str):
    train, test = parts(rule=rule, test=0.25)
    assert sorted(train + test, key=ROWS.index) == ROWS
    assert train == sorted(train, key=ROWS.index)
    assert test == sorted(test, key=ROWS.index)
    assert len(test) == 100


def test_a_seeded_division_keeps_the_shares_of_classes():
    _, test = parts(rule="seeded")
    assert sum(row.label == "b" for row in test) == 25


def test_another_seed_gives_another_division():
    assert parts(rule="seeded", seed=0) != parts(rule="seeded", seed=1)
    assert parts(rule="group", seed=0) != parts(rule="group", seed=1)


def test_a_group_is_never_on_both_sides():
    train, test = parts(rule="group", test=0.3)
    assert not {row.group for row in train} & {row.group for row in test}
    assert len({row.group for row in test}) == 24  # 30 % of 80


def test_the_head_of_a_text_is_train_and_its_tail_test():
    text = bytes(range(100))
    rule = SplitRule(rule="head", test=0.1)
    train, test = split_rows([Row("", text)], rule, 1, name="x")
    assert train[0].sample + test[0].sample == text
    assert len(test[0].sample) == 10


def test_too_few_or_too_many_rows_are_refused():
    with pytest.raises(DatasetError, match="400 rows, the card wants 400"):
        split_rows(ROWS, SplitRule(rule="seeded"), 400, name="x")
    with pytest.raises(DatasetError, match="one text, got 400"):
        parts(rule="head")


def test_rows_without_labels_have_no_classes():
    rows = [Row("", b"x"), Row("", b"y")]
    split = split_of(rows, classes_of(rows))
    assert classes_of(rows) == ()
    assert split.labels.shape == (0,)
    assert split.labels.dtype == np.int64


def test_groups_of_each_class_stand_on_both_sides():
    rows = [Row(c, b"x", f"{c}{i}") for c in "ab" for i in range(4) for _ in range(3)]
    rule = SplitRule(rule="class_group", test=0.1)
    train, test = split_rows(rows, rule, 1, name="x")
    assert {row.label for row in train} == {row.label for row in test} == {"a", "b"}
    assert not {row.group for row in train} & {row.group for row in test}
    with pytest.raises(DatasetError, match="'c' are of one group"):
        split_rows([*rows, Row("c", b"x", "c")], rule, 1, name="x")
