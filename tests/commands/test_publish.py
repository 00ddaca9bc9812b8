"""A published folder is read back by the tool that wrote it."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from harness.commands.publish import publish
from harness.commands.report import folder_document
from harness.errors import StoreError
from harness.planning.manifest import (
    Manifest,
    RunSet,
    cell_of,
    read_manifest,
    write_manifest,
)
from harness.records.store import Store

CREDIT = np.eye(3)[[0, 1, 2, 0]]
LABELS = np.array([0, 1, 1, 0])


@pytest.fixture
def records(make_record, measured):
    return [
        record
        for spec, rate in {"a": 2.0, "b": 3.0}.items()
        for record in (
            make_record(spec, "rates", [measured("heldout_bpb", rate)]),
            make_record(spec, "class_scratch", [measured("balanced_accuracy", 0.5)]),
        )
    ]


def run_of(folder, records):
    store = Store(folder)
    store.open()
    for record in records:
        store.write(record)
        arrays = {"credit": CREDIT, "labels": LABELS, "features_test": np.ones((9, 9))}
        np.savez(store.arrays_path(record.key), **arrays)
    keys = {cell_of(record.job): record.key for record in records}
    sets = [RunSet(keys=keys, command="bitprobe run t", date="2026-11-25")]
    write_manifest(
        folder, Manifest(name="t", title="T", datasets=["digits"], sets=sets)
    )
    return folder


def test_every_format_of_a_published_folder_is_that_of_the_run(tmp_path, records):
    run = run_of(tmp_path / "run", records)
    target = tmp_path / "published"
    paths = publish(run, target)
    assert all(path.is_file() for path in paths)
    for output_format in ("markdown", "csv", "json", "html", "latex"):
        of_run = folder_document(run, output_format)
        assert folder_document(target, output_format) == of_run
    assert (target / "leaderboard.md").read_text() == folder_document(run, "markdown")
    csv = gzip.decompress((target / "scores.csv.gz").read_bytes()).decode()
    assert csv == folder_document(run, "csv")


def test_the_published_command_names_no_folder_of_a_machine(tmp_path, records):
    run = run_of(tmp_path / "run", records)
    manifest = read_manifest(run)
    command = f"bitprobe run t --output {tmp_path}/run --data ./my.csv"
    sets = [manifest.sets[0].model_copy(update={"command": command})]
    write_manifest(run, manifest.model_copy(update={"sets": sets}))
    publish(run, tmp_path / "published")
    published = read_manifest(tmp_path / "published")
    assert published.current.command == "bitprobe run t --output run --data ./my.csv"
    for path in (tmp_path / "published").glob("*.[hjm]*"):
        assert str(tmp_path) not in path.read_text(errors="replace")


def test_a_second_publication_leaves_nothing_of_the_first(tmp_path, records):
    target = tmp_path / "published"
    (target / "figures").mkdir(parents=True)
    (target / "joint.md").write_text("a page of somebody else's")
    publish(run_of(tmp_path / "run", records), target)
    assert (target / "joint.md").exists()
    # From now on the folder is a publication, and its optional files are of the run.
    stale = [target / "joint.md", target / "figures" / "rates-older.svg"]
    for path in stale:
        path.write_text("of an earlier run")
    own = target / "notes.md"
    own.write_text("not of bitprobe")
    paths = publish(tmp_path / "run", target)
    assert not any(path.exists() for path in stale)
    assert own.exists()
    assert all(path.is_file() for path in paths)


def test_a_published_manifest_says_how_it_was_run_and_lists_no_keys(tmp_path, records):
    publish(run_of(tmp_path / "run", records), tmp_path / "published")
    manifest = read_manifest(tmp_path / "published")
    assert manifest is not None
    assert manifest.current.command == "bitprobe run t"
    assert manifest.current.keys == {}


def test_the_same_records_give_the_same_bytes(tmp_path, records):
    run = run_of(tmp_path / "run", records)
    first, second = (publish(run, tmp_path / name) for name in ("a", "b"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_an_unofficial_run_is_not_published(tmp_path, records):
    job = replace(records[0].job, official=False)
    run = run_of(tmp_path / "run", [replace(records[0], job=job), *records[1:]])
    with pytest.raises(StoreError, match="run with --limit or --seed"):
        publish(run, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_a_folder_without_records_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="no records in"):
        publish(tmp_path / "run", tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_per_sample_results_are_published_and_features_are_not(tmp_path, records):
    run = run_of(tmp_path / "run", records)
    publish(run, tmp_path / "published")
    arrays = Store(tmp_path / "published").read_arrays(records[0].key)
    assert set(arrays) == {"credit", "labels"}
    assert (arrays["credit"] == CREDIT).all()
    assert Store(tmp_path / "published").read_arrays("another") == {}


def test_a_damaged_archive_is_one_clear_line(tmp_path, records):
    target = tmp_path / "published"
    publish(run_of(tmp_path / "run", records), target)
    (target / "arrays.zip").write_bytes(b"PK no archive")
    with pytest.raises(StoreError, match=r"are damaged: [^\n]*; get them again$"):
        Store(target).read_arrays(records[0].key)
