"""The reading commands on a run folder and on its published form."""

import gzip
import json

import pytest
from rich.console import Console

from harness.commands import report
from harness.commands.hypothesis import folder_hypothesis
from harness.commands.report import folder_document, print_folder, write_figures
from harness.errors import StoreError, SuiteError
from harness.planning.manifest import Manifest, RunSet, cell_of, write_manifest
from harness.records.store import PUBLISHED, Store

FORMATS = ("markdown", "csv", "json", "html", "latex")


@pytest.fixture
def records(make_record, measured):
    accuracy = [measured("balanced_accuracy", 0.5)]
    return [
        record
        for spec, rate in {"a": 2.0, "b": 3.0}.items()
        for record in (
            make_record(spec, "rates", [measured("heldout_bpb", rate)]),
            make_record(spec, "class_scratch", accuracy),
        )
    ]


def manifest_of(records):
    keys = {cell_of(record.job): record.key for record in records}
    return Manifest(name="t", title="T", datasets=["digits"], sets=[RunSet(keys=keys)])


@pytest.fixture
def run_folder(tmp_path, records, make_record, measured):
    """Return a run folder in which records of earlier caps lie about."""
    store = Store(tmp_path / "run")
    store.open()
    capped = make_record("a", "rates", [measured("heldout_bpb", 9.0)], n_train=5)
    for record in [*records, capped]:
        store.write(record)
    write_manifest(store.folder, manifest_of(records))
    return store.folder


@pytest.fixture
def published_folder(tmp_path, records):
    folder = tmp_path / "published"
    write_manifest(folder, manifest_of([]))
    lines = "".join(f"{json.dumps(record.to_json())}\n" for record in records)
    (folder / PUBLISHED).write_bytes(gzip.compress(lines.encode()))
    return folder


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_published_folder_reads_like_the_run_but_for_what_else_lies_there(
    run_folder, published_folder, output_format
):
    of_run = folder_document(run_folder, output_format)
    published = folder_document(published_folder, output_format)
    other = (
        "1 more record is of other caps or another seed (--limit, --seed); not shown"
    )
    # The page writes the sentence as a paragraph, Markdown as a line of its own.
    assert (
        of_run.replace(f"<p>{other}.</p>\n", "").replace(f"{other}\n\n", "")
        == published
    )


def test_a_reading_command_loads_no_plugin_and_no_suite(run_folder, monkeypatch):
    from harness.contract import registry
    from harness.planning import suite

    def fail(*_, **__):
        raise AssertionError("needs more than the folder")

    monkeypatch.setattr(registry, "load_registry", fail)
    monkeypatch.setattr(suite, "load_suite", fail)
    for output_format in FORMATS:
        assert folder_document(run_folder, output_format)


def test_the_terminal_names_what_else_lies_in_the_folder(
    run_folder, monkeypatch, capsys
):
    monkeypatch.setattr(report, "wide_console", lambda: Console(width=200))
    print_folder(run_folder)
    text = capsys.readouterr().out
    assert "1 more record is of other caps" in text
    assert "Undecided by design" in text


def test_figures_are_those_that_the_records_allow(published_folder, tmp_path):
    paths = write_figures(published_folder, tmp_path / "figures")
    names = sorted(path.name for path in paths)
    assert names == ["accuracy-digits.svg", "rates-digits.svg"]
    assert all(path.read_text().startswith("<svg") for path in paths)


def test_figures_into_a_file_are_refused_in_one_line(published_folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write to .*; give another --output$"):
        write_figures(published_folder, tmp_path / "file")


@pytest.mark.parametrize("read", [print_folder, lambda f: folder_document(f, "csv")])
def test_a_folder_without_records_is_one_clear_line(tmp_path, read):
    with pytest.raises(
        StoreError, match=r"^no records in [^\n]*; run a suite into it first$"
    ):
        read(tmp_path)


def test_a_suite_without_a_preregistration_has_no_test_to_show(run_folder):
    with pytest.raises(SuiteError, match=r"the suite t preregisters no \[hypothesis\]"):
        folder_hypothesis(run_folder, "text")
