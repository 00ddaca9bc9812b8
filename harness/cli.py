"""The command line: each command calls one function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError, UsageError

app = typer.Typer(
    help="Does better compression give better representations?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
PluginsDir = Annotated[Path | None, typer.Option(help="a folder of more plugins")]


@app.command("run")
def run_suite(  # noqa: PLR0913  (these are the options)
    suite: str,
    *,
    output: Annotated[Path | None, typer.Option(help="where records go")] = None,
    only: Annotated[list[str] | None, typer.Option(help="compressor specs")] = None,
    datasets: Annotated[list[str] | None, typer.Option(help="data sets")] = None,
    tasks: Annotated[list[str] | None, typer.Option(help="tasks")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="samples per split")] = None,
    jobs: Annotated[int, typer.Option("-j", min=1, help="jobs at a time")] = 2,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="seconds a job")
    ] = None,
    retry_failed: Annotated[bool, typer.Option(help="run failed jobs again")] = False,
    plugins_dir: PluginsDir = None,
) -> None:
    """Run a suite, resume where it stopped, and print its leaderboard."""
    from harness.plan import Selection
    from harness.session import Options, run_and_report

    selection = Selection(
        only=only or (),
        datasets=datasets or (),
        tasks=tasks or (),
        limit=limit,
        seed=seed,
    )
    options = Options(
        output=output or Path("results/runs") / Path(suite).stem,
        n_jobs=jobs,
        timeout_seconds=timeout,
        retry_failed=retry_failed,
        plugins_dir=plugins_dir,
    )
    raise typer.Exit(run_and_report(suite, selection, options))


@app.command()
def report(
    folder: Path,
    output_format: Annotated[
        str, typer.Option("--format", help="table, markdown, csv or json")
    ] = "table",
) -> None:
    """Print the leaderboard of a folder of records."""
    from harness.report.frame import COLUMNS, frame
    from harness.report.render import markdown, print_tables, wide_console
    from harness.store import Store

    records = Store(folder).read_all()
    table = frame(records)
    if output_format == "table":
        print_tables(table, wide_console())
    elif output_format == "markdown":
        typer.echo(markdown(table), nl=False)
    elif output_format == "csv":
        typer.echo(table[COLUMNS].to_csv(index=False), nl=False)
    elif output_format == "json":
        import json

        for record in records:
            typer.echo(json.dumps(record, sort_keys=True))
    else:
        raise UsageError(
            f"no format {output_format!r}; use table, markdown, csv or json"
        )


@app.command("list")
def list_parts(what: str, *, plugins_dir: PluginsDir = None) -> None:
    """List compressors, datasets, suites or tasks."""
    if what == "compressors":
        from harness.registry import load_registry

        for entry in load_registry(plugins_dir).entries.values():
            family = (
                entry.kind.family if entry.kind else f"unavailable: {entry.unavailable}"
            )
            typer.echo(f"{entry.name:<16} {family}")
    elif what == "datasets":
        from harness.data.card import card_names, load_card

        for name in card_names():
            typer.echo(f"{name:<16} {load_card(name).title}")
    elif what == "suites":
        from harness.suite import load_suite, suite_names

        for name in suite_names():
            typer.echo(f"{name:<16} {load_suite(name).title}")
    elif what == "tasks":
        typer.echo("rates\nclass_scratch\nbaseline")
    else:
        raise UsageError(
            f"cannot list {what!r}; list compressors, datasets, suites or tasks"
        )


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    try:
        app()
    except UsageError as error:
        typer.echo(f"bitprobe: {error}", err=True)
        sys.exit(2)
    except HarnessError as error:
        typer.echo(f"bitprobe: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("bitprobe: stopped; records are kept, run again to resume", err=True)
        sys.exit(130)
