"""Commands about the parts: list, fetch, audit, check, new, doctor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

PluginsDir = Annotated[Path | None, typer.Option(help="a folder of more plugins")]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


class Part(StrEnum):
    """What can be listed."""

    compressors = "compressors"
    datasets = "datasets"
    suites = "suites"
    tasks = "tasks"


def list_parts(
    what: Part, *, as_json: AsJson = False, plugins_dir: PluginsDir = None
) -> None:
    """List compressors, datasets, suites or tasks."""
    from harness.commands.list import inventory

    rows = inventory(what.value, plugins_dir)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:<22} {row['about']}")


def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="data sets")] = None,
) -> None:
    """Fetch and verify data sets: those named, or all of the default suite."""
    from harness.commands.fetch import fetch_all
    from harness.planning.suite import load_suite

    wanted = names or [row.name for row in load_suite("bench").datasets]
    fetch_all(wanted)
    typer.echo(f"here and verified: {', '.join(wanted)}")


def audit(dataset: str, *, as_json: AsJson = False) -> None:
    """Show sizes, classes and duplicates within and across the splits of a data set."""
    from dataclasses import asdict

    from harness.data.audit import audit as audit_dataset

    found = audit_dataset(dataset)
    if as_json:
        _print_json(asdict(found))
        return
    from harness.report.audit import print_audit
    from harness.report.terminal import wide_console

    print_audit(found, wide_console())


def check(
    target: Annotated[str, typer.Argument(help="a spec, or a plugin file")],
    *,
    plugins_dir: PluginsDir = None,
) -> None:
    """Check that a compressor keeps its promises: round trips, lengths, determinism."""
    from harness.commands.check import check_and_report

    raise typer.Exit(check_and_report(target, plugins_dir))


def new(
    name: Annotated[str, typer.Argument(help="a lower-case identifier")],
    *,
    model: Annotated[bool, typer.Option(help="a next-symbol model")] = False,
    folder: Annotated[Path, typer.Option(help="where it goes")] = Path("my_plugins"),
) -> None:
    """Write a working plugin with its test, to start from."""
    from harness.commands.new import write_plugin

    paths = write_plugin(name, folder, model=model)
    typer.echo("wrote " + " and ".join(map(str, paths)))
    typer.echo(f"next: bitprobe check {paths[0]}")


def doctor(
    *,
    quiet: Annotated[bool, typer.Option(help="say only what is wrong")] = False,
) -> None:
    """Say what works on this machine: packages, devices, data, each compressor."""
    from harness.commands.list import examine

    findings = examine()
    for finding in findings:
        if not (quiet and finding.is_fine):
            typer.echo(f"{finding.name:<22} {finding.message}")
    raise typer.Exit(0 if all(f.is_fine for f in findings) else 1)


def _print_json(values: Any) -> None:
    import json

    typer.echo(json.dumps(values, indent=1, default=str))
