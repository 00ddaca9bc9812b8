"""Commands that make or read records: run, report, compare."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import CardsDir, PluginsDir

DEFAULT_RUN = Path("results/runs/bench")


class Device(StrEnum):
    """Device of networks."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Format(StrEnum):
    """Formats of a report."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"
    html = "html"
    latex = "latex"


class TestFormat(StrEnum):
    """Formats of a preregistered test."""

    text = "text"
    markdown = "markdown"
    json = "json"


def run_suite(  # noqa: PLR0913  (these are the options)
    suite: Annotated[str, typer.Argument(help="a name, or the path of a TOML file")],
    *,
    output: Annotated[Path | None, typer.Option(help="where records go")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="the suite's: name, spec, glob or family:NAME"),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="specs to add to the suite")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="a file or folder of yours, in place of its data sets"),
    ] = None,
    datasets: Annotated[
        list[str] | None, typer.Option(help="data sets, or globs")
    ] = None,
    tasks: Annotated[list[str] | None, typer.Option(help="tasks, or globs")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="samples per split")] = None,
    jobs: Annotated[int, typer.Option("-j", min=1, help="jobs at a time")] = 2,
    seed: Annotated[int | None, typer.Option(min=0, help="of the first draw")] = None,
    device: Annotated[Device, typer.Option(help="for networks")] = Device.auto,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="seconds a job")
    ] = None,
    retry_failed: Annotated[bool, typer.Option(help="run failed jobs again")] = False,
    plugins_dir: PluginsDir = None,
    cards_dir: CardsDir = None,
) -> None:
    """Run or resume a suite, and print its leaderboard."""
    from harness.commands.run import Options, run_and_report
    from harness.planning.selection import Selection

    selection = Selection(
        # typer passes None for a list option that is absent.
        only=only or (),
        also=also or (),
        datasets=datasets or (),
        tasks=tasks or (),
        limit=limit,
        seed=seed,
    )
    options = Options(
        output=output or _run_folder(suite, data or ()),
        n_jobs=jobs,
        timeout_seconds=timeout,
        retry_failed=retry_failed,
        plugins_dir=plugins_dir,
        cards_dir=cards_dir,
        data=data or (),
        device=device.value,
    )
    # 1 if jobs failed, so that a script notices.
    raise typer.Exit(run_and_report(suite, selection, options))


def register(
    suite: Annotated[str, typer.Argument(help="a name, or the path of a TOML file")],
    *,
    output: Annotated[Path | None, typer.Option(help="the folder of its run")] = None,
    plugins_dir: PluginsDir = None,
    cards_dir: CardsDir = None,
) -> None:
    """Register a suite before it runs, with all that decides."""
    from harness.commands.register import register as register_suite

    folder = output or _run_folder(suite)
    for line in register_suite(suite, folder, plugins_dir, cards_dir):
        typer.echo(line)


def judge(
    folder: Annotated[Path, typer.Argument(help="a folder of records")],
    *,
    jobs: Annotated[int, typer.Option("-j", min=1, help="jobs at a time")] = 2,
) -> None:
    """Compute scores anew from what a run measured."""
    from harness.commands.judge import judge_and_report

    raise typer.Exit(judge_and_report(folder, n_jobs=jobs))


def report(
    folder: Annotated[Path, typer.Argument(help="a folder of records")],
    output_format: Annotated[Format, typer.Option("--format")] = Format.table,
) -> None:
    """Print the leaderboard of a folder of records."""
    from harness.commands.report import folder_document, print_folder

    if output_format is Format.table:
        print_folder(folder)
    else:
        # Documents end with a line break of their own.
        typer.echo(folder_document(folder, output_format.value), nl=False)


def hypothesis(
    target: Annotated[str, typer.Argument(help="a folder of records, or a suite")],
    output_format: Annotated[TestFormat, typer.Option("--format")] = TestFormat.text,
) -> None:
    """Test registered claims, or say what they can detect."""
    from harness.commands.hypothesis import hypothesis as document

    typer.echo(document(target, output_format.value), nl=False)


def joint(
    folder: Annotated[Path, typer.Argument(help="a folder of records")],
) -> None:
    """Show tables and claims of the suites joint and transfer."""
    from harness.commands.joint import folder_joint

    typer.echo(folder_joint(folder), nl=False)


def figures(
    folder: Annotated[Path, typer.Argument(help="a folder of records")],
    *,
    output: Annotated[Path, typer.Option(help="where the SVG files go")],
) -> None:
    """Draw the figures that a folder of records allows."""
    from harness.commands.report import write_figures

    paths = write_figures(folder, output)
    typer.echo(f"wrote {len(paths)} figures to {output}")


def publish(
    folder: Annotated[Path, typer.Argument(help="a folder of records")],
    *,
    output: Annotated[Path, typer.Option(help="the folder to publish")],
) -> None:
    """Write a finished run as tables, page, records and figures."""
    from harness.commands.publish import publish as publish_folder

    paths = publish_folder(folder, output)
    typer.echo(f"wrote {len(paths)} files to {output}")


def published(
    *,
    only: Annotated[list[str] | None, typer.Option(help="rows, or globs")] = None,
    output: Annotated[
        Path | None, typer.Option(help="a folder for the table and its records")
    ] = None,
    jobs: Annotated[int, typer.Option("-j", min=1, help="rows at a time")] = 2,
) -> None:
    """Recompute published figures of others."""
    from harness.commands.published import run_published

    run_published(only or (), output, n_jobs=jobs)


def compare(
    first: Annotated[str, typer.Argument(help="a compressor's spec, or a baseline")],
    second: Annotated[str, typer.Argument(help="another one's")],
    dataset: Annotated[str, typer.Option(help="the data set")],
    task: Annotated[str, typer.Option(help="the readout")] = "class_scratch",
    run: Annotated[Path, typer.Option(help="a folder of records")] = DEFAULT_RUN,
) -> None:
    """Compare two compressors on the same test samples.

    The difference is printed with its interval.
    """
    from harness.commands.compare import compare_in

    typer.echo(compare_in(run, first, second, dataset=dataset, task=task))


def _run_folder(suite: str, data: Sequence[str] = ()) -> Path:
    """Return the folder of a run: one per suite, since a manifest describes one suite."""
    from harness.data.own.names import name_of

    names = [Path(suite).stem, *map(name_of, data)]
    return Path("results/runs") / "-".join(names)
