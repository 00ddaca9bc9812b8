"""The command `bitprobe`: its subcommands, and the exit codes of errors."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from harness import __version__
from harness.cli import files, resources, runs
from harness.errors import HarnessError, StoppedError, UsageError

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells give it."""
STAND_INS = {"\u00b1": "+-", "\u2192": "->", "\u2190": "<-", "\u2026": "..."}
"""ASCII for letters that an encoding such as that of the locale POSIX lacks."""

app = typer.Typer(
    help="Does better compression give better representations?",
    # Errors of the user are one line; any other traceback is a bug, shown plainly.
    pretty_exceptions_enable=False,
    add_completion=False,
    # Brackets in help texts are part of specs, not markup.
    rich_markup_mode=None,
)
# The help lists commands in this order.
app.command("run")(runs.run_suite)
app.command("register")(runs.register)
app.command("judge")(runs.judge)
app.command("report")(runs.report)
app.command("hypothesis")(runs.hypothesis)
app.command("joint")(runs.joint)
app.command("figures")(runs.figures)
app.command("publish")(runs.publish)
app.command("published")(runs.published)
app.command("compare")(runs.compare)
app.command("list")(resources.list_parts)
app.command("fetch")(resources.fetch)
app.command("audit")(resources.audit)
app.command("check")(resources.check)
app.command("new")(resources.new)
app.command("fit")(files.fit)
app.command("compress")(files.compress)
app.command("decompress")(files.decompress)
app.command("complete")(files.complete)
app.command("doctor")(resources.doctor)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  (typer calls it so)
    if is_asked:
        typer.echo(f"bitprobe {__version__}")
        raise typer.Exit


@app.callback(help=app.info.help)
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Show the version.",
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    _print_in_any_encoding()
    # Without a command, help is of more use than an error.
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        # Not standalone, so that every error passes through here for its exit code.
        code = int(app(standalone_mode=False) or 0)
    except TyperException as error:
        _fail(f"{error.format_message().rstrip('.')}; see bitprobe --help", 2)
    except UsageError as error:
        _fail(str(error), 2)
    except StoppedError as error:
        _fail(str(error), INTERRUPTED)
    except HarnessError as error:
        _fail(str(error), 1)
    except typer.Abort:
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer returns this code after Ctrl-C
        _fail("stopped; what was finished is kept, run again to resume", code)
    sys.exit(code)


def _print_in_any_encoding() -> None:
    """Let both output streams write what their encoding lacks in ASCII."""

    def stand_in(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        letters = error.object[error.start : error.end]
        return "".join(STAND_INS.get(c, "?") for c in letters), error.end

    codecs.register_error("stand-in", stand_in)
    for stream in (sys.stdout, sys.stderr):
        # Tests put other streams here, which write to memory.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="stand-in")


def _fail(message: str, code: int) -> None:
    # The standard output may be a file or a pipe: messages stay out of it.
    typer.echo(f"bitprobe: {message}", err=True)
    sys.exit(code)
