"""Registrations from the command line: before a run, by a run, and in every report."""

import json

import pytest

from harness.cli.app import main
from harness.commands.hypothesis import folder_hypothesis
from harness.commands.publish import publish
from harness.commands.register import register
from harness.commands.report import folder_document
from harness.commands.run import Options, run_and_report
from harness.errors import StoreError
from harness.planning.plan import Selection
from harness.planning.registered_design import FILE, read_registration

SUITE = """
name = "mine"
title = "Mine"
compressors = ["gzip", "zstd"]
datasets = [{ name = "digits", train = 40, test = 20 }]
tasks = ["rates"]
[hypothesis]
datasets = ["digits"]
[[hypothesis.claims]]
name = "C"
task = "rates"
score = "heldout_bpb"
"""


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return path


def change(suite, old, new):
    text = suite.read_text()
    assert old in text
    suite.write_text(text.replace(old, new))


def run(suite, folder, **selection):
    return run_and_report(str(suite), Selection(**selection), Options(output=folder))


def test_a_suite_is_registered_once_and_again_only_before_it_has_records(
    suite, tmp_path
):
    (first,) = register(str(suite), tmp_path)
    assert first.startswith("registered ")
    (again,) = register(str(suite), tmp_path)
    assert again.startswith("unchanged since it was registered: ")
    change(suite, "test = 20", "test = 30")
    *changes, line = register(str(suite), tmp_path)
    assert changes == ["data, digits, test: 20 -> 30"]
    assert read_registration(tmp_path).words in line
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "k.json").touch()
    change(suite, '"zstd"', '"zstd", "xz"')
    with pytest.raises(StoreError, match=r"has 1 records .*compressors, xz: added"):
        register(str(suite), tmp_path)


def test_a_registration_after_records_says_so_at_once(suite, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "k.json").touch()
    (line,) = register(str(suite), tmp_path)
    assert ", after 1 records existed" in line


def test_a_registration_names_version_commit_and_date(suite, tmp_path):
    register(str(suite), tmp_path)
    values = json.loads((tmp_path / FILE).read_text())
    assert set(values) == {
        *("format", "suite", "hash", "date", "version", "commit", "document")
    }
    assert values["suite"] == "mine"
    assert values["date"].endswith("+00:00")


def test_the_command_takes_a_folder(suite, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    words = ["bitprobe", "register", str(suite), "--output", str(folder)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert read_registration(folder).words in capsys.readouterr().out


def documents(folder):
    """Return a folder in every form that a reader may see."""
    formats = ("markdown", "html", "latex")
    reports = [folder_document(folder, output_format) for output_format in formats]
    return [*reports, folder_hypothesis(folder, "text")]


def test_a_run_registers_itself_and_every_report_shows_hash_date_and_changes(
    suite, tmp_path, capsys
):
    folder, published = tmp_path / "run", tmp_path / "published"
    run(suite, folder, limit=10)
    assert read_registration(folder) is None  # unofficial: it registers nothing
    run(suite, folder)
    registered = read_registration(folder)
    assert f"registered {registered.words}" in capsys.readouterr().out
    publish(folder, published)
    assert read_registration(published) == registered
    for text in [*documents(folder), *documents(published)]:
        assert f"Registered {registered.words}." in text
        assert "xploratory" not in text
    # Without a change, a second run says nothing of registrations before its leaderboard.
    run(suite, folder)
    assert not capsys.readouterr().out.lower().startswith("registered")
    change(suite, '"zstd"', '"zstd", "xz"')
    run(suite, folder)
    said = capsys.readouterr().out
    assert f"changed after registration {registered.words}:\n" in said
    assert "\ncompressors, xz: added\n" in said
    assert read_registration(folder) == registered
    publish(folder, published)
    for text in [*documents(folder), *documents(published)]:
        assert f"Registered {registered.words}." in text
        assert "changed after registration: compressors, xz: added" in text
