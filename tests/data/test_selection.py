from harness.data.formats.rows import Row
from harness.data.reading import Selection
from harness.data.selection import selected


def test_whole_pieces_of_the_first_bytes_remain_with_label_and_group():
    rules = Selection(first_bytes=7, piece_bytes=3)
    assert selected([Row("a", b"abcdefghi", "g")], rules) == [
        Row("a", b"abc", "g"),
        Row("a", b"def", "g"),
    ]


def test_lengths_count_characters_not_bytes():
    rows = [Row("a", "äöü".encode()), Row("a", b"abcd")]
    assert selected(rows, Selection(min_characters=4)) == rows[1:]


def test_of_equal_samples_the_first_remains_unless_labels_differ():
    rows = [Row("a", b"1"), Row("a", b"2"), Row("b", b"2"), Row("a", b"1", "later")]
    assert selected(rows, Selection(distinct=True)) == rows[:1]


def test_a_row_more_leaves_the_rows_drawn_from_other_classes_unchanged():
    rows = [Row(label, f"{label}{i}".encode()) for label in "ab" for i in range(20)]
    rules = Selection(per_class=5, seed=3)
    few = selected(rows, rules)
    more = selected([*rows, Row("b", b"b99")], rules)
    assert [row.label for row in few] == ["a"] * 5 + ["b"] * 5
    assert [r for r in few if r.label == "a"] == [r for r in more if r.label == "a"]
    assert len({*few} & {*more}) >= 9
