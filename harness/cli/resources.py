"""Commands on compressors, data sets and this machine: list, fetch, audit, check, new, doctor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.options import AsJson, PluginsDir


class Part(StrEnum):
    """Kinds of resources that `bitprobe list` shows."""

    compressors = "compressors"
    datasets = "datasets"
    suites = "suites"
    tasks = "tasks"


def list_parts(
    kind: Part, *, as_json: AsJson = False, plugins_dir: PluginsDir = None
) -> None:
    """List compressors, datasets, suites or tasks."""
    from harness.commands.list import inventory

    rows = inventory(kind.value, plugins_dir)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:<22} {row['about']}")


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="names; default: all of the suite bench")
    ] = None,
) -> None:
    """Fetch and verify data sets, by default those of bench."""
    from harness.commands.fetch import fetch_all
    from harness.planning.suite import load_suite

    datasets = names or [row.name for row in load_suite("bench").datasets]
    fetch_all(datasets)
    typer.echo(f"in the cache and verified: {', '.join(datasets)}")


def audit(
    dataset: Annotated[str, typer.Argument(help="a data set")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show sizes, classes and duplicates of a data set."""
    from dataclasses import asdict

    from harness.data.audit import audit as audit_dataset

    result = audit_dataset(dataset)
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


def new(
    name: Annotated[str, typer.Argument(help="a lower-case identifier")],
    *,
    model: Annotated[bool, typer.Option(help="a next-symbol model")] = False,
    folder: Annotated[Path, typer.Option(help="a folder for it")] = Path("my_plugins"),
) -> None:
    """Write a working plugin, and its test, to start from."""
    from harness.commands.new import write_plugin

    paths = write_plugin(name, folder, model=model)
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
