import gettext
import io
import struct
import wave

import numpy as np
import pytest

from harness.data.formats import FORMATS, parse
from harness.data.formats.catalogue import plain_text, read_mo
from harness.data.formats.image import shrunk
from harness.data.formats.rows import Row, quantised
from harness.data.reading import Quantise, Reading, Shrink
from harness.errors import DatasetError

ORANGE = b"Category\tText\nd\tstring\nclass\t\n\n"
NEWS = {"csv": {"header": False}, "columns": {"label": 0, "sample": [1, 2]}}
COLUMNS = {"label": "label", "sample": ["text"]}
GLYPHS = {"lowest": 2, "highest": 2, "letters": "AB"}
MULAW = {"rule": "mulaw", "high": 32768.0}


def read(format_name: str, members: dict[str, bytes], **more: object) -> list[Row]:
    reading = Reading(format=format_name, test=["*"], **more)
    return parse(members, reading, name="the card")


def test_nothing_is_stripped_from_a_text():
    rows = read("label_text", {"f": b"a\t x  \nb\ty\r"})
    assert [(row.label, row.sample) for row in rows] == [("a", b" x  "), ("b", b"y\r")]


@pytest.mark.parametrize("blank", [b"", b"\t"])
def test_the_header_of_an_orange_file_is_no_row(blank: bytes):
    header = ORANGE[:-1] + blank + b"\n"
    assert read("orange_tab", {"f": header + b"a\tx\n"}) == [Row("a", b"x")]


@pytest.mark.parametrize("data", [b"", b"a\tx\n" * 9, ORANGE[:-1]])
def test_an_orange_file_without_its_header_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="not an Orange"):
        read("orange_tab", {"f": data})


@pytest.mark.parametrize("data", [b"a x\n", b"\tx\n", b"a\tx\n\na\ty\n"])
def test_a_row_without_label_or_tab_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="expected label"):
        read("label_text", {"f": data})


def test_a_trec_question_has_its_coarse_class():
    rows = read("trec", {"f": b"DESC:manner How ?\nHUM:ind Who\xff ?\n"})
    assert rows == [Row("DESC", b"How ?"), Row("HUM", b"Who\xff ?")]


def test_a_splice_row_is_class_and_bases_with_ambiguous_letters():
    rows = read("splice", {"f": b"EI,   A-1,   ACGT\nN,  B-2,    ACDN\n"})
    assert rows == [Row("EI", b"ACGT"), Row("N", b"ACDN")]
    with pytest.raises(DatasetError, match="row 2"):
        read("splice", {"f": b"EI,A-1,ACGT\nEI,A-1,AC7T\n"})


def test_quoted_commas_quotes_and_backslashes_of_ag_news_survive():
    data = b'"3","A, ""B""","line\\two"\n"1","t","d"\n'
    assert read("csv", {"f": data}, **NEWS) == [
        Row("3", b'A, "B" line\\two'),
        Row("1", b"t d"),
    ]


@pytest.mark.parametrize(
    "data", [b'"1","t","d"\n"1","t"\n', b'"1","t","\xff"\n', b'"1","t","d']
)
def test_a_damaged_csv_file_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="f"):
        read("csv", {"f": data}, **NEWS)


def test_a_peptide_has_the_class_that_the_header_names():
    data = b"3,1,No,Yes\nGLW, 1\nKK,0\nAC, 1\n"
    assert read("peptide_csv", {"f": data}) == [
        Row("Yes", b"GLW"),
        Row("No", b"KK"),
        Row("Yes", b"AC"),
    ]
    with pytest.raises(DatasetError, match="no class"):
        read("peptide_csv", {"f": data + b"AC,2\n"})


def test_lines_are_labelled_by_their_file():
    members = {"x/de.txt": b"eins\n\nzwei", "x/en.txt": b"one \n"}
    rows = read("lines", members, label="/(..)[.]txt")
    assert rows == [Row("de", b"eins"), Row("de", b"zwei"), Row("en", b"one ")]


def test_a_file_whose_name_has_no_label_is_refused():
    with pytest.raises(DatasetError, match="does not match"):
        read("lines", {"README": b"x"}, label="/(..)[.]txt")


def test_the_order_of_members_in_a_container_does_not_matter():
    members = {"b": b"2", "a": b"1"}
    assert read("whole", members) == read("whole", dict(reversed(members.items())))


def test_patterns_that_match_nothing_are_an_error():
    with pytest.raises(DatasetError, match="no rows in 0 files"):
        read("whole", {})


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim])
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_shrunk_pixels_are_floored_means_in_fewer_levels():
    image = bytes([0, 1, 255, 255, 2, 4, 255, 254])  # 2 x 4: means 1.75 and 254.75
    rows = shrunk([Row("a", image)], (1, 2), Shrink(by=2, levels=16))
    assert rows == [Row("a", bytes([1 * 16 // 256, 254 * 16 // 256]))]
    assert shrunk(rows, (1, 2), Shrink(by=1)) == rows


def test_shrinking_images_of_another_size_is_an_error():
    with pytest.raises(DatasetError, match="has 3 pixels, shrink needs 8"):
        shrunk([Row("a", bytes(3))], (1, 2), Shrink(by=2))
    with pytest.raises(DatasetError, match="height x width"):
        shrunk([Row("a", bytes(3))], None, Shrink(by=2))


def test_idx_images_meet_their_labels():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    members = {
        "images": idx(images),
        "labels": idx(np.array([7, 1], np.uint8)),
    }
    assert read("idx", members) == [
        Row("7", bytes(range(12))),
        Row("1", bytes(range(12, 24))),
    ]


@pytest.mark.parametrize(
    "members",
    [
        {"a": b"\0\0\x08\x03"},
        {"a": b"\0\0\x0d\x01\0\0\0\1\0"},  # floats
        {"a": idx(np.zeros((2, 2, 2), np.uint8))[:-1]},
        {"a": idx(np.zeros((2, 2, 2), np.uint8))},  # no labels
        {"a": idx(np.zeros((2, 2, 2), np.uint8)), "b": idx(np.zeros(3, np.uint8))},
    ],
)
def test_damaged_or_unequal_idx_files_are_refused(members: dict[str, bytes]):
    with pytest.raises(DatasetError, match=r"idx|header"):
        read("idx", members)


def test_cifar_planes_become_pixels():
    planes = np.arange(3 * 1024).reshape(3, 32, 32) % 251
    record = bytes([3]) + planes.astype(np.uint8).tobytes()
    (row, again) = read("cifar_binary", {"data_batch_1.bin": record + record})
    image = np.frombuffer(row.sample, np.uint8).reshape(32, 32, 3)
    assert row == again
    assert row.label == "cat"
    assert image[5, 7].tolist() == planes[:, 5, 7].tolist()


@pytest.mark.parametrize("data", [b"", bytes(3072), bytes([10]) + bytes(3072)])
def test_what_is_no_cifar_record_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="f"):
        read("cifar_binary", {"f": data})


def test_the_label_of_a_pixel_table_is_its_last_column():
    assert read("mnist_csv", {"f": b"0,255,7\n1,2,3\n"}) == [
        Row("7", b"\x00\xff"),
        Row("3", b"\x01\x02"),
    ]


@pytest.mark.parametrize("data", [b"0,256,7\n", b"0,x,7\n", b"0,1,7\n0,1\n"])
def test_what_is_no_table_of_bytes_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="not a table"):
        read("mnist_csv", {"f": data})


def recording(values: np.ndarray, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, 2, 8000, 0, "NONE", ""))
        file.writeframes(values.astype("<i2").tobytes())
    return buffer.getvalue()


def test_companding_keeps_loud_and_soft_values_within_a_few_percent():
    values = np.array([-32768, -3000, -50, 50, 700, 32767])
    (row,) = read(
        "wav", {"5_x_1.wav": recording(values)}, label=r"(\d)_x", quantise=MULAW
    )
    signed = (np.frombuffer(row.sample, np.uint8) - 127.5) / 127.5
    back = (
        np.sign(signed) * 32768 * (256 ** np.abs(signed) - 1) / 255
    )  # the inverse law
    assert row.label == "5"
    assert np.abs(back - values).max() < 1000
    assert (np.abs(back - values) < 12 + 0.04 * np.abs(values)).all()


@pytest.mark.parametrize(
    "data", [b"RIFF", recording(np.arange(9))[:-4], recording(np.zeros(8), 2)]
)
def test_what_is_no_whole_recording_of_one_channel_is_refused(data: bytes):
    with pytest.raises(DatasetError, match=r"5_x_1\.wav"):
        read("wav", {"5_x_1.wav": data}, label=r"(\d)_x", quantise=MULAW)


def test_the_linear_rule_maps_its_ends_to_0_and_255_and_clips():
    rule = Quantise(rule="linear", low=-1.0, high=1.0)
    values = np.array([-1.0, 1.0, 0.0, -7.0, 9.0])
    assert list(quantised(values, rule)) == [0, 255, 128, 0, 255]


def test_channels_of_a_series_are_interleaved():
    data = b"#c\n@problemName x\n@data\n0,1,2:10,11,12:b\n5:6:a\n"
    rule = {"rule": "linear", "low": 0.0, "high": 255.0}
    assert read("ts", {"f": data}, quantise=rule) == [
        Row("b", bytes([0, 10, 1, 11, 2, 12])),
        Row("a", bytes([5, 6])),
    ]


@pytest.mark.parametrize("data", [b"0,1:a\n", b"@data\n0,x:a\n", b"@data\n?,1:a\n"])
def test_what_is_no_series_is_refused(data: bytes):
    with pytest.raises(DatasetError, match="f: "):
        read("ts", {"f": data}, quantise={"rule": "linear", "high": 1.0})


def catalogue(messages: dict[str, str]) -> bytes:
    """Compile a catalogue as GNU's manual describes the format."""
    ids = [key.encode() for key in sorted(messages)]
    texts = [messages[key].encode() for key in sorted(messages)]
    start, tables, pool = 28 + 16 * len(ids), [b"", b""], b""
    for part, strings in enumerate((ids, texts)):
        for string in strings:
            tables[part] += struct.pack("<2I", len(string), start + len(pool))
            pool += string + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(ids), 28, 28 + 8 * len(ids), 0, 0)
    return head + tables[0] + tables[1] + pool


MESSAGES = {
    "": "Content-Type: text/plain; charset=UTF-8\n",
    "Hello": "Grüße",
    "%d file\0%d files": "%d Datei\0%d Dateien",
    "menu\x04Open": "Öffnen",
}


def test_a_catalogue_reads_as_gettext_of_the_standard_library_does():
    data = catalogue(MESSAGES)
    theirs = gettext.GNUTranslations(io.BytesIO(data))
    ours = read_mo("f", data)
    assert theirs.gettext("Hello") == ours["Hello"] == "Grüße"
    assert theirs.ngettext("%d file", "%d files", 1) == ours["%d file"]
    assert theirs.pgettext("menu", "Open") == ours["menu\x04Open"]
    assert len(ours) == 3


def test_a_damaged_catalogue_is_refused():
    data = catalogue(MESSAGES)
    for cut in (0, 3, 20, 40, len(data) - 1):
        with pytest.raises(DatasetError, match="f"):
            read_mo("f", data[:cut])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Ändern von %(name)s: %s.", "Ändern von : ."),
        ("{0} von {count!r:>3}", "von"),
        ('Siehe <a href="x">hier</a>, 100%%', "Siehe hier , 100"),
        ("100 % sicher", "100 % sicher"),
    ],
)
def test_placeholders_and_tags_leave_a_text(text: str, plain: str):
    assert plain_text(text) == plain


def test_only_translated_texts_of_40_characters_count_and_once():
    long, other = "x" * 40, "y" * 41
    data = catalogue({"a": long, "b": "short", other: other})
    members = {f"{app}/locale/de/x.mo": data for app in ("one", "two")}
    rows = read("gettext_mo", members, label="/locale/([^/]+)/")
    assert rows == [Row("de", long.encode(), "a")]


def test_every_format_refuses_random_bytes_or_takes_them_whole():
    noise = np.random.default_rng(0).bytes(5000)
    for name in FORMATS:
        if name in ("whole", "lines"):
            continue
        with pytest.raises(DatasetError) as caught:
            read(name, {"f": noise}, quantise=MULAW, columns=COLUMNS, glyphs=GLYPHS)
        assert "\n" not in str(caught.value)
