import json
import struct

import pytest

from harness.data.formats import parse
from harness.data.formats.elf import text_section
from harness.data.formats.rows import Row
from harness.data.reading import Reading
from harness.errors import DatasetError


def read(format_name: str, data: bytes, **more: object) -> list[Row]:
    reading = Reading(format=format_name, test=["*"], **more)
    return parse({"f": data}, reading, name="the card")


def test_columns_of_a_table_go_by_name_and_records_by_value():
    table = 'who;what;skip\nroles;;\na;"x;y";no\nb;z;yes\nc;ä;no\n'.encode("latin-1")
    rows = read(
        "csv",
        table,
        csv={"delimiter": ";", "encoding": "latin-1", "skip": 1},
        columns={"label": "who", "sample": ["what"], "equal": {"skip": "no"}},
    )
    assert rows == [Row("a", b"x;y"), Row("c", "ä".encode())]


def test_quotes_are_ordinary_where_the_card_says_so():
    rows = read(
        "csv",
        b'a\t"x\n',
        csv={"delimiter": "\t", "quote": "", "header": False},
        columns={"label": 0, "sample": [-1]},
    )
    assert rows == [Row("a", b'"x')]


def test_numbers_of_a_table_become_bytes_by_the_range_of_their_column():
    rule = {"rule": "linear", "low": [0, -1], "high": [10, 1]}
    rows = read("csv", b"x,y,c\n10,0,k\n", quantise=rule, columns={"label": "c"})
    assert rows == [Row("k", bytes([255, 128]))]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "no"}, "no column 'no'"),
        ({"label": 3}, "no column 3"),
        (None, "needs"),
    ],
)
def test_a_column_that_is_not_there_is_an_error(columns: object, message: str):
    with pytest.raises(DatasetError, match=message):
        read("csv", b"a,b\n1,2\n", columns=columns)


def font(height: int, n: int = 95) -> bytes:
    lines = [f"flf2a$ {height} 1 9 0 1", "a comment"]
    for i in range(n):
        lines += [f"{chr(32 + i)}${row}@" for row in range(height - 1)] + ["__@@"]
    return "\n".join(lines).encode() + b"\n"


GLYPHS = {"lowest": 2, "highest": 3, "letters": "AB"}


def test_a_letter_of_a_font_is_its_rows_without_marks():
    assert read("figlet", font(2), glyphs=GLYPHS) == [
        Row("A", b"A 0\n__", "f"),
        Row("B", b"B 0\n__", "f"),
    ]


def test_fonts_of_other_heights_give_no_rows_and_cut_fonts_an_error():
    with pytest.raises(DatasetError, match="no rows"):
        read("figlet", font(4), glyphs=GLYPHS)
    with pytest.raises(DatasetError, match="cut short"):
        read("figlet", font(2, n=20), glyphs=GLYPHS)


def elf(order: str, *, is_long: bool, code: bytes) -> bytes:
    """Return an ELF file of three sections, as the System V ABI describes them."""
    names = b"\0.data\0.text\0.shstrtab\0"
    word, head = ("Q", 64) if is_long else ("I", 52)
    offsets = (head, head + len(code))
    table = offsets[1] + len(names)
    entry = order + ("2I4Q2I2Q" if is_long else "10I")
    size = struct.calcsize(entry)
    start = struct.pack(
        order + "16s2HI3" + word + "I6H",
        b"\x7fELF" + bytes([1 + is_long, 1 if order == "<" else 2, 1]),
        *(3, 62, 1, 0, 0, table, 0, head, 0, 0, size, 3, 2),
    )
    assert len(start) == head
    sections = [
        struct.pack(entry, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        struct.pack(entry, 7, 1, 6, 0, offsets[0], len(code), 0, 0, 0, 0),
        struct.pack(entry, 13, 3, 0, 0, offsets[1], len(names), 0, 0, 0, 0),
    ]
    return start + code + names + b"".join(sections)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_long", [True, False])
def test_machine_code_is_read_in_both_word_sizes_and_byte_orders(
    order: str, *, is_long: bool
):
    data = elf(order, is_long=is_long, code=b"code!")
    assert text_section("f", data) == b"code!"
    with pytest.raises(DatasetError, match="f"):
        text_section("f", data[:70])


def test_a_tune_loses_its_fields_and_gets_the_label_of_one():
    tune = b"% file\nX: 1\nT: Reel\nR: REEL\nK: Bb\nuF>E \\\n| D2 |]\n%end\n\nX: 2\nG\n"
    assert read("abc", tune, columns={"label": "R"}) == [
        Row("reel", b"uF>E \\\n| D2 |]", "f")
    ]


def test_fortunes_stand_between_lines_of_a_per_cent_sign():
    data = b"10% of\nit\n%\n\n%\ntwo"
    assert read("fortune", data) == [Row("", b"10% of\nit"), Row("", b"two")]


def test_tags_of_molecules_are_read_in_either_case_and_line_end():
    record = (
        "x\r\n$$$\r\n> <SMILES>\r\nCCO\r\n\r\n>  <Class> (1)\r\nlow\r\n\r\n$$$$\r\n"
    )
    columns = {"label": "class", "sample": ["Smiles"]}
    assert read("sdf", record.encode() * 2, columns=columns) == [Row("low", b"CCO")] * 2
    with pytest.raises(DatasetError, match="record 1: no tag 'id'"):
        read("sdf", record.encode(), columns={"label": "id", "sample": ["smiles"]})


def test_words_of_letters_alone_are_samples():
    counts = json.dumps({"drüben": 3, "o'clock": 2, "b2b": 1}).encode()
    assert read("word_counts", counts) == [Row("", "drüben".encode())]
    with pytest.raises(DatasetError, match="expected an object"):
        read("word_counts", b"[]")
