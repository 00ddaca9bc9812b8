"""Commands on compressors, data sets and this machine: list, fetch, audit, check, new, doctor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.options import AsJson, CardsDir, PluginsDir


class Part(StrEnum):
    """Kinds of resources that `bitprobe list` shows."""

    compressors = "compressors"
    datasets = "datasets"
    suites = "suites"
    tasks = "tasks"


class NewKind(StrEnum):
    """Kinds of files that `bitprobe new` writes."""

    codec = "codec"
    model = "model"
    dataset = "dataset"


def list_parts(
    kind: Part,
    *,
    as_json: AsJson = False,
    plugins_dir: PluginsDir = None,
    cards_dir: CardsDir = None,
) -> None:
    """List compressors, datasets, suites or tasks."""
    from harness.commands.list import inventory

    rows = inventory(kind.value, plugins_dir, cards_dir)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:<22} {row['about']}")


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="names; default: all of the suite bench")
    ] = None,
    *,
    cards_dir: CardsDir = None,
) -> None:
    """Fetch and verify data sets, by default those of bench."""
    from harness.commands.fetch import fetch_all
    from harness.data.shelf import load_shelf
    from harness.planning.suite import load_suite

    datasets = names or [row.name for row in load_suite("bench").datasets]
    shelf = load_shelf(cards_dir)
    # All names first: a wrong one ends the command before the first download.
    fetch_all([shelf.card(name) for name in datasets])
    typer.echo(f"in the cache and verified: {', '.join(datasets)}")


def audit(
    dataset: Annotated[
        str, typer.Argument(help="a data set, or a file or folder of your own")
    ],
    *,
    as_json: AsJson = False,
    cards_dir: CardsDir = None,
) -> None:
    """Show sizes, classes and duplicates of a data set."""
    from dataclasses import asdict

    from harness.data.audit import audit as audit_dataset
    from harness.data.shelf import load_shelf

    shelf = load_shelf(cards_dir)
    result = audit_dataset(shelf.card(shelf.resolve(dataset)))
    for note in shelf.notes:
        typer.echo(note, err=True)
    if as_json:
        _print_json(asdict(result))
        return
    # Imported only here: JSON needs no console.
    from harness.report.audit import print_audit
    from harness.report.terminal import wide_console

    print_audit(result, wide_console())


def check(
    target: Annotated[str, typer.Argument(help="a spec, or a plugin file")],
    *,
    plugins_dir: PluginsDir = None,
) -> None:
    """Check that a compressor keeps its contract.

    Round trips, code lengths, determinism and declarations are tested.
    """
    from harness.commands.check import check_and_report

    # The exit code lets continuous integration fail on a broken contract.
    raise typer.Exit(check_and_report(target, plugins_dir))


def new(  # noqa: PLR0913  (these are the options)
    kind: NewKind,
    name: Annotated[
        str, typer.Argument(help="of a plugin; or the file or folder of a data set")
    ],
    *,
    folder: Annotated[
        Path | None, typer.Option(help="for it; my_plugins or my_cards if absent")
    ] = None,
    label: Annotated[str, typer.Option(help="column of the label, in a table")] = "",
    sample: Annotated[
        list[str] | None, typer.Option(help="column of the sample, in a table")
    ] = None,
    split: Annotated[str, typer.Option(help="column of train and test")] = "",
    seed: Annotated[int, typer.Option(min=0, help="of the split otherwise")] = 0,
) -> None:
    """Write a plugin with its test, or the card of a data set."""
    if kind is NewKind.dataset:
        from harness.commands.new_dataset import write_card
        from harness.data.own.columns import Asked

        asked = Asked(label=label, sample=sample or (), split=split, seed=seed)
        path, words = write_card(name, folder or Path("my_cards"), asked)
        typer.echo(f"{words}\nwrote {path}")
        typer.echo(f"next: bitprobe audit {path}; bitprobe run smoke --data {path}")
        return
    from harness.commands.new import write_plugin

    is_model = kind is NewKind.model
    paths = write_plugin(name, folder or Path("my_plugins"), model=is_model)
    typer.echo("wrote " + " and ".join(map(str, paths)))
    typer.echo(f"next: bitprobe check {paths[0]}")


def doctor(
    *,
    quiet: Annotated[bool, typer.Option(help="print only faults")] = False,
) -> None:
    """Test packages, devices, data and compressors here."""
    from harness.commands.doctor import examine

    diagnoses = examine()
    for diagnosis in diagnoses:
        if not (quiet and diagnosis.is_fine):
            typer.echo(f"{diagnosis.name:<22} {diagnosis.message}")
    # The exit code lets a script test a machine.
    raise typer.Exit(0 if all(d.is_fine for d in diagnoses) else 1)


def _print_json(values: Any) -> None:
    import json

    # `str` writes values that JSON lacks, such as paths.
    typer.echo(json.dumps(values, indent=1, default=str))
